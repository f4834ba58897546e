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
pub struct AnyStore(Arc<dyn Erased>);

impl AnyStore {
    /// Forgets the type of `store`. One that is forgotten already is shared, not wrapped once more.
    pub fn new(store: impl Store) -> Self {
        match (&store as &dyn Any).downcast_ref::<Self>() {
            Some(same) => same.clone(),
            None => Self(Arc::new(store)),
        }
    }
}

impl fmt::Debug for AnyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyStore({})", self.0.name())
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

/// The answer of `store` to `operation`. How long it takes is noted.
fn answer<'a, T: 'a>(
    store: &impl Store,
    operation: &'static str,
    answer: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> Answer<'a, T> {
    Box::pin(timed(store.name(), operation, answer))
}

impl<S: Store> Erased for S {
    fn name(&self) -> &'static str {
        Store::name(self)
    }

    fn capabilities(&self) -> Capabilities {
        Store::capabilities(self)
    }

    fn load(&self, handle: Handle, now: Timestamp) -> Answer<'_, Option<Record>> {
        answer(self, "load", Store::load(self, handle, now))
    }

    fn create<'a>(
        &'a self,
        handle: Handle,
        record: &'a Record,
        now: Timestamp,
    ) -> Answer<'a, Created> {
        answer(self, "create", Store::create(self, handle, record, now))
    }

    fn replace<'a>(
        &'a self,
        handle: Handle,
        expected: u64,
        record: &'a Record,
        now: Timestamp,
    ) -> Answer<'a, Replaced> {
        answer(
            self,
            "replace",
            Store::replace(self, handle, expected, record, now),
        )
    }

    fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Answer<'_, Touched> {
        answer(
            self,
            "touch",
            Store::touch(self, handle, version, idle_deadline, now),
        )
    }

    fn delete(&self, handle: Handle, now: Timestamp) -> Answer<'_, Deleted> {
        answer(self, "delete", Store::delete(self, handle, now))
    }

    fn sessions_of<'a>(
        &'a self,
        principal: &'a Principal,
        now: Timestamp,
    ) -> Answer<'a, Vec<(Handle, Record)>> {
        answer(
            self,
            "sessions_of",
            Store::sessions_of(self, principal, now),
        )
    }

    fn scan<'a>(
        &'a self,
        after: Option<&'a Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Answer<'a, Page> {
        answer(self, "scan", Store::scan(self, after, limit, now))
    }

    fn count(&self, now: Timestamp) -> Answer<'_, u64> {
        answer(self, "count", Store::count(self, now))
    }

    fn purge(&self, limit: usize, now: Timestamp) -> Answer<'_, u64> {
        answer(self, "purge", Store::purge(self, limit, now))
    }

    fn check(&self) -> Answer<'_, ()> {
        answer(self, "check", Store::check(self))
    }
}

impl Store for AnyStore {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.0.load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.0.create(handle, record, now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.0.replace(handle, expected, record, now).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.0.touch(handle, version, idle_deadline, now).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.0.delete(handle, now).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.0.sessions_of(principal, now).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.0.scan(after, limit, now).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.0.count(now).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.0.purge(limit, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.0.check().await
    }
}
