//! Two stores as one keep every promise of a store, and a service goes from one to the other while it is used.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod change;
mod spread;

use std::sync::Arc;

use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{
    Clock as _, Cursor, Deleted, Handle, Sessions, Store, StoreErrorKind, SystemClock, TwoStores,
};
use fasthttpsession_conformance::store::Subject;
use fasthttpsession_test_stores::{Fragile, each};
use spread::Spread;

fasthttpsession_conformance::store_tests!(async || {
    Subject::new(Spread::new(MemoryStore::new(), MemoryStore::new()))
        .no_second_client("it is alone")
        .no_raw("its records are values")
        .no_body_limit("memory is the limit")
        .expires_when_told()
});

async fn sign_in(store: &(impl Store + Clone)) {
    let exchange = Sessions::new(store.clone()).begin([("", "")], None);
    exchange.session().await.unwrap().login("ada").unwrap();
    exchange.finish().await.unwrap();
}

#[tokio::test]
async fn sessions_are_created_in_the_first() {
    let (first, second) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    sign_in(&TwoStores::new(Arc::clone(&first), Arc::clone(&second))).await;
    let now = SystemClock.now();
    assert_eq!(first.count(now).await.unwrap(), 1);
    assert_eq!(second.count(now).await.unwrap(), 0);
}

#[tokio::test]
async fn a_session_that_was_copied_ends_in_both() {
    let (first, second) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
    sign_in(&first).await;
    let now = SystemClock.now();
    let (handle, record) = first.scan(None, 1, now).await.unwrap().sessions.remove(0);
    second.create(handle, &record, now).await.unwrap();
    let both = TwoStores::new(first, second);
    assert_eq!(both.delete(handle, now).await.unwrap(), Deleted::Deleted);
    assert_eq!(both.load(handle, now).await.unwrap(), None);
}

#[tokio::test]
async fn a_session_may_be_in_a_store_that_does_not_answer() {
    let (first, second) = (Arc::new(MemoryStore::new()), Fragile::default());
    sign_in(&first).await;
    let now = SystemClock.now();
    let found = first.scan(None, 1, now).await.unwrap().sessions.remove(0);
    let both = TwoStores::new(first, second.clone());
    second.breaks();
    assert_eq!(both.load(found.0, now).await.unwrap(), Some(found.1));
    both.load(Handle::from_bytes([0; Handle::BYTES]), now)
        .await
        .expect_err("nobody knows");
    both.delete(found.0, now)
        .await
        .expect_err("a copy of it would live on");
    both.check().await.expect_err("one is down");
}

#[tokio::test]
async fn a_cursor_of_another_store_is_an_error() {
    let both = TwoStores::new(MemoryStore::new(), MemoryStore::new());
    for cursor in ["", "x"] {
        let cursor = Cursor(cursor.into());
        let scan = both.scan(Some(&cursor), 1, SystemClock.now());
        let error = scan.await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Internal);
        assert!(!error.may_have_applied());
    }
}

#[tokio::test]
async fn two_that_can_not_purge_say_so_together() {
    let redis = each::redis().await;
    let both = TwoStores::new(redis.store(), redis.store());
    assert!(!both.capabilities().purge);
    let error = both.purge(1, SystemClock.now()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unsupported);
}
