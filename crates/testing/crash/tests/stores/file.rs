//! Trials of the file store.

use fasthttpsession_crash::Trial;

use crate::{LONG, Length, SHORT, hold, writer};

#[test]
fn files_survive() {
    survive(SHORT);
}

#[test]
#[ignore = "long"]
fn files_survive_long() {
    survive(LONG);
}

fn survive(length: Length) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!(
        "file:{}?migrate=true",
        folder.path().join("sessions").display()
    );
    hold(Trial::new("file", url, writer), |trial| {
        length.kill_writers(trial)
    });
}
