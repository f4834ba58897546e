//! The store: reads go to readers, writes to the writer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, Timestamp, Touched,
};
use fasthttpsession_store_common::{
    Create, Delete, Load, PurgeTask, Purging, Replace, Touch, in_runtime,
};
use rusqlite::Connection;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::checkpoints::Checkpoints;
use crate::config::SqliteConfig;
use crate::connect::Connect;
use crate::error::{abandoned, timed_out};
use crate::named::Named;
use crate::queries::{Check, Count, Scan, SessionsOf};
use crate::readers::Readers;
use crate::schema;
use crate::statements::Statements;
use crate::writer::{GRACE, Writer};
use crate::writes::Purge;

/// Connections that list: so many at once, and never in the way of a read of one session.
const LISTERS: usize = 2;
/// The most rows that one slice of a purge looks at: other writes wait for a slice.
const SLICE: usize = 100;
/// As long as SQLite can be told to wait for a lock: 24 days.
const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
const OPENING: &str = "opening the database";

/// Keeps sessions in an SQLite file. Clones are the same store; the last one that is dropped closes the file.
///
/// See the [crate's page](crate) for what it promises and what it costs.
#[derive(Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
    /// Held by those clones that are not in the task itself.
    _purging: Option<PurgeTask>,
}

struct Inner {
    // Closed before the writer's connections, the last of which writes the log back.
    readers: Arc<Readers>,
    listers: Arc<Readers>,
    writer: Writer,
    file: Arc<Named>,
    config: SqliteConfig,
}

impl SqliteStore {
    pub(crate) async fn open(config: SqliteConfig, connect: Connect) -> Result<Self, StoreError> {
        in_runtime("SQLite")?;
        let config = SqliteConfig {
            timeout: config.timeout.min(LONGEST),
            ..config
        };
        let purging = Purging {
            every: config.purge_every,
            batch: config.purge_batch,
        };
        // SQLite gives up waiting for a lock by itself before, and says so.
        let limit = config.timeout + GRACE;
        let opening = spawn_blocking(move || Inner::open(config, &connect));
        let opened = timeout(limit, opening)
            .await
            .map_err(|_| timed_out(OPENING).not_applied())?
            .map_err(|_| abandoned(OPENING))?;
        let store = Self {
            inner: Arc::new(opened?),
            _purging: None,
        };
        Ok(Self {
            _purging: purging.start(store.clone()),
            ..store
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.inner.config.path)
            .field("table", &self.inner.config.table)
            .finish_non_exhaustive()
    }
}

impl Inner {
    fn open(config: SqliteConfig, connect: &Connect) -> Result<Self, StoreError> {
        let sql = Arc::new(Statements::new(&config.table));
        let db = connect.writer(&config)?;
        let file = Arc::new(connect.opened()?);
        if config.migrate {
            schema::migrate(&db, &config.table)?;
        }
        schema::check(&db, &config.table)?;
        let readers = |count| {
            let connections: Result<Vec<Connection>, _> =
                (0..count).map(|_| connect.reader(config.timeout)).collect();
            let readers = Readers::new(connections?, Arc::clone(&sql), config.timeout);
            Ok::<_, StoreError>(Arc::new(readers))
        };
        let checkpoints = Checkpoints::start(connect.checkpointer(config.timeout)?, &db)?;
        Ok(Self {
            readers: readers(config.readers.max(1))?,
            listers: readers(LISTERS)?,
            writer: Writer::start(
                db,
                Arc::clone(&file),
                checkpoints,
                sql,
                config.queue,
                config.timeout,
            )?,
            file,
            config,
        })
    }
}

impl Store for SqliteStore {
    fn name(&self) -> &'static str {
        "sqlite"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let load = Load { handle, now };
        if self.inner.config.read_in_place {
            self.inner.readers.read_in_place(load).await
        } else {
            self.inner.readers.read_aside(load).await
        }
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let record = record.clone();
        let create = Create {
            handle,
            record,
            now,
        };
        self.inner.writer.write(create).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let record = record.clone();
        let replace = Replace {
            handle,
            expected,
            record,
            now,
        };
        self.inner.writer.write(replace).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let touch = Touch {
            handle,
            version,
            idle_deadline,
            now,
        };
        self.inner.writer.write(touch).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.inner.writer.write(Delete { handle, now }).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let principal = principal.clone();
        let query = SessionsOf { principal, now };
        self.inner.listers.read_aside(query).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let after = after.cloned();
        let scan = Scan { after, limit, now };
        self.inner.listers.read_aside(scan).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.listers.read_aside(Count { now }).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let mut removed = 0;
        let mut left = limit;
        while left > 0 {
            let rows = left.min(SLICE);
            let slice = self.inner.writer.write(Purge { rows, now }).await?;
            removed += slice.removed;
            if slice.was_last {
                break;
            }
            left = left.saturating_sub(usize::try_from(slice.removed).unwrap_or(left));
        }
        Ok(removed)
    }

    async fn check(&self) -> Result<(), StoreError> {
        let file = Arc::clone(&self.inner.file);
        self.inner.listers.read_aside(Check(file)).await
    }
}
