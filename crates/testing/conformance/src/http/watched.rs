//! A store that counts what is asked of it, and fails when told to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fasthttpsession_core::{
    AnyStore, Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced,
    Store, StoreError, StoreErrorKind, Timestamp, Touched,
};

/// How often each operation was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) load: u32,
    pub(crate) create: u32,
    pub(crate) replace: u32,
    pub(crate) touch: u32,
    pub(crate) delete: u32,
}

impl Calls {
    pub(crate) fn writes(self) -> u32 {
        self.create + self.replace + self.touch + self.delete
    }
}

/// An operation that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Load,
    Create,
    Replace,
    Touch,
    Delete,
}

/// What an error of the store says, to look for in what clients get.
pub(crate) const COMPLAINT: &str = "the cable to rack seven is cut";

#[derive(Clone)]
pub(crate) struct Watched {
    inner: AnyStore,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    calls: Calls,
    broken: Vec<Operation>,
}

impl Watched {
    pub(crate) fn new(inner: AnyStore) -> Self {
        Self {
            inner,
            state: Arc::default(),
        }
    }

    /// The store itself, uncounted and without faults.
    pub(crate) fn inner(&self) -> &AnyStore {
        &self.inner
    }

    /// What was called since this was last asked.
    pub(crate) fn calls(&self) -> Calls {
        std::mem::take(&mut self.state().calls)
    }

    /// From now on `operation` fails, as if the store could not be reached.
    pub(crate) fn breaks(&self, operation: Operation) {
        self.state().broken.push(operation);
    }

    /// From now on nothing fails.
    pub(crate) fn heals(&self) {
        self.state().broken.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn called(&self, operation: Operation) -> Result<(), StoreError> {
        let mut state = self.state();
        let calls = &mut state.calls;
        *match operation {
            Operation::Load => &mut calls.load,
            Operation::Create => &mut calls.create,
            Operation::Replace => &mut calls.replace,
            Operation::Touch => &mut calls.touch,
            Operation::Delete => &mut calls.delete,
        } += 1;
        if state.broken.contains(&operation) {
            return Err(StoreError::new(StoreErrorKind::Unavailable, COMPLAINT).not_applied());
        }
        Ok(())
    }
}

impl Store for Watched {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.called(Operation::Load)?;
        self.inner.load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.called(Operation::Create)?;
        self.inner.create(handle, record, now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.called(Operation::Replace)?;
        self.inner.replace(handle, expected, record, now).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.called(Operation::Touch)?;
        self.inner.touch(handle, version, idle_deadline, now).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.called(Operation::Delete)?;
        self.inner.delete(handle, now).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.inner.sessions_of(principal, now).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.inner.scan(after, limit, now).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.count(now).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.purge(limit, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.inner.check().await
    }
}
