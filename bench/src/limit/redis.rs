//! Bare Redis: multiplexed connections, `GET`, and the store's own script for the swaps that have queued up, by its hash.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use fasthttpsession::{Clock as _, Handle, Record, SystemClock};
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, Script, cmd};

use super::bare::Bare;
use super::groups::{Connection, Groups, Swap};

/// As many groups at once, and as many swaps in one, as the store has.
const AT_ONCE: usize = 2;
const GROUP: usize = 64;

/// A connection, whose clones share it, and those that swap.
pub struct Server {
    connection: MultiplexedConnection,
    swaps: Groups<Writer>,
}

const SWAPS: &str = concat!(
    include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/stores/redis/src/scripts/swap.lua"
    )),
    include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../crates/stores/redis/src/scripts/swaps.lua"
    ))
);

impl Server {
    /// Connects, and makes the script known.
    pub async fn connect(url: &str) -> Result<Self> {
        let connection = connect(url).await?;
        let mut writers = Vec::new();
        for _ in 0..AT_ONCE {
            writers.push(Writer::connect(url).await?);
        }
        Ok(Self {
            connection,
            swaps: Groups::new(writers, GROUP),
        })
    }
}

impl Bare for Server {
    async fn create(&self, handle: Handle, record: &Record) -> Result<()> {
        let mut set = of("SET", handle);
        set.arg(record.to_bytes()).arg("PX").arg(3_600_000);
        Ok(set.query_async(&mut self.connection.clone()).await?)
    }

    async fn load(&self, handle: Handle) -> Result<()> {
        let get = of("GET", handle);
        let found: Vec<u8> = get.query_async(&mut self.connection.clone()).await?;
        ensure!(!found.is_empty(), "a session is missing");
        Ok(())
    }

    async fn replace(&self, handle: Handle, expected: u64, record: &Record) -> Result<()> {
        self.swaps.swap(handle, expected, record).await
    }
}

/// A connection, and the hash of the script.
struct Writer(MultiplexedConnection, String);

impl Writer {
    async fn connect(url: &str) -> Result<Self> {
        let mut connection = connect(url).await?;
        let script = Script::new(SWAPS).get_hash().to_owned();
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(SWAPS);
        load.query_async::<String>(&mut connection).await?;
        Ok(Self(connection, script))
    }
}

impl Connection for Writer {
    type Call = Swap;

    fn handle(call: &Swap) -> Handle {
        call.handle
    }

    async fn run(&mut self, calls: &[Swap]) -> Result<HashSet<Handle>> {
        let mut script = cmd("EVALSHA");
        script.arg(&self.1).arg(calls.len());
        for call in calls {
            script.arg(format!("bare:{}", call.handle));
        }
        script.arg(SystemClock.now().as_millis());
        for call in calls {
            script
                .arg(&call.expected.to_be_bytes()[..])
                .arg(call.record.to_bytes())
                .arg(3_600_000);
        }
        let answer: Vec<Vec<u8>> = script.query_async(&mut self.0).await?;
        let answers = answer.first().map(Vec::as_slice).unwrap_or_default();
        let answered = calls.iter().zip(answers);
        let replaced = answered.filter(|(_, answer)| **answer == b'1');
        Ok(replaced.map(|(call, _)| call.handle).collect())
    }
}

async fn connect(url: &str) -> Result<MultiplexedConnection> {
    Ok(Client::open(url)?
        .get_multiplexed_async_connection()
        .await?)
}

fn of(command: &str, handle: Handle) -> Cmd {
    let mut command = cmd(command);
    command.arg(format!("bare:{handle}"));
    command
}
