//! What this library promises of its cost and speed, held against what was measured.

use contestants::{Contestant, Library, Scenario, Store};
use serde::Serialize;

use crate::samples::{Row, over_plain};
use crate::serving::{MANY, Served, costs};

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

/// What the Go library on its file store was measured to cost over plain, in µs: not here, in a run and on a machine of
/// its own.
const GO_FILES: [(Scenario, f64); 2] = [(Scenario::Read, 182.0), (Scenario::Write, 165.0)];

/// The targets of one store that servers under load can decide.
pub fn of_serving(store: Store, served: &[Served]) -> Vec<Target> {
    let rows = costs(served);
    match store {
        Store::Memory => of_memory("server CPU", &rows),
        Store::File => beside_go(&rows),
        Store::Sqlite | Store::Postgres => beside_peers(store, served, &rows, (THIRD, THRICE)),
        Store::Mariadb => beside_peers(store, served, &rows, (THIRD, TWICE)),
        Store::Redis => beside_peers(store, served, &rows, (HALF, ONE_AND_A_HALF_TIMES)),
        // Nobody else is there: see `beside_redis`.
        Store::Memcached => Vec::new(),
    }
}

/// The targets of the memory store that rows of microseconds per request can decide.
pub fn of_memory(measured_by: &'static str, rows: &[Row]) -> Vec<Target> {
    let layered = cost(
        Store::Memory,
        "a layered route that does not ask costs at most 0.2 µs",
        measured_by,
        rows,
        Scenario::Layered,
        Some(0.2),
    );
    let mut targets = of_cost(Store::Memory, measured_by, rows, HALF);
    targets.extend(layered);
    targets
}

/// The targets of memcached, which are this library's figures on Redis.
pub fn beside_redis(memcached: &[Served], redis: &[Served]) -> Vec<Target> {
    let (rows, theirs) = (costs(memcached), costs(redis));
    let cost = |promise, scenario| {
        let limit = over_plain(&theirs, ours(Store::Redis), scenario).map(|cost| cost * 1.2);
        cost(
            Store::Memcached,
            promise,
            "server CPU",
            &rows,
            scenario,
            limit,
        )
    };
    let speed = |promise, scenario| {
        let at_least = per_second(redis, ours(Store::Redis), scenario).map(|speed| speed * 0.8);
        speed(Store::Memcached, promise, memcached, scenario, at_least)
    };
    let targets = [
        cost(
            "reading costs at most 1.2 times what it does on Redis",
            Scenario::Read,
        ),
        cost(
            "reading and writing cost at most 1.2 times what they do on Redis",
            Scenario::Write,
        ),
        speed(
            "reads at least 0.8 times as often as on Redis",
            Scenario::Read,
        ),
        speed(
            "writes at least 0.8 times as often as on Redis",
            Scenario::Write,
        ),
    ];
    targets.into_iter().flatten().collect()
}

/// The part of the best peer's cost that this library promises, in words and as a number.
#[derive(Clone, Copy)]
struct Share {
    reading: &'static str,
    writing: &'static str,
    divisor: f64,
}

const THIRD: Share = Share {
    reading: "reading costs at most a third of the peer's",
    writing: "reading and writing cost at most a third of the peer's",
    divisor: 3.0,
};
const HALF: Share = Share {
    reading: "reading costs at most half of the best peer's",
    writing: "reading and writing cost at most half of the best peer's",
    divisor: 2.0,
};

type Speed = (&'static str, f64);
const THRICE: Speed = ("writes at least three times as often as the peer", 3.0);
const TWICE: Speed = ("writes at least twice as often as the peer", 2.0);
const ONE_AND_A_HALF_TIMES: Speed = ("writes at least 1.5 times as often as the best peer", 1.5);

fn beside_peers(
    store: Store,
    served: &[Served],
    rows: &[Row],
    (share, (faster, times)): (Share, Speed),
) -> Vec<Target> {
    let mut targets = of_cost(store, "server CPU", rows, share);
    let best = served
        .iter()
        .map(|served| served.contestant)
        .filter(|contestant| contestant.library != Library::Ours)
        .filter_map(|peer| per_second(served, peer, Scenario::Write))
        .max_by(f64::total_cmp);
    let at_least = best.map(|best| best * times);
    targets.extend(speed(store, faster, served, Scenario::Write, at_least));
    targets
}

fn of_cost(store: Store, measured_by: &'static str, rows: &[Row], share: Share) -> Vec<Target> {
    let target = |promise, scenario| {
        let limit = best_peer(rows, scenario).map(|cost| cost / share.divisor);
        cost(store, promise, measured_by, rows, scenario, limit)
    };
    let targets = [
        target(share.reading, Scenario::Read),
        target(share.writing, Scenario::Write),
    ];
    targets.into_iter().flatten().collect()
}

fn beside_go(rows: &[Row]) -> Vec<Target> {
    let target = |(scenario, go)| {
        let promise = match scenario {
            Scenario::Read => {
                "reading costs at most a fifth of the Go library's 182 µs, measured elsewhere"
            }
            _ => {
                "reading and writing cost at most a fifth of the Go library's 165 µs, measured elsewhere"
            }
        };
        cost(
            Store::File,
            promise,
            "server CPU",
            rows,
            scenario,
            Some(go / 5.0),
        )
    };
    GO_FILES.into_iter().filter_map(target).collect()
}

/// `None` when one of the two was not measured.
fn cost(
    store: Store,
    promise: &'static str,
    measured_by: &'static str,
    rows: &[Row],
    scenario: Scenario,
    at_most: Option<f64>,
) -> Option<Target> {
    let (ours, at_most) = (over_plain(rows, ours(store), scenario)?, at_most?);
    Some(Target {
        store,
        promise,
        measured_by,
        unit: "µs over plain",
        ours,
        promised: Bound::AtMost(at_most),
        hit: ours <= at_most,
    })
}

fn speed(
    store: Store,
    promise: &'static str,
    served: &[Served],
    scenario: Scenario,
    at_least: Option<f64>,
) -> Option<Target> {
    let (ours, at_least) = (per_second(served, ours(store), scenario)?, at_least?);
    Some(Target {
        store,
        promise,
        measured_by: "32 connections",
        unit: "a second",
        ours,
        promised: Bound::AtLeast(at_least),
        hit: ours >= at_least,
    })
}

fn per_second(served: &[Served], contestant: Contestant, scenario: Scenario) -> Option<f64> {
    let wanted = (contestant, scenario, MANY);
    let found = served
        .iter()
        .find(|served| (served.contestant, served.scenario, served.connections) == wanted)?;
    Some(found.per_second.median)
}

fn best_peer(rows: &[Row], scenario: Scenario) -> Option<f64> {
    let peers = rows
        .iter()
        .filter(|row| row.contestant.library != Library::Ours && row.scenario == scenario);
    peers
        .map(|row| row.over_plain.median)
        .min_by(f64::total_cmp)
}

fn ours(store: Store) -> Contestant {
    Contestant {
        library: Library::Ours,
        store,
    }
}
