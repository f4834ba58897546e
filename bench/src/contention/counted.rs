//! A store that counts the calls to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fasthttpsession::{
    AnyStore, Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError,
    Timestamp, Touched,
};

/// Hands all on, and counts it.
pub struct Counted {
    inner: AnyStore,
    calls: Arc<AtomicU64>,
}

impl Counted {
    /// Counts the calls to `inner`.
    pub fn new(inner: AnyStore, calls: Arc<AtomicU64>) -> Self {
        Self { inner, calls }
    }

    fn counted(&self) -> &AnyStore {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }
}

impl Store for Counted {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.counted().load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.counted().create(handle, record, now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.counted().replace(handle, expected, record, now).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.counted().touch(handle, version, deadline, now).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.counted().delete(handle, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.counted().check().await
    }
}
