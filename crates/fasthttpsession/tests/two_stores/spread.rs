//! Sessions in both of two stores, as they lie amid a change.

use std::sync::Arc;

use fasthttpsession::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, Timestamp, Touched, TwoStores,
};

/// Every other session is created in the second store, by whoever has that one as its first; all else is the two stores'.
pub(crate) struct Spread<A, B> {
    both: TwoStores<Arc<A>, Arc<B>>,
    second: Arc<B>,
}

impl<A: Store, B: Store> Spread<A, B> {
    pub(crate) fn new(first: A, second: B) -> Self {
        let second = Arc::new(second);
        let both = TwoStores::new(Arc::new(first), Arc::clone(&second));
        Self { both, second }
    }
}

impl<A: Store, B: Store> Store for Spread<A, B> {
    fn name(&self) -> &'static str {
        self.both.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.both.capabilities()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.both.load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let [.., last] = handle.as_bytes();
        if last % 2 == 0 {
            self.both.create(handle, record, now).await
        } else {
            self.second.create(handle, record, now).await
        }
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.both.replace(handle, expected, record, now).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.both.touch(handle, version, idle_deadline, now).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.both.delete(handle, now).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.both.sessions_of(principal, now).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.both.scan(after, limit, now).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.both.count(now).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.both.purge(limit, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.both.check().await
    }
}
