//! Measures what a purge costs: 10 000 expired sessions among ever more live ones. Linux only: it reads `/proc`.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{Clock, Handle, Header, Record, Store, SystemClock, Timestamp};
use fasthttpsession_sqlite::{SqliteConfig, SqliteStore};

mod processor;
use processor::processor_time;

const HELP: &str = "\
Measures what a purge of 10,000 expired sessions costs among 100,000 and among 1,000,000 live ones.

usage: cargo run --release -p fasthttpsession-sqlite --example sqlite_purge [-- [FOLDER] [--spread]]

  FOLDER     where to put the database, up to 600 MB; it is removed afterwards [default: the folder for temporary files]
  --spread   the sessions that expire were created at even distances between the others [default: one after the other]

Bodies have 312 bytes. Each row is the mean of five purges in a row, each after 10,000 more sessions have expired, with
what they write back to the database on the way, after one that is not counted.";

const EXPIRED: u64 = 10_000;
/// The first warms what the others use.
const RUNS: u64 = 6;
const TASKS: u64 = 256;
const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let (mut folder, mut spread) = (std::env::temp_dir(), false);
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "--spread" => spread = true,
            option if option.starts_with('-') => return println!("{HELP}"),
            path => folder = path.into(),
        }
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    println!("live      | ms for 10,000 | ms of processor time");
    println!("----------|---------------|---------------------");
    for live in [100_000, 1_000_000] {
        runtime.block_on(measure(&folder, live, spread));
    }
}

async fn measure(folder: &Path, live: u64, spread: bool) {
    let folder = tempfile::tempdir_in(folder).expect("a folder can be made");
    let path = folder.path().join("sessions.db");
    let config = SqliteConfig::new(&path)
        .migrate(true)
        .purge_every(Duration::ZERO);
    let store = config.open().await.expect("the store opens");
    let now = SystemClock.now();
    fill(&store, live, spread, now).await;
    purge(&store, now, 0).await;
    let (began, cpu) = (Instant::now(), processor_time());
    for run in 1..RUNS {
        purge(&store, now, run).await;
    }
    let each = |total: Duration| total.as_millis() / u128::from(RUNS - 1);
    let (took, cpu) = (
        each(began.elapsed()),
        each(processor_time().saturating_sub(cpu)),
    );
    println!("{live:9} | {took:13} | {cpu}");
}

async fn purge(store: &SqliteStore, now: Timestamp, run: u64) {
    let purged = store.purge(1_000_000, now.after(HOUR * hours(run))).await;
    assert_eq!(purged.expect("the store purges"), EXPIRED);
}

/// `live` sessions that last, and for each run as many that expire together: after them or between them.
async fn fill(store: &SqliteStore, live: u64, spread: bool, now: Timestamp) {
    let total = live + RUNS * EXPIRED;
    let distance = if spread { total / (RUNS * EXPIRED) } else { 1 };
    let task = |first: u64| {
        let store = store.clone();
        tokio::spawn(async move {
            for number in (0..total).skip(skip(first)).step_by(skip(TASKS)) {
                let nth = (total - 1 - number) / distance;
                let expires = number % distance == 0 && nth < RUNS * EXPIRED;
                let run = if spread { nth % RUNS } else { nth / EXPIRED };
                let lasts = if expires {
                    HOUR * hours(run)
                } else {
                    1000 * HOUR
                };
                let created = store.create(handle(), &record(now, lasts), now).await;
                created.expect("a session is created");
            }
        })
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    for task in tasks {
        task.await.expect("no task panics");
    }
}

fn skip(count: u64) -> usize {
    usize::try_from(count).expect("there are few tasks")
}

/// Run 0 is after one hour.
fn hours(run: u64) -> u32 {
    u32::try_from(run + 1).expect("there are few runs")
}

fn handle() -> Handle {
    let mut bytes = [0; Handle::BYTES];
    fastrand::fill(&mut bytes);
    Handle::from_bytes(bytes)
}

fn record(now: Timestamp, life: Duration) -> Record {
    let header = Header {
        version: 1,
        created_at: now,
        idle_deadline: now.after(life),
        absolute_deadline: now.after(1000 * HOUR),
        principal: None,
        label: None,
    };
    let mut body = [0; 312];
    fastrand::fill(&mut body);
    Record {
        header,
        body: Bytes::copy_from_slice(&body),
    }
}
