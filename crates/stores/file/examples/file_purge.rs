//! Measures what a purge costs among many sessions that live, and whether their number matters.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, Record, Store, StoreError, Timestamp};
use fasthttpsession_file::{FileConfig, FileStore};

const HELP: &str = "\
Measures what a purge of 10,000 expired sessions costs among the others.

usage: cargo run --release -p fasthttpsession-file --example file_purge -- FOLDER [N …]

  FOLDER  where to make a folder of sessions, which is removed at the end; a million sessions take 4 GB of ext4
  N       how many sessions live meanwhile [default: 100000 1000000]

Each figure is the middle one of five purges in batches of 1,000.";

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
const EXPIRED: u64 = 10_000;
const BATCH: usize = 1_000;
const PURGES: u64 = 5;
/// How many sessions are made at once.
const TASKS: u64 = 32;

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let mut args = std::env::args().skip(1);
    let Some(folder) = args.next().filter(|folder| !folder.starts_with('-')) else {
        println!("{HELP}");
        return Ok(());
    };
    let mut sizes: Vec<u64> = args.filter_map(|size| size.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![100_000, 1_000_000];
    }
    let folder = Path::new(&folder).join("fasthttpsession-purge");
    let measured = measure(&folder, &sizes).await;
    std::fs::remove_dir_all(&folder).expect("what the store made can be removed");
    measured
}

async fn measure(folder: &Path, sizes: &[u64]) -> Result<(), StoreError> {
    let config = FileConfig::new(folder)
        .migrate(true)
        .purge_every(Duration::ZERO);
    let store = config.open().await?;
    println!("      live | µs each to create | ms to purge 10,000 expired");
    println!("-----------|-------------------|---------------------------");
    let mut live = 0;
    for &size in sizes {
        let begin = Instant::now();
        create(&store, live..size, 24 * HOUR).await?;
        let each = begin.elapsed().as_micros() / u128::from(size.saturating_sub(live).max(1));
        live = size.max(live);
        let purge = purge(&store).await?.as_millis();
        println!("{live:>10} | {each:>17} | {purge:>26}");
    }
    Ok(())
}

/// The middle one of some purges, each of as many sessions.
async fn purge(store: &FileStore) -> Result<Duration, StoreError> {
    let mut times = Vec::new();
    for purge in 0..PURGES {
        let first = u64::MAX - (purge + 1) * EXPIRED;
        create(store, first..first + EXPIRED, SECOND).await?;
        let begin = Instant::now();
        let mut removed = 0;
        loop {
            let batch = store.purge(BATCH, NOW.after(SECOND)).await?;
            removed += batch;
            if batch < BATCH as u64 {
                break;
            }
        }
        times.push(begin.elapsed());
        assert_eq!(removed, EXPIRED);
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

async fn create(
    store: &FileStore,
    numbers: std::ops::Range<u64>,
    left: Duration,
) -> Result<(), StoreError> {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, numbers) = (store.clone(), numbers.clone());
            tokio::spawn(async move {
                for number in numbers.filter(|number| number % TASKS == task) {
                    // Spread over an hour, as the ends of visitors' sessions are.
                    let spread = Duration::from_millis(number % 3_600_000 * 7919 % 3_600_000);
                    let left = if left > HOUR { left + spread } else { left };
                    store.create(handle(number), &record(left), NOW).await?;
                }
                Ok::<_, StoreError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a creation does not panic")?;
    }
    Ok(())
}

fn record(left: Duration) -> Record {
    let header = Header {
        version: 1,
        created_at: NOW,
        idle_deadline: NOW.after(left),
        absolute_deadline: NOW.after(48 * HOUR),
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
