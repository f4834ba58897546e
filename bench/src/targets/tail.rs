//! How long the slowest answers may take: no longer than those of the best peer.

use contestants::{Library, Scenario, Store};

use super::Target;
use crate::samples::Spread;
use crate::serving::{MANY, Served};

/// The targets of `store`; none where no peer is. What stands in the way is said by the same servers where sessions are asked
/// for `in_turn`, so that no two requests meet on one.
pub fn of_tail(store: Store, served: &[Served], in_turn: &[Served]) -> Vec<Target> {
    let target = |(promise, scenario)| {
        let ours = of(served, scenario, |library| library == Library::Ours)?;
        let peer = of(served, scenario, Library::is_peer)?;
        let measured_by = "99 of 100 answers, 32 connections";
        let figure = (ours.median, "ms");
        let target = Target::at_most(store, promise, measured_by, figure, peer.median);
        Some(target.below(Some(limit(ours, in_turn, scenario))))
    };
    let promises = [
        (
            "reading takes no longer than with the best peer",
            Scenario::Read,
        ),
        ("reading and adding one takes no longer", Scenario::Write),
        ("a mixed load takes no longer", Scenario::Mixed),
    ];
    promises.into_iter().filter_map(target).collect()
}

/// The least that 99 of 100 answers took with one of these libraries, in ms.
fn of(served: &[Served], scenario: Scenario, is_one: impl Fn(Library) -> bool) -> Option<Spread> {
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
fn limit(ours: Spread, in_turn: &[Served], scenario: Scenario) -> String {
    let of = |who: &str, is_one: fn(Library) -> bool| {
        let millis = of(in_turn, scenario, is_one)?.median;
        Some(format!("{who} {millis:.2} ms"))
    };
    let parts = [
        Some(format!("rounds lie ±{:.2} ms apart", ours.deviation)),
        of("all sessions asked for equally it takes", |library| {
            library == Library::Ours
        }),
        of("with actix-web", |library| library == Library::OursOnActix),
        of("with the best peer", Library::is_peer),
        of("with the bare driver and no sessions", |library| {
            library == Library::BareDriver
        }),
        of("with sessions on it", |library| {
            library == Library::OnDriver
        }),
    ];
    let known: Vec<_> = parts.into_iter().flatten().collect();
    known.join(", ")
}
