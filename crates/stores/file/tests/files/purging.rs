//! Purging, and the index by time that it goes by.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fasthttpsession_core::{Clock, Store, SystemClock};
use rustix::mount::{UnmountFlags, mount_bind, unmount};
use tokio::time::timeout;

use crate::sample::{
    HOUR, NOW, beyond_empty, child, config, file_of, folder, folder_of_child, handle, handle_in,
    hex, next, open, principal, record, record_of, shard_of, slot_of, succeeds, with_own_mounts,
};

const SLOT: Duration = Duration::from_millis(1 << 14);

#[tokio::test]
async fn a_session_has_one_entry_where_it_ends_however_it_was_used() {
    let folder = folder();
    let store = open(folder.path()).await;
    let mut record = record(HOUR);
    store.create(handle(1), &record, NOW).await.unwrap();
    for idle_deadline in [
        NOW.after(2 * HOUR),
        NOW.after(HOUR / 2),
        NOW.after(3 * HOUR),
    ] {
        record = next(&record, "new");
        record.header.idle_deadline = idle_deadline;
        let version = record.header.version;
        store
            .replace(handle(1), version - 1, &record, NOW)
            .await
            .unwrap();
        assert_eq!(
            entries(folder.path()),
            [entry(folder.path(), idle_deadline)]
        );
    }
    let later = NOW.after(4 * HOUR);
    store
        .touch(handle(1), record.header.version, later, NOW)
        .await
        .unwrap();
    assert_eq!(entries(folder.path()), [entry(folder.path(), later)]);
    assert_eq!(store.purge(10, NOW.after(3 * HOUR)).await.unwrap(), 0);
    assert_eq!(store.purge(10, later).await.unwrap(), 1);
    assert!(entries(folder.path()).is_empty());
}

/// All entries of the index by time.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = beyond_empty(folder).into_iter();
    all.filter(|name| name.starts_with("expiry/") && name.matches('/').count() == 3)
        .map(|name| folder.join(name))
        .collect()
}

fn entry(folder: &Path, ends: fasthttpsession_core::Timestamp) -> PathBuf {
    slot_of(folder, ends).join(hex(handle(1)))
}

#[tokio::test]
async fn a_deleted_session_leaves_nothing() {
    let folder = folder();
    let store = open(folder.path()).await;
    store
        .create(handle(1), &record_of(&principal("ann"), HOUR), NOW)
        .await
        .unwrap();
    store
        .touch(handle(1), 1, NOW.after(2 * HOUR), NOW)
        .await
        .unwrap();
    store.delete(handle(1), NOW).await.unwrap();
    assert!(entries(folder.path()).is_empty());
    // The first purge removes the empty slot, the next one the empty era.
    for _ in 0..2 {
        store.purge(10, NOW.after(99 * HOUR)).await.unwrap();
    }
    assert_eq!(beyond_empty(folder.path()), [""; 0]);
}

#[tokio::test]
async fn an_entry_that_lies_too_early_follows_its_session_when_it_is_due() {
    let folder = folder();
    let store = open(folder.path()).await;
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    // As if somebody had been killed between writing the record and moving its entry.
    let (early, right) = (
        slot_of(folder.path(), NOW),
        entry(folder.path(), NOW.after(HOUR)),
    );
    std::fs::create_dir_all(&early).unwrap();
    std::fs::rename(&right, early.join(hex(handle(1)))).unwrap();
    assert_eq!(store.purge(10, NOW.after(SLOT)).await.unwrap(), 0);
    assert_eq!(entries(folder.path()), [right]);
    assert!(!early.exists());
    assert_eq!(store.purge(10, NOW.after(HOUR)).await.unwrap(), 1);
}

#[tokio::test]
async fn an_entry_without_a_session_is_removed_when_it_is_due() {
    let folder = folder();
    let store = open(folder.path()).await;
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    std::fs::remove_file(file_of(folder.path(), handle(1))).unwrap();
    assert_eq!(store.purge(10, NOW).await.unwrap(), 0);
    assert_eq!(entries(folder.path()).len(), 1);
    assert_eq!(store.purge(10, NOW.after(HOUR)).await.unwrap(), 0);
    assert_eq!(entries(folder.path()).len(), 0);
}

#[tokio::test]
async fn a_file_that_a_killed_writer_left_unfinished_is_removed() {
    let folder = folder();
    let store = open(folder.path()).await;
    let unfinished = [1, 2].map(|shard| shard_of(folder.path(), handle_in(shard, 0)).join("new"));
    for path in &unfinished {
        std::fs::write(path, b"half a rec").unwrap();
    }
    store
        .create(handle_in(1, 0), &record(HOUR), NOW)
        .await
        .unwrap();
    assert!(!unfinished[0].exists(), "the next writer uses the name");
    store.purge(10, NOW).await.unwrap();
    assert!(!unfinished[1].exists(), "a purge removes it");
    assert_eq!(store.count(NOW).await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_that_holds_no_record_stays_and_is_in_no_purges_way() {
    let folder = folder();
    let store = open(folder.path()).await;
    for number in 0..4 {
        store
            .create(handle(number), &record(HOUR), NOW)
            .await
            .unwrap();
    }
    std::fs::write(file_of(folder.path(), handle(1)), b"rubbish").unwrap();
    assert_eq!(store.purge(10, NOW.after(HOUR)).await.unwrap(), 3);
    assert_eq!(
        std::fs::read(file_of(folder.path(), handle(1))).unwrap(),
        b"rubbish"
    );
}

#[test]
fn a_file_that_cant_be_removed_is_in_no_purges_way() {
    let folder = folder();
    succeeds(with_own_mounts(&child(
        "purging::purges_around_a_mount",
        folder.path(),
    )));
}

#[test]
#[ignore = "a child process of the test above"]
fn purges_around_a_mount() {
    purges_around();
}

#[tokio::main]
async fn purges_around() {
    let (folder, later) = (folder_of_child(), NOW.after(2 * HOUR));
    let store = open(&folder).await;
    let first = (0..5).map(|number| (number, HOUR));
    for (number, left) in first.chain([(5, 2 * HOUR)]) {
        let record = record(left);
        store.create(handle(number), &record, NOW).await.unwrap();
    }
    let stays = file_of(&folder, handle(2));
    mount_bind(&stays, &stays).expect("the child may mount");
    assert_eq!(store.purge(10, later).await.unwrap(), 5);
    let error = store.purge(10, later).await.unwrap_err();
    assert!(error.to_string().contains("removing session"), "{error}");
    unmount(&stays, UnmountFlags::empty()).unwrap();
    assert_eq!(store.purge(10, later).await.unwrap(), 1);
}

#[tokio::test]
async fn an_unfinished_file_that_cant_be_removed_is_in_no_others_way() {
    let folder = folder();
    let store = open(folder.path()).await;
    let unfinished = [1, 2].map(|shard| shard_of(folder.path(), handle_in(shard, 0)).join("new"));
    std::fs::create_dir(&unfinished[0]).unwrap();
    std::fs::write(&unfinished[1], b"half a rec").unwrap();
    store.purge(10, NOW).await.unwrap_err();
    assert!(!unfinished[1].exists());
}

#[tokio::test]
async fn a_shard_may_have_more_entries_than_a_file_can_have_links() {
    let folder = folder();
    let store = open(folder.path()).await;
    let lock = shard_of(folder.path(), handle_in(7, 0)).join("lock");
    let links = folder.path().join("links");
    std::fs::create_dir(&links).unwrap();
    // ext4 stops at 65,000; where there is no such limit, none is met here either.
    let made = (0..70_000)
        .take_while(|number| std::fs::hard_link(&lock, links.join(number.to_string())).is_ok());
    println!("the lock of the shard has {} links", made.count());
    for number in 0..3 {
        let record = record_of(&principal("ann"), HOUR);
        store
            .create(handle_in(7, number), &record, NOW)
            .await
            .unwrap();
    }
    assert_eq!(
        store
            .sessions_of(&principal("ann"), NOW)
            .await
            .unwrap()
            .len(),
        3
    );
    store
        .touch(handle_in(7, 1), 1, NOW.after(2 * HOUR), NOW)
        .await
        .unwrap();
    assert_eq!(store.purge(10, NOW.after(HOUR)).await.unwrap(), 2);
    assert_eq!(store.purge(10, NOW.after(2 * HOUR)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_is_removed_in_the_background_until_the_store_is_dropped() {
    let folder = folder();
    let store = config(folder.path())
        .purge_every(Duration::from_millis(1))
        .open()
        .await
        .unwrap();
    let now = SystemClock.now();
    let mut record = record(HOUR);
    (record.header.idle_deadline, record.header.absolute_deadline) =
        (now.after(Duration::from_millis(20)), now.after(HOUR));
    store.create(handle(1), &record, now).await.unwrap();
    let gone = async {
        while file_of(folder.path(), handle(1)).exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), gone)
        .await
        .expect("it is purged");

    assert!(open_files(folder.path()) > 0);
    let clone = store.clone();
    drop(store);
    assert!(open_files(folder.path()) > 0, "a clone is the same store");
    drop(clone);
    let closed = async {
        while open_files(folder.path()) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), closed)
        .await
        .expect("purging ends with the store");
}

/// How many files under `folder` this process has open.
fn open_files(folder: &Path) -> usize {
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    targets.filter(|target| target.starts_with(folder)).count()
}
