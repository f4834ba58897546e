//! What this library promises of its cost, held against what was measured.

use serde::Serialize;

use crate::contestants::Name;
use crate::routes::Scenario;
use crate::samples::{Row, over_plain};

/// A promise, and whether it was kept.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    /// The promise.
    pub promise: &'static str,
    /// How it was measured.
    pub measured_by: &'static str,
    /// What was measured, in µs.
    pub ours: f64,
    /// What it may be at most, in µs.
    pub at_most: f64,
    /// Whether it is.
    pub hit: bool,
}

/// The targets that rows of microseconds per request can decide.
pub fn targets(measured_by: &'static str, rows: &[Row]) -> Vec<Target> {
    [
        (
            "reading costs at most half of the best peer's reading",
            Scenario::Read,
            half_of_best_peer(rows, Scenario::Read),
        ),
        (
            "reading and writing cost at most half of the best peer's",
            Scenario::Write,
            half_of_best_peer(rows, Scenario::Write),
        ),
        (
            "a layered route that does not ask costs at most 0.2 µs",
            Scenario::Layered,
            Some(0.2),
        ),
    ]
    .into_iter()
    .filter_map(|(promise, scenario, at_most)| {
        let (ours, at_most) = (over_plain(rows, Name::Ours, scenario)?.median, at_most?);
        Some(Target {
            promise,
            measured_by,
            ours,
            at_most,
            hit: ours <= at_most,
        })
    })
    .collect()
}

fn half_of_best_peer(rows: &[Row], scenario: Scenario) -> Option<f64> {
    let peers = Name::ALL.into_iter().filter(|name| *name != Name::Ours);
    let costs = peers.filter_map(|name| over_plain(rows, name, scenario));
    costs.map(|cost| cost.median / 2.0).min_by(f64::total_cmp)
}
