//! A bare driver under this library's sessions: what is left of a request if the store takes nothing beyond its driver.

use anyhow::{Error, Result};
use axum::Router;
use contestants::{Store as Kind, ours};
use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{
    Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError, StoreErrorKind,
    Timestamp, Touched,
};

use super::bare::{Bare, WithBare, with_bare};

/// This library's routes on the driver of `store` in the empty place that `url` names.
pub async fn router(store: Kind, url: &str) -> Result<Router> {
    with_bare(store, url, Routes).await
}

struct Routes;

impl WithBare for Routes {
    type Done = Router;

    async fn run<B: Bare>(self, bare: B) -> Result<Router> {
        let records = MemoryStore::new();
        Ok(ours::on(OnDriver { bare, records }))
    }
}

/// The driver does the work; what the records were is told from memory, for it does not say.
struct OnDriver<B> {
    bare: B,
    records: MemoryStore,
}

impl<B: Bare> Store for OnDriver<B> {
    fn name(&self) -> &'static str {
        "driver"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.bare.load(handle).await.map_err(failed)?;
        self.records.load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.bare.create(handle, record).await.map_err(failed)?;
        self.records.create(handle, record, now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let replaced = self.bare.replace(handle, expected, record).await;
        replaced.map_err(failed)?;
        self.records.replace(handle, expected, record, now).await
    }

    async fn touch(
        &self,
        _: Handle,
        _: u64,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Touched, StoreError> {
        Err(not_measured())
    }

    async fn delete(&self, _: Handle, _: Timestamp) -> Result<Deleted, StoreError> {
        Err(not_measured())
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

fn failed(error: Error) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "the bare driver failed").with_source(error)
}

fn not_measured() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unsupported,
        "of a bare driver only reading and writing are measured",
    )
}
