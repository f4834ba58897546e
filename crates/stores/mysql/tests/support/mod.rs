//! A database of its own, records to put into it, and other programs' connections to it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{
    Created, Handle, Header, Label, Principal, Record, Replaced, Store, StoreError, Timestamp,
};
use fasthttpsession_mysql::mysql_async::prelude::Queryable;
use fasthttpsession_mysql::mysql_async::{Conn, Opts};
use fasthttpsession_mysql::{MysqlConfig, MysqlStore};
use fasthttpsession_servers::{Database, Mariadb};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Longer than anything takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The connections of a server, with `id`, `db` and `state`. That list of MySQL which also has their statements fails where
/// one has bytes that are no text.
pub(crate) const PROCESSES: &str = "/*M! information_schema.processlist */ /*!80000 (SELECT processlist_id AS id,
    processlist_db AS db, processlist_state AS state FROM performance_schema.threads) AS processes */";

/// A database for one test.
pub(crate) struct Place {
    pub(crate) database: Database,
}

impl Place {
    /// On the server that all tests share.
    pub(crate) fn new() -> Self {
        let database = Mariadb::shared().database();
        Self { database }
    }

    /// On a server that may be killed.
    pub(crate) fn private() -> Self {
        let database = Mariadb::start().database();
        Self { database }
    }

    /// Settings that make what is missing, never purge by themselves, and are patient.
    pub(crate) fn config(&self) -> MysqlConfig {
        MysqlConfig::from_url(&self.database.url())
            .expect("it is a URL")
            .migrate(true)
            .purge_every(Duration::ZERO)
            .connect_timeout(PATIENCE)
            .pool_timeout(PATIENCE)
            .statement_timeout(PATIENCE)
    }

    pub(crate) async fn store(&self) -> MysqlStore {
        self.config().open().await.expect("the store opens")
    }

    /// Another program, with a connection of its own.
    pub(crate) async fn outside(&self) -> Conn {
        let options = Opts::from_url(&self.database.url()).expect("it is a URL");
        Conn::new(options).await.expect("the server runs")
    }

    /// Runs `sql` as another program would.
    pub(crate) fn run(&self, sql: &str) {
        self.database.run_sql(sql);
    }

    /// The only number that `sql` answers.
    pub(crate) fn number(&self, sql: &str) -> u64 {
        let answer = self.database.run_sql(sql);
        answer.trim().parse().expect(sql)
    }

    /// The server's numbers of the connections to the database.
    pub(crate) fn connections(&self) -> Vec<u64> {
        let answer = self.database.run_sql(&format!(
            "SELECT id FROM {PROCESSES} WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        ));
        let ids = answer.split_whitespace().map(str::parse);
        ids.collect::<Result<_, _>>().expect("they are numbers")
    }

    /// Closes all connections to the database, and returns when the server is done with them: until then they may answer once
    /// more.
    pub(crate) async fn cut(&self) {
        let closed = self.connections();
        assert!(!closed.is_empty(), "none stayed open");
        for id in &closed {
            self.run(&format!("KILL {id}"));
        }
        within(async {
            while self.connections().iter().any(|id| closed.contains(id)) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// How many updates the server has made.
    pub(crate) fn updates(&self) -> u64 {
        let answer = self
            .database
            .run_sql("SHOW GLOBAL STATUS LIKE 'Com_update'");
        let number = answer.split_whitespace().last();
        number
            .and_then(|number| number.parse().ok())
            .expect("a name and a number")
    }

    /// Waits until `sql` answers `wanted`.
    pub(crate) async fn until(&self, sql: &str, wanted: u64) {
        let mut conn = self.outside().await;
        within(async {
            while conn.query_first::<u64, _>(sql).await.expect(sql) != Some(wanted) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits until a statement waits for a row; on MariaDB, until one that writes has been under way for so long: what that
    /// tells of its locks it tells anew only when nobody has asked for a while.
    pub(crate) async fn until_one_waits(&self) {
        let waiting = "SELECT COUNT(*) > 0 FROM
            /*M! information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() AND time_ms > 20
              AND (info LIKE 'UPDATE %' OR info LIKE 'DELETE %') */
            /*!80000 performance_schema.data_lock_waits JOIN performance_schema.data_locks
              ON engine_lock_id = requesting_engine_lock_id WHERE object_schema = DATABASE() */";
        self.until(waiting, 1).await;
    }

    /// Another program that holds the rows of these sessions.
    pub(crate) async fn holder(&self, numbers: &[u8]) -> Holder {
        let mut conn = self.outside().await;
        conn.query_drop("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await
            .expect("a setting");
        conn.query_drop("START TRANSACTION")
            .await
            .expect("a transaction begins");
        let mut holder = Holder(conn);
        for number in numbers {
            let lock = format!(
                "SELECT 1 FROM fasthttpsession WHERE handle = {} FOR UPDATE",
                literal(*number)
            );
            holder.run(&lock).await;
        }
        holder
    }
}

/// A transaction of another program.
pub(crate) struct Holder(Conn);

impl Holder {
    pub(crate) async fn run(&mut self, sql: &str) {
        self.0.query_drop(sql).await.expect(sql);
    }

    pub(crate) async fn commit(mut self) {
        self.run("COMMIT").await;
    }
}

pub(crate) fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; Handle::BYTES])
}

/// The handle in SQL.
pub(crate) fn literal(number: u8) -> String {
    format!("X'{}'", format!("{number:02x}").repeat(Handle::BYTES))
}

/// A session of version 1 that is over after an hour without use, or after a day.
pub(crate) fn record() -> Record {
    let header = Header {
        version: 1,
        created_at: NOW,
        idle_deadline: NOW.after(HOUR),
        absolute_deadline: NOW.after(24 * HOUR),
        principal: Principal::new("ann").ok(),
        label: Label::new("a browser").ok(),
    };
    Record {
        header,
        body: Bytes::from_static(b"body 1"),
    }
}

/// What a commit on top of `record` writes.
pub(crate) fn successor(record: &Record) -> Record {
    let mut next = record.clone();
    next.header.version += 1;
    next.body = format!("body {}", next.header.version).into();
    next
}

pub(crate) async fn create(store: &MysqlStore, numbers: impl IntoIterator<Item = u8>) {
    for number in numbers {
        let created = store.create(handle(number), &record(), NOW).await;
        assert_eq!(created.expect("the store answers"), Created::Created);
    }
}

pub(crate) async fn load(store: &MysqlStore, number: u8) -> Option<Record> {
    let loaded = store.load(handle(number), NOW).await;
    loaded.expect("the store answers")
}

/// Replaces version 1 by version 2.
pub(crate) async fn replace(store: &MysqlStore, number: u8) -> Result<Replaced, StoreError> {
    let next = successor(&record());
    store.replace(handle(number), 1, &next, NOW).await
}

/// The same in a task of its own.
pub(crate) fn replacing(
    store: &MysqlStore,
    number: u8,
) -> tokio::task::JoinHandle<Result<Replaced, StoreError>> {
    let store = store.clone();
    tokio::spawn(async move { replace(&store, number).await })
}

/// Fails instead of waiting for ever.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let worked = tokio::time::timeout(PATIENCE, work).await;
    worked.expect("it ends")
}
