//! Trials of the PostgreSQL store and of its server.

use fasthttpsession_crash::Trial;
use fasthttpsession_servers::Postgres;

use crate::{LONG, Length, SHORT, hold, writer};

#[test]
fn postgres_survives() {
    survives(SHORT);
}

#[test]
#[ignore = "long"]
fn postgres_survives_long() {
    survives(LONG);
}

fn survives(length: Length) {
    let server = Postgres::start();
    let url = format!("{}?migrate=true", server.database().url());
    hold(Trial::new("postgres", url, writer), |trial| {
        length.kill_writers(trial)?;
        trial.kill_the_server(&server, length.servers)
    });
}
