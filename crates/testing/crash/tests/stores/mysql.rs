//! Trials of the MySQL store on MariaDB, and of that server.

use fasthttpsession_crash::Trial;
use fasthttpsession_servers::Mariadb;

use crate::{LONG, Length, SHORT, hold, writer};

#[test]
fn mysql_survives() {
    survives(SHORT);
}

#[test]
#[ignore = "long"]
fn mysql_survives_long() {
    survives(LONG);
}

fn survives(length: Length) {
    let server = Mariadb::start();
    let url = format!("{}?migrate=true", server.database().url());
    hold(Trial::new("mysql", url, writer), |trial| {
        length.kill_writers(trial)?;
        trial.kill_the_server(&server, length.servers)
    });
}
