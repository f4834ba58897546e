//! Measures what a purge costs among many sessions that live, and whether their number matters.

use std::time::{Duration, Instant};

use fasthttpsession_core::{Store, StoreError, Timestamp};
use fasthttpsession_postgres::{PostgresConfig, PostgresStore};
use fasthttpsession_servers::{Database, Postgres};

const HELP: &str = "\
Measures what a purge of 10,000 expired sessions costs among the others, on a server of its own.

usage: cargo run --release -p fasthttpsession-postgres --example postgres_purge [-- N …]

  N       how many sessions live meanwhile [default: 100000 1000000]

Each figure is the middle one of 25 purges in batches of 1,000. Bodies have 312 bytes.";

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
const EXPIRED: u64 = 10_000;
const BATCH: usize = 1_000;
const PURGES: usize = 25;

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let mut sizes: Vec<u64> = args.iter().filter_map(|size| size.parse().ok()).collect();
    if sizes.len() < args.len() {
        println!("{HELP}");
        return Ok(());
    }
    if sizes.is_empty() {
        sizes = vec![100_000, 1_000_000];
    }
    let server = Postgres::start();
    let mut trials = Vec::new();
    for live in sizes {
        trials.push(Trial::of(server.database(), live).await?);
    }
    // In turn, so that what else goes on slows down all alike.
    for _ in 0..PURGES {
        for trial in &mut trials {
            trial.purge().await?;
        }
    }
    println!("     live | ms to purge 10,000 expired");
    println!("----------|---------------------------");
    for mut trial in trials {
        trial.times.sort_unstable();
        let middle = trial.times[PURGES / 2].as_micros();
        let (whole, tenth) = (middle / 1000, middle % 1000 / 100);
        println!("{:9} | {whole:24}.{tenth}", trial.live);
    }
    Ok(())
}

/// A table with so many sessions that live, and how long purges among them took.
struct Trial {
    database: Database,
    store: PostgresStore,
    live: u64,
    times: Vec<Duration>,
}

impl Trial {
    async fn of(database: Database, live: u64) -> Result<Self, StoreError> {
        let config = PostgresConfig::from_url(&database.url())?.migrate(true);
        let store = config.purge_every(Duration::ZERO).open().await?;
        fill(&database, live, 24 * HOUR);
        // As it would be by itself after a while.
        database.run_sql("VACUUM ANALYZE fasthttpsession");
        let times = Vec::new();
        Ok(Self {
            database,
            store,
            live,
            times,
        })
    }

    async fn purge(&mut self) -> Result<(), StoreError> {
        fill(&self.database, EXPIRED, SECOND);
        let begin = Instant::now();
        let mut removed = 0;
        loop {
            let batch = self.store.purge(BATCH, NOW.after(SECOND)).await?;
            removed += batch;
            if batch < BATCH as u64 {
                break;
            }
        }
        self.times.push(begin.elapsed());
        assert_eq!(removed, EXPIRED);
        Ok(())
    }
}

/// So many sessions that last as long, each a little longer than the one before it, as visitors come.
fn fill(database: &Database, sessions: u64, left: Duration) {
    let idle = NOW.after(left).as_millis();
    let spread = if left > HOUR { HOUR.as_millis() } else { 0 };
    database.run_sql(&format!(
        "INSERT INTO fasthttpsession
           (handle, version, created_at, idle_deadline, absolute_deadline, purge_at, body)
         SELECT gen_random_uuid(), 1, 0, ends, ends, ends, decode(repeat(md5(n::text), 20), 'hex')
         FROM (SELECT n, {idle} + n::bigint * {spread} / {sessions} AS ends FROM generate_series(1, {sessions}) AS n) AS new"
    ));
    database.run_sql("CHECKPOINT");
}
