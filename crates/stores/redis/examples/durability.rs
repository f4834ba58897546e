//! Measures what it costs to keep a logout from being undone: waiting for a replica, and for the disk.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{Clock, Handle, Header, Record, Replaced, Store, SystemClock};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use fasthttpsession_servers::{Redis, RedisServer};

const HELP: &str = "\
Measures replacements through a store on a primary with one replica, both of its own: acknowledged at once, once the
replica has them, and once the primary's disk has them.

usage: cargo run --release -p fasthttpsession-redis --example durability

Each task replaces a session of its own, with a body of 312 bytes, again and again for two seconds; the figures are
those of the middle one of three rounds.";

const HOUR: Duration = Duration::from_secs(3600);
const SPAN: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;

/// What is acknowledged when.
struct Way {
    name: &'static str,
    fsync: &'static str,
    replicas: u32,
    connections: usize,
}

const WAYS: [Way; 4] = [
    Way {
        name: "at once",
        fsync: "everysec",
        replicas: 0,
        connections: 2,
    },
    Way {
        name: "on the disk",
        fsync: "always",
        replicas: 0,
        connections: 2,
    },
    Way {
        name: "on a replica",
        fsync: "everysec",
        replicas: 1,
        connections: 2,
    },
    Way {
        name: "on a replica, 16 connections",
        fsync: "everysec",
        replicas: 1,
        connections: 16,
    },
];

#[tokio::main(worker_threads = 2)]
async fn main() {
    if std::env::args().len() > 1 {
        return println!("{HELP}");
    }
    let (primary, replica) = (Redis::start(), Redis::start());
    replicate(&primary, &replica);
    println!("tasks | acknowledged                 | a second | µs each, middle | slowest in 100");
    println!("------|------------------------------|----------|-----------------|---------------");
    for tasks in [1, 64] {
        let mut rounds = [const { Vec::new() }; WAYS.len()];
        // In turn, so that what else goes on slows down all alike.
        for _ in 0..ROUNDS {
            for (way, rounds) in WAYS.iter().zip(&mut rounds) {
                for server in [&primary, &replica] {
                    server.cli(&["CONFIG", "SET", "appendfsync", way.fsync]);
                }
                rounds.push(run(&open(&primary, way).await, tasks).await);
            }
        }
        for (way, rounds) in WAYS.iter().zip(&mut rounds) {
            rounds.sort_unstable_by_key(Vec::len);
            print(tasks, way.name, &mut rounds[ROUNDS / 2]);
        }
    }
}

fn replicate(primary: &RedisServer, replica: &RedisServer) {
    replica.cli(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    let online = || primary.cli(&["INFO", "replication"]);
    while !online().contains("state=online") {
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn open(server: &RedisServer, way: &Way) -> RedisStore {
    let config = RedisConfig::from_url(&server.url()).expect("it is a URL");
    let config = config.database(0).connections(way.connections);
    let opened = config.wait_replicas(way.replicas).open().await;
    opened.expect("the server runs")
}

fn print(tasks: usize, name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let rate = times.len() as u64 / SPAN.as_secs();
    let (middle, slow) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    println!(
        "{tasks:5} | {name:28} | {rate:8} | {:15} | {}",
        middle.as_micros(),
        slow.as_micros()
    );
}

/// How long each replacement took.
async fn run(store: &RedisStore, tasks: usize) -> Vec<Duration> {
    let begin = Instant::now();
    let running = (0..tasks).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { replace_until(&store, begin + SPAN).await })
    });
    let mut times = Vec::new();
    for task in running.collect::<Vec<_>>() {
        times.append(&mut task.await.expect("no task panics"));
    }
    times
}

async fn replace_until(store: &RedisStore, end: Instant) -> Vec<Duration> {
    let (handle, now) = (
        Handle::from_bytes(fastrand::u128(..).to_be_bytes()),
        SystemClock.now(),
    );
    let created = store.create(handle, &record(1), now).await;
    created.expect("a session is made");
    let mut times = Vec::new();
    while Instant::now() < end {
        let (begin, expected) = (Instant::now(), times.len() as u64 + 1);
        let next = record(expected + 1);
        let replaced = store.replace(handle, expected, &next, now).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
        times.push(begin.elapsed());
    }
    times
}

fn record(version: u64) -> Record {
    let now = SystemClock.now();
    Record {
        header: Header {
            version,
            created_at: now,
            idle_deadline: now.after(HOUR),
            absolute_deadline: now.after(24 * HOUR),
            principal: None,
            label: None,
        },
        body: Bytes::from_static(&[7; 312]),
    }
}
