//! A store around another one, which counts the sessions that are created.

use std::sync::atomic::{AtomicU64, Ordering};

use fasthttpsession::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, Timestamp, Touched,
};

/// The store `inside`, and how many sessions were created.
pub struct Counting<S> {
    inside: S,
    created: AtomicU64,
}

impl<S: Store> Counting<S> {
    /// Counts from 0.
    pub fn new(inside: S) -> Self {
        let created = AtomicU64::new(0);
        Self { inside, created }
    }

    /// How many sessions were created.
    pub fn created(&self) -> u64 {
        self.created.load(Ordering::Relaxed)
    }
}

impl<S: Store> Store for Counting<S> {
    fn name(&self) -> &'static str {
        self.inside.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inside.capabilities()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.inside.load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let created = self.inside.create(handle, record, now).await?;
        if created == Created::Created {
            self.created.fetch_add(1, Ordering::Relaxed);
        }
        Ok(created)
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.inside.replace(handle, expected, record, now).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.inside.touch(handle, version, idle_deadline, now).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.inside.delete(handle, now).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.inside.sessions_of(principal, now).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.inside.scan(after, limit, now).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inside.count(now).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.inside.purge(limit, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inside.check().await
    }
}
