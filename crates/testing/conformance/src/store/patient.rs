//! A client of the store under test whose calls end: one that does not answer fails, and the check with it, by the name
//! of the operation.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, StoreErrorKind, Timestamp, Touched,
};
use tokio::sync::watch;

use super::failure::Failure;
use super::tasks::within;

/// Where clients tell of the first call that did not answer.
pub(crate) type Hung = watch::Sender<Option<Failure>>;

pub(crate) struct Patient<S> {
    store: S,
    pub(crate) patience: Duration,
    hung: Arc<Hung>,
}

impl<S> Patient<S> {
    pub(crate) fn new(store: S, patience: Duration, hung: &Arc<Hung>) -> Self {
        Self {
            store,
            patience,
            hung: Arc::clone(hung),
        }
    }

    async fn answered<T: Send>(
        &self,
        operation: &str,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        within(self.patience, operation, call)
            .await
            .unwrap_or_else(|late| {
                let message = late.to_string();
                self.hung.send_modify(|hung| _ = hung.get_or_insert(late));
                Err(StoreError::new(StoreErrorKind::Timeout, message))
            })
    }
}

impl<S: Store> Store for Patient<S> {
    fn name(&self) -> &'static str {
        self.store.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.answered("load", self.store.load(handle, now)).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let call = self.store.create(handle, record, now);
        self.answered("create", call).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let call = self.store.replace(handle, expected, record, now);
        self.answered("replace", call).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let call = self.store.touch(handle, version, idle_deadline, now);
        self.answered("touch", call).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.answered("delete", self.store.delete(handle, now))
            .await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let call = self.store.sessions_of(principal, now);
        self.answered("sessions_of", call).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.answered("scan", self.store.scan(after, limit, now))
            .await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.answered("count", self.store.count(now)).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.answered("purge", self.store.purge(limit, now)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.answered("check", self.store.check()).await
    }
}
