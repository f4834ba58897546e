//! What the user of the process may not do, which opening finds out. Root may do all, so a process of another user opens the
//! store.

use std::env;
use std::fs::{Permissions, metadata, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use fasthttpsession_core::StoreErrorKind;
use fasthttpsession_sqlite::SqliteConfig;

use super::support::{Place, until};

/// Tells a process which file to open.
const FILE: &str = "FASTHTTPSESSION_SQLITE_TEST_FILE";
/// Somebody who owns nothing.
const NOBODY: u32 = 65_534;

#[tokio::test]
async fn a_database_that_can_not_be_written_to_is_refused_when_it_is_opened() {
    for read_only in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        let place = open_to_all();
        let _open = place.store().await;
        for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
            allow(&place.path(name), 0o666);
        }
        allow(&place.path(read_only), 0o444);
        let refusal = refusal(&place);
        names(&refusal, &place.path(read_only));
        assert!(refusal.contains("can't be written to"), "{refusal}");
    }
}

#[tokio::test]
async fn a_database_that_can_not_be_read_is_refused_with_its_path_and_the_reason() {
    let place = open_to_all();
    drop(place.store().await);
    let file = place.path("sessions.db");
    allow(&file, 0o000);
    let refusal = refusal(&place);
    names(&refusal, &file);
}

/// What SQLite needs beside the file can't be made there: with a log that is to be turned on, and with one that is on.
#[tokio::test]
async fn a_folder_that_can_not_be_written_to_is_named() {
    for has_log in [false, true] {
        let place = open_to_all();
        let file = place.path("sessions.db");
        if has_log {
            drop(place.store().await);
            let log = place.path("sessions.db-wal");
            until("the log was written back", || !log.exists()).await;
        } else {
            place.run("CREATE TABLE orders (id INTEGER)");
        }
        allow(&file, 0o666);
        allow(&place.path(""), 0o555);
        let refusal = refusal(&place);
        allow(&place.path(""), 0o777);
        names(&refusal, file.parent().expect("it is in one"));
    }
}

#[tokio::test]
async fn a_folder_that_can_not_be_entered_is_refused_with_the_reason() {
    let place = open_to_all();
    drop(place.store().await);
    allow(&place.path(""), 0o000);
    let refusal = refusal(&place);
    allow(&place.path(""), 0o777);
    let file = place.path("sessions.db");
    for part in [&*file.to_string_lossy(), "Permission denied", "its folder"] {
        assert!(refusal.contains(part), "{part} is not in: {refusal}");
    }
    assert!(!refusal.contains("can't be made"), "{refusal}");
}

/// What opening the place says to a user who may not do all.
fn refusal(place: &Place) -> String {
    // The folder of the program may be nobody's business.
    let mut child = Command::new("/proc/self/exe");
    if metadata("/proc/self").expect("Linux has it").uid() == 0 {
        child.uid(NOBODY).gid(NOBODY);
    }
    let output = child
        .args(["--exact", "rights::is_refused", "--ignored", "--nocapture"])
        .env(FILE, place.path("sessions.db"))
        .current_dir("/")
        .output()
        .expect("a process starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("1 passed"), "no such child: {said}");
    said.into_owned()
}

#[tokio::test]
#[ignore = "a child process of the tests above"]
async fn is_refused() {
    let file = PathBuf::from(env::var_os(FILE).expect("the process is told its file"));
    let opened = SqliteConfig::new(file).open().await;
    let error = opened.expect_err("the user may not");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    println!("{error}");
}

/// The sentence has the path, the system's reason, and what has to be so.
fn names(refusal: &str, path: &Path) {
    let reason = format!("{}: Permission denied", path.display());
    assert!(refusal.contains(&reason), "{reason} is not in: {refusal}");
    assert!(refusal.contains("and their folder"), "{refusal}");
}

fn open_to_all() -> Place {
    let place = Place::new();
    allow(&place.path(""), 0o777);
    place
}

fn allow(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).expect("it is the user's own");
}
