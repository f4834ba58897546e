//! How long the slowest answers may take: no longer than those of the best peer.

use contestants::{Library, Scenario, Store};

use super::Target;
use crate::redis_instructions::{RedisCount, Work};
use crate::samples::Spread;
use crate::serving::{MANY, Served};

/// Whom answers are waited for from: this library, and the peers it is held against.
struct Match {
    measured_by: &'static str,
    ours: Library,
    peers: fn(Library) -> bool,
}

/// This library in axum beside every peer, and in actix-web beside the one that is at home there: two frameworks take
/// different times for a route without sessions.
const MATCHES: [Match; 2] = [
    Match {
        measured_by: "99 of 100 answers, 32 connections",
        ours: Library::Ours,
        peers: Library::is_peer,
    },
    Match {
        measured_by: "99 of 100 answers, 32 connections, both in actix-web",
        ours: Library::OursOnActix,
        peers: |library| library == Library::ActixSession,
    },
];

const PROMISES: [(&str, Scenario); 3] = [
    (
        "reading takes no longer than with the best peer",
        Scenario::Read,
    ),
    ("reading and adding one takes no longer", Scenario::Write),
    ("a mixed load takes no longer", Scenario::Mixed),
];

/// The targets of `store`; none where no peer is. What stands in the way is said by the same servers where sessions are asked
/// for `in_turn`, so that no two requests meet on one; and of writes by what Redis executes.
pub fn of_tail(
    store: Store,
    served: &[Served],
    in_turn: &[Served],
    redis: &[RedisCount],
) -> Vec<Target> {
    let matches = MATCHES
        .iter()
        .flat_map(|of| PROMISES.map(|promise| (of, promise)));
    let target = |(of, (promise, scenario)): (&Match, _)| {
        let ours = within_99(served, scenario, |library| library == of.ours)?;
        let peer = within_99(served, scenario, of.peers)?;
        let figure = (ours.median, "ms");
        let target = Target::at_most(store, promise, of.measured_by, figure, peer.median);
        let mut limits = vec![limit(ours, of.ours, in_turn, scenario)];
        limits.extend(of_redis(redis).filter(|_| scenario != Scenario::Read));
        Some(target.below(Some(limits.join(", "))))
    };
    matches.filter_map(target).collect()
}

/// The least that 99 of 100 answers took with one of these libraries, in ms.
fn within_99(
    served: &[Served],
    scenario: Scenario,
    is_one: impl Fn(Library) -> bool,
) -> Option<Spread> {
    let wanted = |served: &&Served| {
        (served.scenario, served.connections) == (scenario, MANY)
            && is_one(served.contestant.library)
    };
    let times = served
        .iter()
        .filter(wanted)
        .map(|served| served.within_99_us);
    let least = times.min_by(|one, other| one.median.total_cmp(&other.median))?;
    Some(Spread {
        median: least.median / 1e3,
        deviation: least.deviation / 1e3,
    })
}

/// How far rounds lie apart, and how long an answer takes where no two requests meet on one session.
fn limit(rounds: Spread, ours: Library, in_turn: &[Served], scenario: Scenario) -> String {
    let of = |who: &str, is_one: &dyn Fn(Library) -> bool| {
        let millis = within_99(in_turn, scenario, is_one)?.median;
        Some(format!("{who} {millis:.2} ms"))
    };
    let parts = [
        Some(format!("rounds lie ±{:.2} ms apart", rounds.deviation)),
        of("all sessions asked for equally it takes", &|library| {
            library == ours
        }),
        of("with the best peer", &Library::is_peer),
        of("with the bare driver and no sessions", &|library| {
            library == Library::BareDriver
        }),
        of("with sessions on it", &|library| {
            library == Library::OnDriver
        }),
    ];
    let known: Vec<_> = parts.into_iter().flatten().collect();
    known.join(", ")
}

/// What a swap costs Redis beside what costs less and compares nothing; `None` if it was not counted.
fn of_redis(counts: &[RedisCount]) -> Option<String> {
    let thousands = |work| {
        let found = counts.iter().find(|count| count.work == work)?;
        Some(format!("{:.0} thousand", found.instructions / 1e3))
    };
    Some(format!(
        "a swap takes {} instructions of Redis, a script that only sets {}, `SET` alone {}",
        thousands(Work::SwapsTogether)?,
        thousands(Work::ScriptThatSets)?,
        thousands(Work::Set)?
    ))
}
