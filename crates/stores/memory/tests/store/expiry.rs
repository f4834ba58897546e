//! Expired is absent, purged or not, and purging is bounded and shared.

use std::time::Duration;

use crate::sample::{HOUR, MINUTE, NOW, handle, next, principal, record, record_of};
use fasthttpsession_core::{Created, Deleted, Replaced, Store, Touched};
use fasthttpsession_memory::MemoryStore;

#[tokio::test]
async fn an_expired_session_is_absent_to_every_operation() {
    let store = MemoryStore::new();
    let (session, later) = (record_of("ann", MINUTE), NOW.after(MINUTE));
    store.create(handle(1), &session, NOW).await.unwrap();
    let (expected, replacement) = next(session.clone());

    assert_eq!(store.load(handle(1), later).await.unwrap(), None);
    assert_eq!(
        store
            .replace(handle(1), expected, &replacement, later)
            .await
            .unwrap(),
        Replaced::Gone
    );
    assert_eq!(
        store
            .replace(handle(1), 7, &replacement, later)
            .await
            .unwrap(),
        Replaced::Gone
    );
    assert_eq!(
        store
            .touch(handle(1), 1, NOW.after(HOUR), later)
            .await
            .unwrap(),
        Touched::Gone
    );
    assert_eq!(store.delete(handle(1), later).await.unwrap(), Deleted::Gone);
    assert!(
        store
            .sessions_of(&principal("ann"), later)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .scan(None, 10, later)
            .await
            .unwrap()
            .sessions
            .is_empty()
    );
    // Nobody purged, and nobody has moved its deadline: a moment before, it lives.
    assert_eq!(store.load(handle(1), NOW).await.unwrap(), Some(session));
    assert_eq!(store.count(later).await.unwrap(), 0);
}

#[tokio::test]
async fn a_session_ends_at_its_absolute_deadline_however_much_it_is_used() {
    let store = MemoryStore::new();
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    store
        .touch(handle(1), 1, NOW.after(100 * HOUR), NOW)
        .await
        .unwrap();
    let last = NOW.after(Duration::from_millis(24 * 3_600_000 - 1));
    assert!(store.load(handle(1), last).await.unwrap().is_some());
    assert_eq!(
        store.load(handle(1), NOW.after(24 * HOUR)).await.unwrap(),
        None
    );
    assert_eq!(store.purge(10, NOW.after(24 * HOUR)).await.unwrap(), 1);
}

#[tokio::test]
async fn a_creation_over_an_expired_session_makes_a_fresh_one() {
    let store = MemoryStore::builder().capacity(1).build();
    store
        .create(handle(1), &record_of("ann", MINUTE), NOW)
        .await
        .unwrap();
    let later = NOW.after(MINUTE);
    assert_eq!(
        store.create(handle(1), &record(HOUR), later).await.unwrap(),
        Created::Created
    );
    assert_eq!(
        store.create(handle(1), &record(HOUR), later).await.unwrap(),
        Created::Exists
    );
    assert_eq!(
        store.load(handle(1), later).await.unwrap(),
        Some(record(HOUR))
    );
    assert!(
        store
            .sessions_of(&principal("ann"), NOW)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.count(later).await.unwrap(), 1);
}

#[tokio::test]
async fn a_touch_changes_the_deadline_and_nothing_else_and_only_ever_later() {
    let store = MemoryStore::new();
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    for (version, left, expected) in [
        (1, MINUTE, HOUR),
        (2, 3 * HOUR, HOUR),
        (1, 2 * HOUR, 2 * HOUR),
    ] {
        assert_eq!(
            store
                .touch(handle(1), version, NOW.after(left), NOW)
                .await
                .unwrap(),
            Touched::Touched
        );
        assert_eq!(
            store.load(handle(1), NOW).await.unwrap(),
            Some(record(expected))
        );
    }
}

#[tokio::test]
async fn a_purge_removes_at_most_its_limit_and_fewer_only_when_no_more_are_due() {
    let store = MemoryStore::new();
    for number in 0..1000 {
        store
            .create(handle(number), &record(MINUTE), NOW)
            .await
            .unwrap();
        store
            .create(handle(10_000 + number), &record_of("ann", HOUR), NOW)
            .await
            .unwrap();
    }
    let later = NOW.after(MINUTE);
    let mut removed = Vec::new();
    for _ in 0..5 {
        removed.push(store.purge(300, later).await.unwrap());
    }
    assert_eq!(removed, [300, 300, 300, 100, 0]);
    assert_eq!(store.purge(0, NOW.after(HOUR)).await.unwrap(), 0);
    assert_eq!(store.count(later).await.unwrap(), 1000);
}

#[tokio::test]
async fn a_clock_that_is_set_back_neither_ends_sessions_early_nor_keeps_them() {
    let store = MemoryStore::new();
    store
        .create(handle(1), &record(2 * HOUR), NOW)
        .await
        .unwrap();
    assert_eq!(store.purge(10, NOW.after(HOUR)).await.unwrap(), 0);
    store.create(handle(2), &record(MINUTE), NOW).await.unwrap();
    let just_before = NOW.after(Duration::from_millis(60_000 - 1));
    assert_eq!(store.purge(10, just_before).await.unwrap(), 0);
    assert_eq!(store.purge(10, NOW.after(MINUTE)).await.unwrap(), 1);
    assert_eq!(store.purge(10, NOW.after(2 * HOUR)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_purgers_at_once_share_the_work() {
    let store = MemoryStore::new();
    for number in 0..20_000 {
        store
            .create(handle(number), &record(MINUTE), NOW)
            .await
            .unwrap();
    }
    let later = NOW.after(MINUTE);
    let purge = || {
        let store = store.clone();
        tokio::spawn(async move {
            let mut total = 0;
            loop {
                match store.purge(100, later).await.unwrap() {
                    0 => break total,
                    removed => total += removed,
                }
            }
        })
    };
    let (first, second) = (purge(), purge());
    assert_eq!(first.await.unwrap() + second.await.unwrap(), 20_000);
    assert_eq!(store.count(later).await.unwrap(), 0);
}
