//! Measures what operations of a file store cost, beside the ways of doing them that it does not use. Linux only: it
//! reads `/proc`.

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{Created, Handle, Header, Record, Replaced, Store, Timestamp};
use fasthttpsession_file::{FileConfig, FileStore};
use tokio::task::spawn_blocking;

const HELP: &str = "\
Measures what operations of a file store cost, in processor time and in time that passes.

usage: cargo run --release -p fasthttpsession-file --example speed -- FOLDER

  FOLDER  where to make a folder of sessions, which is removed at the end

4,000 sessions whose records have a body of 312 bytes, 32 tasks at once. The last lines are what the store does not do:
writing a new file and giving it the name of the old one, which costs a new inode each time; ext4 looks ever longer for
one the more were freed in the last seconds. And what it costs to ask a thread that may wait.";

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const SESSIONS: u64 = 4_000;
const TASKS: u64 = 32;
/// How often each session is written or read.
const ROUNDS: u64 = 24;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let Some(folder) = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')) else {
        return println!("{HELP}");
    };
    let folder = Path::new(&folder).join("fasthttpsession-speed");
    let config = FileConfig::new(&folder)
        .migrate(true)
        .purge_every(Duration::ZERO);
    let store = config.open().await.expect("the folder can be made");
    println!("                       | µs of processor | µs that pass");
    println!("-----------------------|-----------------|--------------");
    measure_store(&store).await;
    measure_others(&folder).await;
    std::fs::remove_dir_all(&folder).expect("what the store made can be removed");
}

async fn measure_store(store: &FileStore) {
    measure("create", 1, |number, _| {
        let store = store.clone();
        async move {
            let created = store.create(handle(number), &record(1), NOW).await;
            assert_eq!(created.expect("there is room"), Created::Created);
        }
    })
    .await;
    measure("load", ROUNDS, |number, _| {
        let store = store.clone();
        async move {
            let found = store.load(handle(number), NOW).await;
            assert!(found.expect("the disk answers").is_some());
        }
    })
    .await;
    measure("replace", ROUNDS, |number, round| {
        let store = store.clone();
        async move {
            let next = record(round + 2);
            let replaced = store.replace(handle(number), round + 1, &next, NOW).await;
            assert_eq!(replaced.expect("there is room"), Replaced::Replaced);
        }
    })
    .await;
}

async fn measure_others(folder: &Path) {
    measure("(a new file each time)", ROUNDS, |number, _| {
        let (new, old) = (
            folder.join(format!("{number}.new")),
            folder.join(number.to_string()),
        );
        async move {
            let write = move || {
                std::fs::write(&new, [7; 1024])?;
                std::fs::rename(&new, &old)
            };
            let written = spawn_blocking(write).await.expect("it does not panic");
            written.expect("there is room");
        }
    })
    .await;
    measure("(asking a thread)", ROUNDS, |_, _| async {
        spawn_blocking(|| ()).await.expect("it does not panic");
    })
    .await;
}

/// Calls `operation` with each session and round, from many tasks.
async fn measure<F>(name: &str, rounds: u64, operation: impl Fn(u64, u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let calls = |task: u64| {
        let numbers = (0..rounds).flat_map(move |round| {
            (task..SESSIONS)
                .step_by(32)
                .map(move |number| (number, round))
        });
        numbers
            .map(|(number, round)| operation(number, round))
            .collect::<Vec<_>>()
    };
    let tasks: Vec<_> = (0..TASKS).map(calls).collect();
    let (processor, begin) = (processor_time(), Instant::now());
    let tasks: Vec<_> = tasks
        .into_iter()
        .map(|calls| {
            tokio::spawn(async move {
                for call in calls {
                    call.await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("an operation does not panic");
    }
    let (processor, passed) = (processor_time().saturating_sub(processor), begin.elapsed());
    let each = |time: Duration| time.as_nanos() / u128::from(SESSIONS * rounds) / 100;
    let shown = |time: Duration| format!("{}.{}", each(time) / 10, each(time) % 10);
    println!(
        "{name:<22} | {:>15} | {:>12}",
        shown(processor),
        shown(passed)
    );
}

fn record(version: u64) -> Record {
    let header = Header {
        version,
        created_at: NOW,
        // As a session that is used: its end moves with each write.
        idle_deadline: NOW.after(HOUR + Duration::from_secs(version)),
        absolute_deadline: NOW.after(24 * HOUR),
        principal: None,
        label: None,
    };
    Record {
        header,
        body: Bytes::from_static(&[7; 312]),
    }
}

/// The same handle for the same number, and otherwise as good as random.
fn handle(number: u64) -> Handle {
    let mut random = fastrand::Rng::with_seed(number);
    Handle::from_bytes(random.u128(..).to_le_bytes())
}

/// What this process has used of processors, to a hundredth of a second.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells it");
    let (_, fields) = stat
        .rsplit_once(')')
        .expect("the name of the program is in brackets");
    let ticks = fields
        .split(' ')
        .skip(12)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok());
    Duration::from_millis(10 * ticks.sum::<u64>())
}
