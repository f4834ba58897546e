//! What is found in the folder that is not ours: left alone, and never followed.

use std::os::unix::fs::symlink;
use std::path::Path;

use fasthttpsession_core::{Deleted, Replaced, Store, StoreErrorKind};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use sha2::{Digest as _, Sha256};

use crate::sample::{
    HOUR, NOW, file_of, folder, handle, handle_in, hex, next, open, principal, record, record_of,
    shard_of, slot_of, tree,
};

#[tokio::test]
async fn what_is_not_ours_is_left_alone_by_every_operation() {
    let folder = folder();
    let owner = principal("ann");
    let store = open(folder.path()).await;
    store
        .create(handle(1), &record_of(&owner, HOUR), NOW)
        .await
        .unwrap();
    let names = plant_everywhere(folder.path());

    let store = open(folder.path()).await;
    assert_eq!(store.count(NOW).await.unwrap(), 1);
    assert_eq!(store.scan(None, 100, NOW).await.unwrap().sessions.len(), 1);
    assert_eq!(store.sessions_of(&owner, NOW).await.unwrap().len(), 1);
    store.check().await.unwrap();
    assert_eq!(store.purge(100, NOW.after(400 * HOUR)).await.unwrap(), 1);
    assert_eq!(store.purge(100, NOW.after(400 * HOUR)).await.unwrap(), 0);

    let left = tree(folder.path());
    for name in names {
        assert!(left.contains(&name), "{name} is gone");
        let content = std::fs::read(folder.path().join(&name)).unwrap();
        assert_eq!(content, b"not ours", "{name} was changed");
    }
}

/// Puts files in each of our folders, with names unlike and like ours; answers their paths.
fn plant_everywhere(folder: &Path) -> Vec<String> {
    let mut places: Vec<_> = tree(folder);
    places.retain(|name| folder.join(name).is_dir());
    places.push(String::new());
    let mut planted = Vec::new();
    for place in places {
        let of_another_shard = hex(handle_in(0xee, 1));
        for name in [
            "notes.txt",
            ".hidden",
            "0123",
            "zzz",
            "F0",
            &of_another_shard,
        ] {
            let expires = place.starts_with("expiry/") && place.matches('/').count() == 2;
            let theirs = place.ends_with("/ee") || expires;
            if theirs && name == of_another_shard {
                continue;
            }
            let path = folder.join(&place).join(name);
            std::fs::write(&path, b"not ours").unwrap();
            planted.push(
                path.strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
    planted
}

#[tokio::test]
async fn a_link_in_place_of_a_record_is_not_followed() {
    let (folder, elsewhere) = (folder(), folder());
    let store = open(folder.path()).await;
    let (stolen, handle, record) = (handle(1), handle(2), record(HOUR));
    store.create(stolen, &record, NOW).await.unwrap();
    let target = elsewhere.path().join("target");
    std::fs::rename(file_of(folder.path(), stolen), &target).unwrap();
    symlink(&target, file_of(folder.path(), handle)).unwrap();
    let before = std::fs::read(&target).unwrap();

    let error = store.load(handle, NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let error = store
        .replace(handle, 1, &next(&record, "new"), NOW)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert_eq!(store.delete(handle, NOW).await.unwrap(), Deleted::Deleted);
    assert_eq!(std::fs::read(&target).unwrap(), before);
    assert_eq!(store.load(handle, NOW).await.unwrap(), None);
}

#[tokio::test]
async fn a_link_in_place_of_an_unfinished_file_is_not_followed() {
    let (folder, elsewhere) = (folder(), folder());
    let store = open(folder.path()).await;
    let target = elsewhere.path().join("target");
    std::fs::write(&target, b"not ours").unwrap();
    symlink(&target, shard_of(folder.path(), handle(1)).join("new")).unwrap();
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    assert_eq!(std::fs::read(&target).unwrap(), b"not ours");
    assert_eq!(
        store.load(handle(1), NOW).await.unwrap(),
        Some(record(HOUR))
    );
}

#[tokio::test]
async fn a_link_in_place_of_a_slot_is_not_followed() {
    let (folder, elsewhere) = (folder(), folder());
    let store = open(folder.path()).await;
    let victim = elsewhere.path().join(hex(handle(1)));
    std::fs::write(&victim, b"not ours").unwrap();
    let slot = slot_of(folder.path(), NOW);
    std::fs::create_dir_all(slot.parent().unwrap()).unwrap();
    symlink(elsewhere.path(), &slot).unwrap();
    assert_eq!(store.purge(10, NOW.after(HOUR)).await.unwrap(), 0);
    assert!(victim.exists());
}

#[tokio::test]
async fn what_is_no_file_in_place_of_a_record_is_an_error_and_nothing_waits_for_it() {
    let folder = folder();
    let store = open(folder.path()).await;
    std::fs::create_dir(file_of(folder.path(), handle(1))).unwrap();
    let pipe = file_of(folder.path(), handle(2));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    for number in [1, 2] {
        let error = store.load(handle(number), NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        let error = store
            .create(handle(number), &record(HOUR), NOW)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    }
}

#[tokio::test]
async fn a_copy_with_the_last_number_there_is_loses_no_update() {
    let (folder, first) = (folder(), record(HOUR));
    let store = open(folder.path()).await;
    store.create(handle(1), &first, NOW).await.unwrap();
    // Its check is right: SHA-256 over the size of a copy, its number and length, and the record.
    let path = file_of(folder.path(), handle(1));
    let mut file = std::fs::read(&path).unwrap();
    let (size, record) = ((file.len() / 2) as u64, first.to_bytes());
    file[..8].copy_from_slice(&u64::MAX.to_be_bytes());
    let checked = [&size.to_be_bytes(), &file[..12], &record].concat();
    let digest = Sha256::digest(checked);
    file[12..20].copy_from_slice(&digest[..8]);
    std::fs::write(&path, file).unwrap();

    let mut last = first;
    for version in 1..4 {
        let next = next(&last, format!("after {version}"));
        let answer = store.replace(handle(1), version, &next, NOW).await.unwrap();
        assert_eq!(answer, Replaced::Replaced);
        let found = store.load(handle(1), NOW).await.unwrap();
        assert_eq!(found.as_ref(), Some(&next));
        last = next;
    }
}
