//! Measures what an SQLite store does in a second, and what processor time an operation takes. Linux only: it reads
//! `/proc`.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{
    Clock, Handle, Header, Record, Replaced, Store, SystemClock, Timestamp,
};
use fasthttpsession_sqlite::{SqliteConfig, SqliteStore, Synchronous};

mod processor;
use processor::processor_time;

const HELP: &str = "\
Measures an SQLite store in a folder of its own: operations a second and processor time per operation.

usage: cargo run --release -p fasthttpsession-sqlite --example throughput [-- [FOLDER]]

  FOLDER   where to put the database; it is removed afterwards [default: the folder for temporary files]

Two threads run the tasks; each task works on sessions of its own, with bodies of 312 bytes. \"aside\" reads on other
threads, \"read and replace\" is a request that changes its session.";

const SESSIONS: usize = 16_384;
/// The version of each session, so that every replacement is one.
static VERSIONS: [AtomicU64; SESSIONS] = [const { AtomicU64::new(1) }; SESSIONS];
const SPAN: Duration = Duration::from_secs(3);
const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let folder = std::env::args().nth(1);
    if folder.as_deref().is_some_and(|arg| arg.starts_with('-')) {
        return println!("{HELP}");
    }
    let folder = folder.map_or_else(std::env::temp_dir, Into::into);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime starts");
    println!("operation                | tasks | a second | µs of processor time");
    println!("-------------------------|-------|----------|---------------------");
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        runtime.block_on(measure(&folder, synchronous));
    }
}

async fn measure(folder: &std::path::Path, synchronous: Synchronous) {
    let folder = tempfile::tempdir_in(folder).expect("a folder can be made");
    let config = SqliteConfig::new(folder.path().join("sessions.db"))
        .migrate(true)
        .synchronous(synchronous);
    let store = config.clone().open().await.expect("the store opens");
    let aside = config
        .read_in_place(false)
        .open()
        .await
        .expect("the store opens");
    for (number, version) in VERSIONS.iter().enumerate() {
        version.store(1, Ordering::Relaxed);
        let created = store
            .create(handle(number), &record(1), SystemClock.now())
            .await;
        created.expect("a session is created");
    }
    for tasks in [1, 8, 64] {
        if synchronous == Synchronous::Normal {
            run("load", tasks, &store, load).await;
            run("load, aside", tasks, &aside, load).await;
        }
        run(&format!("replace, {synchronous:?}"), tasks, &store, replace).await;
        run(
            &format!("read and replace, {synchronous:?}"),
            tasks,
            &store,
            read_and_replace,
        )
        .await;
    }
}

/// Runs `operation` in `tasks` tasks for a while, each on sessions of its own, and prints a line.
async fn run<F>(
    name: &str,
    tasks: usize,
    store: &SqliteStore,
    operation: fn(SqliteStore, usize) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let (began, cpu) = (Instant::now(), processor_time());
    let task = |first: usize| {
        let store = store.clone();
        async move {
            let mut done = 0_usize;
            while began.elapsed() < SPAN {
                operation(store.clone(), (first + done * tasks) % SESSIONS).await;
                done += 1;
                tokio::task::yield_now().await;
            }
            done
        }
    };
    let running: Vec<_> = (0..tasks).map(|first| tokio::spawn(task(first))).collect();
    let mut done = 0;
    for task in running {
        done += task.await.expect("no task panics");
    }
    let took = began.elapsed().as_secs_f64();
    let cpu = processor_time().saturating_sub(cpu).as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "some millions")]
    let done = done as f64;
    println!(
        "{name:24} | {tasks:5} | {:8.0} | {:.1}",
        done / took,
        cpu / done * 1e6
    );
}

async fn load(store: SqliteStore, number: usize) {
    let loaded = store.load(handle(number), SystemClock.now()).await;
    loaded
        .expect("the store answers")
        .expect("the session lives");
}

async fn replace(store: SqliteStore, number: usize) {
    let expected = VERSIONS[number].fetch_add(1, Ordering::Relaxed);
    let next = record(expected + 1);
    let replaced = store
        .replace(handle(number), expected, &next, SystemClock.now())
        .await;
    assert_eq!(replaced.expect("the store answers"), Replaced::Replaced);
}

async fn read_and_replace(store: SqliteStore, number: usize) {
    load(store.clone(), number).await;
    replace(store, number).await;
}

fn handle(number: usize) -> Handle {
    let mut bytes = [0; Handle::BYTES];
    fastrand::Rng::with_seed(number as u64).fill(&mut bytes);
    Handle::from_bytes(bytes)
}

fn record(version: u64) -> Record {
    let now = SystemClock.now();
    let header = Header {
        version,
        created_at: Timestamp::from_millis(1),
        idle_deadline: now.after(HOUR),
        absolute_deadline: now.after(24 * HOUR),
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
