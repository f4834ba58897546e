//! What a disk did not take: a wait for it that failed, for strace answers in the kernel's place, or one that never was.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use fasthttpsession_core::{Created, Deleted, Replaced, Store, StoreErrorKind, Touched};
use fasthttpsession_file::{FileStore, SyncPolicy};
use tempfile::TempDir;

use crate::sample::{
    HOUR, NOW, child, config, file_of, folder, folder_of_child, handle, next, open, principal,
    record, record_of, step, steps_of, waits,
};

async fn open_full(folder: &Path) -> FileStore {
    let config = config(folder).sync(SyncPolicy::Full);
    config.open().await.expect("the folder is ours")
}

/// A folder in which the disk has the record that every child of these tests begins with.
fn folder_with_a_record() -> TempDir {
    let folder = folder();
    on_one_thread(async {
        let store = open_full(folder.path()).await;
        store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    });
    folder
}

/// strace counts the calls of each thread for itself, so there must be one only that waits for the disk.
fn on_one_thread(work: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).enable_all().build();
    runtime.unwrap().block_on(work);
}

/// What the kernel is asked at each step of the child `name`, in a folder in which the disk has a record.
fn seen_of(name: &str, inject: &str) -> Vec<String> {
    let folder = folder_with_a_record();
    let inject = format!("inject={inject}");
    steps_of(&child(name, folder.path()), &["-e", &inject])
}

fn assert_made_anew(step: &str) {
    assert_eq!(waits(step, "fdatasync", "/new>"), 1, "{step}");
    let renamed = step.find("rename").expect("a new file has its name");
    assert!(step.find("fdatasync").unwrap() < renamed, "{step}");
    let durable = step.rfind("fsync(").unwrap();
    assert!(step[durable..].contains("/sessions/00>") && renamed < durable);
}

#[test]
fn a_write_sent_again_after_a_failed_sync_is_on_the_disk_before_its_answer() {
    for name in [
        "failing::sends_a_replacement_again",
        "failing::sends_a_touch_again",
    ] {
        let steps = seen_of(name, "fdatasync:error=EIO:when=1");
        let [first, again, once_more] = &steps[..] else {
            panic!("there are three steps");
        };
        assert!(first.contains("(INJECTED)"), "{first}");
        assert_made_anew(again);
        assert_eq!(
            waits(once_more, "sync", ""),
            0,
            "it is on the disk: {once_more}"
        );
    }
}

#[test]
#[ignore = "a child process of the test above"]
fn sends_a_replacement_again() {
    on_one_thread(async {
        let store = open_full(&folder_of_child()).await;
        let next = next(&record(HOUR), "new");
        step("first");
        let error = store.replace(handle(1), 1, &next, NOW).await.unwrap_err();
        assert!(error.may_have_applied(), "{error}");
        for name in ["again", "once more"] {
            step(name);
            let answer = store.replace(handle(1), 1, &next, NOW).await.unwrap();
            assert_eq!(answer, Replaced::Conflict(next.clone()));
        }
        step("end");
    });
}

#[test]
#[ignore = "a child process of the test above"]
fn sends_a_touch_again() {
    on_one_thread(async {
        let store = open_full(&folder_of_child()).await;
        let touch = || store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW);
        step("first");
        let error = touch().await.unwrap_err();
        assert!(error.may_have_applied(), "{error}");
        for name in ["again", "once more"] {
            step(name);
            assert_eq!(touch().await.unwrap(), Touched::Touched);
        }
        step("end");
    });
}

#[test]
fn a_logout_sent_again_after_a_failed_sync_is_on_the_disk_before_its_answer() {
    let steps = seen_of("failing::sends_a_deletion_again", "fsync:error=EIO:when=1");
    let [first, again] = &steps[..] else {
        panic!("there are two steps");
    };
    assert!(first.contains("(INJECTED)"), "{first}");
    assert_eq!(waits(again, "fsync", "/sessions/00>"), 1, "{again}");
}

#[test]
#[ignore = "a child process of the test above"]
fn sends_a_deletion_again() {
    on_one_thread(async {
        let store = open_full(&folder_of_child()).await;
        step("first");
        let error = store.delete(handle(1), NOW).await.unwrap_err();
        assert!(error.may_have_applied(), "{error}");
        step("again");
        let answer = store.delete(handle(1), NOW).await.unwrap();
        assert_eq!(answer, Deleted::Gone);
        step("end");
    });
}

#[test]
fn a_disk_that_is_full_when_it_is_waited_for_leaves_a_record_with_its_entries() {
    for error in ["ENOSPC", "EDQUOT", "EROFS", "EFBIG"] {
        let inject = format!("fdatasync:error={error}:when=1");
        let steps = seen_of("failing::signs_in_on_a_disk_that_fails", &inject);
        assert!(steps[0].contains("(INJECTED)"), "{}", steps[0]);
    }
}

#[test]
#[ignore = "a child process of the test above"]
fn signs_in_on_a_disk_that_fails() {
    on_one_thread(async {
        let store = open_full(&folder_of_child()).await;
        let (ann, base) = (principal("ann"), record(HOUR));
        let mut signed_in = next(&base, "new");
        signed_in.header.principal = Some(ann.clone());
        step("sign in");
        let answer = store.replace(handle(1), 1, &signed_in, NOW).await;
        let error = answer.unwrap_err();
        assert_ne!(error.kind(), StoreErrorKind::Internal, "{error}");
        assert!(error.may_have_applied(), "{error}");
        let found = store.load(handle(1), NOW).await.unwrap();
        assert_eq!(found.as_ref(), Some(&signed_in));
        let listed = store.sessions_of(&ann, NOW).await.unwrap();
        assert_eq!(listed, [(handle(1), signed_in)]);
        step("end");
    });
}

/// Which file a session has.
fn file_number(folder: &Path, number: u64) -> u64 {
    let file = std::fs::metadata(file_of(folder, handle(number)));
    file.expect("the session has a file").ino()
}

#[tokio::test]
async fn what_others_did_not_sync_is_on_the_disk_before_an_answer_counts_on_it() {
    let (folder, record) = (folder(), record_of(&principal("ann"), HOUR));
    // As one that is killed before it waits leaves it.
    let killed = open(folder.path()).await;
    for number in 1..4 {
        killed.create(handle(number), &record, NOW).await.unwrap();
    }
    let store = open_full(folder.path()).await;
    let files = || [1, 2, 3].map(|number| file_number(folder.path(), number));
    let mut seen = vec![files()];
    for _ in 0..2 {
        let answer = store.create(handle(1), &record, NOW).await.unwrap();
        assert_eq!(answer, Created::Exists);
        let answer = store.replace(handle(2), 7, &record, NOW).await.unwrap();
        assert_eq!(answer, Replaced::Conflict(record.clone()));
        let deadline = record.header.idle_deadline;
        let answer = store.touch(handle(3), 1, deadline, NOW).await.unwrap();
        assert_eq!(answer, Touched::Touched);
        seen.push(files());
    }
    for (first, second) in seen[0].iter().zip(&seen[1]) {
        assert_ne!(first, second, "the disk may have nothing of it");
    }
    assert_eq!(seen[1], seen[2], "the disk has it");
    let listed = store.sessions_of(&principal("ann"), NOW).await.unwrap();
    assert_eq!(listed.len(), 3);
    assert!(listed.iter().all(|(_, found)| *found == record));
}

#[tokio::test]
async fn a_copy_that_may_be_the_only_one_on_the_disk_is_not_written_over() {
    let (folder, first) = (folder(), record(HOUR));
    let store = open_full(folder.path()).await;
    store.create(handle(1), &first, NOW).await.unwrap();
    let second = next(&first, "second");
    // As one that is killed before it waits leaves it.
    let killed = open(folder.path()).await;
    killed.replace(handle(1), 1, &second, NOW).await.unwrap();

    let file = std::fs::read(file_of(folder.path(), handle(1))).unwrap();
    let mut kept = File::open(file_of(folder.path(), handle(1))).unwrap();
    let third = next(&second, "third");
    store.replace(handle(1), 2, &third, NOW).await.unwrap();
    let mut left = Vec::new();
    kept.read_to_end(&mut left).unwrap();
    assert_eq!(left, file, "what the disk has is as it was");

    let made_anew = file_number(folder.path(), 1);
    let fourth = next(&third, "fourth");
    store.replace(handle(1), 3, &fourth, NOW).await.unwrap();
    assert_eq!(file_number(folder.path(), 1), made_anew, "the disk has it");
    let found = store.load(handle(1), NOW).await.unwrap();
    assert_eq!(found, Some(fourth));
}
