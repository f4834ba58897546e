//! [`Store`] without its type: what `Sessions` holds, at the price of a boxed future per operation.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::timed::timed;
use super::{Capabilities, Created, Cursor, Deleted, Page, Replaced, Store, StoreError, Touched};
use crate::record::{Principal, Record};
use crate::time::Timestamp;
use crate::token::Handle;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A store whose type is known only when the program runs: what a URL named, say. Clones share it.
#[derive(Clone)]
pub struct AnyStore {
    store: Arc<dyn Erased>,
    /// The name under which each operation is told of; `None` if it is not.
    watched: Option<&'static str>,
}

impl AnyStore {
    /// Forgets the type of `store`. One that is forgotten already is shared, not wrapped once more.
    pub fn new(store: impl Store) -> Self {
        match (&store as &dyn Any).downcast_ref::<Self>() {
            Some(same) => same.clone(),
            None => Self {
                store: Arc::new(store),
                watched: None,
            },
        }
    }

    /// The same store, of whose operations `tracing` and `metrics` are told, as far as these features are on: how
    /// long each took, and how it failed. [`Sessions`](crate::Sessions) watches its store by itself; a task that
    /// purges watches what it purges, for nobody waits for its answers. What a wrapper holds is not watched, or each
    /// operation would count twice.
    #[must_use]
    pub fn watched(mut self) -> Self {
        self.watched = Some(self.store.name());
        self
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyStore({})", self.store.name())
    }
}

/// [`Store`], callable through a pointer.
trait Erased: Send + Sync {
    fn name(&self) -> &'static str;
    fn capabilities(&self) -> Capabilities;
    fn load(&self, handle: Handle, now: Timestamp) -> Answer<'_, Option<Record>>;
    fn create<'a>(
        &'a self,
        handle: Handle,
        record: &'a Record,
        now: Timestamp,
    ) -> Answer<'a, Created>;
    fn replace<'a>(
        &'a self,
        handle: Handle,
        expected: u64,
        record: &'a Record,
        now: Timestamp,
    ) -> Answer<'a, Replaced>;
    fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Answer<'_, Touched>;
    fn delete(&self, handle: Handle, now: Timestamp) -> Answer<'_, Deleted>;
    fn sessions_of<'a>(
        &'a self,
        principal: &'a Principal,
        now: Timestamp,
    ) -> Answer<'a, Vec<(Handle, Record)>>;
    fn scan<'a>(
        &'a self,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, Page>;
    fn count(&self, now: Timestamp) -> Answer<'_, u64>;
    fn purge(&self, limit: usize, now: Timestamp) -> Answer<'_, u64>;
    fn check(&self) -> Answer<'_, ()>;
}

impl<S: Store> Erased for S {
    fn name(&self) -> &'static str {
        Store::name(self)
    }

    fn capabilities(&self) -> Capabilities {
        Store::capabilities(self)
    }

    fn load(&self, handle: Handle, now: Timestamp) -> Answer<'_, Option<Record>> {
        Box::pin(Store::load(self, handle, now))
    }

    fn create<'a>(
        &'a self,
        handle: Handle,
        record: &'a Record,
        now: Timestamp,
    ) -> Answer<'a, Created> {
        Box::pin(Store::create(self, handle, record, now))
    }

    fn replace<'a>(
        &'a self,
        handle: Handle,
        expected: u64,
        record: &'a Record,
        now: Timestamp,
    ) -> Answer<'a, Replaced> {
        Box::pin(Store::replace(self, handle, expected, record, now))
    }

    fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Answer<'_, Touched> {
        Box::pin(Store::touch(self, handle, version, idle_deadline, now))
    }

    fn delete(&self, handle: Handle, now: Timestamp) -> Answer<'_, Deleted> {
        Box::pin(Store::delete(self, handle, now))
    }

    fn sessions_of<'a>(
        &'a self,
        principal: &'a Principal,
        now: Timestamp,
    ) -> Answer<'a, Vec<(Handle, Record)>> {
        Box::pin(Store::sessions_of(self, principal, now))
    }

    fn scan<'a>(
        &'a self,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, Page> {
        Box::pin(Store::scan(self, after, limit, now))
    }

    fn count(&self, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(Store::count(self, now))
    }

    fn purge(&self, limit: usize, now: Timestamp) -> Answer<'_, u64> {
        Box::pin(Store::purge(self, limit, now))
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(Store::check(self))
    }
}

impl Store for AnyStore {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        timed(self.watched, "load", self.store.load(handle, now)).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        timed(
            self.watched,
            "create",
            self.store.create(handle, record, now),
        )
        .await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        timed(
            self.watched,
            "replace",
            self.store.replace(handle, expected, record, now),
        )
        .await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        timed(
            self.watched,
            "touch",
            self.store.touch(handle, version, idle_deadline, now),
        )
        .await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        timed(self.watched, "delete", self.store.delete(handle, now)).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        timed(
            self.watched,
            "sessions_of",
            self.store.sessions_of(principal, now),
        )
        .await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        timed(self.watched, "scan", self.store.scan(after, limit, now)).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        timed(self.watched, "count", self.store.count(now)).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        timed(self.watched, "purge", self.store.purge(limit, now)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        timed(self.watched, "check", self.store.check()).await
    }
}
