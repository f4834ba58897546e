//! The store: every operation within its time, reads and swaps in groups.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, Timestamp, Touched,
};
use fasthttpsession_store_common::{
    Grouped, Load, PurgeTask, Purging, Replace, TableName, in_runtime_with_io, misconfigured,
    within,
};

use crate::config::MysqlConfig;
use crate::error::{Failure, timed_out};
use crate::groups::{LIMITS, Loads, Swapped, Swaps};
use crate::link::Link;
use crate::operations::Operations;
use crate::row;
use crate::schema::Schema;
use crate::statements::Statements;

/// What a message has beside a body, at most.
const BESIDE_BODY: usize = 2048;
/// The least that a server must take in one message, for the statements of a purge.
const SMALLEST_MESSAGE: u64 = 64 * 1024;
const SETTINGS: &str = "SELECT @@max_allowed_packet, @@autocommit, \
    @@character_set_client = @@character_set_connection, FIND_IN_SET('EMPTY_STRING_IS_NULL', @@sql_mode), \
    FIND_IN_SET('ORACLE', @@sql_mode), DATABASE() IS NULL";

/// Sessions in a table of a MySQL or MariaDB server. Clones are the same store.
#[derive(Clone)]
pub struct MysqlStore {
    operations: Arc<Operations>,
    loads: Arc<Grouped<Loads>>,
    swaps: Arc<Grouped<Swaps>>,
    /// Not in the clone that it purges.
    purging: Option<PurgeTask>,
}

impl MysqlStore {
    pub(crate) async fn open(config: MysqlConfig, link: Link) -> Result<Self, StoreError> {
        in_runtime_with_io("MySQL")?;
        let largest_body = largest_body(&link, &config.table).await?;
        let schema = Schema::new(&link, &config.table);
        if config.migrate {
            schema.migrate().await?;
        }
        schema.check().await?;
        let sql = Statements::new(&config.table);
        let store = Self::new(Operations {
            link,
            sql,
            largest_body,
        });
        let purging = Purging {
            every: config.purge_every,
            batch: config.purge_batch,
        };
        Ok(Self {
            purging: purging.start(store.clone()),
            ..store
        })
    }

    fn new(operations: Operations) -> Self {
        let operations = Arc::new(operations);
        Self {
            loads: Arc::new(Grouped::new(Loads(Arc::clone(&operations)), LIMITS)),
            swaps: Arc::new(Grouped::new(Swaps(Arc::clone(&operations)), LIMITS)),
            operations,
            purging: None,
        }
    }

    /// An operation that may have to wait for a group.
    fn bounded<T>(
        &self,
        doing: &str,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> impl Future<Output = Result<T, StoreError>> {
        let limit = self.operations.link.waits().total();
        within(limit, operation, || timed_out(doing))
    }

    async fn swap(&self, swap: Box<Replace>) -> Result<Replaced, StoreError> {
        match self.swaps.call(swap).await? {
            Swapped::Done(replaced) => Ok(replaced),
            Swapped::Alone(swap) => swap.await,
        }
    }
}

impl Store for MysqlStore {
    fn name(&self) -> &'static str {
        "mysql"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let load = self.loads.call(Load { handle, now });
        self.bounded("loading a session", load).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let create = self.operations.create(handle, record, now);
        self.bounded("creating a session", create).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.operations.fits(record)?;
        let swap = Box::new(Replace {
            handle,
            expected,
            record: record.clone(),
            now,
        });
        self.bounded("replacing a session", self.swap(swap)).await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let touch = self.operations.touch(handle, version, idle_deadline, now);
        self.bounded("touching a session", touch).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let delete = self.operations.delete(handle, now);
        self.bounded("deleting a session", delete).await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.operations.sessions_of(principal, now).await
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.operations.scan(after, limit, now).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.operations.count(now).await
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.operations.purge(limit, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.operations.check().await
    }
}

impl fmt::Debug for MysqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlStore")
            .field("purging", &self.purging.is_some())
            .finish_non_exhaustive()
    }
}

/// The largest body that the server takes. Connections on which writes would be lost or mangled, or the table would be
/// nowhere, and a server that takes too little, are refused.
async fn largest_body(link: &Link, table: &TableName) -> Result<usize, StoreError> {
    let doing = "asking MySQL for its settings";
    let rows = link.rows(doing, SETTINGS, []).await?;
    let [message, autocommit, as_sent, empty_is_null, oracle, nowhere] =
        row::numbers(rows).map_err(|wrong| Failure::from(wrong).of(doing))?;
    if nowhere == 1 && table.schema().is_none() {
        return Err(misconfigured(format!(
            "no database is named for the table {table}: put it into the URL, as in \
             mysql://user:password@host/database, or before the table's name in the setting `table`, as in \
             database.{table}"
        )));
    }
    if autocommit == 0 {
        return Err(misconfigured(
            "the connections of the pool have autocommit off, and the MySQL store needs it on",
        ));
    }
    if as_sent == 0 {
        return Err(misconfigured(
            "on the connections of the pool, character_set_connection is not what character_set_client is, so the server \
             would convert what the MySQL store writes: SET NAMES utf8mb4 mends that",
        ));
    }
    if empty_is_null > 0 {
        return Err(misconfigured(
            "on the connections of the pool, sql_mode has EMPTY_STRING_IS_NULL, and the MySQL store writes what is empty",
        ));
    }
    if oracle > 0 {
        return Err(misconfigured(
            "on the connections of the pool, sql_mode has ORACLE, which the MySQL store's statements are not written for",
        ));
    }
    if message < SMALLEST_MESSAGE {
        return Err(misconfigured(format!(
            "the server's max_allowed_packet is {message}, and the MySQL store needs at least {SMALLEST_MESSAGE}"
        )));
    }
    Ok(usize::try_from(message).unwrap_or(usize::MAX) - BESIDE_BODY)
}
