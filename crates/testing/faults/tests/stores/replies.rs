//! No call gets the answer to another, and each that has none happened once or not at all: whatever the network does,
//! and whichever callers give up half-way, one order of all calls on a session explains what was answered.

use std::sync::Arc;
use std::time::Duration;

use fasthttpsession::{AnyStore, Clock as _, SystemClock};
use fasthttpsession_conformance::store::history;
use fasthttpsession_conformance::store::traffic::Traffic;
use fasthttpsession_faults::{Fault, Odds, Proxy};

use crate::backend::{Backend, open};
use crate::on_every_store;

/// Of each call of a store.
const LIMIT: Duration = Duration::from_millis(100);

/// How often there is traffic under each trouble.
const ROUNDS: u64 = 3;

on_every_store!(
    every_call_gets_its_own_answer_on_a_slow_network,
    every_call_gets_its_own_answer_when_connections_break,
    every_call_gets_its_own_answer_when_answers_come_too_late
);

fn every_call_gets_its_own_answer_on_a_slow_network(backend: Backend) -> Result<(), String> {
    let odds = Odds {
        delay: 200,
        split: 400,
        ..Odds::NONE
    };
    has_an_order(
        backend,
        |store| store,
        move |proxy, _| at_random(proxy, odds),
    )
}

fn every_call_gets_its_own_answer_when_connections_break(backend: Backend) -> Result<(), String> {
    let odds = Odds {
        delay: 50,
        split: 50,
        swallow: 3,
        cut: 15,
        reset: 15,
    };
    has_an_order(
        backend,
        |store| store,
        move |proxy, _| at_random(proxy, odds),
    )
}

fn every_call_gets_its_own_answer_when_answers_come_too_late(
    backend: Backend,
) -> Result<(), String> {
    has_an_order(backend, |store| store, hold_answers_again_and_again)
}

/// Makes traffic under `trouble`, which is told the limit of each call, through `wrap`, and looks for an order of it.
pub(crate) fn has_an_order(
    backend: Backend,
    wrap: impl Fn(AnyStore) -> AnyStore,
    trouble: impl Fn(&Arc<Proxy>, Duration),
) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let outcome = runtime.block_on(async {
        let site = backend.site().await?;
        let proxy = Arc::new(site.proxy());
        let url = site.url_behind(&proxy, LIMIT);
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(Arc::new(wrap(open(&url).await?)));
        }
        trouble(&proxy, site.limit(LIMIT));
        let mut errors = 0;
        for round in 0..ROUNDS {
            errors += one_round(&clients, proxy.seed().wrapping_add(round)).await?;
        }
        println!("{errors} errors that passed; {:?}", proxy.seen());
        Ok(())
    });
    runtime.shutdown_background();
    outcome
}

/// Returns how many calls failed.
async fn one_round(clients: &[Arc<AnyStore>], seed: u64) -> Result<usize, String> {
    let traffic = Traffic {
        seed,
        sessions: 5,
        tasks: 8,
        calls: 25,
        drops: true,
        ages: false,
        start: SystemClock.now(),
    };
    let recorded = traffic.run(clients).await.map_err(|e| e.to_string())?;
    if let Some(error) = recorded.errors.iter().find(|error| !error.is_retryable()) {
        return Err(format!("an error that does not pass: {error}"));
    }
    for calls in &recorded.histories {
        history::check(calls).map_err(|violation| violation.to_string())?;
    }
    Ok(recorded.errors.len())
}

fn at_random(proxy: &Proxy, odds: Odds) {
    proxy.requests(Fault::AtRandom(odds));
    proxy.answers(Fault::AtRandom(odds));
}

/// So that callers have given up when their answers come, and others wait for theirs. Ends with the runtime.
fn hold_answers_again_and_again(proxy: &Arc<Proxy>, limit: Duration) {
    let proxy = Arc::clone(proxy);
    tokio::spawn(async move {
        loop {
            let asked = proxy.seen().requests.pieces;
            proxy.until(|seen| seen.requests.pieces > asked + 60).await;
            proxy.answers(Fault::Hang);
            tokio::time::sleep(limit * 6 / 5).await;
            proxy.heal();
        }
    });
}
