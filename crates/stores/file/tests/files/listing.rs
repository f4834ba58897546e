//! Lists of sessions.

use fasthttpsession_core::{Cursor, Store, StoreErrorKind};

use crate::sample::{
    HOUR, NOW, beyond_empty, file_of, folder, handle, handle_in, open, principal, record, record_of,
};

#[tokio::test]
async fn an_entry_that_is_left_over_is_removed_when_it_is_seen() {
    let folder = folder();
    let (store, owner) = (open(folder.path()).await, principal("ann"));
    for number in 0..3 {
        store
            .create(handle(number), &record_of(&owner, HOUR), NOW)
            .await
            .unwrap();
    }
    // As if somebody had been killed between the steps of a deletion.
    std::fs::remove_file(file_of(folder.path(), handle(1))).unwrap();
    let entries = || {
        let all = beyond_empty(folder.path());
        all.into_iter()
            .filter(|name| name.starts_with("principals/"))
            .count()
    };
    assert_eq!(entries(), 3);
    assert_eq!(store.sessions_of(&owner, NOW).await.unwrap().len(), 2);
    assert_eq!(entries(), 2);
}

/// Then nobody can tell whether somebody makes a record for it, and it may as well stay.
#[tokio::test]
async fn an_entry_that_is_left_over_where_a_lock_is_missing_hides_nothing() {
    let folder = folder();
    let (store, owner) = (open(folder.path()).await, principal("ann"));
    let [kept, left] = [handle_in(7, 0), handle_in(7, 1)];
    for handle in [kept, left] {
        let record = record_of(&owner, HOUR);
        store.create(handle, &record, NOW).await.unwrap();
    }
    let file = file_of(folder.path(), left);
    std::fs::remove_file(file.with_file_name("lock")).unwrap();
    std::fs::remove_file(file).unwrap();
    let sessions = store.sessions_of(&owner, NOW).await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].0, kept);
}

#[tokio::test]
async fn a_scan_goes_by_handles_and_goes_on_behind_the_last() {
    let folder = folder();
    let store = open(folder.path()).await;
    let mut handles = Vec::new();
    for (shard, number) in [(0, 1), (0, 0), (9, 9), (9, 3), (9, 5), (255, 0), (255, 255)] {
        handles.push(handle_in(shard, number));
        store
            .create(handle_in(shard, number), &record(HOUR), NOW)
            .await
            .unwrap();
    }
    handles.sort_unstable();
    for limit in 1..9 {
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = store.scan(next.as_ref(), limit, NOW).await.unwrap();
            assert!(page.sessions.len() <= limit);
            found.extend(page.sessions.into_iter().map(|(handle, _)| handle));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, handles, "in pages of {limit}");
    }
}

#[tokio::test]
async fn a_cursor_of_another_store_is_an_error() {
    let folder = folder();
    let store = open(folder.path()).await;
    let cursor = Cursor(b"another".to_vec().into());
    let error = store.scan(Some(&cursor), 10, NOW).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Internal);
}

#[tokio::test]
async fn a_file_that_holds_no_record_is_named_by_the_lists_that_come_upon_it() {
    let folder = folder();
    let store = open(folder.path()).await;
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    std::fs::write(file_of(folder.path(), handle(1)), b"rubbish").unwrap();
    let errors = [
        store.scan(None, 10, NOW).await.unwrap_err(),
        store.count(NOW).await.unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Corrupt);
        assert!(
            error.to_string().contains(&handle(1).to_string()),
            "{error}"
        );
    }
    store.delete(handle(1), NOW).await.unwrap();
    assert_eq!(store.count(NOW).await.unwrap(), 0);
}
