//! A store while it grows: what a session takes, what operations cost among ever more sessions, and what it costs to purge
//! 10 000 that have expired among them.

mod steps;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use contestants::Store;
use cpu_time::ProcessTime;
use fasthttpsession::memory::MemoryStore;
use fasthttpsession::{AnyStore, Clock as _, Store as _, SystemClock, connect};
use serde::Serialize;

use crate::backend::Backend;
use crate::records::with_tables;
use crate::two_threads;
use steps::{EXPIRED, Step};

/// A store of one size.
#[derive(Clone, Debug, Serialize)]
pub struct Scale {
    /// Which store.
    pub store: Store,
    /// How many sessions live in it.
    pub sessions: u64,
    /// What each takes of memory or of the disk: by how much the store has grown since it was empty.
    pub bytes_each: u64,
    /// What the operations cost.
    pub operations: Vec<Cost>,
    /// What it takes to purge 10 000 expired sessions, in ms; `None` where the server removes them by itself.
    pub purge_ms: Option<f64>,
}

/// What one operation costs, with 64 under way at once.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Which.
    pub step: Step,
    /// Until all were done, divided by their number, in µs.
    pub wall_us: f64,
    /// CPU of this process and of the database's, in µs.
    pub cpu_us: f64,
}

/// How many sessions each operation is timed with: all others stay as they are.
const TIMED: u64 = 10_000;
/// How many sessions the memory store is to hold.
const ROOM: usize = 11_000_000;
const PURGES: usize = 5;
/// Beyond the numbers of those that last.
const FIRST_EXPIRING: u64 = u64::MAX / 4;
/// The most that a purge removes at a time, as in the background.
const BATCH: usize = 1000;

/// Measures at each of `sizes`, which ascend, on a backend of its own. Of memory, only what the process gets anew is seen:
/// nothing may have been measured in it before.
pub fn measure(store: Store, sizes: &[u64]) -> Result<Vec<Scale>> {
    let backend = Backend::start(store)?;
    two_threads::run(on_store(&backend, sizes))
}

async fn on_store(backend: &Backend, sizes: &[u64]) -> Result<Vec<Scale>> {
    let store = opened(backend).await?;
    let growing = Growing {
        backend,
        empty: backend.held()?,
        store,
    };
    let (mut all, mut before) = (Vec::new(), 0);
    for size in sizes {
        eprintln!("{}: {size} sessions", backend.store.title());
        Step::Create.run(&growing.store, before..*size, 1).await?;
        all.push(growing.measured(*size).await?);
        before = *size;
    }
    Ok(all)
}

/// With room for the largest and for what is purged, which is more than memory has by default.
async fn opened(backend: &Backend) -> Result<AnyStore> {
    Ok(match backend.store {
        Store::Memory => AnyStore::new(MemoryStore::builder().capacity(ROOM).build()),
        _ => connect(&with_tables(&backend.place())).await?,
    })
}

/// A store that grows, and how it was.
struct Growing<'a> {
    backend: &'a Backend,
    store: AnyStore,
    /// The bytes that it took without sessions.
    empty: u64,
}

impl Growing<'_> {
    async fn measured(&self, sessions: u64) -> Result<Scale> {
        let bytes = self.backend.held()?.saturating_sub(self.empty);
        let mut operations = Vec::new();
        for step in Step::TIMED {
            operations.push(self.cost(step, sessions).await?);
        }
        let purge_ms = if self.store.capabilities().purge {
            Some(self.purges().await?)
        } else {
            None
        };
        Ok(Scale {
            store: self.backend.store,
            sessions,
            bytes_each: bytes / sessions,
            operations,
            purge_ms,
        })
    }

    /// Of sessions at even distances.
    async fn cost(&self, step: Step, sessions: u64) -> Result<Cost> {
        let distance = (sessions / TIMED).max(1);
        let count = sessions / distance;
        let (cpu, of_server) = (ProcessTime::now(), self.backend.cpu());
        let began = Instant::now();
        step.run(&self.store, 0..sessions, distance).await?;
        let took = began.elapsed();
        let cpu = cpu.elapsed() + self.backend.cpu().saturating_sub(of_server);
        Ok(Cost {
            step,
            wall_us: micros(took, count),
            cpu_us: micros(cpu, count),
        })
    }

    /// The middle one of some purges, each of as many sessions, in ms.
    async fn purges(&self) -> Result<f64> {
        let mut times = Vec::new();
        for _ in 0..PURGES {
            Step::CreateExpiring
                .run(&self.store, FIRST_EXPIRING..FIRST_EXPIRING + EXPIRED, 1)
                .await?;
            times.push(self.purge().await?);
        }
        times.sort_unstable();
        Ok(times[PURGES / 2].as_secs_f64() * 1e3)
    }

    async fn purge(&self) -> Result<Duration> {
        let later = SystemClock.now().after(steps::EXPIRY);
        let began = Instant::now();
        let mut removed = 0;
        loop {
            let batch = self.store.purge(BATCH, later).await?;
            removed += batch;
            if batch < BATCH as u64 {
                break;
            }
        }
        ensure!(removed == EXPIRED, "{removed} sessions were purged");
        Ok(began.elapsed())
    }
}

fn micros(time: Duration, count: u64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "some thousands")]
    let count = count as f64;
    time.as_secs_f64() * 1e6 / count
}
