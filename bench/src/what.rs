//! What is measured, and how much of it: the options, and the plans that they make.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use contestants::{Contestant, Store};

use crate::in_process::Size;
use crate::load::Order;
use crate::{in_process, limit, serving};

/// The options.
#[derive(Args)]
pub struct What {
    /// Few rounds and 20 000 sessions, some ten minutes; the default.
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// More rounds, and up to 100 000 sessions under load and ten million in memory; about an hour.
    #[arg(long)]
    long: bool,
    /// Leave the other parts out; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Leave the other stores out; may be given several times.
    #[arg(long, value_enum)]
    store: Vec<Store>,
    /// Write report.md, its pictures and report.json to this folder. Without it, only a complete run writes them, to the
    /// results beside the benchmark.
    #[arg(long)]
    out: Option<PathBuf>,
}

/// The ways to measure.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// CPU of a server process per request, over connections.
    Serving,
    /// Requests a second, and how long answers take, at 1, 32 and 256 connections.
    Tail,
    /// CPU per call of the router, without connections: where HTTP drowns the difference; and of the core's paths. Memory only.
    InProcess,
    /// Instructions per call of the router and of the core's paths, on memory, and of Redis itself; if valgrind is installed.
    Instructions,
    /// Lost updates, logouts that are not final, and who is signed out by rotations.
    Loss,
    /// The store beside its bare driver, without HTTP.
    Limit,
    /// Many writers on one session, without HTTP.
    Contention,
    /// What sessions take, what operations cost among more and more of them, and purges; without HTTP.
    Scale,
    /// How many crates each library brings; how long a clean build takes, if asked for by name or in the long form.
    Weight,
}

impl What {
    /// Where the report goes; a part must not replace the whole.
    pub fn folder(&self) -> Option<PathBuf> {
        let is_all = self.only.is_empty() && self.store.is_empty();
        let results = || Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        self.out.clone().or_else(|| is_all.then(results))
    }

    /// Whether this part is measured.
    pub fn has(&self, part: Part) -> bool {
        let of_some: &[Store] = match part {
            Part::InProcess => &[Store::Memory],
            Part::Instructions => &[Store::Memory, Store::Redis],
            _ => &Store::ALL,
        };
        let stores = self.stores();
        if !of_some.iter().any(|store| stores.contains(store)) {
            return false;
        }
        self.only.is_empty() || self.only.contains(&part)
    }

    /// The stores that are measured.
    pub fn stores(&self) -> Vec<Store> {
        if self.store.is_empty() {
            Store::ALL.to_vec()
        } else {
            self.store.clone()
        }
    }

    /// Whether peers that have a program of their own are among them.
    pub fn needs_sqlx_peers(&self) -> bool {
        let contestants = self.stores().into_iter().flat_map(Store::contestants);
        [Part::Serving, Part::Tail, Part::Loss]
            .iter()
            .any(|part| self.has(*part))
            && contestants.into_iter().any(Contestant::is_on_sqlx)
    }

    /// Many short turns rather than a few long ones: what disturbs the machine then disturbs all alike, and medians of
    /// differences are little moved by it. Durable stores do some of their work later, so that their turns are longer.
    pub fn serving(&self, store: Store) -> serving::Plan {
        let (rounds, millis) = match store {
            Store::Memory => (20, 40),
            _ => (3, 200),
        };
        serving::Plan {
            contestants: store.served(),
            kinds: serving::each_by_many(store),
            rounds: if self.long { 5 * rounds } else { rounds },
            turn: Duration::from_millis(millis),
            order: Order::in_turn(4000),
        }
    }

    /// Longer turns: the slowest answers are few.
    pub fn tail(&self, store: Store) -> serving::Plan {
        serving::Plan {
            contestants: store.contestants(),
            kinds: serving::by_few_and_many(),
            rounds: if self.long { 6 } else { 2 },
            turn: Duration::from_millis(if self.long { 500 } else { 200 }),
            order: Order::skewed(if self.long { 100_000 } else { 20_000 }),
        }
    }

    /// Of the router.
    pub fn in_process(&self, size: Size) -> in_process::Plan {
        let rounds = if self.long { 500 } else { 100 };
        in_process::Plan {
            rounds,
            requests: 1000,
            sessions: 4000,
            size,
        }
    }

    /// Beside the bare driver.
    pub fn limit(&self) -> limit::Plan {
        limit::Plan {
            turns: if self.long { 20 } else { 5 },
            turn: Duration::from_millis(400),
            sessions: 4096,
        }
    }

    /// How long each number of writers writes.
    pub fn contention(&self) -> Duration {
        Duration::from_secs(if self.long { 5 } else { 1 })
    }

    /// How many sessions a store is to grow to.
    pub fn sizes(&self, store: Store) -> &'static [u64] {
        match (self.long, store) {
            (true, Store::Memory) => &[10_000, 100_000, 1_000_000, 10_000_000],
            (true, _) | (false, Store::Memory) => &[10_000, 100_000, 1_000_000],
            (false, _) => &[10_000, 100_000],
        }
    }

    /// How often clean builds are timed; each round takes minutes.
    pub fn builds(&self) -> usize {
        if self.long || self.only.contains(&Part::Weight) {
            5
        } else {
            0
        }
    }

    /// How often losses are tried.
    pub fn loss_rounds(&self) -> usize {
        if self.long { 20 } else { 3 }
    }

    /// The command that measures the same again.
    pub fn command(&self) -> String {
        let mut command = String::from("cargo xtask bench ");
        command += if self.long { "--long" } else { "--short" };
        for store in &self.store {
            command = command + " --store " + store.label();
        }
        for part in self.only.iter().filter_map(ValueEnum::to_possible_value) {
            command = command + " --only " + part.get_name();
        }
        command
    }
}
