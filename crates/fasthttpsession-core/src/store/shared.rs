//! [`Store`] behind an [`Arc`]: the same store.

use std::future::Future;
use std::sync::Arc;

use super::{Capabilities, Created, Cursor, Deleted, Page, Replaced, Store, StoreError, Touched};
use crate::record::{Principal, Record};
use crate::time::Timestamp;
use crate::token::Handle;

impl<S: Store> Store for Arc<S> {
    fn name(&self) -> &'static str {
        S::name(self)
    }

    fn capabilities(&self) -> Capabilities {
        S::capabilities(self)
    }

    fn load(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send {
        S::load(self, handle, now)
    }

    fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send {
        S::create(self, handle, record, now)
    }

    fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> impl Future<Output = Result<Replaced, StoreError>> + Send {
        S::replace(self, handle, expected, record, now)
    }

    fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> impl Future<Output = Result<Touched, StoreError>> + Send {
        S::touch(self, handle, version, idle_deadline, now)
    }

    fn delete(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> impl Future<Output = Result<Deleted, StoreError>> + Send {
        S::delete(self, handle, now)
    }

    fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<(Handle, Record)>, StoreError>> + Send {
        S::sessions_of(self, principal, now)
    }

    fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send {
        S::scan(self, after, limit, now)
    }

    fn count(&self, now: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send {
        S::count(self, now)
    }

    fn purge(
        &self,
        limit: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send {
        S::purge(self, limit, now)
    }

    fn check(&self) -> impl Future<Output = Result<(), StoreError>> + Send {
        S::check(self)
    }
}
