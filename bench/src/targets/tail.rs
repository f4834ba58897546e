//! How long the slowest answers may take: no longer than those of the best peer.

use contestants::{Library, Scenario, Store};

use super::Target;
use crate::serving::{MANY, Served};

/// The targets of `store`; none where no peer is. What stands in the way is said by the bare driver, whose sessions are asked
/// for `in_turn`.
pub fn of_tail(store: Store, served: &[Served], in_turn: &[Served]) -> Vec<Target> {
    let target = |(promise, scenario)| {
        let target = of(store, promise, scenario, served)?;
        Some(target.below(of_bare_driver(in_turn, scenario)))
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

fn of(
    store: Store,
    promise: &'static str,
    scenario: Scenario,
    served: &[Served],
) -> Option<Target> {
    let ms = |served: &Served| served.within_99_us.median / 1e3;
    let is_ours = |served: &&Served| served.contestant.library == Library::Ours;
    let ours = asked(served, scenario).find(is_ours).map(ms)?;
    let peers = asked(served, scenario).filter(|served| served.contestant.library.is_peer());
    let best = peers.map(ms).min_by(f64::total_cmp)?;
    let measured_by = "99 of 100 answers, 32 connections";
    Some(Target::at_most(
        store,
        promise,
        measured_by,
        (ours, "ms"),
        best,
    ))
}

/// With the driver and no sessions.
fn of_bare_driver(served: &[Served], scenario: Scenario) -> Option<String> {
    let is_bare = |served: &&Served| served.contestant.library == Library::BareDriver;
    let bare = asked(served, scenario).find(is_bare)?;
    let millis = bare.within_99_us.median / 1e3;
    Some(format!(
        "with the bare driver, no sessions and all asked for equally it takes {millis:.2} ms"
    ))
}

fn asked(served: &[Served], scenario: Scenario) -> impl Iterator<Item = &Served> {
    let kind = (scenario, MANY);
    served
        .iter()
        .filter(move |served| (served.scenario, served.connections) == kind)
}
