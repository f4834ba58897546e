//! Another process has the database locked, or writes as much as it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fasthttpsession_core::{Replaced, Store, StoreErrorKind};
use fasthttpsession_sqlite::SqliteStore;

use super::support::{NOW, Place, create, handle, load, record, start, successor};

/// A store whose calls may take so long.
async fn with_limit(place: &Place, limit: Duration) -> SqliteStore {
    let opened = place.config().timeout(limit).open().await;
    opened.expect("the store opens")
}

#[tokio::test]
async fn a_long_lock_of_another_process_is_a_timeout_without_effect() {
    let place = Place::new();
    let limit = Duration::from_millis(200);
    let old = record();
    // What waits for the disk takes as long as it does.
    create(&place.store().await, handle(1), &old).await;
    let store = with_limit(&place, limit).await;
    let lock = place.lock();
    let began = Instant::now();
    let next = successor(&old);
    let mut calls: Vec<_> = (0..3)
        .map(|_| start(store.replace(handle(1), 1, &next, NOW)))
        .collect();
    for call in &mut calls {
        let error = call.await.expect_err("nobody can write");
        assert_eq!(error.kind(), StoreErrorKind::Timeout);
        assert!(!error.may_have_applied() && error.is_retryable(), "{error}");
    }
    let took = began.elapsed();
    assert!(
        took >= limit && took < Duration::from_secs(20),
        "it took {took:?}"
    );
    assert_eq!(
        load(&store, handle(1)).await,
        Some(old),
        "who reads waits for nobody"
    );
    drop(lock);
    let back = async {
        loop {
            match store.replace(handle(1), 1, &next, NOW).await {
                Err(error) if error.kind() == StoreErrorKind::Timeout => {}
                answer => break answer,
            }
        }
    };
    let replaced = back.await.expect("the store is back");
    assert_eq!(replaced, Replaced::Replaced);
}

#[tokio::test]
async fn a_lock_of_another_process_keeps_no_store_from_opening() {
    let place = Place::new();
    drop(place.store().await);
    let _lock = place.lock();
    let config = place
        .config()
        .migrate(false)
        .timeout(Duration::from_millis(10));
    config.open().await.expect("nothing is to be written");
}

#[tokio::test]
async fn a_call_that_queued_up_amid_a_long_lock_is_a_timeout_without_effect_in_its_own_time() {
    let place = Place::new();
    let limit = Duration::from_secs(2);
    let store = with_limit(&place, limit).await;
    let _lock = place.lock();
    let wanted = record();
    let _first = start(store.create(handle(1), &wanted, NOW));
    // By then the writer is after the lock for the first one.
    tokio::time::sleep(limit / 10).await;
    let began = Instant::now();
    let error = store
        .create(handle(2), &wanted, NOW)
        .await
        .expect_err("nobody can write");
    let took = began.elapsed();
    assert_eq!(error.kind(), StoreErrorKind::Timeout);
    assert!(
        !error.may_have_applied(),
        "after {took:?} nobody knows: {error}"
    );
    assert!(took >= limit, "it took {took:?}");
}

#[tokio::test]
async fn a_short_lock_of_another_process_is_waited_for() {
    let place = Place::new();
    let store = place.store().await;
    let lock = place.lock();
    let wanted = record();
    let call = start(store.create(handle(1), &wanted, NOW));
    assert_eq!(
        load(&store, handle(1)).await,
        None,
        "nothing shows before it is committed"
    );
    drop(lock);
    call.await.expect("an answer");
    assert_eq!(load(&store, handle(1)).await, Some(wanted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_writes_all_the_time_lets_another_write() {
    let place = Place::new();
    let (busy, other) = (place.store().await, place.store().await);
    let done = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..16)
        .map(|number| tokio::spawn(write_until(busy.clone(), number, Arc::clone(&done))))
        .collect();
    for number in 100..120 {
        create(&other, handle(number), &record()).await;
    }
    done.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.expect("each of its own writes was answered");
    }
}

async fn write_until(store: SqliteStore, number: u8, done: Arc<AtomicBool>) {
    let mut current = record();
    create(&store, handle(number), &current).await;
    while !done.load(Ordering::Relaxed) {
        let next = successor(&current);
        let version = current.header.version;
        let replaced = store.replace(handle(number), version, &next, NOW).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
        current = next;
    }
}
