//! Measures what a purge costs among many sessions that live, and whether their number matters.

use std::time::{Duration, Instant};

use fasthttpsession_core::{Store, StoreError, Timestamp};
use fasthttpsession_mysql::{MysqlConfig, MysqlStore};
use fasthttpsession_servers::{Database, Mariadb};

const HELP: &str = "\
Measures what a purge of 10,000 expired sessions costs among the others, on a server of its own
with a buffer pool of 2 GiB.

usage: cargo run --release -p fasthttpsession-mysql --example mysql_purge [-- N …]

  N       how many sessions live meanwhile [default: 100000 1000000]

Each figure is the middle one of 15 purges in batches of 1,000. Bodies have 312 bytes.";

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
const EXPIRED: u64 = 10_000;
const BATCH: usize = 1_000;
const PURGES: usize = 15;

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
    let server = Mariadb::start();
    // What is read and written is in memory, as on a server that was made for its data.
    let pool = "SET GLOBAL innodb_buffer_pool_size = 2147483648";
    server.database().run_sql(pool);
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
    store: MysqlStore,
    live: u64,
    times: Vec<Duration>,
}

impl Trial {
    async fn of(database: Database, live: u64) -> Result<Self, StoreError> {
        let config = MysqlConfig::from_url(&database.url())?.migrate(true);
        let store = config.purge_every(Duration::ZERO).open().await?;
        fill(&database, live, 24 * HOUR);
        database.run_sql("ANALYZE TABLE fasthttpsession");
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
           (handle, version, created_at, idle_deadline, absolute_deadline, expires_at, body)
         SELECT UNHEX(MD5(CONCAT(seq, RAND()))), 1, 0, ends, ends, ends, UNHEX(REPEAT(MD5(seq), 20))
         FROM (SELECT seq, {idle} + seq * {spread} DIV {sessions} AS ends FROM seq_1_to_{sessions}) AS new"
    ));
}
