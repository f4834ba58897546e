//! Several processes on one file.

use std::env;
use std::process::{Child, Command, Stdio};

use fasthttpsession_core::{Record, Replaced, Store};
use fasthttpsession_sqlite::{SqliteConfig, SqliteStore};

use super::support::{NOW, Place, create, handle, load, record, successor};

const PROCESSES: u64 = 3;
const INCREMENTS: u64 = 100;
/// Tells a process which file to use.
const FILE: &str = "FASTHTTPSESSION_SQLITE_TEST_FILE";

#[tokio::test]
async fn increments_of_several_processes_all_count() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    let others: Vec<Child> = (0..PROCESSES).map(|_| start_process(&place)).collect();
    increment(&store).await;
    for mut other in others {
        let status = other.wait().expect("it was started");
        assert!(status.success(), "a process ended with {status}");
    }
    let found = load(&store, handle(1)).await.expect("it lives");
    assert_eq!(
        found.header.version,
        1 + (PROCESSES + 1) * INCREMENTS,
        "each increment is a version"
    );
}

/// What the other processes do.
#[tokio::test]
#[ignore = "run by increments_of_several_processes_all_count"]
async fn increments_of_one_process() {
    let file = env::var_os(FILE).expect("the process is told its file");
    let store = SqliteConfig::new(file)
        .open()
        .await
        .expect("the store opens");
    increment(&store).await;
}

fn start_process(place: &Place) -> Child {
    Command::new(env::current_exe().expect("a test is a program"))
        .args([
            "--exact",
            "processes::increments_of_one_process",
            "--ignored",
        ])
        .env(FILE, place.path("sessions.db"))
        .stdout(Stdio::null())
        .spawn()
        .expect("a process starts")
}

async fn increment(store: &SqliteStore) {
    let mut current = load(store, handle(1)).await.expect("it lives");
    for _ in 0..INCREMENTS {
        current = increment_once(store, current).await;
    }
}

async fn increment_once(store: &SqliteStore, mut current: Record) -> Record {
    loop {
        let next = successor(&current);
        let version = current.header.version;
        let replaced = store.replace(handle(1), version, &next, NOW).await;
        match replaced.expect("an answer") {
            Replaced::Replaced => return next,
            Replaced::Conflict(other) => current = other,
            Replaced::Gone => panic!("nobody deletes it"),
        }
    }
}
