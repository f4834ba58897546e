//! The store: what each operation asks, and what the answers mean.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{
    Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError, StoreErrorKind,
    Timestamp, Touched,
};
use fasthttpsession_memcached_client::{
    Added, Address, Client, Deleted as Removed, Expiry, Swapped,
};
use fasthttpsession_store_common::{PerRuntime, record_bytes, record_key};
use futures_util::future::join_all;

use crate::error::{contended, corrupt, store_error};
use crate::seen::{Current, Seen};

/// Sessions in memcached. Clones are the same store.
#[derive(Clone)]
pub struct MemcachedStore(Arc<Inner>);

struct Inner {
    servers: Box<[Address]>,
    clients: PerRuntime<Client>,
    prefix: Box<str>,
    max_record_bytes: usize,
    /// How long an operation goes on while others change the session again and again.
    patience: Duration,
    seen: Seen,
}

/// How often a deletion loses to who writes, before it takes what lives there whatever has been written since: who writes
/// all the time does not keep a session from its end.
const MOST_LOST: u32 = 8;

impl MemcachedStore {
    pub(crate) fn new(
        client: Client,
        prefix: &str,
        max_record_bytes: usize,
        patience: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            servers: client.servers().into(),
            clients: PerRuntime::new(move || client.again()),
            prefix: prefix.into(),
            max_record_bytes,
            patience,
            seen: Seen::default(),
        }))
    }

    /// Asks every server whether it answers.
    pub(crate) async fn ping(&self) -> Vec<Result<(), StoreError>> {
        let client = self.0.clients.get();
        let asked = self.0.servers.iter().map(|server| client.ping(server));
        let answers = join_all(asked).await.into_iter();
        answers
            .map(|answer| answer.map_err(|error| store_error(&error)))
            .collect()
    }
}

impl fmt::Debug for MemcachedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemcachedStore")
            .field("servers", &self.0.servers)
            .field("prefix", &self.0.prefix)
            .finish_non_exhaustive()
    }
}

impl Store for MemcachedStore {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let current = self.0.read_live(handle, now).await?;
        Ok(current.map(|current| self.0.hand_out(handle, current)))
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let created = self.0.create(handle, record, now).await;
        created.map_err(|error| self.0.placed(error))
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let (bytes, patience) = (self.0.bytes_of(record)?, self.0.patience());
        let mut known = self.0.known(handle, expected, now);
        loop {
            let current = self.0.known_or_read(known.take(), handle, now);
            let Some(current) = current.await? else {
                return Ok(Replaced::Gone);
            };
            if current.record.header.version != expected {
                return Ok(Replaced::Conflict(self.0.hand_out(handle, current)));
            }
            match self
                .0
                .swap(handle, current.cas, record, &bytes, now)
                .await?
            {
                Swapped::Swapped(_) => return Ok(Replaced::Replaced),
                Swapped::Missing => return Ok(Replaced::Gone),
                Swapped::Changed => patience.check()?,
            }
        }
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let due = |record: &Record| {
            record.header.version == version && record.header.idle_deadline < idle_deadline
        };
        let patience = self.0.patience();
        // What was seen can show that there is something to do; that there is nothing only a look can.
        let known = self.0.known(handle, version, now);
        let mut known = known.filter(|current| due(&current.record));
        loop {
            let current = self.0.known_or_read(known.take(), handle, now);
            let Some(current) = current.await? else {
                return Ok(Touched::Gone);
            };
            if !due(&current.record) {
                self.0.seen.note(handle, current);
                return Ok(Touched::Touched);
            }
            let Current { cas, mut record } = current;
            record.header.idle_deadline = idle_deadline;
            let bytes = self.0.bytes_of(&record)?;
            match self.0.swap(handle, cas, &record, &bytes, now).await? {
                Swapped::Swapped(_) => return Ok(Touched::Touched),
                Swapped::Missing => return Ok(Touched::Gone),
                Swapped::Changed => patience.check()?,
            }
        }
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let (patience, mut lost) = (self.0.patience(), 0);
        let mut known = self.0.seen.take(handle);
        loop {
            let (cas, live) = match known.take() {
                Some(current) => (Some(current.cas), current.record.is_live(now)),
                None => match self.0.find(handle).await? {
                    Found::Record(current) => (Some(current.cas), current.record.is_live(now)),
                    Found::Rubbish(cas, _) => (cas, true),
                    Found::Nothing => return Ok(Deleted::Gone),
                },
            };
            // In the place of what is over, somebody may have made another.
            let cas = cas.filter(|_| !live || lost < MOST_LOST);
            let removed = self.0.clients.get().delete(&self.0.key(handle), cas).await;
            match removed.map_err(|error| store_error(&error))? {
                Removed::Deleted if live => return Ok(Deleted::Deleted),
                Removed::Deleted | Removed::Missing => return Ok(Deleted::Gone),
                Removed::Changed => {
                    lost += 1;
                    patience.check()?;
                }
            }
        }
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.ping().await.into_iter().collect()
    }
}

/// What lies under a key.
enum Found {
    Nothing,
    Record(Current),
    /// No record; with its `cas`, unless it was too large to be read.
    Rubbish(Option<u64>, StoreError),
}

impl Inner {
    fn key(&self, handle: Handle) -> String {
        record_key(&self.prefix, handle)
    }

    fn bytes_of(&self, record: &Record) -> Result<Bytes, StoreError> {
        record_bytes(record, self.max_record_bytes).map(Bytes::from)
    }

    async fn find(&self, handle: Handle) -> Result<Found, StoreError> {
        let found = self.clients.get().get(&self.key(handle)).await;
        let item = match found.map_err(|error| store_error(&error)) {
            Ok(None) => return Ok(Found::Nothing),
            Ok(Some(item)) => item,
            Err(error) if error.kind() == StoreErrorKind::TooLarge => {
                return Ok(Found::Rubbish(None, error));
            }
            Err(error) => return Err(error),
        };
        let cas = item.cas;
        Ok(match Record::from_bytes(item.value) {
            Ok(record) => Found::Record(Current { cas, record }),
            Err(error) => Found::Rubbish(Some(cas), corrupt(handle, error)),
        })
    }

    /// The record of `handle`, expired or not.
    async fn read(&self, handle: Handle) -> Result<Option<Current>, StoreError> {
        match self.find(handle).await? {
            Found::Nothing => Ok(None),
            Found::Record(current) => Ok(Some(current)),
            Found::Rubbish(_, error) => Err(error),
        }
    }

    async fn read_live(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Option<Current>, StoreError> {
        let current = self.read(handle).await?;
        Ok(current.filter(|current| current.record.is_live(now)))
    }

    /// What was last seen of the record of `handle`, if it was this version and lives at `now`. Only a swap shows
    /// whether it is still so.
    fn known(&self, handle: Handle, version: u64, now: Timestamp) -> Option<Current> {
        let known = self.seen.take(handle);
        known.filter(|Current { record, .. }| {
            record.header.version == version && record.is_live(now)
        })
    }

    /// What is `known`, or else what is there and lives at `now`.
    async fn known_or_read(
        &self,
        known: Option<Current>,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Option<Current>, StoreError> {
        match known {
            Some(current) => Ok(Some(current)),
            None => self.read_live(handle, now).await,
        }
    }

    /// Notes what was read, and returns the record.
    fn hand_out(&self, handle: Handle, current: Current) -> Record {
        let record = current.record.clone();
        self.seen.note(handle, current);
        record
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let (bytes, patience) = (self.bytes_of(record)?, self.patience());
        let (key, expiry) = (self.key(handle), expiry(record, now));
        loop {
            let added = self.clients.get().add(&key, bytes.clone(), expiry).await;
            if let Added::Added(cas) = added.map_err(|error| store_error(&error))? {
                self.note(handle, cas, record);
                return Ok(Created::Created);
            }
            if let Some(current) = self.read(handle).await? {
                if current.record.is_live(now) {
                    return Ok(Created::Exists);
                }
                let swapped = self.swap(handle, current.cas, record, &bytes, now);
                if let Swapped::Swapped(_) = swapped.await? {
                    return Ok(Created::Created);
                }
            }
            patience.check()?;
        }
    }

    /// Writes `record`, whose bytes are `bytes`, in place of what has this `cas`.
    async fn swap(
        &self,
        handle: Handle,
        cas: u64,
        record: &Record,
        bytes: &Bytes,
        now: Timestamp,
    ) -> Result<Swapped, StoreError> {
        let (key, bytes, expiry) = (self.key(handle), bytes.clone(), expiry(record, now));
        let swapped = self.clients.get().swap(&key, cas, bytes, expiry).await;
        let swapped = swapped.map_err(|error| store_error(&error))?;
        if let Swapped::Swapped(cas) = swapped {
            self.note(handle, cas, record);
        }
        Ok(swapped)
    }

    fn note(&self, handle: Handle, cas: u64, record: &Record) {
        let record = record.clone();
        self.seen.note(handle, Current { cas, record });
    }

    /// A creation that one of several servers could not make may succeed on another.
    fn placed(&self, error: StoreError) -> StoreError {
        if error.is_retryable() && self.servers.len() > 1 {
            error.of_one_server()
        } else {
            error
        }
    }

    fn patience(&self) -> Patience {
        Patience {
            begun: Instant::now(),
            limit: self.patience,
        }
    }
}

/// When an operation that others keep losing a race for gives up.
struct Patience {
    begun: Instant,
    limit: Duration,
}

impl Patience {
    fn check(&self) -> Result<(), StoreError> {
        if self.begun.elapsed() < self.limit {
            Ok(())
        } else {
            Err(contended())
        }
    }
}

/// When the server may drop `record`: once it is over, and not before.
fn expiry(record: &Record, now: Timestamp) -> Expiry {
    Expiry::after(record.header.expires_at().since(now))
}
