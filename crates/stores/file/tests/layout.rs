//! The folder at opening: what is made, what is checked, and what is said.

use std::error::Error as _;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fasthttpsession_core::{Handle, Header, Record, Store, StoreError, StoreErrorKind, Timestamp};
use fasthttpsession_file::FileConfig;
use tokio::runtime::Builder;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HANDLE: Handle = Handle::from_bytes([7; 16]);
const MARKER: &str = "fasthttpsession";

fn config(folder: &Path) -> FileConfig {
    FileConfig::new(folder).purge_every(Duration::ZERO)
}

fn record() -> Record {
    let later = NOW.after(Duration::from_secs(3600));
    let header = Header {
        version: 1,
        created_at: NOW,
        idle_deadline: later,
        absolute_deadline: later,
        principal: None,
        label: None,
    };
    Record {
        header,
        body: "body".into(),
    }
}

async fn refusal(config: FileConfig) -> String {
    let error: StoreError = config.open().await.expect_err("the folder can't be used");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    error.to_string()
}

#[tokio::test]
async fn a_folder_is_made_only_when_asked_for() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/b");
    let said = refusal(config(&folder)).await;
    assert!(said.contains("migrate") && said.contains("a/b"), "{said}");
    assert!(!folder.exists());
    config(&folder).migrate(true).open().await.unwrap();
    config(&folder).open().await.expect("now it is there");
}

#[tokio::test]
async fn a_folder_in_which_all_may_write_is_refused() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path();
    for (mode, taken) in [
        (0o777, false),
        (0o1777, false),
        (0o702, false),
        (0o775, true),
    ] {
        std::fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        if taken {
            config(folder).migrate(true).open().await.unwrap();
            continue;
        }
        let said = refusal(config(folder).migrate(true)).await;
        assert!(said.contains(&format!("mode {mode:o}")), "{said}");
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn what_the_system_refuses_is_said_once() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    std::fs::write(&file, "").unwrap();
    for migrate in [false, true] {
        let error = config(&file).migrate(migrate).open().await.unwrap_err();
        assert!(error.to_string().contains("os error"), "{error}");
        assert!(error.source().is_none(), "{error:?}");
    }
}

#[test]
fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let config = || config(folder.path()).migrate(true);
    let error = once(config().open()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime.block_on(config().open()).unwrap();
    for outcome in [
        once(store.create(HANDLE, &record(), NOW)).map(drop),
        once(store.delete(HANDLE, NOW)).map(drop),
        once(store.count(NOW)).map(drop),
        once(store.check()),
    ] {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("tokio"), "{error}");
        assert!(!error.may_have_applied());
    }
}

#[test]
fn without_timers_there_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let without = Builder::new_current_thread().build().unwrap();
    let error = without.block_on(config(folder.path()).migrate(true).open());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("enable_all"), "{error}");
}

/// The outcome of what does not wait.
fn once<T>(work: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(work).poll(&mut context) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn a_folder_of_something_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("letter.txt"), "dear").unwrap();
    let said = refusal(config(folder.path())).await;
    assert!(said.contains("migrate") && said.contains(MARKER), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    std::fs::write(folder.path().join(MARKER), "dear").unwrap();
    for migrate in [false, true] {
        let said = refusal(config(folder.path()).migrate(migrate)).await;
        assert!(said.contains("not ours"), "{said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_later_layout_is_refused_also_by_a_migration() {
    let folder = tempfile::tempdir().unwrap();
    config(folder.path()).migrate(true).open().await.unwrap();
    std::fs::write(
        folder.path().join(MARKER),
        "a folder of sessions, layout 2\n",
    )
    .unwrap();
    for migrate in [false, true] {
        let said = refusal(config(folder.path()).migrate(migrate)).await;
        assert!(
            said.contains("layout 2") && said.contains("later"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn an_older_layout_is_brought_up_to_date_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = config(folder.path()).migrate(true).open().await.unwrap();
    store.create(HANDLE, &record(), NOW).await.unwrap();
    std::fs::write(
        folder.path().join(MARKER),
        "a folder of sessions, layout 0\n",
    )
    .unwrap();
    let said = refusal(config(folder.path())).await;
    assert!(
        said.contains("layout 0") && said.contains("migrate"),
        "{said}"
    );
    let store = config(folder.path()).migrate(true).open().await.unwrap();
    assert_eq!(store.load(HANDLE, NOW).await.unwrap(), Some(record()));
    config(folder.path())
        .open()
        .await
        .expect("it is up to date");
}

/// As the power may have left it.
#[tokio::test]
async fn an_empty_marker_is_written_anew_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = config(folder.path()).migrate(true).open().await.unwrap();
    store.create(HANDLE, &record(), NOW).await.unwrap();
    std::fs::write(folder.path().join(MARKER), "").unwrap();
    let said = refusal(config(folder.path())).await;
    assert!(said.contains("empty") && said.contains("migrate"), "{said}");
    let store = config(folder.path()).migrate(true).open().await.unwrap();
    assert_eq!(store.load(HANDLE, NOW).await.unwrap(), Some(record()));
    config(folder.path()).open().await.expect("it is whole");
}

#[tokio::test]
async fn a_part_that_is_missing_is_named_and_made_by_a_migration() {
    let folder = tempfile::tempdir().unwrap();
    let store = config(folder.path()).migrate(true).open().await.unwrap();
    store.create(HANDLE, &record(), NOW).await.unwrap();
    for part in ["sessions/42/lock", "sessions/42", "principals"] {
        let path = folder.path().join(part);
        if path.is_dir() {
            std::fs::remove_dir_all(path).unwrap();
        } else {
            std::fs::remove_file(path).unwrap();
        }
        let said = refusal(config(folder.path())).await;
        assert!(said.contains(part) && said.contains("migrate"), "{said}");
        let store = config(folder.path()).migrate(true).open().await.unwrap();
        assert_eq!(store.load(HANDLE, NOW).await.unwrap(), Some(record()));
    }
}

#[tokio::test]
async fn a_folder_that_is_removed_while_in_use_is_an_error_and_no_empty_session() {
    let folder = tempfile::tempdir().unwrap();
    let store = config(folder.path()).migrate(true).open().await.unwrap();
    assert_eq!(store.load(HANDLE, NOW).await.unwrap(), None);
    std::fs::remove_dir_all(folder.path()).unwrap();
    let errors = [
        store.load(HANDLE, NOW).await.unwrap_err(),
        store.create(HANDLE, &record(), NOW).await.unwrap_err(),
        store.count(NOW).await.unwrap_err(),
        store.purge(10, NOW).await.unwrap_err(),
        store.check().await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_migrate_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let opening: Vec<_> = (0..8)
        .map(|_| tokio::spawn(config(folder.path()).migrate(true).open()))
        .collect();
    for opening in opening {
        opening.await.unwrap().expect("each finds what it needs");
    }
    config(folder.path()).open().await.unwrap();
}
