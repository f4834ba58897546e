//! What waits for the disk: seen from outside, by the calls that a process makes of the kernel.

use std::env;
use std::io::Write as _;
use std::process::Command;

use fasthttpsession_core::Store;
use fasthttpsession_sqlite::{SqliteConfig, Synchronous};

use super::support::{NOW, Place, create, handle, record, successor};

/// Tells a process which file to use.
const FILE: &str = "FASTHTTPSESSION_SQLITE_TEST_FILE";

/// What comes between the lines that the child writes: the calls of a creation, of a replacement, of a logout.
async fn calls_of(child: &str) -> Vec<String> {
    let place = Place::new();
    // It makes the file and the log, which waits for the disk with each setting.
    let _open = place.store().await;
    let trace = place.path("trace");
    let output = Command::new("strace")
        .args(["-f", "-y", "-e", "trace=write,fsync,fdatasync", "-o"])
        .arg(&trace)
        .arg(env::current_exe().expect("a test is a program"))
        .args([child, "--exact", "--ignored", "--nocapture"])
        .env(FILE, place.path("sessions.db"))
        .output()
        .expect("the check looks at a process with strace: install it");
    assert!(output.status.success(), "{output:?}");
    let seen = std::fs::read_to_string(trace).expect("strace wrote it");
    let mut steps: Vec<_> = seen.split("step: ").skip(1).map(str::to_owned).collect();
    let end = steps.pop().unwrap_or_default();
    assert!(end.starts_with("end") && steps.len() == 3, "{seen}");
    steps
}

/// How often, in a step, the kernel was asked to put the log on the disk.
fn waits(step: &str) -> usize {
    let waits = |line: &&str| line.contains("sync(") && line.contains("sessions.db-wal>");
    step.lines().filter(waits).count()
}

#[tokio::test]
async fn with_full_a_write_is_on_the_disk_before_its_answer() {
    for step in calls_of("sync::writes_with_full").await {
        assert_eq!(waits(&step), 1, "{step}");
    }
}

#[tokio::test]
async fn with_normal_no_write_waits_for_the_disk() {
    for step in calls_of("sync::writes_with_normal").await {
        assert_eq!(waits(&step), 0, "{step}");
    }
}

#[tokio::test]
#[ignore = "a child process of the tests above"]
async fn writes_with_full() {
    writes(Synchronous::Full).await;
}

#[tokio::test]
#[ignore = "a child process of the tests above"]
async fn writes_with_normal() {
    writes(Synchronous::Normal).await;
}

async fn writes(synchronous: Synchronous) {
    let file = env::var_os(FILE).expect("the process is told its file");
    let config = SqliteConfig::new(file).synchronous(synchronous);
    let store = config.open().await.expect("the store opens");
    step("create");
    create(&store, handle(1), &record()).await;
    step("replace");
    let next = successor(&record());
    let replaced = store.replace(handle(1), 1, &next, NOW).await;
    replaced.expect("an answer");
    step("delete");
    store.delete(handle(1), NOW).await.expect("an answer");
    step("end");
}

/// A line that strace shows as one call. The last one is `end`.
fn step(name: &str) {
    let line = format!("step: {name}\n");
    let written = std::io::stderr().write_all(line.as_bytes());
    written.expect("it is written");
}
