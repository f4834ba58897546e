//! Bare Redis: one multiplexed connection, `GET`, and the store's own script by its hash.

use anyhow::{Result, ensure};
use fasthttpsession::{Clock as _, Handle, Record, SystemClock};
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, Script, cmd};

use super::bare::Bare;

/// A connection, whose clones share it, and the hash of the script.
pub struct Server {
    connection: MultiplexedConnection,
    script: String,
}

macro_rules! script {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/stores/redis/src/scripts/",
            $name,
            ".lua"
        ))
    };
}

const REPLACE: [&str; 4] = [
    script!("record"),
    script!("replace"),
    script!("index"),
    script!("bind"),
];

impl Server {
    /// Connects, and makes the script known.
    pub async fn connect(url: &str) -> Result<Self> {
        let mut connection = Client::open(url)?
            .get_multiplexed_async_connection()
            .await?;
        let source = REPLACE.concat();
        let script = Script::new(&source).get_hash().to_owned();
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(source);
        load.query_async::<String>(&mut connection).await?;
        Ok(Self { connection, script })
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
        let mut call = cmd("EVALSHA");
        call.arg(&self.script).arg(1).arg(format!("bare:{handle}"));
        call.arg(SystemClock.now().as_millis())
            .arg(&expected.to_be_bytes()[..]);
        call.arg(record.to_bytes())
            .arg(3_600_000)
            .arg(&handle.as_bytes()[..]);
        call.arg("0").arg("0");
        let answer: Vec<Vec<u8>> = call.query_async(&mut self.connection.clone()).await?;
        ensure!(
            answer.first().is_some_and(|word| word == b"replaced"),
            "a session was not replaced"
        );
        Ok(())
    }
}

fn of(command: &str, handle: Handle) -> Cmd {
    let mut command = cmd(command);
    command.arg(format!("bare:{handle}"));
    command
}
