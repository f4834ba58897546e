//! The limit of each store: the bare driver doing the same commands in this process, without HTTP, in turns with this
//! library's store. What is between the two is this library's own.

mod bare;
pub mod by_hand;
mod file;
mod groups;
mod mariadb;
mod memcached;
mod memory;
mod ours;
mod postgres;
mod redis;
mod served;
pub mod sessions;
mod sqlite;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use contestants::Store;
use cpu_time::ProcessTime;
use serde::Serialize;

use crate::backend::Backend;
use crate::records::{handle, record};
use crate::samples::Spread;
use crate::two_threads;
use bare::{Bare, WithBare, with_bare};
use memory::{Copying, Map};
use ours::Ours;

pub use served::router;

/// How long to measure.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How many turns each has at each operation.
    pub turns: usize,
    /// How long each is.
    pub turn: Duration,
    /// How many sessions there are; each task works on its own.
    pub sessions: u64,
}

/// One operation of a store beside its bare driver.
#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    /// Which store.
    pub store: Store,
    /// `load` or `replace`.
    pub operation: Operation,
    /// This library's store.
    pub ours: Pace,
    /// The driver alone.
    pub bare: Pace,
    /// Operations a second, ours divided by the bare driver's of the turn beside it.
    pub ratio: Spread,
    /// The same of the bare driver if it copies what it reads; `None` of all but memory's reads.
    pub copying: Option<Spread>,
}

/// How fast something is, and what it takes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pace {
    /// Operations a second.
    pub per_second: Spread,
    /// CPU of this process per operation, in µs.
    pub cpu_us: Spread,
}

/// What is done over and over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Reads a record.
    Load,
    /// Writes a record in place of the version before it.
    Replace,
}

const TASKS: u64 = 64;

/// Both operations on `backend`; nothing where this library keeps no sessions.
pub fn measure(backend: &Backend, plan: Plan) -> Result<Vec<Limit>> {
    two_threads::run(on_store(backend, plan))
}

async fn on_store(backend: &Backend, plan: Plan) -> Result<Vec<Limit>> {
    eprintln!(
        "{}: this library beside the bare driver",
        backend.store.title()
    );
    let compared = Compared {
        store: backend.store,
        ours: Ours::open(&backend.place()).await?,
        plan,
    };
    let mut limits = with_bare(backend.store, &backend.place(), compared).await?;
    if backend.store == Store::Memory {
        let loads = limits
            .iter_mut()
            .find(|limit| limit.operation == Operation::Load);
        if let Some(loads) = loads {
            loads.copying = Some(copying(plan).await?);
        }
    }
    Ok(limits)
}

/// How many reads of memory's floor are left if each copies what it reads.
async fn copying(plan: Plan) -> Result<Spread> {
    let (copying, sharing) = (Copying::default(), Map::default());
    seed(&copying, plan.sessions).await?;
    seed(&sharing, plan.sessions).await?;
    let (copying, sharing) = (Side::new(copying, plan), Side::new(sharing, plan));
    let mut ratios = Vec::new();
    for _ in 0..plan.turns {
        let copied = copying.turn(Operation::Load, plan).await?;
        let shared = sharing.turn(Operation::Load, plan).await?;
        ratios.push(copied.per_second / shared.per_second);
    }
    Ok(Spread::of(ratios.into_iter()))
}

async fn seed<B: Bare>(bare: &B, sessions: u64) -> Result<()> {
    for number in 0..sessions {
        bare.create(handle(number), &record(1)).await?;
    }
    Ok(())
}

/// This library's store, to be held against a driver.
struct Compared {
    store: Store,
    ours: Ours,
    plan: Plan,
}

impl WithBare for Compared {
    type Done = Vec<Limit>;

    async fn run<B: Bare>(self, bare: B) -> Result<Vec<Limit>> {
        let Self { store, ours, plan } = self;
        seed(&ours, plan.sessions).await?;
        seed(&bare, plan.sessions).await?;
        let (ours, bare) = (Side::new(ours, plan), Side::new(bare, plan));
        let mut limits = Vec::new();
        for operation in [Operation::Load, Operation::Replace] {
            let (mut of_ours, mut of_bare) = (Vec::new(), Vec::new());
            for _ in 0..plan.turns {
                of_ours.push(ours.turn(operation, plan).await?);
                of_bare.push(bare.turn(operation, plan).await?);
            }
            limits.push(Limit::of(store, operation, &of_ours, &of_bare));
        }
        Ok(limits)
    }
}

/// One of the two, and the version that each of its records has.
struct Side<B> {
    bare: Arc<B>,
    versions: Arc<[AtomicU64]>,
}

struct Turn {
    per_second: f64,
    cpu_us: f64,
}

impl<B: Bare> Side<B> {
    fn new(bare: B, plan: Plan) -> Self {
        Self {
            bare: Arc::new(bare),
            versions: (0..plan.sessions).map(|_| AtomicU64::new(1)).collect(),
        }
    }

    async fn turn(&self, operation: Operation, plan: Plan) -> Result<Turn> {
        let (began, cpu) = (Instant::now(), ProcessTime::now());
        let end = began + plan.turn;
        let tasks: Vec<_> = (0..TASKS)
            .map(|first| {
                tokio::spawn(work(
                    self.bare.clone(),
                    self.versions.clone(),
                    first,
                    operation,
                    end,
                ))
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await.context("a task panicked")??;
        }
        #[allow(clippy::cast_precision_loss, reason = "some millions")]
        let done = done as f64;
        Ok(Turn {
            per_second: done / began.elapsed().as_secs_f64(),
            cpu_us: cpu.elapsed().as_secs_f64() / done * 1e6,
        })
    }
}

/// Goes through every 64th session until `end`; returns how often.
async fn work<B: Bare>(
    bare: Arc<B>,
    versions: Arc<[AtomicU64]>,
    first: u64,
    operation: Operation,
    end: Instant,
) -> Result<u64> {
    let (sessions, mut done) = (versions.len() as u64, 0);
    while Instant::now() < end {
        let number = (first + done * TASKS) % sessions;
        match operation {
            Operation::Load => bare.load(handle(number)).await?,
            Operation::Replace => {
                let index = usize::try_from(number).expect("it indexes a slice");
                let expected = versions[index].load(Ordering::Relaxed);
                bare.replace(handle(number), expected, &record(expected + 1))
                    .await?;
                versions[index].store(expected + 1, Ordering::Relaxed);
            }
        }
        done += 1;
        // Stores that answer at once would keep the other tasks of the thread from starting.
        tokio::task::consume_budget().await;
    }
    Ok(done)
}

impl Limit {
    fn of(store: Store, operation: Operation, ours: &[Turn], bare: &[Turn]) -> Self {
        let both = ours.iter().zip(bare);
        Self {
            store,
            operation,
            ours: Pace::of(ours),
            bare: Pace::of(bare),
            ratio: Spread::of(both.map(|(ours, bare)| ours.per_second / bare.per_second)),
            copying: None,
        }
    }
}

impl Pace {
    fn of(turns: &[Turn]) -> Self {
        Self {
            per_second: Spread::of(turns.iter().map(|turn| turn.per_second)),
            cpu_us: Spread::of(turns.iter().map(|turn| turn.cpu_us)),
        }
    }
}

impl Operation {
    /// Its name in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Replace => "replace",
        }
    }
}
