//! What this library promises, held against what was measured.

mod answered;
mod core;
mod cost;
mod loss;
mod scale;
mod tail;
mod weight;

use contestants::{Contestant, Library, Store};
use serde::Serialize;

use crate::contention::Contention;
use crate::limit::Limit;

pub use answered::of_answers;
pub use core::of_core;
pub use cost::{half_of_peers, of_cost};
pub use loss::of_loss;
pub use scale::of_scale;
pub use tail::of_tail;
pub use weight::of_weight;

/// A promise, and whether it was kept.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// On which store.
    pub store: Store,
    /// The promise.
    pub promise: &'static str,
    /// How it was measured.
    pub measured_by: &'static str,
    /// Of what is measured.
    pub unit: &'static str,
    /// What was measured.
    pub ours: f64,
    /// What was promised.
    pub promised: Bound,
    /// Whether it was kept.
    pub hit: bool,
    /// What stands in the way, as measured in the same run; `None` where it was kept or nothing below was measured.
    pub limit: Option<String>,
    /// What the same took in this library's other servers, kept or not; `None` where they were not measured.
    pub beside: Option<String>,
}

/// On which side of a figure the promise is kept.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// There or below.
    AtMost(f64),
    /// There or above.
    AtLeast(f64),
}

/// A figure and its unit.
type Figure = (f64, &'static str);

impl Target {
    /// Kept if the figure is `limit` or less.
    pub fn at_most(
        store: Store,
        promise: &'static str,
        measured_by: &'static str,
        figure: Figure,
        limit: f64,
    ) -> Self {
        Self::new(store, promise, measured_by, figure, Bound::AtMost(limit))
    }

    /// Kept if the figure is `limit` or more.
    pub fn at_least(
        store: Store,
        promise: &'static str,
        measured_by: &'static str,
        figure: Figure,
        limit: f64,
    ) -> Self {
        Self::new(store, promise, measured_by, figure, Bound::AtLeast(limit))
    }

    fn new(
        store: Store,
        promise: &'static str,
        measured_by: &'static str,
        (ours, unit): Figure,
        promised: Bound,
    ) -> Self {
        Self {
            store,
            promise,
            measured_by,
            unit,
            ours,
            promised,
            hit: promised.holds(ours),
            limit: None,
            beside: None,
        }
    }

    /// Says what stands in the way, if it does.
    #[must_use]
    fn below(mut self, limit: Option<String>) -> Self {
        self.limit = limit.filter(|_| !self.hit);
        self
    }

    /// Says what was measured beside it.
    #[must_use]
    fn beside(mut self, beside: Option<String>) -> Self {
        self.beside = beside;
        self
    }

    /// Whether it is of correctness, of which nothing may go wrong, and not of cost or speed.
    pub fn is_of_correctness(&self) -> bool {
        matches!(self.promised, Bound::AtMost(0.0))
    }
}

impl Bound {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtMost(limit) => figure <= limit,
            Self::AtLeast(limit) => figure >= limit,
        }
    }
}

/// The targets that the parts without HTTP can decide.
pub fn below_http(limits: &[Limit], contention: &[Contention]) -> Vec<Target> {
    let limits = limits.iter().map(|limit| {
        let promise = "does at least 80 % of its bare driver's operations a second";
        let ours = (limit.ratio.median, "times");
        let target = Target::at_least(limit.store, promise, limit.operation.label(), ours, 0.8);
        target.below(limit.copying.map(|copying| {
            format!(
                "the driver itself does {:.2} times as many if it copies what it reads",
                copying.median
            )
        }))
    });
    let contended = contention.iter().filter(|row| row.writers == 64);
    limits.chain(contended.flat_map(with_64_writers)).collect()
}

fn with_64_writers(row: &Contention) -> [Target; 2] {
    #[allow(clippy::cast_precision_loss, reason = "it is 0, or a few")]
    let wrong = (row.lost + row.doubled) as f64;
    let target = |promise, ours, limit| {
        let measured_by = "64 writers on one session";
        Target::at_most(row.store, promise, measured_by, ours, limit)
    };
    [
        target(
            "every request is done within a second",
            (row.longest_ms, "ms"),
            1000.0,
        ),
        target(
            "nothing acknowledged is lost or counts twice",
            (wrong, "times"),
            0.0,
        ),
    ]
}

fn ours(store: Store) -> Contestant {
    Contestant {
        library: Library::Ours,
        store,
    }
}
