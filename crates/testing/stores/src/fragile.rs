//! A store that breaks when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{
    Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError, StoreErrorKind,
    Timestamp, Touched,
};

/// Keeps records in memory until it [breaks](Self::breaks). Clones are the same store.
#[derive(Clone, Default)]
pub struct Fragile {
    inner: Arc<MemoryStore>,
    broken: Arc<AtomicBool>,
}

impl Fragile {
    /// From now on every call fails, as if the store could not be reached.
    pub fn breaks(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }

    fn inner(&self) -> Result<&MemoryStore, StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, "broken").not_applied());
        }
        Ok(&self.inner)
    }
}

impl Store for Fragile {
    fn name(&self) -> &'static str {
        "fragile"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.inner()?.load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.inner()?.create(handle, record, now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.inner()?.replace(handle, expected, record, now).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.inner()?.touch(handle, version, deadline, now).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.inner()?.delete(handle, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner()?.check().await
    }
}
