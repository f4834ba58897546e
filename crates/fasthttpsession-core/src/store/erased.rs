//! [`Store`] without its type: `Sessions` holds any store, and boxes a future per operation for it.

use std::future::Future;
use std::pin::Pin;

use super::{Capabilities, Created, Deleted, Replaced, Store, StoreError, Touched};
use crate::record::Record;
use crate::time::Timestamp;
use crate::token::Handle;

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The operations that sessions need, callable through a pointer. See [`Store`] for what each promises.
pub(crate) trait ErasedStore: Send + Sync {
    fn name(&self) -> &'static str;
    fn capabilities(&self) -> Capabilities;
    fn load(&self, handle: Handle, now: Timestamp) -> Answer<'_, Option<Record>>;
    fn create<'a>(&'a self, handle: Handle, record: &'a Record, now: Timestamp) -> Answer<'a, Created>;
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
    fn check(&self) -> Answer<'_, ()>;
}

impl<S: Store> ErasedStore for S {
    fn name(&self) -> &'static str {
        Store::name(self)
    }

    fn capabilities(&self) -> Capabilities {
        Store::capabilities(self)
    }

    fn load(&self, handle: Handle, now: Timestamp) -> Answer<'_, Option<Record>> {
        Box::pin(Store::load(self, handle, now))
    }

    fn create<'a>(&'a self, handle: Handle, record: &'a Record, now: Timestamp) -> Answer<'a, Created> {
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

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(Store::check(self))
    }
}
