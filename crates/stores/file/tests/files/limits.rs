//! What there is too little of: room on the disk, and handles of files.

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fasthttpsession_core::{Created, Handle, Record, Replaced, Store, StoreErrorKind};
use fasthttpsession_file::FileStore;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::sample::{
    HOUR, NOW, child, config, file_of, folder, folder_of_child, handle, mount, next, open, record,
    shard_of, succeeds, told_of_limits, with_own_mounts,
};

#[test]
fn a_full_disk_is_full_and_keeps_what_is_on_it() {
    let folder = folder();
    succeeds(with_own_mounts(&child(
        "limits::fills_the_disk",
        folder.path(),
    )));
}

#[test]
#[ignore = "a child process of the test above"]
fn fills_the_disk() {
    fills();
}

#[tokio::main]
async fn fills() {
    let folder = folder_of_child();
    mount(&folder, "2m");
    let store = open(&folder).await;
    let large = next(&record(HOUR), vec![7; 60_000]);
    let mut created = 0;
    let error = loop {
        match store.create(handle(created), &large, NOW).await {
            Ok(answer) => assert_eq!(answer, Created::Created),
            Err(error) => break error,
        }
        created += 1;
    };
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    assert!(!error.may_have_applied() && error.is_retryable());
    assert!(created > 2);
    assert_eq!(store.load(handle(created), NOW).await.unwrap(), None);

    let larger = next(&large, vec![8; 300_000]);
    let error = store.replace(handle(0), 2, &larger, NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    for number in 0..created {
        let found = store.load(handle(number), NOW).await.unwrap();
        assert_eq!(found.as_ref(), Some(&large), "what was there is as it was");
        assert!(
            !shard_of(&folder, handle(number)).join("new").exists(),
            "something is left over"
        );
    }
    let same_size = next(&large, vec![8; 60_000]);
    let answer = store.replace(handle(0), 2, &same_size, NOW).await.unwrap();
    assert_eq!(answer, Replaced::Replaced, "what is there has room");

    for number in 1..created {
        store.delete(handle(number), NOW).await.unwrap();
    }
    let answer = store.create(handle(created), &large, NOW).await.unwrap();
    assert_eq!(answer, Created::Created, "there is room again");
}

#[test]
fn too_many_open_files_are_an_error_that_passes() {
    let folder = folder();
    succeeds(child("limits::runs_out_of_files", folder.path()));
}

#[test]
#[ignore = "a child process of the test above"]
fn runs_out_of_files() {
    runs_out();
}

#[tokio::main]
async fn runs_out() {
    let store = open(&folder_of_child()).await;
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    let before = limited(Resource::Nofile, 0);
    let loaded = store.load(handle(1), NOW).await;
    let replaced = store
        .replace(handle(1), 1, &next(&record(HOUR), "new"), NOW)
        .await;
    let elsewhere = store.create(handle(u64::MAX), &record(HOUR), NOW).await;
    setrlimit(Resource::Nofile, before).unwrap();

    for error in [
        loaded.unwrap_err(),
        replaced.unwrap_err(),
        elsewhere.unwrap_err(),
    ] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.is_retryable() && !error.may_have_applied());
    }
    assert_eq!(
        store.load(handle(1), NOW).await.unwrap(),
        Some(record(HOUR))
    );
    store
        .create(handle(u64::MAX), &record(HOUR), NOW)
        .await
        .unwrap();
}

#[test]
fn a_write_cut_short_where_only_what_was_there_before_follows_may_have_been_made() {
    let folder = folder();
    succeeds(told_of_limits(&child(
        "limits::writes_up_to_a_limit",
        folder.path(),
    )));
}

#[test]
#[ignore = "a child process of the test above"]
fn writes_up_to_a_limit() {
    writes_up_to();
}

#[tokio::main]
async fn writes_up_to() {
    let folder = folder_of_child();
    let store = open(&folder).await;
    let mut current = record(HOUR);
    current.body = vec![0; 6000].into();
    store.create(handle(1), &current, NOW).await.unwrap();
    let of_version = |version| {
        let mut body = vec![0; 6000];
        body[0] = version;
        body
    };
    for version in 2..4 {
        let next = next(&current, of_version(version));
        let answer = store.replace(handle(1), next.header.version - 1, &next, NOW);
        assert_eq!(answer.await.unwrap(), Replaced::Replaced);
        current = next;
    }
    // The fourth is to lie where the second one does, in the second half.
    let file = std::fs::metadata(file_of(&folder, handle(1))).unwrap();
    let before = limited(Resource::Fsize, file.len() / 2 + 1000);
    let fourth = next(&current, of_version(4));
    let cut_short = store.replace(handle(1), 3, &fourth, NOW).await;
    setrlimit(Resource::Fsize, before).unwrap();

    let error = cut_short.unwrap_err();
    let found = store.load(handle(1), NOW).await.unwrap();
    assert_eq!(found, Some(fourth), "all of it is there");
    assert!(error.may_have_applied(), "{error}");
}

/// Gives this process so much of `resource`, and says what it had before.
fn limited(resource: Resource, current: u64) -> Rlimit {
    let before = getrlimit(resource);
    let (current, maximum) = (Some(current), before.maximum);
    setrlimit(resource, Rlimit { current, maximum }).unwrap();
    before
}

#[tokio::test]
async fn a_limit_beyond_all_clocks_is_none() {
    let folder = folder();
    let config = config(folder.path())
        .lock_timeout(Duration::MAX)
        .timeout(Duration::MAX)
        .purge_every(Duration::MAX);
    let store = config.open().await.unwrap();
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    let next = next(&record(HOUR), "new");
    let answer = store.replace(handle(1), 1, &next, NOW).await.unwrap();
    assert_eq!(answer, Replaced::Replaced);
}

/// The longest record of which a new file is read without a thread, and the longest that fits in that file.
const LONGEST_NEW: usize = 3255;
const LONGEST_GROWN: usize = 4068;

/// A record that takes so many bytes, of the next version.
fn of_size(bytes: usize) -> Record {
    let beside_body = next(&record(HOUR), "").to_bytes().len();
    next(&record(HOUR), vec![7; bytes - beside_body])
}

/// What a load answers that gets no thread.
fn loaded_at_once(store: &FileStore, handle: Handle) -> Option<Record> {
    let load = pin!(store.load(handle, NOW));
    match load.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(loaded) => loaded.expect("the file holds a record"),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_record_of_a_few_kilobytes_is_read_while_all_threads_are_in_use() {
    let folder = folder();
    let store = open(folder.path()).await;
    let sizes = [100, 3000, LONGEST_NEW];
    for (number, bytes) in (0..).zip(sizes) {
        let created = store.create(handle(number), &of_size(bytes), NOW).await;
        assert_eq!(created.unwrap(), Created::Created);
    }
    if loaded_at_once(&store, handle(0)).is_none() {
        eprintln!("Not tried: here the kernel says nothing of a file without waiting.");
        return;
    }
    for (number, bytes) in (0..).zip(sizes) {
        let loaded = loaded_at_once(&store, handle(number));
        assert_eq!(loaded, Some(of_size(bytes)), "{bytes}");
    }
    let grown = next(&of_size(LONGEST_GROWN), of_size(LONGEST_GROWN).body);
    let answer = store.replace(handle(2), 2, &grown, NOW).await;
    assert_eq!(answer.unwrap(), Replaced::Replaced);
    assert_eq!(loaded_at_once(&store, handle(2)), Some(grown));
}

/// As the page says it.
#[tokio::test]
async fn a_longer_record_is_read_by_a_thread() {
    let folder = folder();
    let store = open(folder.path()).await;
    let longer = of_size(LONGEST_NEW + 1);
    store.create(handle(1), &longer, NOW).await.unwrap();
    assert_eq!(loaded_at_once(&store, handle(1)), None);
    assert_eq!(store.load(handle(1), NOW).await.unwrap(), Some(longer));
}
