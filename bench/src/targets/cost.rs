//! What requests may cost.

use contestants::{Contestant, Library, Scenario, Store};

use super::{Target, ours};
use crate::core_paths::CorePath;
use crate::core_times::CoreTime;
use crate::limit::{Limit, Operation};
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

/// The targets of `store` that the rows of servers can decide.
pub fn of_cost(store: Store, rows: &[Row], beside: &[Limit], core_us: &[CoreTime]) -> Vec<Target> {
    let target = |(promise, scenario, limit)| {
        let target = cost(store, promise, "server CPU", rows, scenario, limit)?;
        let below = match store {
            Store::Memory => below_memory(rows, core_us, scenario),
            _ => below_store(store, rows, beside, scenario),
        };
        let elsewhere = with_own_runtimes(store, rows, scenario);
        Some(target.below(below).beside(elsewhere))
    };
    let limits = limits(store).into_iter().flatten();
    limits.filter_map(target).collect()
}

/// The targets of the memory store beside the peers, which rows of microseconds a request can decide.
pub fn half_of_peers(measured_by: &'static str, rows: &[Row], core_us: &[CoreTime]) -> Vec<Target> {
    let target = |(promise, scenario)| {
        let limit = best_peer(rows, scenario)? / 2.0;
        let target = cost(Store::Memory, promise, measured_by, rows, scenario, limit)?;
        let elsewhere = with_own_runtimes(Store::Memory, rows, scenario);
        let below = below_memory(rows, core_us, scenario);
        Some(target.below(below).beside(elsewhere))
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

/// What stands in the way in memory: the floor, without promises and with them, the layer, and the core's paths.
fn below_memory(rows: &[Row], core_us: &[CoreTime], scenario: Scenario) -> Option<String> {
    sentence([
        of_bare_driver(Store::Memory, rows, scenario),
        of_promises(rows, scenario),
        of_layer(rows),
        of_core(core_us, scenario),
    ])
}

/// What stands in the way on any other store: the driver without sessions and with them, and the store beside its driver.
fn below_store(store: Store, rows: &[Row], beside: &[Limit], scenario: Scenario) -> Option<String> {
    sentence([
        of_bare_driver(store, rows, scenario),
        of_sessions_on_driver(store, rows, scenario),
        of_store(beside, scenario),
    ])
}

/// What the same request takes of a server that has the driver and no sessions.
fn of_bare_driver(store: Store, rows: &[Row], scenario: Scenario) -> Option<String> {
    let library = Library::BareDriver;
    let micros = over_plain(rows, Contestant { library, store }, scenario)?;
    Some(format!(
        "with the bare driver and no sessions it takes {micros:.1} µs"
    ))
}

/// What it takes with this library's sessions on that driver.
fn of_sessions_on_driver(store: Store, rows: &[Row], scenario: Scenario) -> Option<String> {
    let library = Library::OnDriver;
    let micros = over_plain(rows, Contestant { library, store }, scenario)?;
    Some(format!("with sessions on it {micros:.1} µs"))
}

/// What it takes where each thread has a runtime, so that tasks and connections don't go from thread to thread: in axum, and in
/// actix-web, which always has it so.
fn with_own_runtimes(store: Store, rows: &[Row], scenario: Scenario) -> Option<String> {
    let of = |library| over_plain(rows, Contestant { library, store }, scenario);
    let (axum, actix) = (of(Library::OursPerThread)?, of(Library::OursOnActix)?);
    Some(format!(
        "with a runtime on each thread {axum:.1} µs in axum and {actix:.1} µs in actix-web"
    ))
}

/// What the store takes beyond its driver, of the calls that such a request makes; `None` of one that takes no more.
fn of_store(beside: &[Limit], scenario: Scenario) -> Option<String> {
    let calls = |limit: &&Limit| scenario == Scenario::Write || limit.operation == Operation::Load;
    let more = |limit: &Limit| limit.ours.cpu_us.median - limit.bare.cpu_us.median;
    let micros: f64 = beside.iter().filter(calls).map(more).sum();
    (micros >= 0.05).then(|| format!("this store {micros:.1} µs more than its driver without HTTP"))
}

/// What it takes with this library's promises written out by hand.
fn of_promises(rows: &[Row], scenario: Scenario) -> Option<String> {
    let (library, store) = (Library::ByHand, Store::Memory);
    let micros = over_plain(rows, Contestant { library, store }, scenario)?;
    Some(format!(
        "with this library's promises written out by hand {micros:.1} µs"
    ))
}

/// What the layer takes of a request that does not ask for its session.
fn of_layer(rows: &[Row]) -> Option<String> {
    let micros = over_plain(rows, ours(Store::Memory), Scenario::Layered)?;
    Some(format!("the layer {micros:.1} µs if it is not asked"))
}

/// What the core takes to open a session and read a value, or add one to it.
fn of_core(core_us: &[CoreTime], scenario: Scenario) -> Option<String> {
    let paths = match scenario {
        Scenario::Write => [CorePath::Open, CorePath::Update],
        _ => [CorePath::Open, CorePath::Get],
    };
    let of = |path| core_us.iter().find(|time| time.path == path);
    let [open, then] = paths.map(of);
    let (open, then) = (open?, then?);
    let on_one = open.own_us.median + then.own_us.median;
    let on_many = open.among_many_us?.median + then.among_many_us?.median;
    Some(format!(
        "the core alone {on_one:.1} µs on one session, which is in the processor's caches, and {on_many:.1} µs on many in turn"
    ))
}

/// All that is known of what stands in the way; `None` if that is nothing.
fn sentence<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let known: Vec<_> = parts.into_iter().flatten().collect();
    (!known.is_empty()).then(|| known.join(", "))
}
