//! A store in a folder of its own, records to put into it, and another process's view of the file.

#![allow(dead_code, reason = "each test file uses its part")]

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Created, Handle, Header, Label, Principal, Record, Store, Timestamp};
use fasthttpsession_sqlite::rusqlite::Connection;
use fasthttpsession_sqlite::{SqliteConfig, SqliteStore};
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A folder for a database, removed in the end.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Settings that make what is missing and never purge by themselves.
    pub(crate) fn config(&self) -> SqliteConfig {
        SqliteConfig::new(self.path("sessions.db"))
            .migrate(true)
            .purge_every(Duration::ZERO)
    }

    pub(crate) async fn store(&self) -> SqliteStore {
        self.config().open().await.expect("the store opens")
    }

    /// The file as another program opens it.
    pub(crate) fn outside(&self) -> Connection {
        Connection::open(self.path("sessions.db")).expect("the file is there")
    }

    /// Runs `sql` as another program would.
    pub(crate) fn run(&self, sql: &str) {
        self.outside().execute_batch(sql).expect(sql);
    }

    /// The only number that `sql` answers.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.outside()
            .query_row(sql, [], |row| row.get(0))
            .expect(sql)
    }

    /// Keeps everybody else from writing until the connection is dropped.
    pub(crate) fn lock(&self) -> Connection {
        let db = self.outside();
        db.execute_batch("BEGIN IMMEDIATE")
            .expect("nobody else writes");
        db
    }
}

pub(crate) fn handle(number: u8) -> Handle {
    Handle::from_bytes([number; Handle::BYTES])
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

pub(crate) async fn create(store: &SqliteStore, handle: Handle, record: &Record) {
    let created = store
        .create(handle, record, NOW)
        .await
        .expect("the store answers");
    assert_eq!(created, Created::Created);
}

pub(crate) async fn load(store: &SqliteStore, handle: Handle) -> Option<Record> {
    store.load(handle, NOW).await.expect("the store answers")
}

/// Starts a call, which then waits.
pub(crate) fn start<T, F: Future<Output = T>>(call: F) -> Pin<Box<F>> {
    let mut call = Box::pin(call);
    let polled = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Pending), "it was answered at once");
    call
}

/// Waits until `holds`, and fails if that takes longer than it does on the slowest machine.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect(what);
}
