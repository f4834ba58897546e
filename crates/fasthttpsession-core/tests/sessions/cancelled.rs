//! Requests that are dropped in the middle of a commit: the others go on, and nothing counts twice.

use fasthttpsession_core::{Error, Sessions};
use futures_util::FutureExt as _;
use tokio::task::{JoinHandle, spawn};

use crate::faulty::{Fault, Gate, Op};
use crate::support::{Client, Response, World, join, settle};

/// A session in which `n` is 0.
async fn counting() -> (World, Sessions, Client) {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    (world, sessions, client)
}

fn add_one(client: &Client, sessions: &Sessions) -> JoinHandle<Result<Response, Error>> {
    let (client, sessions) = (client.clone(), sessions.clone());
    spawn(async move {
        let request = client.request(&sessions).await;
        request.update("n", |n: &mut u64| *n += 1)?;
        request.finish().await
    })
}

/// A committer held by `fault` and cancelled there, with ten others waiting, every third of which gives up too.
/// Returns what `n` is at the end.
async fn cancelled_at(fault: fn(Gate) -> Fault) -> (u64, World) {
    let (world, sessions, client) = counting().await;
    let gate = Gate::new();
    world.store.first(Op::Replace, [fault(gate.clone())]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    let mut others = Vec::new();
    for _ in 0..10 {
        others.push(add_one(&client, &sessions));
        settle().await;
    }
    for at in [9, 6, 3, 0] {
        others.remove(at).abort();
    }
    settle().await;
    first.abort();
    for result in join(others).await {
        result.unwrap();
    }
    let n = client.get(&sessions, "n").await.unwrap();
    (n, world)
}

#[tokio::test]
async fn a_committer_cancelled_before_its_swap_is_sent_holds_nobody_up() {
    let (n, world) = cancelled_at(Fault::HoldCall).await;
    assert_eq!(n, 6);
    assert!(world.store.count(Op::Replace) <= 3);
}

#[tokio::test]
async fn a_committer_cancelled_before_its_answer_counts_once() {
    let (n, world) = cancelled_at(Fault::HoldAnswer).await;
    assert_eq!(n, 7);
    assert!(world.store.count(Op::Replace) <= 3);
}

#[tokio::test]
async fn who_shares_a_swap_with_a_cancelled_committer_sends_it_again() {
    for (fault, landed) in [
        (Fault::HoldCall as fn(Gate) -> Fault, false),
        (Fault::HoldAnswer, true),
    ] {
        let world = World::new();
        let sessions = world.sessions();
        let client = Client::with(&sessions, "n", 0).await;
        let (front, shared) = (Gate::new(), Gate::new());
        world.store.first(
            Op::Replace,
            [Fault::HoldCall(front.clone()), fault(shared.clone())],
        );
        let first = add_one(&client, &sessions);
        front.reached().await;
        let leader = add_one(&client, &sessions);
        settle().await;
        let others: Vec<_> = (0..4).map(|_| add_one(&client, &sessions)).collect();
        settle().await;
        front.open();
        first.await.unwrap().unwrap();
        shared.reached().await;
        // Its log is part of the swap that the others depend on.
        leader.abort();
        for result in join(others).await {
            result.unwrap();
        }
        assert_eq!(client.get(&sessions, "n").await, Some(6));
        // Sent again by the next in line; if it had landed, the store says so by a conflict.
        assert_eq!(world.store.count(Op::Replace), 3, "landed: {landed}");
    }
}

#[tokio::test]
async fn a_cancelled_committer_whose_swap_comes_too_late_writes_nothing() {
    let (world, sessions, client) = counting().await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    first.abort();
    settle().await;
    add_one(&client, &sessions).await.unwrap().unwrap();
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_cancelled_transaction_holds_nobody_up() {
    let (world, sessions, client) = counting().await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    let (request, others) = (client.request(&sessions).await, &mut Vec::new());
    let transaction = spawn(async move {
        let add = request.transact(|values| values.set("n", &100_u64));
        add.await.unwrap();
    });
    settle().await;
    for _ in 0..3 {
        others.push(add_one(&client, &sessions));
    }
    settle().await;
    transaction.abort();
    gate.open();
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(client.get(&sessions, "n").await, Some(4));
}

#[tokio::test]
async fn a_transaction_cancelled_at_the_store_holds_nobody_up() {
    let (world, sessions, client) = counting().await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldAnswer(gate.clone())]);
    let request = client.request(&sessions).await;
    let transaction = spawn(async move {
        let add = request.transact(|values| values.set("n", &100_u64));
        add.await.unwrap();
    });
    gate.reached().await;
    let others: Vec<_> = (0..3).map(|_| add_one(&client, &sessions)).collect();
    settle().await;
    transaction.abort();
    for result in join(others).await {
        result.unwrap();
    }
    assert_eq!(client.get(&sessions, "n").await, Some(103));
}

#[tokio::test]
async fn what_a_cancelled_save_lost_is_not_half_kept() {
    let (world, sessions, client) = counting().await;
    let request = client.request(&sessions).await;
    request.update("n", |n: &mut u64| *n += 1).unwrap();
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let session = request.session.clone();
    let save = spawn(async move { session.save().await });
    gate.reached().await;
    save.abort();
    settle().await;
    request.set("other", &1).unwrap();
    request.respond().await;
    // It was never sent, and what was dropped with the save does not come back with the next commit.
    assert_eq!(client.get(&sessions, "n").await, Some(0));
    assert_eq!(client.get(&sessions, "other").await, Some(1));
}

#[tokio::test]
async fn a_request_that_is_dropped_commits_nothing() {
    let (world, sessions, client) = counting().await;
    world.store.heal();
    let request = client.request(&sessions).await;
    request.set("n", &1).unwrap();
    drop(request);
    assert_eq!(world.store.writes(), 0);
    assert_eq!(client.get(&sessions, "n").await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn random_cancellations_lose_and_double_nothing() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new();
    let each = [world.sessions(), world.sessions()];
    let client = Client::with(&each[0], "mine", 0).await;
    let mut faults = random.fork();
    world
        .store
        .script(move |op, _| match (op, faults.u8(0..4)) {
            // Held for ever: only cancellation ends it.
            (Op::Replace, 0) if faults.u8(0..4) == 0 => Fault::HoldCall(Gate::new()),
            (Op::Replace, 1) if faults.u8(0..4) == 0 => Fault::HoldAnswer(Gate::new()),
            _ => Fault::None,
        });
    let writers: Vec<_> = (0..200)
        .map(|n| {
            let (client, sessions) = (client.clone(), each[n % 2].clone());
            let key = format!("key-{n}");
            spawn(async move {
                let request = client.request(&sessions).await;
                request.update(&key, |n: &mut u64| *n += 1).unwrap();
                request.finish().await.is_ok()
            })
        })
        .collect();
    // Whoever waits for ever leads a lane; cancelling from the front lets each lane go on.
    let mut acknowledged = Vec::new();
    for (n, writer) in writers.into_iter().enumerate() {
        for _ in 0..random.usize(0..200) {
            tokio::task::yield_now().await;
        }
        if writer.is_finished() {
            acknowledged.push((n, writer.await.unwrap()));
        } else {
            writer.abort();
        }
    }
    world.store.heal();
    let request = client.request(&each[0]).await;
    for (n, committed) in acknowledged {
        assert!(committed, "{n}");
        assert_eq!(request.get(format!("key-{n}")).unwrap(), Some(1_u64), "{n}");
    }
    for key in request.keys() {
        assert!(request.get::<u64>(&key).unwrap() <= Some(1), "{key}");
    }
}

/// As [`add_one`]; what its closure holds panics when it is dropped.
fn add_one_and_panic(client: &Client, sessions: &Sessions) -> JoinHandle<Result<Response, Error>> {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("a bug of the application's");
        }
    }
    let (client, sessions) = (client.clone(), sessions.clone());
    spawn(async move {
        let (request, panics) = (client.request(&sessions).await, Panics);
        request.update("n", move |n: &mut u64| {
            let _ = &panics;
            *n += 1;
        })?;
        request.finish().await
    })
}

#[tokio::test]
async fn what_a_cancelled_log_does_when_it_is_dropped_concerns_nobody_else() {
    let (world, sessions, client) = counting().await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    let (mut others, mut cancelled) = (vec![first], Vec::new());
    // The first in the queue, and two of which one would be dropped by the panic of the other.
    for panics in [true, false, true, true, false] {
        if panics {
            cancelled.push(add_one_and_panic(&client, &sessions));
        } else {
            others.push(add_one(&client, &sessions));
        }
        settle().await;
    }
    cancelled.iter().for_each(JoinHandle::abort);
    settle().await;
    gate.open();
    for result in join(others).await {
        result.unwrap();
    }
    assert_eq!(client.get(&sessions, "n").await, Some(3));
}

/// Whether the committer goes on, or leaves the flight to the next in line.
#[tokio::test]
async fn what_a_cancelled_log_aboard_does_when_it_is_dropped_concerns_nobody_else() {
    for goes_on in [true, false] {
        let (world, sessions, client) = counting().await;
        let gates = [Gate::new(), Gate::new()];
        let faults = gates.clone().map(Fault::HoldCall);
        world.store.first(Op::Replace, faults);
        let first = add_one(&client, &sessions);
        gates[0].reached().await;
        let leader = add_one(&client, &sessions);
        settle().await;
        let cancelled: Vec<_> = (0..2)
            .map(|_| add_one_and_panic(&client, &sessions))
            .collect();
        settle().await;
        let last = add_one(&client, &sessions);
        settle().await;
        gates[0].open();
        first.await.unwrap().unwrap();
        gates[1].reached().await;
        cancelled.iter().for_each(JoinHandle::abort);
        settle().await;
        if goes_on {
            gates[1].open();
            leader.await.unwrap().unwrap();
        } else {
            leader.abort();
        }
        last.await.unwrap().unwrap();
        assert_eq!(client.get(&sessions, "n").await, Some(5));
    }
}

/// A request that is neither dropped nor polled, as one in a runtime that does not run.
#[tokio::test]
async fn a_commit_that_is_kept_and_not_polled_holds_nobody_up() {
    let (world, sessions, client) = counting().await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let request = client.request(&sessions).await;
    request.update("n", |n: &mut u64| *n += 1).unwrap();
    let mut kept = Box::pin(request.finish());
    assert!(kept.as_mut().now_or_never().is_none());
    gate.reached().await;

    let others = (0..3).map(|_| add_one(&client, &sessions)).collect();
    let transacting = client.request(&sessions).await;
    let taken = transacting.transact(|values| {
        let n: u64 = values.get("n")?.unwrap_or_default();
        values.set("n", &(n + 1))
    });
    taken.await.unwrap();
    join(others)
        .await
        .into_iter()
        .for_each(|result| drop(result.unwrap()));
    assert_eq!(client.get(&sessions, "n").await, Some(4));

    gate.open();
    kept.await.unwrap();
    assert_eq!(client.get(&sessions, "n").await, Some(5));
}

/// Who is aboard with it learns what became of that once it is polled again.
#[tokio::test]
async fn a_flight_that_was_overtaken_lands_beside_others_with_all_aboard() {
    let (world, sessions, client) = counting().await;
    let gates = [Gate::new(), Gate::new()];
    let faults = gates.clone().map(Fault::HoldCall);
    world.store.first(Op::Replace, faults);
    let first = add_one(&client, &sessions);
    gates[0].reached().await;
    let request = client.request(&sessions).await;
    request.update("n", |n: &mut u64| *n += 1).unwrap();
    let mut kept = Box::pin(request.finish());
    assert!(kept.as_mut().now_or_never().is_none());
    let aboard = add_one(&client, &sessions);
    settle().await;
    gates[0].open();
    first.await.unwrap().unwrap();
    assert!(kept.as_mut().now_or_never().is_none());
    gates[1].reached().await;

    add_one(&client, &sessions).await.unwrap().unwrap();
    assert_eq!(client.get(&sessions, "n").await, Some(2));
    gates[1].open();
    kept.await.unwrap();
    aboard.await.unwrap().unwrap();
    assert_eq!(client.get(&sessions, "n").await, Some(4));
}
