//! A database of its own, records to put into it, and other programs' connections to it.

#![allow(dead_code, reason = "each test file uses its part")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{
    Created, Handle, Header, Label, Principal, Record, Replaced, Store, StoreError, Timestamp,
};
use fasthttpsession_postgres::{PostgresConfig, PostgresStore};
use fasthttpsession_servers::{Database, Postgres};
use tokio_postgres::{Client, NoTls};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Longer than anything takes on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A database for one test.
pub(crate) struct Place {
    pub(crate) database: Database,
    outside: Client,
}

impl Place {
    /// On the server that all tests share.
    pub(crate) async fn new() -> Self {
        Self::of(Postgres::shared().database()).await
    }

    /// On a server that may be killed.
    pub(crate) async fn private() -> Self {
        Self::of(Postgres::start().database()).await
    }

    async fn of(database: Database) -> Self {
        let outside = connect(&database).await;
        Self { database, outside }
    }

    /// Settings that make what is missing, never purge by themselves, and are patient.
    pub(crate) fn config(&self) -> PostgresConfig {
        self.config_through(self.database.server().port())
    }

    /// The same, for what listens on another port in place of the server.
    pub(crate) fn config_through(&self, port: u16) -> PostgresConfig {
        let server = format!(":{}/", self.database.server().port());
        let url = self.database.url().replace(&server, &format!(":{port}/"));
        PostgresConfig::from_url(&url)
            .expect("it is a URL")
            .migrate(true)
            .purge_every(Duration::ZERO)
            .connect_timeout(PATIENCE)
            .pool_timeout(PATIENCE)
            .statement_timeout(PATIENCE)
    }

    pub(crate) async fn store(&self) -> PostgresStore {
        self.config().open().await.expect("the store opens")
    }

    /// A store that makes one statement of a kind at a time, so that calls queue up behind it: of its two connections,
    /// one may wait for rows.
    pub(crate) async fn narrow_store(&self) -> PostgresStore {
        let config = self.config().max_connections(2);
        config.open().await.expect("the store opens")
    }

    /// Another program, with a connection of its own.
    pub(crate) async fn outside(&self) -> Client {
        connect(&self.database).await
    }

    /// Runs `sql` as another program would.
    pub(crate) async fn run(&self, sql: &str) {
        self.outside.batch_execute(sql).await.expect(sql);
    }

    /// The only number that `sql` answers.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.outside.query_one(sql, &[]).await.expect(sql).get(0)
    }

    /// Lets no statement that writes begin, until it is opened.
    pub(crate) async fn gate(&self) -> Gate {
        let client = self.outside().await;
        let lock = "BEGIN; LOCK TABLE fasthttpsession IN SHARE MODE";
        client.batch_execute(lock).await.expect(lock);
        Gate(client)
    }

    /// Another program that holds the rows of these sessions.
    pub(crate) async fn holder(&self, numbers: &[u8]) -> Holder {
        let client = self.outside().await;
        client
            .batch_execute("BEGIN")
            .await
            .expect("a transaction begins");
        let holder = Holder(client);
        for number in numbers {
            holder.hold(*number).await;
        }
        holder
    }

    /// Waits until so many statements wait for a lock.
    pub(crate) async fn until_waiting(&self, statements: i64) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        self.until(waiting, statements).await;
    }

    /// Waits until `sql` answers `wanted`.
    pub(crate) async fn until(&self, sql: &str, wanted: i64) {
        let asking = async {
            while self.number(sql).await != wanted {
                tokio::task::yield_now().await;
            }
        };
        within(asking).await;
    }
}

/// Keeps statements that write from beginning.
pub(crate) struct Gate(Client);

impl Gate {
    pub(crate) async fn open(self) {
        self.0.batch_execute("COMMIT").await.expect("it ends");
    }
}

/// A transaction of another program.
pub(crate) struct Holder(pub(crate) Client);

impl Holder {
    pub(crate) async fn hold(&self, number: u8) {
        let lock = format!(
            "SELECT FROM fasthttpsession WHERE handle = {} FOR UPDATE",
            literal(number)
        );
        self.0.batch_execute(&lock).await.expect(&lock);
    }

    pub(crate) async fn commit(self) {
        self.0.batch_execute("COMMIT").await.expect("it ends");
    }
}

async fn connect(database: &Database) -> Client {
    let (client, connection) = tokio_postgres::connect(&database.url(), NoTls)
        .await
        .expect("the server runs");
    tokio::spawn(connection);
    client
}

pub(crate) fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; Handle::BYTES])
}

/// The handle in SQL.
pub(crate) fn literal(number: u8) -> String {
    format!("'{}'::uuid", format!("{number:02x}").repeat(Handle::BYTES))
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

pub(crate) async fn create(store: &PostgresStore, numbers: impl IntoIterator<Item = u8>) {
    for number in numbers {
        let created = store.create(handle(number), &record(), NOW).await;
        assert_eq!(created.expect("the store answers"), Created::Created);
    }
}

pub(crate) async fn load(store: &PostgresStore, number: u8) -> Option<Record> {
    let loaded = store.load(handle(number), NOW).await;
    loaded.expect("the store answers")
}

/// Replaces version 1 by version 2.
pub(crate) async fn replace(store: &PostgresStore, number: u8) -> Result<Replaced, StoreError> {
    let next = successor(&record());
    store.replace(handle(number), 1, &next, NOW).await
}

/// Starts a call, which then waits.
pub(crate) fn start<T, F: Future<Output = T>>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    // First it looks whether others join it.
    for _ in 0..2 {
        let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending), "it was answered at once");
    }
    call
}

/// Fails instead of waiting for ever.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let worked = tokio::time::timeout(PATIENCE, work).await;
    worked.expect("it ends")
}
