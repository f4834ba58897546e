//! Bare SQLite: prepared reads on the thread that asks, and a thread that writes what has queued up in one transaction.

use std::path::Path;
use std::sync::{Mutex, mpsc};
use std::thread;

use anyhow::{Context as _, Result, bail};
use fasthttpsession::{Clock as _, Handle, Record, SystemClock};
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::bare::Bare;
use super::ours::Ours;
use crate::two_threads::THREADS;

const LOAD: &str = "SELECT version, created_at, idle_deadline, absolute_deadline, principal, label, body \
    FROM fasthttpsession WHERE handle = ?1";
/// As the store's own where no index changes.
const REPLACE: &str = "UPDATE fasthttpsession SET version = ?2, idle_deadline = ?4, absolute_deadline = ?5, body = ?6 \
    WHERE handle = ?1 AND version = ?7 AND idle_deadline > ?8 AND absolute_deadline > ?8 \
    AND created_at = ?3 AND principal IS NULL AND label IS NULL AND purge_at <= min(?4, ?5)";
/// How many wait for one commit at most.
const GROUP: usize = 256;

/// A database with a table that this library made, and has its records made by.
pub struct Database {
    table: Ours,
    /// One for each thread that asks.
    readers: [Mutex<Connection>; THREADS],
    writer: mpsc::Sender<Write>,
}

struct Write {
    handle: Handle,
    expected: u64,
    record: Record,
    answer: oneshot::Sender<bool>,
}

impl Database {
    /// Opens the file that the URL names; its writer ends when this is dropped.
    pub async fn open(url: &str) -> Result<Self> {
        let table = Ours::open(url).await?;
        let file = Path::new(url.trim_start_matches("sqlite:"));
        let (writer, queue) = mpsc::channel();
        let connection = Connection::open(file)?;
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -65536;",
        )?;
        thread::spawn(move || write(&connection, &queue));
        let reader = || anyhow::Ok(Mutex::new(Connection::open(file)?));
        Ok(Self {
            table,
            readers: [reader()?, reader()?],
            writer,
        })
    }
}

/// Commits groups until nobody can ask any more. Who is not answered has failed.
fn write(connection: &Connection, writes: &mpsc::Receiver<Write>) -> Result<()> {
    while let Ok(first) = writes.recv() {
        let group: Vec<_> = [first]
            .into_iter()
            .chain(writes.try_iter().take(GROUP))
            .collect();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let done: Vec<_> = group
            .iter()
            .map(|write| replace(connection, write))
            .collect::<Result<_>>()?;
        connection.execute_batch("COMMIT")?;
        for (write, done) in group.into_iter().zip(done) {
            // Whoever asked may be gone.
            let _ = write.answer.send(done);
        }
    }
    Ok(())
}

fn replace(connection: &Connection, write: &Write) -> Result<bool> {
    let header = &write.record.header;
    let changed = connection.prepare_cached(REPLACE)?.execute(params![
        &write.handle.as_bytes()[..],
        header.version.cast_signed(),
        header.created_at.as_millis().cast_signed(),
        header.idle_deadline.as_millis().cast_signed(),
        header.absolute_deadline.as_millis().cast_signed(),
        &write.record.body[..],
        write.expected.cast_signed(),
        SystemClock.now().as_millis().cast_signed(),
    ])?;
    Ok(changed == 1)
}

impl Bare for Database {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        self.table.create(handle, record).await
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        let free = self
            .readers
            .iter()
            .find_map(|reader| reader.try_lock().ok());
        let reader = free.context("there are no more threads than readers")?;
        let mut statement = reader.prepare_cached(LOAD)?;
        let body: Vec<u8> = statement.query_row([&handle.as_bytes()[..]], |row| row.get(6))?;
        std::hint::black_box(body);
        Ok(())
    }

    async fn replace(&self, handle: Handle, expected: u64, record: &Record) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        let record = record.clone();
        self.writer.send(Write {
            handle,
            expected,
            record,
            answer,
        })?;
        if !answered.await? {
            bail!("a session was not replaced");
        }
        Ok(())
    }
}
