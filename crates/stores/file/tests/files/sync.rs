//! What waits for the disk: seen from outside, by the calls that a process makes of the kernel.

use fasthttpsession_core::Store;
use fasthttpsession_file::SyncPolicy;

use crate::sample::{
    HOUR, NOW, child, config, folder, folder_of_child, handle, next, principal, record_of,
    shard_of, step, steps_of, waits,
};

/// What comes between the lines that the child writes, in the order of [`writes`].
fn calls_of(child_name: &str) -> Vec<String> {
    let folder = folder();
    steps_of(&child(child_name, folder.path()), &[])
}

#[test]
fn with_full_sync_a_write_is_on_the_disk_before_its_answer() {
    let steps = calls_of("sync::writes_with_full_sync");
    let [create, replace, touch, delete] = &steps[..] else {
        panic!("there are four steps");
    };
    assert_eq!(waits(create, "fdatasync", "/new>"), 1, "{create}");
    for folder in ["/sessions/00>", "/expiry/", "/principals/"] {
        assert!(waits(create, "fsync", folder) >= 1, "{folder}: {create}");
    }
    let renamed = create.find("rename").unwrap();
    let durable = create.rfind("/sessions/00>").unwrap();
    assert!(create.find("fdatasync").unwrap() < renamed && renamed < durable);
    for write in [replace, touch] {
        assert_eq!(waits(write, "fdatasync", "/sessions/00/"), 1, "{write}");
    }
    assert_eq!(waits(delete, "fsync", "/sessions/00>"), 1, "{delete}");
}

#[test]
fn without_sync_nothing_waits_for_the_disk() {
    let steps = calls_of("sync::writes_without_sync");
    assert_eq!(steps.len(), 4);
    for step in steps {
        assert_eq!(waits(&step, "sync", ""), 0, "{step}");
    }
}

#[test]
#[ignore = "a child process of the tests above"]
fn writes_with_full_sync() {
    writes(SyncPolicy::Full);
}

#[test]
#[ignore = "a child process of the tests above"]
fn writes_without_sync() {
    writes(SyncPolicy::None);
}

#[tokio::main]
async fn writes(sync: SyncPolicy) {
    let folder = folder_of_child();
    let store = config(&folder).sync(sync).open().await.unwrap();
    let record = record_of(&principal("ann"), HOUR);
    assert!(shard_of(&folder, handle(1)).ends_with("00"));
    step("create");
    store.create(handle(1), &record, NOW).await.unwrap();
    step("replace");
    store
        .replace(handle(1), 1, &next(&record, "new"), NOW)
        .await
        .unwrap();
    step("touch");
    store
        .touch(handle(1), 2, NOW.after(2 * HOUR), NOW)
        .await
        .unwrap();
    step("delete");
    store.delete(handle(1), NOW).await.unwrap();
    step("end");
}
