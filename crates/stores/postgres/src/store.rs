//! The store: each operation of the contract, in a group or by itself.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, Timestamp, Touched,
};
use fasthttpsession_store_common::{
    Create, Delete, GroupLimits, Grouped, Load, PurgeTask, Purging, Replace, TableName, Touch,
    bigint, cursor_after, handle_at, in_runtime_with_io, settle, within,
};
use tokio_postgres::Row;

use crate::config::PostgresConfig;
use crate::connections::Connections;
use crate::database::Database;
use crate::error::{contended, timed_out, unless_thwarted};
use crate::groups::{Answer, Groups, Operation, Waiting, made};
use crate::row::{self, Key, Unshown, millis};
use crate::schema::Schema;
use crate::statements::Statements;

/// The most sessions in one statement.
const GROUP: usize = 256;
/// The most calls of one kind that wait for a statement.
const WAITING: usize = 16_384;
/// Records with larger bodies travel alone, so that no other waits for them.
const LARGE: usize = 256 * 1024;

/// Keeps sessions in a table of PostgreSQL. Clones are the same store.
///
/// See the [crate's page](crate) for what it promises and what it costs.
#[derive(Clone)]
pub struct PostgresStore {
    inner: Arc<Inner>,
    /// Ends with the last clone that an application has.
    purging: Option<PurgeTask>,
}

struct Inner {
    database: Arc<Database>,
    table: TableName,
    /// How long an operation may take from its call to its answer.
    limit: Duration,
    creations: Grouped<Groups<Arc<Create>>>,
    replacements: Grouped<Groups<Arc<Replace>>>,
    touches: Grouped<Groups<Touch>>,
    deletions: Grouped<Groups<Delete>>,
    loads: Grouped<Groups<Load>>,
}

impl PostgresStore {
    pub(crate) async fn open(
        config: PostgresConfig,
        connections: Connections,
    ) -> Result<Self, StoreError> {
        in_runtime_with_io("postgres")?;
        let schema = Schema::of(&connections, &config.table);
        if config.migrate {
            schema.migrate().await?;
        } else {
            schema.check().await?;
        }
        let limit = config.pool_timeout.saturating_add(config.statement_timeout);
        let store = Self {
            inner: Arc::new(Inner::new(connections, config.table, limit)),
            purging: None,
        };
        let purging = Purging {
            every: config.purge_every,
            batch: config.purge_batch,
        };
        Ok(Self {
            purging: purging.start(store.clone()),
            ..store
        })
    }
}

impl Inner {
    fn new(connections: Connections, table: TableName, limit: Duration) -> Self {
        let limits = GroupLimits {
            at_once: connections.most_in_haste(),
            calls: GROUP,
            waiting: WAITING,
        };
        let database = Arc::new(Database {
            connections,
            statements: Statements::new(&table),
        });
        Self {
            creations: Grouped::new(Groups::of(&database), limits),
            replacements: Grouped::new(Groups::of(&database), limits),
            touches: Grouped::new(Groups::of(&database), limits),
            deletions: Grouped::new(Groups::of(&database), limits),
            loads: Grouped::new(Groups::of(&database), limits),
            database,
            table,
            limit,
        }
    }
}

impl Inner {
    /// Makes `call` in a group, unless it is `large`; and if its row is held by another transaction, by itself.
    async fn make<O: Operation>(
        &self,
        groups: &Grouped<Groups<O>>,
        call: O,
        large: bool,
    ) -> Result<O::Answer, StoreError> {
        self.within(async {
            if !large && let Some(answer) = groups.call(call.clone()).await? {
                return Ok(answer);
            }
            // The row may be another one when it is looked at than it was when it was waited for.
            settle(|| self.patiently(call.clone()), contended).await
        })
        .await
    }

    async fn patiently<O: Operation>(&self, call: O) -> Answer<O::Answer> {
        let answers = made(&self.database, vec![call], Waiting::Patiently).await;
        answers.into_iter().next().transpose().map(Option::flatten)
    }

    /// How many of at most so many expired sessions were removed, and how many were looked at; `None` if others were in
    /// the way.
    async fn try_purge(&self, most: i64, now: Timestamp) -> Result<Option<(u64, u64)>, StoreError> {
        let purge = async move |database: Arc<Database>| {
            let statement = &database.statements.purge;
            let rows = database
                .connections
                .rows(statement, &[&millis(now), &most])
                .await?;
            Ok((number(&rows, 0), number(&rows, 1)))
        };
        unless_thwarted(self.with(purge).await)
    }

    /// Runs `work` on the database to its end, and waits for it as long as an operation may take.
    async fn with<T: Send + 'static, F>(
        &self,
        work: impl FnOnce(Arc<Database>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let work = work(Arc::clone(&self.database));
        self.within(Connections::finish(work)).await
    }

    fn within<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> impl Future<Output = Result<T, StoreError>> {
        within(self.limit, work, || timed_out("an operation on postgres"))
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("table", &self.inner.table)
            .field("connections", &self.inner.database.connections.most())
            .field("purging", &self.purging.is_some())
            .finish()
    }
}

impl Store for PostgresStore {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let call = Load { handle, now };
        self.inner.make(&self.inner.loads, call, false).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let call = Arc::new(Create {
            handle,
            record: record.clone(),
            now,
        });
        let large = record.body.len() > LARGE;
        self.inner.make(&self.inner.creations, call, large).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let call = Arc::new(Replace {
            handle,
            expected,
            record: record.clone(),
            now,
        });
        let large = record.body.len() > LARGE;
        self.inner.make(&self.inner.replacements, call, large).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let call = Touch {
            handle,
            version,
            idle_deadline,
            now,
        };
        self.inner.make(&self.inner.touches, call, false).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let call = Delete { handle, now };
        self.inner.make(&self.inner.deletions, call, false).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let name = Unshown(principal.as_str().to_owned());
        let select = async move |database: Arc<Database>| {
            let statement = &database.statements.sessions_of;
            database
                .connections
                .rows(statement, &[&name, &millis(now)])
                .await
        };
        let rows = self.inner.with(select).await?;
        rows.iter().filter_map(|row| row::live(row, now)).collect()
    }

    /// A page looks at `limit` rows, and leaves out those that have expired.
    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let first = handle_at(after)?.unwrap_or(Handle::from_bytes([0; Handle::BYTES]));
        let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
        let select = async move |database: Arc<Database>| {
            let statement = &database.statements.scan;
            database
                .connections
                .rows(statement, &[&Key(first), &limit])
                .await
        };
        let rows = self.inner.with(select).await?;
        let more = rows.len() as u64 >= limit.unsigned_abs();
        let last = rows.last().filter(|_| more).map(row::handle).transpose()?;
        let sessions: Result<_, _> = rows.iter().filter_map(|row| row::live(row, now)).collect();
        Ok(Page {
            sessions: sessions?,
            next: last.and_then(cursor_after),
        })
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        let count = async move |database: Arc<Database>| {
            let statement = &database.statements.count;
            let rows = database
                .connections
                .rows(statement, &[&millis(now)])
                .await?;
            Ok(number(&rows, 0))
        };
        self.inner.with(count).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let (limit, mut purged) = (limit as u64, 0);
        while purged < limit {
            let most = bigint(limit - purged);
            let (removed, looked_at) =
                settle(|| self.inner.try_purge(most, now), contended).await?;
            purged += removed;
            if looked_at < most.unsigned_abs() {
                break;
            }
        }
        Ok(purged)
    }

    async fn check(&self) -> Result<(), StoreError> {
        let check = async move |database: Arc<Database>| {
            let rows = database
                .connections
                .rows(&database.statements.check, &[])
                .await;
            rows.map(drop)
        };
        self.inner.with(check).await
    }
}

fn number(rows: &[Row], at: usize) -> u64 {
    let number: i64 = rows.first().map_or(0, |row| row.get(at));
    number.unsigned_abs()
}
