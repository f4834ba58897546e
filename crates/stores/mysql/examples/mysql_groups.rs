//! Measures whether grouping pays: a store's replacements beside the same swaps, each committed by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, Record, Replaced, Store, Timestamp};
use fasthttpsession_mysql::mysql_async::prelude::Queryable;
use fasthttpsession_mysql::mysql_async::{Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts};
use fasthttpsession_mysql::{MysqlConfig, MysqlStore};
use fasthttpsession_servers::{Database, Mariadb};

const HELP: &str = "\
Measures replacements through a store beside the same swaps sent one by one through as many connections, on a server
of its own whose commits are durable.

usage: cargo run --release -p fasthttpsession-mysql --example mysql_groups

Each task replaces a session of its own, with a body of 312 bytes, again and again for three seconds; the figures are
those of the middle one of three rounds.";

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const SPAN: Duration = Duration::from_secs(3);
const ROUNDS: usize = 3;
/// What the store has by default.
const CONNECTIONS: usize = 16;
const SWAP: &str =
    "UPDATE fasthttpsession SET version = ?, body = ? WHERE handle = ? AND version = ?";

#[derive(Clone)]
enum Way {
    Store(MysqlStore),
    OneByOne(Pool),
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    if std::env::args().len() > 1 {
        return println!("{HELP}");
    }
    let database = Mariadb::start().database();
    let store = store(&database).await;
    println!("tasks |                 | a second | µs each, middle | slowest in 100");
    println!("------|-----------------|----------|-----------------|---------------");
    for tasks in [1, 8, 64] {
        let ways = [Way::Store(store.clone()), Way::OneByOne(pool(&database))];
        let mut rounds = [const { Vec::new() }; 2];
        // In turn, so that what else goes on slows down both alike.
        for _ in 0..ROUNDS {
            for (way, rounds) in ways.iter().zip(&mut rounds) {
                rounds.push(run(&store, way, tasks).await);
            }
        }
        for (name, rounds) in ["the store", "one by one"].iter().zip(&mut rounds) {
            rounds.sort_unstable_by_key(Vec::len);
            print(tasks, name, &mut rounds[ROUNDS / 2]);
        }
    }
}

async fn store(database: &Database) -> MysqlStore {
    let config = MysqlConfig::from_url(&database.socket_url()).expect("it is a URL");
    let config = config.migrate(true).max_connections(CONNECTIONS);
    config.open().await.expect("the server runs")
}

fn pool(database: &Database) -> Pool {
    let options = Opts::from_url(&database.socket_url()).expect("it is a URL");
    let constraints = PoolConstraints::new(CONNECTIONS, CONNECTIONS).expect("they fit");
    let settings = PoolOpts::new()
        .with_constraints(constraints)
        .with_reset_connection(false);
    Pool::new(OptsBuilder::from_opts(options).pool_opts(settings))
}

fn print(tasks: usize, name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let rate = times.len() as u64 / SPAN.as_secs();
    let (middle, slow) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{tasks:5} | {name:15} | {rate:8} | {:15} | {}",
        middle.as_micros(),
        slow.as_micros()
    );
}

/// How long each replacement took.
async fn run(store: &MysqlStore, way: &Way, tasks: usize) -> Vec<Duration> {
    let begin = Instant::now();
    let body: Arc<[u8]> = vec![7; 312].into();
    let mut running = Vec::new();
    for _ in 0..tasks {
        let handle = random_handle();
        let created = store.create(handle, &record(1, &body), NOW).await;
        created.expect("a session is made");
        let (way, body) = (way.clone(), Arc::clone(&body));
        running.push(tokio::spawn(async move {
            let mut times = Vec::new();
            while begin.elapsed() < SPAN {
                let begin = Instant::now();
                replace(&way, handle, times.len() as u64 + 1, &body).await;
                times.push(begin.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in running {
        times.append(&mut task.await.expect("no task panics"));
    }
    times
}

async fn replace(way: &Way, handle: Handle, expected: u64, body: &[u8]) {
    match way {
        Way::Store(store) => {
            let next = record(expected + 1, body);
            let replaced = store.replace(handle, expected, &next, NOW).await;
            assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
        }
        Way::OneByOne(pool) => {
            let mut conn = pool.get_conn().await.expect("a connection");
            let values = (expected + 1, body, handle.as_bytes().as_slice(), expected);
            let written = conn.exec_drop(SWAP, values).await;
            written.expect("an answer");
            assert_eq!(conn.affected_rows(), 1);
        }
    }
}

fn record(version: u64, body: &[u8]) -> Record {
    let header = Header {
        version,
        created_at: NOW,
        idle_deadline: NOW.after(HOUR),
        absolute_deadline: NOW.after(24 * HOUR),
        principal: None,
        label: None,
    };
    let body = Bytes::copy_from_slice(body);
    Record { header, body }
}

fn random_handle() -> Handle {
    let mut bytes = [0; Handle::BYTES];
    fastrand::fill(&mut bytes);
    Handle::from_bytes(bytes)
}
