//! Bare PostgreSQL: connections that each send one prepared statement for the calls that have queued up, as the store does.

use std::collections::HashSet;

use anyhow::Result;
use fasthttpsession::{Clock as _, Handle, Record, SystemClock, Timestamp};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, Statement};
use uuid::Uuid;

use super::bare::Bare;
use super::groups::{Connection, Groups, Swap};
use super::ours::Ours;

/// As many groups at once as make it fastest here: with more of them, they are smaller.
const CONNECTIONS: usize = 1;
/// As many calls in one as the store has.
const GROUP: usize = 256;

const LOAD: &str = "SELECT handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body \
    FROM fasthttpsession WHERE handle = ANY ($1)";
/// As the store's own for many sessions.
const REPLACE: &str = "WITH given AS (
  SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS given (handle, version, created_at, idle_deadline, \
    absolute_deadline, principal, label, body, now, expected)
  WHERE now BETWEEN 0 AND 9223372036854775807
), taken AS (
  SELECT given.* FROM fasthttpsession AS held JOIN given USING (handle)
  WHERE held.version = given.expected AND held.expires_at > given.now
  FOR UPDATE OF held SKIP LOCKED
)
UPDATE fasthttpsession AS held SET
  version = taken.version, created_at = taken.created_at, idle_deadline = taken.idle_deadline,
  absolute_deadline = taken.absolute_deadline, principal = taken.principal, label = taken.label,
  body = taken.body, purge_at = least(held.purge_at, taken.idle_deadline, taken.absolute_deadline)
FROM taken
WHERE held.handle = taken.handle
RETURNING held.handle";

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
        let (mut readers, mut writers) = (Vec::new(), Vec::new());
        for _ in 0..CONNECTIONS {
            readers.push(Reader::connect(url).await?);
            writers.push(Writer::connect(url).await?);
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

struct Reader(Client, Statement);

impl Reader {
    async fn connect(url: &str) -> Result<Self> {
        let client = connect(url).await?;
        let statement = client.prepare_typed(LOAD, &[Type::UUID_ARRAY]).await?;
        Ok(Self(client, statement))
    }
}

impl Connection for Reader {
    type Call = Handle;

    fn handle(call: &Handle) -> Handle {
        *call
    }

    async fn run(&mut self, calls: &[Handle]) -> Result<HashSet<Handle>> {
        let keys: Vec<_> = calls.iter().map(key).collect();
        let rows = self.0.query(&self.1, &[&keys]).await?;
        for row in &rows {
            std::hint::black_box(row.try_get::<_, Vec<u8>>("body")?);
        }
        rows.iter().map(handle).collect()
    }
}

struct Writer(Client, Statement);

impl Writer {
    async fn connect(url: &str) -> Result<Self> {
        let client = connect(url).await?;
        let numbers = Type::INT8_ARRAY;
        let types = [
            Type::UUID_ARRAY,
            numbers.clone(),
            numbers.clone(),
            numbers.clone(),
            numbers.clone(),
            Type::TEXT_ARRAY,
            Type::TEXT_ARRAY,
            Type::BYTEA_ARRAY,
            numbers.clone(),
            numbers,
        ];
        let statement = client.prepare_typed(REPLACE, &types).await?;
        Ok(Self(client, statement))
    }
}

impl Connection for Writer {
    type Call = Swap;

    fn handle(call: &Swap) -> Handle {
        call.handle
    }

    async fn run(&mut self, calls: &[Swap]) -> Result<HashSet<Handle>> {
        let keys: Vec<_> = calls.iter().map(|call| key(&call.handle)).collect();
        let numbers = |number: fn(&Swap) -> u64| -> Vec<i64> {
            calls
                .iter()
                .map(|call| number(call).cast_signed())
                .collect()
        };
        let versions = numbers(|call| call.record.header.version);
        let created = numbers(|call| call.record.header.created_at.as_millis());
        let idle = numbers(|call| call.record.header.idle_deadline.as_millis());
        let absolute = numbers(|call| call.record.header.absolute_deadline.as_millis());
        let texts = vec![None::<&str>; calls.len()];
        let bodies: Vec<_> = calls.iter().map(|call| &call.record.body[..]).collect();
        let nows = vec![millis(SystemClock.now()); calls.len()];
        let expected = numbers(|call| call.expected);
        let parameters: [&(dyn ToSql + Sync); 10] = [
            &keys, &versions, &created, &idle, &absolute, &texts, &texts, &bodies, &nows, &expected,
        ];
        let rows = self.0.query(&self.1, &parameters).await?;
        rows.iter().map(handle).collect()
    }
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    // It ends with the client; what goes wrong on it is told to whoever waits.
    tokio::spawn(connection);
    Ok(client)
}

fn key(handle: &Handle) -> Uuid {
    Uuid::from_bytes(*handle.as_bytes())
}

fn handle(row: &Row) -> Result<Handle> {
    let key: Uuid = row.try_get("handle")?;
    Ok(Handle::from_bytes(key.into_bytes()))
}

fn millis(time: Timestamp) -> i64 {
    time.as_millis().cast_signed()
}
