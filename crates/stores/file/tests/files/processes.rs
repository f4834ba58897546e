//! Several processes on one folder: killed at any moment, or keeping a lock.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Deleted, Record, Replaced, Store, StoreErrorKind};
use fasthttpsession_file::FileStore;
use rustix::fs::{FlockOperation, flock};

use crate::sample::{
    HOUR, NOW, beyond_empty, child, config, file_of, folder, folder_of_child, handle, handle_in,
    next, open, principal, record, record_of, shard_of,
};

const SESSIONS: u64 = 8;

/// What the session with this number is in this version: small and large by turns, and of another principal each time.
fn version_of(number: u64, version: u64) -> Record {
    let size = [40, 400, 9_000, 40_000][usize::try_from((number + version) % 4).unwrap()];
    let mut record = record_of(&principal(&format!("user {}", version % 3)), HOUR);
    record.header.version = version;
    record.header.idle_deadline = NOW.after(HOUR + Duration::from_secs(version * 7));
    record.body = Bytes::from(vec![u8::try_from(version % 251).unwrap(); size]);
    record
}

#[test]
fn a_writer_killed_at_any_moment_leaves_whole_records_and_all_that_was_acknowledged() {
    let folder = folder();
    let mut acknowledged = HashMap::new();
    for round in 0..15 {
        let mut writer = child("processes::writes_until_it_is_killed", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let commits = lines.map_while(Result::ok).filter_map(|line| {
            let (number, version) = line.strip_prefix("wrote ")?.split_once(' ')?;
            Some((number.parse::<u64>().ok()?, version.parse::<u64>().ok()?))
        });
        let mut seen = 0;
        for (number, version) in commits {
            acknowledged.insert(number, version);
            seen += 1;
            // What it says after that is acknowledged as well: read on to the end.
            if seen == 40 + round * 7 {
                writer.kill().unwrap();
            }
        }
        writer.wait().unwrap();
        assert!(seen >= 40, "the writer ended by itself");
        check(folder.path(), &acknowledged);
    }
}

/// Every session that was acknowledged is there, as a whole, and listed.
#[tokio::main]
async fn check(folder: &std::path::Path, acknowledged: &HashMap<u64, u64>) {
    let store = open(folder).await;
    for (&number, &version) in acknowledged {
        let found = store
            .load(handle(number), NOW)
            .await
            .unwrap()
            .expect("it was acknowledged");
        assert!(found.header.version >= version, "a write was undone");
        assert_eq!(found, version_of(number, found.header.version));
        let owner = found.header.principal.clone().unwrap();
        let listed = store.sessions_of(&owner, NOW).await.unwrap();
        assert!(
            listed.contains(&(handle(number), found)),
            "it is not listed"
        );
    }
    for user in 0..3 {
        let owner = principal(&format!("user {user}"));
        for (_, record) in store.sessions_of(&owner, NOW).await.unwrap() {
            assert_eq!(record.header.principal.as_ref(), Some(&owner));
        }
    }
}

#[test]
fn a_purge_finds_all_that_killed_writers_left() {
    let folder = folder();
    for _ in 0..5 {
        let mut writer = child("processes::writes_until_it_is_killed", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let is_commit =
            |line: &std::io::Result<String>| line.as_ref().unwrap().starts_with("wrote ");
        assert_eq!(lines.by_ref().filter(is_commit).take(30).count(), 30);
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    purged(folder.path());
    assert_eq!(beyond_empty(folder.path()), [""; 0]);
}

#[tokio::main]
async fn purged(folder: &std::path::Path) {
    let (store, later) = (open(folder).await, NOW.after(300 * HOUR));
    for user in 0..3 {
        // Whoever was killed left entries of sessions that are another's: they go when they are seen.
        let owner = principal(&format!("user {user}"));
        store.sessions_of(&owner, NOW).await.unwrap();
    }
    let live = store.count(NOW).await.unwrap();
    assert!(live > 0);
    assert_eq!(store.purge(1000, later).await.unwrap(), live);
    assert_eq!(store.purge(1000, later).await.unwrap(), 0);
}

#[test]
#[ignore = "a child process of the tests above"]
fn writes_until_it_is_killed() {
    let write = async {
        let store = open(&folder_of_child()).await;
        let writers = (0..SESSIONS).map(|number| tokio::spawn(write_on(store.clone(), number)));
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    };
    tokio::runtime::Runtime::new().unwrap().block_on(write);
}

async fn write_on(store: FileStore, number: u64) {
    // A session that ends makes room for the next one under a new handle.
    for number in (number..).step_by(usize::try_from(SESSIONS).unwrap()) {
        let found = store.load(handle(number), NOW).await.unwrap();
        let mut version = found.map_or(0, |found| found.header.version);
        if version == 0 {
            store
                .create(handle(number), &version_of(number, 1), NOW)
                .await
                .unwrap();
            version = 1;
            say(number, version);
        }
        for _ in 0..12 {
            let next = version_of(number, version + 1);
            let answer = store
                .replace(handle(number), version, &next, NOW)
                .await
                .unwrap();
            assert_eq!(answer, Replaced::Replaced);
            version += 1;
            say(number, version);
        }
    }
}

/// One write to the pipe, so that a kill cuts no line.
fn say(number: u64, version: u64) {
    let line = format!("wrote {number} {version}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_lock_that_another_process_keeps_is_a_timeout_without_effect() {
    let folder = folder();
    let store = config(folder.path())
        .lock_timeout(Duration::from_millis(30))
        .open()
        .await
        .unwrap();
    let (handle, record) = (handle_in(7, 0), record(HOUR));
    store.create(handle, &record, NOW).await.unwrap();
    let lock = File::open(shard_of(folder.path(), handle).join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();

    let error = store
        .replace(handle, 1, &next(&record, "new"), NOW)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(!error.may_have_applied() && error.is_retryable());
    let found = store.load(handle, NOW).await.unwrap();
    assert_eq!(found.as_ref(), Some(&record), "reading waits for no lock");

    flock(&lock, FlockOperation::Unlock).unwrap();
    let answer = store
        .replace(handle, 1, &next(&record, "new"), NOW)
        .await
        .unwrap();
    assert_eq!(answer, Replaced::Replaced);
}

/// By a cleaner of old files, or a restore; then `migrate` made it again. Another process has opened the new one.
#[tokio::test]
async fn a_lock_that_was_removed_and_made_again_is_the_one_that_counts() {
    let folder = folder();
    let limit = Duration::from_millis(30);
    let store = config(folder.path()).lock_timeout(limit).open().await;
    let store = store.unwrap();
    let (handle, record) = (handle_in(7, 0), record(HOUR));
    store.create(handle, &record, NOW).await.unwrap();
    let path = shard_of(folder.path(), handle).join("lock");
    std::fs::remove_file(&path).unwrap();

    let second = next(&record, "new");
    let error = store.replace(handle, 1, &second, NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(!error.may_have_applied());
    assert!(error.to_string().contains("`migrate`"), "{error}");

    let other = open(folder.path()).await;
    let lock = File::open(&path).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let error = store.replace(handle, 1, &second, NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    assert!(!error.may_have_applied());
    let error = store.delete(handle, NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");

    flock(&lock, FlockOperation::Unlock).unwrap();
    let answer = store.replace(handle, 1, &second, NOW).await.unwrap();
    assert_eq!(answer, Replaced::Replaced);
    let answer = other.delete(handle, NOW).await.unwrap();
    assert_eq!(answer, Deleted::Deleted);
}

#[tokio::test]
async fn whoever_waits_for_a_shard_leaves_the_threads_to_others() {
    let folder = folder();
    let store = config(folder.path()).threads(1).open().await.unwrap();
    let lock = File::open(shard_of(folder.path(), handle_in(7, 0)).join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let waiting: Vec<_> = (0..50)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(
                async move { store.create(handle_in(7, number), &record(HOUR), NOW).await },
            )
        })
        .collect();
    for number in 0..20 {
        tokio::task::yield_now().await;
        store
            .create(handle_in(8, number), &record(HOUR), NOW)
            .await
            .unwrap();
    }
    assert!(waiting.iter().all(|task| !task.is_finished()));
    flock(&lock, FlockOperation::Unlock).unwrap();
    for task in waiting {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_record_is_read_while_its_file_is_half_written() {
    let folder = folder();
    let store = open(folder.path()).await;
    let (handle, record) = (handle(1), record(HOUR));
    store.create(handle, &record, NOW).await.unwrap();
    let path = file_of(folder.path(), handle);
    let whole = std::fs::read(&path).unwrap();
    // The second copy, as a writer leaves it who was killed before the last byte: a higher number, and all but whole.
    let (first, second) = whole.split_at(whole.len() / 2);
    let mut torn = [first, first].concat();
    torn[second.len() + 7] += 1;
    torn[second.len() + 20 + record.to_bytes().len() - 1] = 0;
    std::fs::write(&path, torn).unwrap();
    assert_eq!(store.load(handle, NOW).await.unwrap(), Some(record.clone()));
    let next = next(&record, "new");
    store.replace(handle, 1, &next, NOW).await.unwrap();
    assert_eq!(store.load(handle, NOW).await.unwrap(), Some(next));
}
