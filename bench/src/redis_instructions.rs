//! Instructions that Redis itself executes for a session, counted by valgrind: it has one thread, for which every request
//! waits, and noise does not reach this figure. Beside what this library sends, what it would take not to compare.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use fasthttpsession::{
    AnyStore, Clock as _, Handle, Record, Replaced, Store as _, SystemClock, connect,
};
use redis::aio::MultiplexedConnection;
use redis::{Client, Cmd, cmd};
use serde::Serialize;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::instructions;
use crate::records;

/// How many swap at once, where many do.
pub const TOGETHER: usize = 32;
/// How often each session has its turn: the difference of two runs is what this many more turns cost.
const FEW: u64 = 10;
const MANY: u64 = 40;

/// What Redis is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Nothing.
    Ping,
    /// To return a record.
    Get,
    /// To write a record, whatever is there.
    Set,
    /// This library's swap, where none is under way beside it.
    SwapAlone,
    /// This library's swaps, where many tasks have some.
    SwapsTogether,
    /// To write as many records by a script, whatever is there.
    ScriptThatSets,
    /// To take as many records into a script, which does nothing.
    ScriptThatTakes,
}

/// What is reported of one.
#[derive(Clone, Debug, Serialize)]
pub struct RedisCount {
    /// Which.
    pub work: Work,
    /// Instructions for each session.
    pub instructions: f64,
}

/// All of them; nothing without valgrind.
pub async fn measure() -> Result<Vec<RedisCount>> {
    let mut counts = Vec::new();
    if !instructions::is_there() {
        return Ok(counts);
    }
    for work in Work::ALL {
        let (few, many) = (counted(work, FEW).await?, counted(work, MANY).await?);
        #[allow(clippy::cast_precision_loss, reason = "there are not that many")]
        let turns = ((MANY - FEW) * TOGETHER as u64) as f64;
        counts.push(RedisCount {
            work,
            instructions: (many - few) / turns,
        });
    }
    Ok(counts)
}

/// The instructions of a server that does `work` so often for each of some sessions, with all else that it does.
async fn counted(work: Work, turns: u64) -> Result<f64> {
    let server = Counted::start()?;
    let sessions = Sessions::make(&server.url()).await?;
    match work {
        Work::SwapAlone => sessions.swap_one_by_one(turns).await?,
        Work::SwapsTogether => sessions.swap_together(turns).await?,
        _ => sessions.send(work, turns).await?,
    }
    server.stop().await
}

impl Work {
    /// In the order of the report.
    pub const ALL: [Self; 7] = [
        Self::Ping,
        Self::Get,
        Self::Set,
        Self::SwapAlone,
        Self::SwapsTogether,
        Self::ScriptThatSets,
        Self::ScriptThatTakes,
    ];

    /// As the report calls it.
    pub fn title(self) -> String {
        let among = |what: &str| format!("{what}, {TOGETHER} at once");
        match self {
            Self::Ping => "`PING`".to_owned(),
            Self::Get => "`GET` of a record, which is how a session is loaded".to_owned(),
            Self::Set => "`SET` of a record, whatever is there".to_owned(),
            Self::SwapAlone => "a swap of this library, alone".to_owned(),
            Self::SwapsTogether => among("swaps of this library"),
            Self::ScriptThatSets => among("a script that only sets the records it is given"),
            Self::ScriptThatTakes => among("a script that is given records and does nothing"),
        }
    }
}

/// Some sessions on a server.
struct Sessions {
    store: AnyStore,
    connection: MultiplexedConnection,
    handles: Vec<Handle>,
    record: Record,
}

impl Sessions {
    async fn make(url: &str) -> Result<Self> {
        let (store, record) = (connect(url).await?, records::record(1));
        let connection = Client::open(url)?
            .get_multiplexed_async_connection()
            .await?;
        let handles: Vec<_> = (0..TOGETHER as u64).map(records::handle).collect();
        for handle in &handles {
            store.create(*handle, &record, SystemClock.now()).await?;
        }
        Ok(Self {
            store,
            connection,
            handles,
            record,
        })
    }

    async fn swap_one_by_one(&self, turns: u64) -> Result<()> {
        for handle in &self.handles {
            swap(&self.store, *handle, self.record.clone(), turns).await?;
        }
        Ok(())
    }

    async fn swap_together(self, turns: u64) -> Result<()> {
        let mut tasks = JoinSet::new();
        for handle in self.handles {
            let (store, record) = (self.store.clone(), self.record.clone());
            tasks.spawn(async move { swap(&store, handle, record, turns).await });
        }
        tasks.join_all().await.into_iter().collect()
    }

    /// Sends what is not this library's, once for each turn of each session.
    async fn send(mut self, work: Work, turns: u64) -> Result<()> {
        for _ in 0..turns {
            for command in self.commands(work) {
                command.exec_async(&mut self.connection).await?;
            }
        }
        Ok(())
    }

    fn commands(&self, work: Work) -> Vec<Cmd> {
        let keys = self
            .handles
            .iter()
            .map(|handle| format!("session:{handle}"));
        let record = self.record.to_bytes();
        match work {
            Work::Get => keys.map(|key| cmd("GET").arg(key).take()).collect(),
            Work::Set => keys
                .map(|key| cmd("SET").arg(key).arg(&record).arg("PX").arg(HOUR).take())
                .collect(),
            Work::ScriptThatSets => vec![script(SETS, keys, &record)],
            Work::ScriptThatTakes => vec![script("", keys, &record)],
            _ => keys.map(|_| cmd("PING")).collect(),
        }
    }
}

/// In milliseconds.
const HOUR: u64 = 3_600_000;

const SETS: &str = "for at = 1, #KEYS do redis.call('SET', KEYS[at], ARGV[at], 'KEEPTTL') end";

/// The whole source each time: one in many, it costs each session little.
fn script(source: &str, keys: impl Iterator<Item = String>, record: &[u8]) -> Cmd {
    let keys: Vec<_> = keys.collect();
    let mut call = cmd("EVAL");
    call.arg(source).arg(keys.len()).arg(&keys);
    for _ in &keys {
        call.arg(record);
    }
    call
}

/// Swaps a session so often, keeping its deadlines as most requests do.
async fn swap(store: &AnyStore, handle: Handle, mut record: Record, turns: u64) -> Result<()> {
    for version in 1..=turns {
        record.header.version = version + 1;
        let replaced = store.replace(handle, version, &record, SystemClock.now());
        ensure!(
            replaced.await? == Replaced::Replaced,
            "a session was not replaced"
        );
    }
    Ok(())
}

/// A private Redis whose instructions are counted.
struct Counted {
    process: Child,
    folder: TempDir,
}

impl Counted {
    /// Starts one, and waits until it answers.
    fn start() -> Result<Self> {
        let folder = TempDir::new()?;
        let mut process = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .args(["redis-server", "--port", "0", "--save", "", "--dir"])
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(socket(&folder))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = process.stdout.take().context("it was piped")?;
        let mut lines = BufReader::new(said).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("eady to accept connections"));
        ensure!(is_ready, "redis-server ended before it was ready");
        Ok(Self { process, folder })
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", socket(&self.folder).display())
    }

    /// Stops it; returns how many instructions it has executed.
    async fn stop(mut self) -> Result<f64> {
        let mut connection = Client::open(self.url())?
            .get_multiplexed_async_connection()
            .await?;
        let mut shutdown = cmd("SHUTDOWN");
        // It ends without an answer.
        let _ = shutdown.arg("NOSAVE").exec_async(&mut connection).await;
        let mut said = String::new();
        let errors = self.process.stderr.as_mut().context("it was piped")?;
        errors.read_to_string(&mut said)?;
        instructions::collected(&said)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(folder: &TempDir) -> PathBuf {
    folder.path().join("redis.sock")
}
