//! Purging in the background.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fasthttpsession_core::{
    AnyStore, Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError,
    StoreErrorKind, Timestamp, Touched,
};
use fasthttpsession_store_common::Purging;
use tokio::sync::mpsc;

/// A store of which only the purge works: it counts down what is due, and tells of each call.
struct Due {
    left: AtomicU64,
    calls: mpsc::UnboundedSender<Result<u64, ()>>,
    fails_first: AtomicU64,
}

impl Store for Due {
    fn name(&self) -> &'static str {
        "due"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn load(&self, _: Handle, _: Timestamp) -> Result<Option<Record>, StoreError> {
        unreachable!()
    }

    async fn create(&self, _: Handle, _: &Record, _: Timestamp) -> Result<Created, StoreError> {
        unreachable!()
    }

    async fn replace(
        &self,
        _: Handle,
        _: u64,
        _: &Record,
        _: Timestamp,
    ) -> Result<Replaced, StoreError> {
        unreachable!()
    }

    async fn touch(
        &self,
        _: Handle,
        _: u64,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Touched, StoreError> {
        unreachable!()
    }

    async fn delete(&self, _: Handle, _: Timestamp) -> Result<Deleted, StoreError> {
        unreachable!()
    }

    async fn purge(&self, limit: usize, _: Timestamp) -> Result<u64, StoreError> {
        if self.fails_first.load(Ordering::SeqCst) > 0 {
            self.fails_first.fetch_sub(1, Ordering::SeqCst);
            let _ = self.calls.send(Err(()));
            return Err(StoreError::new(StoreErrorKind::Unavailable, "it is down"));
        }
        let purged = self.left.load(Ordering::SeqCst).min(limit as u64);
        self.left.fetch_sub(purged, Ordering::SeqCst);
        let _ = self.calls.send(Ok(purged));
        Ok(purged)
    }

    async fn check(&self) -> Result<(), StoreError> {
        unreachable!()
    }
}

fn due(left: u64, fails_first: u64) -> (AnyStore, mpsc::UnboundedReceiver<Result<u64, ()>>) {
    let (calls, heard) = mpsc::unbounded_channel();
    let store = Due {
        left: left.into(),
        calls,
        fails_first: fails_first.into(),
    };
    (AnyStore::new(store), heard)
}

const OFTEN: Purging = Purging {
    every: Duration::from_millis(1),
    batch: 10,
};

#[tokio::test]
async fn what_is_due_goes_in_batches() {
    let (store, mut heard) = due(25, 0);
    let _task = OFTEN.start(store).unwrap();
    for purged in [10, 10, 5, 0] {
        assert_eq!(heard.recv().await, Some(Ok(purged)));
    }
}

#[tokio::test]
async fn a_purge_that_fails_is_tried_again() {
    let (store, mut heard) = due(5, 2);
    let _task = OFTEN.start(store).unwrap();
    for purged in [Err(()), Err(()), Ok(5)] {
        assert_eq!(heard.recv().await, Some(purged));
    }
}

#[tokio::test]
async fn it_ends_with_its_task() {
    let (store, mut heard) = due(0, 0);
    let task = OFTEN.start(store).unwrap();
    assert_eq!(heard.recv().await, Some(Ok(0)));
    drop(task);
    // The store, and with it the sender, goes once the task has ended.
    while heard.recv().await.is_some() {}
}

#[tokio::test]
async fn it_can_be_turned_off() {
    let (store, mut heard) = due(5, 0);
    let off = Purging {
        every: Duration::ZERO,
        ..OFTEN
    };
    assert!(off.start(store).is_none());
    assert_eq!(heard.recv().await, None);
}
