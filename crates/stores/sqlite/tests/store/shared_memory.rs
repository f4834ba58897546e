//! No room for the file that readers share, of which the disk tells when a commit is in the log.

use std::env;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use fasthttpsession_core::{Record, Store, StoreErrorKind};
use fasthttpsession_sqlite::SqliteConfig;
use fasthttpsession_sqlite::rusqlite::Connection;

use super::support::{NOW, Place, handle, load, record};

/// Tells a process which folder to use.
const FOLDER: &str = "FASTHTTPSESSION_SQLITE_TEST_FOLDER";
/// Has the file that readers share lie where it can't grow, for the program that follows.
const SMALL_SHARED_MEMORY: &str = r#"
    mkdir "$FASTHTTPSESSION_SQLITE_TEST_FOLDER/small" && cd "$FASTHTTPSESSION_SQLITE_TEST_FOLDER" &&
    mount -t tmpfs -o size=32k tmpfs small && touch small/shm sessions.db-shm &&
    mount --bind small/shm sessions.db-shm && exec "$0" "$@"
"#;

#[test]
fn a_commit_that_a_full_disk_failed_once_it_was_in_the_log_may_have_been_made() {
    let place = Place::new();
    let mut alone = Command::new("unshare");
    alone.arg("--mount");
    let folder = place.path("");
    if folder.metadata().expect("it is there").uid() != 0 {
        alone.args(["--user", "--map-root-user"]);
    }
    let output = alone
        .args(["sh", "-c", SMALL_SHARED_MEMORY])
        .arg(env::current_exe().expect("a test is a program"))
        .args([
            "--exact",
            "shared_memory::fills_the_shared_memory",
            "--ignored",
        ])
        .env(FOLDER, folder)
        .output()
        .expect("a process starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("1 passed"), "no such child: {said}");
}

#[tokio::test]
#[ignore = "a child process of the test above"]
async fn fills_the_shared_memory() {
    let folder = PathBuf::from(env::var_os(FOLDER).expect("the process is told its folder"));
    let open = async |path: PathBuf| {
        let config = SqliteConfig::new(path).migrate(true);
        config.open().await.expect("the store opens")
    };
    let file = folder.join("sessions.db");
    let store = open(file.clone()).await;
    // The log grows as long as somebody reads what was there before it.
    let reader = Connection::open(&file).expect("the file is there");
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")
        .expect("it reads");
    let body = Bytes::from(vec![7; 1 << 20]);
    let large = Record { body, ..record() };
    let mut number = 0;
    let error = loop {
        match store.create(handle(number), &large, NOW).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    assert_eq!(load(&store, handle(number)).await, None);

    // As one that is killed now leaves it.
    let left = tempfile::tempdir().expect("a folder can be made");
    for name in ["sessions.db", "sessions.db-wal"] {
        std::fs::copy(folder.join(name), left.path().join(name)).expect(name);
    }
    let recovered = open(left.path().join("sessions.db")).await;
    assert_eq!(load(&recovered, handle(number)).await, Some(large));
    assert!(error.may_have_applied(), "{error}");
}
