//! Sessions by principal and by scanning, while they change.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::sample::{HOUR, NOW, handle, next, principal, record, record_of};
use fasthttpsession_core::{Cursor, Handle, Principal, Record, Replaced, Store, StoreErrorKind};
use fasthttpsession_memory::MemoryStore;

async fn handles_of(store: &MemoryStore, name: &str) -> Vec<Handle> {
    let sessions = store.sessions_of(&principal(name), NOW).await.unwrap();
    let mut handles: Vec<Handle> = sessions.into_iter().map(|(handle, _)| handle).collect();
    handles.sort_unstable();
    handles
}

async fn scan_all(store: &MemoryStore, limit: usize) -> Vec<Handle> {
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.scan(cursor.as_ref(), limit, NOW).await.unwrap();
        assert!(page.sessions.len() <= limit);
        found.extend(page.sessions.into_iter().map(|(handle, _)| handle));
        cursor = page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn a_session_is_listed_under_its_principal_from_sign_in_to_its_end() {
    let store = MemoryStore::new();
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    store
        .create(handle(2), &record_of("ann", HOUR), NOW)
        .await
        .unwrap();
    assert_eq!(handles_of(&store, "ann").await, [handle(2)]);

    let (expected, signed_in) = next(record_of("ann", HOUR));
    store
        .replace(handle(1), expected, &signed_in, NOW)
        .await
        .unwrap();
    assert_eq!(handles_of(&store, "ann").await, [handle(1), handle(2)]);
    assert_eq!(
        store
            .sessions_of(&principal("ann"), NOW)
            .await
            .unwrap()
            .len(),
        2
    );

    let (expected, mut other) = next(signed_in);
    other.header.principal = Some(principal("bob"));
    store
        .replace(handle(1), expected, &other, NOW)
        .await
        .unwrap();
    assert_eq!(handles_of(&store, "ann").await, [handle(2)]);
    assert_eq!(
        store.sessions_of(&principal("bob"), NOW).await.unwrap(),
        [(handle(1), other)]
    );

    store.delete(handle(2), NOW).await.unwrap();
    assert!(handles_of(&store, "ann").await.is_empty());
    assert!(handles_of(&store, "nobody").await.is_empty());
}

/// Four tasks sign sessions in, over and out, and end them; each keeps to handles of its own and knows what must be
/// listed, both meanwhile and afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_of_principals_stays_right_while_everything_changes() {
    let store = MemoryStore::new();
    let tasks: Vec<_> = (0..4)
        .map(|task| tokio::spawn(change_at_random(store.clone(), task)))
        .collect();
    let mut expected: HashMap<String, Vec<Handle>> = HashMap::new();
    for task in tasks {
        for (handle, name) in task.await.unwrap() {
            expected.entry(name).or_default().push(handle);
        }
    }
    for name in NAMES {
        let mut handles = expected.remove(name).unwrap_or_default();
        handles.sort_unstable();
        assert_eq!(handles_of(&store, name).await, handles);
    }
}

const NAMES: [&str; 3] = ["ann", "bob", "eve"];

async fn change_at_random(store: MemoryStore, task: u64) -> Vec<(Handle, String)> {
    let mut random = fastrand::Rng::with_seed(task);
    let mut sessions = HashMap::new();
    for _ in 0..5_000 {
        let handle = handle(task * 100 + random.u64(0..50));
        let name = random.choice(NAMES).unwrap();
        let now_signed_in = match sessions.remove(&handle) {
            None => {
                store
                    .create(handle, &record_of(name, HOUR), NOW)
                    .await
                    .unwrap();
                Some(record_of(name, HOUR))
            }
            Some(_) if random.u8(0..4) == 0 => {
                store.delete(handle, NOW).await.unwrap();
                None
            }
            Some(current) => {
                let (expected, mut other) = next(current);
                other.header.principal = Some(principal(name));
                let replaced = store.replace(handle, expected, &other, NOW).await.unwrap();
                assert_eq!(replaced, Replaced::Replaced);
                Some(other)
            }
        };
        let listed = handles_of(&store, name).await;
        assert!(
            listed.windows(2).all(|pair| pair[0] != pair[1]),
            "listed twice"
        );
        assert_eq!(listed.contains(&handle), now_signed_in.is_some());
        sessions.extend(now_signed_in.map(|record| (handle, record)));
    }
    let name = |record: Record| record.header.principal.unwrap().as_str().to_owned();
    sessions
        .into_iter()
        .map(|(handle, record)| (handle, name(record)))
        .collect()
}

/// Four tasks change, end and purge the same hundred sessions; whatever is left, the index says what the records say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_of_principals_agrees_with_the_records_after_a_free_for_all() {
    let store = MemoryStore::new();
    let tasks: Vec<_> = (0..4)
        .map(|task| tokio::spawn(fight(store.clone(), task)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut expected: HashMap<Option<Principal>, Vec<Handle>> = HashMap::new();
    for (handle, record) in store.scan(None, 1_000, NOW).await.unwrap().sessions {
        expected
            .entry(record.header.principal)
            .or_default()
            .push(handle);
    }
    assert!(expected.len() > 1, "a few sessions are left");
    for name in NAMES {
        let mut handles = expected.remove(&Some(principal(name))).unwrap_or_default();
        handles.sort_unstable();
        assert_eq!(handles_of(&store, name).await, handles);
    }
}

async fn fight(store: MemoryStore, task: u64) {
    let mut random = fastrand::Rng::with_seed(task);
    for _ in 0..10_000 {
        let handle = handle(random.u64(0..100));
        // Half of them have expired when they are created.
        let left = random.choice([Duration::ZERO, HOUR]).unwrap();
        let mut record = record_of(random.choice(NAMES).unwrap(), left);
        record.header.principal = record.header.principal.filter(|_| random.bool());
        match random.u8(0..5) {
            0 | 1 => drop(store.create(handle, &record, NOW).await.unwrap()),
            2 => drop(store.delete(handle, NOW).await.unwrap()),
            3 => drop(store.purge(3, NOW).await.unwrap()),
            _ => drop(store.replace(handle, 1, &record, NOW).await.unwrap()),
        }
    }
}

#[tokio::test]
async fn a_scan_returns_every_session_once_whatever_the_size_of_its_pages() {
    let store = MemoryStore::new();
    assert!(scan_all(&store, 5).await.is_empty());
    for number in 0..2_000 {
        store
            .create(handle(number), &record(HOUR), NOW)
            .await
            .unwrap();
    }
    for limit in [1, 7, 500, 2_000, 100_000] {
        let found = scan_all(&store, limit).await;
        assert_eq!(found.len(), 2_000);
        assert_eq!(found.into_iter().collect::<HashSet<_>>().len(), 2_000);
    }
}

/// Sessions are created, replaced and deleted between the pages; those that live throughout are all there.
#[tokio::test]
async fn a_scan_misses_no_session_that_lives_throughout() {
    let store = MemoryStore::new();
    let mut random = fastrand::Rng::with_seed(1);
    for number in 0..2_000 {
        store
            .create(handle(number), &record(HOUR), NOW)
            .await
            .unwrap();
    }
    let (mut found, mut cursor) = (HashSet::new(), None);
    loop {
        let page = store.scan(cursor.as_ref(), 20, NOW).await.unwrap();
        found.extend(page.sessions.into_iter().map(|(handle, _)| handle));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
        for _ in 0..50 {
            // Even handles stay, odd ones come and go.
            let odd = handle(random.u64(0..1_000) * 2 + 1);
            store.delete(odd, NOW).await.unwrap();
            store
                .create(handle(random.u64(0..100_000) * 2 + 1), &record(HOUR), NOW)
                .await
                .unwrap();
            let (expected, same) = next(record(HOUR));
            store
                .replace(handle(random.u64(0..1_000) * 2), expected, &same, NOW)
                .await
                .unwrap();
        }
    }
    assert!(
        (0..2_000)
            .step_by(2)
            .all(|number| found.contains(&handle(number)))
    );
}

#[tokio::test]
async fn a_cursor_of_another_store_is_refused() {
    let store = MemoryStore::new();
    for bytes in [
        &b""[..],
        b"0",
        b"12345678",
        &[0, 0, 0, 0, 0],
        &[0, 0xff, 0xff, 0xff, 0xff],
    ] {
        let cursor = Cursor(bytes::Bytes::copy_from_slice(bytes));
        let error = store.scan(Some(&cursor), 5, NOW).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Internal);
    }
}
