//! How long the slowest answers may take: no longer than those of the best peer.

use contestants::{Library, Scenario, Store};

use super::{Target, ours};
use crate::serving::{MANY, Served};

/// The targets of `store`; none where no peer is. `plain` has the same load on a route outside the layer.
pub fn of_tail(store: Store, served: &[Served], plain: &[Served]) -> Vec<Target> {
    let floor = asked(plain, Scenario::Plain).find(|served| served.contestant == ours(store));
    let floor = floor.map(|served| {
        let millis = served.within_99_us.median / 1e3;
        format!("a route without sessions takes {millis:.2} ms")
    });
    let target =
        |(promise, scenario)| Some(of(store, promise, scenario, served)?.below(floor.clone()));
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
    let peers = asked(served, scenario).filter(|served| !is_ours(served));
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

fn asked(served: &[Served], scenario: Scenario) -> impl Iterator<Item = &Served> {
    let kind = (scenario, MANY);
    served
        .iter()
        .filter(move |served| (served.scenario, served.connections) == kind)
}
