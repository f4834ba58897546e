//! Trials of the SQLite store.

use fasthttpsession_crash::Trial;

use crate::{LONG, Length, SHORT, hold, writer};

#[test]
fn sqlite_survives() {
    survives(SHORT);
}

#[test]
#[ignore = "long"]
fn sqlite_survives_long() {
    survives(LONG);
}

fn survives(length: Length) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!(
        "sqlite:{}?migrate=true",
        folder.path().join("sessions.db").display()
    );
    hold(Trial::new("sqlite", url, writer), |trial| {
        length.kill_writers(trial)
    });
}
