//! Traffic whose answers are lost now and then tells what a store says of them: the suite alone can't, for it loses none.

#[allow(dead_code)]
mod faulty;

use std::sync::Arc;

use fasthttpsession_conformance::store::history;
use fasthttpsession_conformance::store::traffic::Traffic;
use fasthttpsession_core::{Clock, SystemClock};
use faulty::Fault;

#[tokio::test]
async fn a_write_that_may_have_been_applied_has_an_order() {
    for seed in 0..20 {
        assert!(has_an_order(Fault::LosesAnswers, seed).await, "seed {seed}");
    }
}

#[tokio::test]
async fn a_write_that_shows_although_it_was_said_not_to_be_applied_has_none() {
    has_none(Fault::LosesAnswersAndDenies).await;
}

#[tokio::test]
async fn a_swap_that_a_driver_sends_twice_has_none() {
    has_none(Fault::LosesAnswersAndSendsAgain).await;
}

/// A run in which no lost answer matters is rare: of some, one is enough.
async fn has_none(fault: Fault) {
    for seed in 0..20 {
        if !has_an_order(fault, seed).await {
            return;
        }
    }
    panic!("{fault:?} was not found");
}

/// Whether the calls on every session of some traffic have one.
async fn has_an_order(fault: Fault, seed: u64) -> bool {
    let traffic = Traffic {
        seed,
        sessions: 4,
        tasks: 6,
        calls: 100,
        drops: false,
        ages: false,
        start: SystemClock.now(),
    };
    let recorded = traffic.run(&[Arc::new(faulty::alone(Some(fault)))]).await;
    let recorded = recorded.expect("what comes back was written");
    recorded
        .histories
        .iter()
        .all(|calls| history::check(calls).is_ok())
}
