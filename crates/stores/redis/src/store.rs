//! The store: what each operation sends, and what the answers mean.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, StoreErrorKind, Timestamp, Touched,
};
use fasthttpsession_store_common::{record_bytes, within};
use redis::{Value, cmd};

use crate::backend::{Backend, Reply, late, millis};
use crate::error::{corrupt, unexpected};
use crate::keys::Keys;
use crate::scripts::{self, Script};
use crate::swaps::Swaps;

/// Milliseconds that all servers take: beyond it the numbers of their scripts are no longer exact.
const LONGEST: u64 = 1 << 53;

/// Sessions in Redis. Clones are the same store.
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>, Option<Swaps>);

pub(crate) struct Inner {
    pub(crate) backend: Backend,
    pub(crate) keys: Keys,
    pub(crate) max_record_bytes: usize,
    /// How long an operation may take from its call to its answer.
    pub(crate) limit: Duration,
}

impl RedisStore {
    pub(crate) fn new(
        backend: Backend,
        prefix: String,
        max_record_bytes: usize,
        limit: Duration,
    ) -> Self {
        let takes_many = backend.takes_many();
        let inner = Arc::new(Inner {
            backend,
            keys: Keys::new(prefix),
            max_record_bytes,
            limit,
        });
        let swaps = takes_many.then(|| Swaps::new(Arc::clone(&inner)));
        Self(inner, swaps)
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("keys", &self.0.keys)
            .finish_non_exhaustive()
    }
}

impl Store for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::none();
        capabilities.sessions_of = true;
        capabilities.scan = true;
        capabilities
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        // It is one command, and takes no longer than an operation may.
        let record = self.0.load(handle).await?;
        Ok(record.filter(|record| record.is_live(now)))
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let writing = self.0.write(&scripts::CREATE, handle, None, record, now);
        let reply = self.0.within(writing).await?;
        match &reply.word[..] {
            b"created" => Ok(Created::Created),
            b"exists" => Ok(Created::Exists),
            _ => Err(other(handle, &reply)),
        }
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let replacing = async {
            match &self.1 {
                Some(swaps) => swaps.replace(handle, expected, record, now).await,
                None => Box::pin(self.0.replace(handle, expected, record, now)).await,
            }
        };
        self.0.within(replacing).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let arguments: [&[u8]; 3] = [
            &decimal(now),
            &version.to_be_bytes(),
            &idle_deadline.as_millis().to_be_bytes(),
        ];
        let touching = self.0.run(&scripts::TOUCH, handle, &arguments);
        let reply = self.0.within(touching).await?;
        match &reply.word[..] {
            b"touched" => Ok(Touched::Touched),
            b"gone" => Ok(Touched::Gone),
            _ => Err(other(handle, &reply)),
        }
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let arguments: [&[u8]; 2] = [&decimal(now), self.0.waits()];
        let deleting = self.0.run(&scripts::DELETE, handle, &arguments);
        let reply = self.0.within(deleting).await?;
        match &reply.word[..] {
            b"deleted" => Ok(Deleted::Deleted),
            b"gone" => Ok(Deleted::Gone),
            _ => Err(other(handle, &reply)),
        }
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.0.within(self.0.sessions_of(principal, now)).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.0.within(self.0.scan(after, limit, now)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.0.within(self.0.backend.ping()).await
    }
}

impl Inner {
    /// What an operation comes to within the limit, however many commands it takes.
    fn within<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> impl Future<Output = Result<T, StoreError>> {
        within(self.limit, work, late)
    }

    /// The record of `handle`, expired or not.
    pub(crate) async fn load(&self, handle: Handle) -> Result<Option<Record>, StoreError> {
        let key = self.keys.record(handle);
        let mut get = cmd("GET");
        get.arg(&key);
        match self.backend.read(&key, &get).await? {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => record_of(handle, bytes).map(Some),
            _ => Err(unexpected("GET")),
        }
    }

    /// Swaps a record alone.
    pub(crate) async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let reply = self.write(&scripts::REPLACE, handle, Some(expected), record, now);
        let mut reply = reply.await?;
        match &reply.word[..] {
            b"replaced" => Ok(Replaced::Replaced),
            b"conflict" => {
                let current = reply.rest.pop().ok_or_else(|| unexpected("a script"))?;
                Ok(Replaced::Conflict(record_of(handle, current)?))
            }
            b"gone" => Ok(Replaced::Gone),
            _ => Err(other(handle, &reply)),
        }
    }

    /// Whether writes wait for replicas, as scripts are told.
    fn waits(&self) -> &'static [u8] {
        if self.backend.waits() { b"1" } else { b"0" }
    }

    /// What one node of a cluster could not do with a record may be done with another one.
    fn placed(&self, error: StoreError) -> StoreError {
        if error.is_retryable() && !self.backend.keeps_keys_together() {
            error.of_one_server()
        } else {
            error
        }
    }

    /// Runs a script on the record of `handle` alone.
    async fn run(
        &self,
        script: &Script,
        handle: Handle,
        arguments: &[&[u8]],
    ) -> Result<Reply, StoreError> {
        let key = self.keys.record(handle);
        self.backend.run(script, &[&key], arguments).await
    }

    /// Runs a script that writes `record`. Where the principal's index is on another server and the script needs it
    /// written first, that is done.
    async fn write(
        &self,
        script: &Script,
        handle: Handle,
        expected: Option<u64>,
        record: &Record,
        now: Timestamp,
    ) -> Result<Reply, StoreError> {
        let bytes = record_bytes(record, self.max_record_bytes)?;
        let key = self.keys.record(handle);
        let principal = record.header.principal.as_ref();
        let index = principal.map(|principal| self.keys.index(principal));
        let mut keys = vec![&key[..]];
        if self.backend.keeps_keys_together() {
            keys.extend(index.as_deref());
        }
        let (now_text, span) = (decimal(now), span(record, now));
        let expected = expected.map(u64::to_be_bytes);
        let mut entered = b"0".to_vec();
        // The second time the entry is some milliseconds old.
        for _ in 0..2 {
            let mut arguments: Vec<&[u8]> = vec![&now_text];
            arguments.extend(expected.as_ref().map(|expected| &expected[..]));
            arguments.extend([&bytes[..], &span, handle.as_bytes(), &entered]);
            arguments.extend(expected.is_some().then(|| self.waits()));
            let reply = self.backend.run(script, &keys, &arguments).await;
            let mut reply = reply.map_err(|error| self.placed(error))?;
            let Some(principal) = principal else {
                return Ok(reply);
            };
            // Boxed, like what follows: most writes need neither.
            if reply.word == b"created" || reply.word == b"replaced" {
                Box::pin(self.tidy(principal, std::mem::take(&mut reply.rest))).await;
            }
            if reply.word != b"enter first" {
                return Ok(reply);
            }
            let entering = Box::pin(self.enter(principal, handle, record, now)).await;
            // The record was not written, whatever became of the entry. Whose it is says where that is: under another handle
            // it would be the same.
            entered = entering.map_err(StoreError::not_applied)?;
        }
        let message = "an entry of an index was outdated before its record could be written";
        Err(StoreError::new(StoreErrorKind::Timeout, message).not_applied())
    }
}

/// The milliseconds until `record` is over, as the server takes them; 0 if it is.
pub(crate) fn span(record: &Record, now: Timestamp) -> Vec<u8> {
    let span = millis(record.header.expires_at().since(now)).min(LONGEST);
    span.to_string().into_bytes()
}

pub(crate) fn decimal(moment: Timestamp) -> Vec<u8> {
    moment.as_millis().to_string().into_bytes()
}

fn record_of(handle: Handle, bytes: Vec<u8>) -> Result<Record, StoreError> {
    Record::from_bytes(Bytes::from(bytes)).map_err(|error| corrupt(handle, error))
}

/// What a script answered that is neither success nor absence.
fn other(handle: Handle, reply: &Reply) -> StoreError {
    if reply.word == b"corrupt" {
        corrupt(handle, "it is something else, or was cut short")
    } else {
        unexpected("a script")
    }
}
