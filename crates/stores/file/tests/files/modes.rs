//! Who may read the files: their owner alone, whatever the umask. And a folder that may only be read.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use fasthttpsession_core::{Store, StoreErrorKind};
use rustix::fs::Mode;
use rustix::mount::{MountFlags, mount_remount};
use rustix::process::umask;

use crate::sample::{
    HOUR, NOW, child, folder, folder_of_child, handle, mount, next, open, principal, record,
    record_of, succeeds, tree, with_own_mounts,
};

#[test]
fn files_are_their_owners_alone_whatever_the_umask() {
    for name in [
        "modes::writes_with_no_umask",
        "modes::writes_with_the_strictest_umask",
    ] {
        let folder = folder();
        succeeds(child(name, &folder.path().join("sessions")));
        let files = tree(folder.path());
        assert!(files.len() > 512, "{name} wrote nothing");
        for file in files {
            is_private(&folder.path().join(file));
        }
    }
}

fn is_private(path: &Path) {
    let metadata = std::fs::symlink_metadata(path).unwrap();
    let mode = metadata.permissions().mode() & 0o7777;
    let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
    assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
}

#[test]
#[ignore = "a child process of the test above"]
fn writes_with_no_umask() {
    umask(Mode::empty());
    writes();
}

#[test]
#[ignore = "a child process of the test above"]
fn writes_with_the_strictest_umask() {
    // Who is not root could not enter a folder that they made, in the moment before they may.
    let strictest = if rustix::process::geteuid().is_root() {
        0o777
    } else {
        0o277
    };
    umask(Mode::from_raw_mode(strictest));
    writes();
}

#[tokio::main]
async fn writes() {
    let store = open(&folder_of_child()).await;
    let record = record_of(&principal("ann"), HOUR);
    store.create(handle(1), &record, NOW).await.unwrap();
    let large = next(&record, vec![7; 20_000]);
    store.replace(handle(1), 1, &large, NOW).await.unwrap();
    store
        .touch(handle(1), 2, NOW.after(3 * HOUR), NOW)
        .await
        .unwrap();
}

#[test]
fn a_folder_that_may_only_be_read_is_read() {
    let folder = folder();
    let child = child("modes::reads_only", folder.path());
    succeeds(with_own_mounts(&child));
}

#[test]
#[ignore = "a child process of the test above"]
fn reads_only() {
    reads();
}

#[tokio::main]
async fn reads() {
    let folder = folder_of_child();
    mount(&folder, "4m");
    let written = open(&folder).await;
    written.create(handle(1), &record(HOUR), NOW).await.unwrap();
    drop(written);
    mount_remount(&folder, MountFlags::RDONLY, c"").unwrap();

    let store = fasthttpsession_file::FileConfig::new(&folder)
        .open()
        .await
        .unwrap();
    assert_eq!(
        store.load(handle(1), NOW).await.unwrap(),
        Some(record(HOUR))
    );
    assert_eq!(store.count(NOW).await.unwrap(), 1);
    let error = store
        .replace(handle(1), 1, &next(&record(HOUR), "new"), NOW)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(!error.may_have_applied());
}
