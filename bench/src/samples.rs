//! Samples of rounds, and what is reported of them.

use std::fmt;

use contestants::{Contestant, Scenario};
use serde::Serialize;

/// One sample per round, contestant and scenario.
#[derive(Default)]
pub struct Samples(Vec<(Contestant, Scenario, Vec<f64>)>);

/// A median, and how far from it the samples were: the median of their distances.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The median absolute deviation.
    pub deviation: f64,
}

/// What is reported of one contestant and scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Who.
    pub contestant: Contestant,
    /// What.
    pub scenario: Scenario,
    /// The cost of a request.
    pub total: Spread,
    /// The cost beyond that of the scenario's baseline in the same round.
    pub over_plain: Spread,
}

impl Samples {
    /// Notes the sample of the current round.
    pub fn push(&mut self, contestant: Contestant, scenario: Scenario, sample: f64) {
        let found = self
            .0
            .iter_mut()
            .find(|(who, what, _)| (*who, *what) == (contestant, scenario));
        match found {
            Some((_, _, samples)) => samples.push(sample),
            None => self.0.push((contestant, scenario, vec![sample])),
        }
    }

    /// A row for each contestant and scenario.
    pub fn rows(&self) -> Vec<Row> {
        let row = |(contestant, scenario, samples): &(Contestant, Scenario, Vec<f64>)| {
            let plain = self.of(*contestant, scenario.baseline());
            let both = samples.iter().zip(plain);
            Row {
                contestant: *contestant,
                scenario: *scenario,
                total: Spread::of(samples.iter().copied()),
                over_plain: Spread::of(both.map(|(sample, plain)| sample - plain)),
            }
        };
        self.0.iter().map(row).collect()
    }

    fn of(&self, contestant: Contestant, scenario: Scenario) -> &[f64] {
        let found = self
            .0
            .iter()
            .find(|(who, what, _)| (*who, *what) == (contestant, scenario));
        found.map_or(&[], |(_, _, samples)| samples)
    }
}

/// The cost of `scenario` beyond its baseline; `None` if it was not measured.
pub fn over_plain(rows: &[Row], contestant: Contestant, scenario: Scenario) -> Option<f64> {
    let found = rows
        .iter()
        .find(|row| (row.contestant, row.scenario) == (contestant, scenario));
    found.map(|row| row.over_plain.median)
}

impl Spread {
    /// Of these samples.
    pub fn of(samples: impl Iterator<Item = f64>) -> Self {
        let samples: Vec<_> = samples.collect();
        let median = median(samples.clone());
        let distances = samples.iter().map(|sample| (sample - median).abs());
        let deviation = self::median(distances.collect());
        Self { median, deviation }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        write!(f, "{:.digits$} ±{:.digits$}", self.median, self.deviation)
    }
}

/// The middle one, or the mean of the two in the middle; 0 of none.
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let middle = samples.len() / 2;
    match samples.len() {
        0 => 0.0,
        count if count % 2 == 0 => f64::midpoint(samples[middle - 1], samples[middle]),
        _ => samples[middle],
    }
}
