//! Bare MariaDB: connections that each send one text for the calls that have queued up, as the store does: a read of all, or
//! a transaction that locks all and writes all.

use std::collections::HashSet;

use anyhow::{Context as _, Result};
use fasthttpsession::{Handle, Record};
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Opts, OptsBuilder, Row};

use super::bare::Bare;
use super::groups::{Connection, Groups, Swap};
use super::ours::Ours;

/// As many groups at once as make it fastest here: of swaps with more of them, they are smaller.
const READERS: usize = 4;
const WRITERS: usize = 1;
/// As many calls in one as the store has.
const GROUP: usize = 32;

const BEGIN: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION; ";
const COLUMNS: &str =
    "handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body";
/// Of a row that is to be written.
const HEADER: &str =
    "handle, version, created_at, idle_deadline, absolute_deadline, principal, label";

/// Connections to a table that this library made, and has its records made by.
pub struct Database {
    table: Ours,
    loads: Groups<Reader>,
    swaps: Groups<Writer>,
}

impl Database {
    /// Connects to the database that the URL names.
    pub async fn connect(url: &str) -> Result<Self> {
        let table = Ours::open(url).await?;
        // Otherwise the driver would leave TCP for a socket that the server tells it of, as the store doesn't.
        let options: Opts = OptsBuilder::from_opts(Opts::from_url(url)?)
            .prefer_socket(false)
            .into();
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..READERS {
            readers.push(Reader(Conn::new(options.clone()).await?));
        }
        for _ in 0..WRITERS {
            writers.push(Writer(Conn::new(options.clone()).await?));
        }
        Ok(Self {
            table,
            loads: Groups::new(readers, GROUP),
            swaps: Groups::new(writers, GROUP),
        })
    }
}

impl Bare for Database {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        self.table.create(handle, record).await
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        self.loads.call(handle).await
    }

    async fn replace(&self, handle: Handle, expected: u64, record: &Record) -> Result<()> {
        self.swaps.swap(handle, expected, record).await
    }
}

struct Reader(Conn);

impl Connection for Reader {
    type Call = Handle;

    fn handle(call: &Handle) -> Handle {
        *call
    }

    async fn run(&mut self, calls: &[Handle]) -> Result<HashSet<Handle>> {
        let handles = list(calls.iter());
        let sql = format!("SELECT {COLUMNS} FROM fasthttpsession WHERE handle IN ({handles})");
        let rows: Vec<Row> = self.0.query(sql).await?;
        for row in &rows {
            std::hint::black_box(row.get::<Vec<u8>, _>("body"));
        }
        rows.iter().map(handle).collect()
    }
}

struct Writer(Conn);

impl Connection for Writer {
    type Call = Swap;

    fn handle(call: &Swap) -> Handle {
        call.handle
    }

    async fn run(&mut self, calls: &[Swap]) -> Result<HashSet<Handle>> {
        let locked = self.lock(calls).await?;
        let due: Vec<_> = calls
            .iter()
            .filter(|call| locked.contains(&(call.handle, call.expected)))
            .collect();
        self.0.query_drop(replace(&due)).await?;
        Ok(due.iter().map(|call| call.handle).collect())
    }
}

impl Writer {
    /// The sessions and their versions, whose rows are now locked.
    async fn lock(&mut self, calls: &[Swap]) -> Result<HashSet<(Handle, u64)>> {
        let handles = list(calls.iter().map(|call| &call.handle));
        let sql = format!(
            "{BEGIN}SELECT {HEADER} FROM fasthttpsession WHERE handle IN ({handles}) \
             ORDER BY handle FOR UPDATE SKIP LOCKED"
        );
        let mut results = self.0.query_iter(sql).await?;
        let mut rows: Vec<Row> = Vec::new();
        while !results.is_empty() {
            rows.extend(results.collect::<Row>().await?);
        }
        let version = |row: &Row| Some((handle(row).ok()?, row.get("version")?));
        Ok(rows.iter().filter_map(version).collect())
    }
}

fn replace(calls: &[&Swap]) -> String {
    let columns: Vec<_> = WRITTEN
        .iter()
        .map(|(column, value)| format!("{column} = CASE handle{} END", cases(calls, *value)))
        .collect();
    let handles = list(calls.iter().map(|call| &call.handle));
    format!(
        "UPDATE fasthttpsession SET {} WHERE handle IN ({handles}); COMMIT",
        columns.join(", ")
    )
}

fn cases(calls: &[&Swap], value: Value) -> String {
    let case = |call: &&Swap| {
        let handle = hex(call.handle.as_bytes());
        format!(" WHEN {handle} THEN {}", value(&call.record))
    };
    calls.iter().map(case).collect()
}

type Value = fn(&Record) -> String;

/// Each column that is written, and its value as text.
const WRITTEN: [(&str, Value); 8] = [
    ("version", |record| record.header.version.to_string()),
    ("created_at", |record| {
        record.header.created_at.as_millis().to_string()
    }),
    ("idle_deadline", |record| {
        record.header.idle_deadline.as_millis().to_string()
    }),
    ("absolute_deadline", |record| {
        record.header.absolute_deadline.as_millis().to_string()
    }),
    ("expires_at", |record| {
        record.header.expires_at().as_millis().to_string()
    }),
    ("principal", |_| "NULL".to_owned()),
    ("label", |_| "NULL".to_owned()),
    ("body", |record| hex(&record.body)),
];

fn list<'a>(handles: impl Iterator<Item = &'a Handle>) -> String {
    let handles: Vec<_> = handles.map(|handle| hex(handle.as_bytes())).collect();
    handles.join(", ")
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(2 * bytes.len() + 3);
    text.push_str("x'");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text + "'"
}

fn handle(row: &Row) -> Result<Handle> {
    let key: Vec<u8> = row.get("handle").context("a row has no handle")?;
    let bytes = key.try_into().ok().context("a handle has 16 bytes")?;
    Ok(Handle::from_bytes(bytes))
}
