//! What requests may cost.

use contestants::{Contestant, Library, Scenario, Store};

use super::{Target, ours};
use crate::samples::{Row, over_plain};

const READING: &str = "reading a value is cheap";
const WRITING: &str = "reading and adding one is cheap";

/// Server CPU beyond that of a route outside the layer, in µs: of reading one value, and of reading and writing one.
fn limits(store: Store) -> Option<[(&'static str, Scenario, f64); 2]> {
    let (read, write) = match store {
        Store::Memory => (0.8, 2.0),
        Store::Redis | Store::Memcached => (6.0, 12.0),
        Store::Sqlite => (12.0, 30.0),
        Store::Postgres => (12.0, 25.0),
        Store::Mariadb => (14.0, 35.0),
        Store::File => (15.0, 60.0),
        Store::Cookie => return None,
    };
    Some([
        (READING, Scenario::Read, read),
        (WRITING, Scenario::Write, write),
    ])
}

/// The targets of `store` that the rows of servers can decide; those of the bare driver, and of the servers on memory, say
/// what stands in the way.
pub fn of_cost(store: Store, rows: &[Row], on_memory: &[Row]) -> Vec<Target> {
    let target = |(promise, scenario, limit)| {
        let target = cost(store, promise, "server CPU", rows, scenario, limit)?;
        let driver = of_bare_driver(store, rows, scenario);
        Some(target.below(driver.map(|driver| driver + &of_sessions(on_memory, scenario))))
    };
    let limits = limits(store).into_iter().flatten();
    limits.filter_map(target).collect()
}

/// The targets of the memory store beside the peers, which rows of microseconds a request can decide.
pub fn half_of_peers(measured_by: &'static str, rows: &[Row]) -> Vec<Target> {
    let target = |(promise, scenario)| {
        let limit = best_peer(rows, scenario)? / 2.0;
        let target = cost(Store::Memory, promise, measured_by, rows, scenario, limit)?;
        Some(target.below(of_bare_driver(Store::Memory, rows, scenario)))
    };
    let promises = [
        (
            "reading costs at most half of the best peer's",
            Scenario::Read,
        ),
        (
            "reading and writing cost at most half of the best peer's",
            Scenario::Write,
        ),
    ];
    promises.into_iter().filter_map(target).collect()
}

/// `None` when it was not measured.
fn cost(
    store: Store,
    promise: &'static str,
    measured_by: &'static str,
    rows: &[Row],
    scenario: Scenario,
    limit: f64,
) -> Option<Target> {
    let figure = (over_plain(rows, ours(store), scenario)?, "µs over plain");
    Some(Target::at_most(store, promise, measured_by, figure, limit))
}

fn best_peer(rows: &[Row], scenario: Scenario) -> Option<f64> {
    let peers = rows
        .iter()
        .filter(|row| row.contestant.library.is_peer() && row.scenario == scenario);
    peers
        .map(|row| row.over_plain.median)
        .min_by(f64::total_cmp)
}

/// What the same request takes of a server that has the driver and no sessions.
fn of_bare_driver(store: Store, rows: &[Row], scenario: Scenario) -> Option<String> {
    let micros = over_plain(rows, bare(store), scenario)?;
    Some(format!(
        "with the bare driver and no sessions it takes {micros:.1} µs"
    ))
}

/// What sessions take beyond the driver where that is a map. Nothing if memory was left out.
fn of_sessions(on_memory: &[Row], scenario: Scenario) -> String {
    let with = over_plain(on_memory, ours(Store::Memory), scenario);
    let without = over_plain(on_memory, bare(Store::Memory), scenario);
    with.zip(without)
        .map_or_else(String::new, |(with, without)| {
            format!(
                ", and sessions {:.1} µs more on a map in memory",
                with - without
            )
        })
}

fn bare(store: Store) -> Contestant {
    Contestant {
        library: Library::BareDriver,
        store,
    }
}
