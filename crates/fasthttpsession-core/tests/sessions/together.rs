//! G1, no lost update: requests that commit at once, in one process and in two.

use std::hint::spin_loop;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use fasthttpsession_core::{Codec, Error, Limits, Sessions, StoreErrorKind};
use futures_util::FutureExt as _;
use tokio::task::{JoinHandle, spawn};

use crate::faulty::{Fault, Gate, Op};
use crate::support::{Client, Response, World, join, settle};

fn add_one(client: &Client, sessions: &Sessions) -> JoinHandle<Result<Response, Error>> {
    let (client, sessions) = (client.clone(), sessions.clone());
    spawn(async move {
        let request = client.request(&sessions).await;
        request.update("n", |n: &mut u64| *n += 1)?;
        request.finish().await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn n_increments_add_n() {
    for processes in [1, 2] {
        let world = World::new();
        let each: Vec<_> = (0..processes).map(|_| world.sessions()).collect();
        let client = Client::with(&each[0], "n", 0).await;
        let writers = (0..256).map(|n| add_one(&client, &each[n % processes]));
        for result in join(writers.collect()).await {
            assert_eq!(result.unwrap().cookie(), None);
        }
        assert_eq!(client.get(&each[0], "n").await, Some(256));
    }
}

/// The store is a millisecond away, as a server is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_now_and_then_is_not_kept_out_by_a_process_that_writes_all_the_time() {
    let world = World::new();
    world
        .store
        .script(|_, _| Fault::Far(Duration::from_millis(1)));
    let (busy, other) = (world.sessions(), world.sessions());
    let client = Client::with(&busy, "n", 0).await;
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (client, busy, done) = (client.clone(), busy.clone(), Arc::clone(&done));
            spawn(async move {
                let mut written = 0;
                while !done.load(Ordering::SeqCst) {
                    add_one(&client, &busy).await.unwrap().unwrap();
                    written += 1;
                }
                written
            })
        })
        .collect();
    for _ in 0..20 {
        add_one(&client, &other).await.unwrap().unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let written: u64 = join(writers).await.iter().sum();
    assert_eq!(client.get(&busy, "n").await, Some(20 + written));
}

/// The request ends a little later each time, so that all orders are met.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn of_a_task_that_asks_as_the_request_ends_each_write_counts_or_is_refused() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let mut taken = 0;
    for round in 0..16_384 {
        let exchange = client.begin(&sessions);
        let both = Arc::new(Barrier::new(2));
        let (late, ready) = (exchange.request_session(), Arc::clone(&both));
        let late = spawn(async move {
            ready.wait();
            let session = late.session().await.unwrap();
            session.update("n", |n: &mut u64| *n += 1)
        });
        both.wait();
        (0..round % 512).for_each(|_| spin_loop());
        exchange.finish().await.unwrap();
        match late.await.unwrap() {
            Ok(()) => taken += 1,
            Err(error) => assert!(matches!(error, Error::Finished), "{error}"),
        }
    }
    assert_eq!(client.get(&sessions, "n").await, Some(taken));
}

/// As above, for a request that is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_task_that_asks_as_the_request_is_dropped_ends_up_without_writes() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    for round in 0..16_384 {
        let exchange = client.begin(&sessions);
        let both = Arc::new(Barrier::new(2));
        let (late, ready) = (exchange.request_session(), Arc::clone(&both));
        let late = spawn(async move {
            ready.wait();
            late.session().await.unwrap()
        });
        both.wait();
        (0..round % 512).for_each(|_| spin_loop());
        drop(exchange);
        let written = late.await.unwrap().set("n", &1);
        assert!(matches!(written, Err(Error::Finished)), "{round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn n_different_keys_are_all_there() {
    for processes in [1, 2] {
        let world = World::new();
        let each: Vec<_> = (0..processes).map(|_| world.sessions()).collect();
        let client = Client::with(&each[0], "n", 0).await;
        let writers = (0..128).map(|n| {
            let (client, sessions) = (client.clone(), each[n % processes].clone());
            spawn(async move {
                let request = client.request(&sessions).await;
                request.set(format!("key-{n}"), &n).unwrap();
                request.respond().await;
            })
        });
        join(writers.collect()).await;
        let request = client.request(&each[0]).await;
        assert_eq!(request.len(), 129);
        for n in 0..128_u64 {
            assert_eq!(request.get::<u64>(format!("key-{n}")).unwrap(), Some(n));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_n_transactions_each_sees_the_one_before() {
    for processes in [1, 2] {
        let world = World::new();
        let each: Vec<_> = (0..processes).map(|_| world.sessions()).collect();
        let client = Client::with(&each[0], "n", 0).await;
        let writers = (0..64).map(|n| {
            let (client, sessions) = (client.clone(), each[n % processes].clone());
            spawn(async move {
                let request = client.request(&sessions).await;
                let drawn = request.transact(|values| -> Result<u64, Error> {
                    let n = values.get::<u64>("n")?.unwrap_or(0);
                    values.set("n", &(n + 1))?;
                    Ok(n)
                });
                drawn.await.unwrap()
            })
        });
        let mut drawn = join(writers.collect()).await;
        drawn.sort_unstable();
        assert_eq!(drawn, (0..64).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_single_use_value_is_taken_once() {
    for processes in [1, 2] {
        let world = World::new();
        let each: Vec<_> = (0..processes).map(|_| world.sessions()).collect();
        let client = Client::with(&each[0], "ticket", 7).await;
        let takers = (0..64).map(|n| {
            let (client, sessions) = (client.clone(), each[n % processes].clone());
            spawn(async move {
                let request = client.request(&sessions).await;
                let taken = request.transact(|values| values.take::<u64>("ticket"));
                taken.await.unwrap()
            })
        });
        let taken: Vec<_> = join(takers.collect()).await.into_iter().flatten().collect();
        assert_eq!(taken, [7]);
    }
}

#[tokio::test]
async fn logs_that_wait_share_one_swap() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    let others: Vec<_> = (0..63).map(|_| add_one(&client, &sessions)).collect();
    settle().await;
    gate.open();
    for result in join([vec![first], others].into_iter().flatten().collect()).await {
        result.unwrap();
    }
    assert_eq!(world.store.count(Op::Replace), 2);
    assert_eq!(client.get(&sessions, "n").await, Some(64));
}

#[tokio::test]
async fn a_log_that_fails_in_a_batch_fails_alone() {
    let world = World::new();
    let sessions = world
        .builder()
        .limits(Limits::default().record_bytes(1024))
        .build()
        .unwrap();
    let client = Client::with(&sessions, "n", 0).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    // Takes the room that `outgrown` found free, and the value that the others can't bear.
    let big = {
        let (request, text) = (client.request(&sessions).await, "x".repeat(600));
        request.set("big", &text).unwrap();
        spawn(async move { request.finish().await })
    };
    gate.reached().await;

    let before = add_one(&client, &sessions);
    settle().await;
    let refused = client.request(&sessions).await;
    let mut runs = 0;
    let picky = move |_: &mut u64| {
        runs += 1;
        if runs == 1 { Ok(()) } else { Err("no more") }
    };
    refused.update("n", picky).unwrap();
    let refused = spawn(async move { refused.finish().await });
    settle().await;
    let panicking = client.request(&sessions).await;
    let mut runs = 0;
    let wild = move |_: &mut u64| {
        runs += 1;
        assert!(runs == 1, "a panic of the closure's own");
    };
    panicking.update("n", wild).unwrap();
    let panicking = spawn(async move {
        let caught = AssertUnwindSafe(panicking.finish()).catch_unwind().await;
        *caught.err().unwrap().downcast::<&str>().unwrap()
    });
    settle().await;
    let outgrown = client.request(&sessions).await;
    outgrown.set("also big", &"y".repeat(600)).unwrap();
    let outgrown = spawn(async move { outgrown.finish().await });
    settle().await;
    let after = add_one(&client, &sessions);
    settle().await;
    gate.open();

    big.await.unwrap().unwrap();
    before.await.unwrap().unwrap();
    after.await.unwrap().unwrap();
    let refusal = refused.await.unwrap().err().unwrap();
    assert!(matches!(refusal, Error::Refused { .. }), "{refusal:?}");
    assert_eq!(panicking.await.unwrap(), "a panic of the closure's own");
    let outgrown = outgrown.await.unwrap().err().unwrap();
    assert!(matches!(outgrown, Error::TooLarge { limit: 1024, .. }));
    assert_eq!(world.store.count(Op::Replace), 2);
    let request = client.request(&sessions).await;
    assert_eq!(request.get("n").unwrap(), Some(2_u64));
    assert!(!request.contains("also big"));
}

/// What it panics on has to be in the store, and that never gets there.
#[tokio::test]
async fn a_log_that_panics_behind_one_that_fails_is_judged_again() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "stock", 1).await;
    let gate = Gate::new();
    let refused = Fault::Refuse(StoreErrorKind::Unavailable);
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone()), refused]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    let emptying = client.request(&sessions).await;
    emptying.set("stock", &0).unwrap();
    let emptying = spawn(async move { emptying.finish().await });
    settle().await;
    let sure = client.request(&sessions).await;
    let check = |stock: &mut u64| assert!(*stock > 0, "there is some");
    sure.update("stock", check).unwrap();
    let sure = spawn(async move { sure.finish().await });
    settle().await;
    gate.open();
    first.await.unwrap().unwrap();
    let error = emptying.await.unwrap().err().unwrap();
    assert!(matches!(error, Error::Store { .. }), "{error:?}");
    sure.await.unwrap().unwrap();
    assert_eq!(client.get(&sessions, "stock").await, Some(1));
}

#[tokio::test]
async fn a_transaction_and_logs_that_wait_share_one_swap() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    let (request, seen) = (client.request(&sessions).await, vec![1_u64]);
    let transaction = spawn(async move {
        let draw = request.transact(|values| {
            let n = values.get::<u64>("n")?.unwrap_or(0) + seen[0];
            values.set("n", &n)?;
            Ok::<_, Error>(n)
        });
        draw.await.unwrap()
    });
    settle().await;
    let others: Vec<_> = (0..10).map(|_| add_one(&client, &sessions)).collect();
    settle().await;
    gate.open();
    first.await.unwrap().unwrap();
    assert_eq!(transaction.await.unwrap(), 2);
    join(others).await;
    assert_eq!(world.store.count(Op::Replace), 2);
    assert_eq!(client.get(&sessions, "n").await, Some(12));
}

#[tokio::test]
async fn a_removal_of_what_another_is_just_setting_removes_it() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let (setter, remover) = (
        client.request(&sessions).await,
        client.request(&sessions).await,
    );
    setter.set("late", &1).unwrap();
    remover.remove("late").unwrap();
    setter.respond().await;
    remover.respond().await;
    assert_eq!(client.get(&sessions, "late").await, None);
}

#[tokio::test]
async fn a_log_that_fitted_does_not_outgrow_the_limit_when_it_is_applied_again() {
    let world = World::new();
    let limits = Limits::default().record_bytes(1024);
    let sessions = world.builder().limits(limits).build().unwrap();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| s.set("b", &"b".repeat(700)))
        .await;
    let request = client.request(&sessions).await;
    request.set("a", "small").unwrap();
    request.remove("b").unwrap();
    request.set("a", &"a".repeat(700)).unwrap();
    // Somebody else was first, so the log is applied again.
    client.clone().visit(&sessions, |s| s.set("c", &1)).await;
    request.finish().await.unwrap();
    assert_eq!(client.request(&sessions).await.keys(), ["a", "c"]);
}

/// Refuses a map with the key "poison", and panics on one with the key "bomb".
fn picky_codec() -> Codec {
    Codec::map(
        "picky",
        |map| {
            if map.contains_key("poison") {
                return Err("poison".to_owned());
            }
            assert!(!map.contains_key("bomb"), "a panic of the codec's own");
            serde_json::to_vec(map).map_err(|error| error.to_string())
        },
        |bytes| serde_json::from_slice(bytes).map_err(|error| error.to_string()),
    )
}

#[tokio::test]
async fn a_log_that_no_codec_can_encode_fails_without_its_neighbours() {
    let world = World::new();
    let sessions = world.builder().codec(picky_codec()).build().unwrap();
    let client = Client::with(&sessions, "n", 0).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let first = add_one(&client, &sessions);
    gate.reached().await;
    let before = add_one(&client, &sessions);
    settle().await;
    let poisoned = client.request(&sessions).await;
    poisoned.set("poison", &1).unwrap();
    let poisoned = spawn(async move { poisoned.finish().await });
    settle().await;
    let after = add_one(&client, &sessions);
    settle().await;
    gate.open();
    assert!(matches!(
        poisoned.await.unwrap(),
        Err(Error::EncodeMap { .. })
    ));
    for result in join(vec![first, before, after]).await {
        result.unwrap();
    }
    assert_eq!(client.get(&sessions, "n").await, Some(3));
}

#[tokio::test]
async fn a_codec_that_panics_panics_in_the_request_whose_value_it_was() {
    let world = World::new();
    let sessions = world.builder().codec(picky_codec()).build().unwrap();
    let client = Client::with(&sessions, "n", 0).await;
    for bombs_go_first in [false, true] {
        let gate = Gate::new();
        world
            .store
            .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
        let first = add_one(&client, &sessions);
        gate.reached().await;
        let mut others = Vec::new();
        if !bombs_go_first {
            others.push(add_one(&client, &sessions));
            settle().await;
        }
        let bombs = [(); 2].map(|()| {
            let (client, sessions) = (client.clone(), sessions.clone());
            spawn(async move {
                let request = client.request(&sessions).await;
                request.set("bomb", &1).unwrap();
                let caught = AssertUnwindSafe(request.finish()).catch_unwind().await;
                *caught.err().unwrap().downcast::<&str>().unwrap()
            })
        });
        settle().await;
        others.push(add_one(&client, &sessions));
        settle().await;
        gate.open();
        for panic in join(bombs.into()).await {
            assert_eq!(panic, "a panic of the codec's own");
        }
        others.push(first);
        for result in join(others).await {
            result.unwrap();
        }
    }
    assert_eq!(client.get(&sessions, "n").await, Some(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_of_one_request_that_update_one_value_all_count() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let request = client.request(&sessions).await;
    let tasks = (0..100).map(|_| {
        let session = request.session.clone();
        spawn(async move {
            for _ in 0..20 {
                session.update("n", |n: &mut u64| *n += 1).unwrap();
            }
        })
    });
    join(tasks.collect()).await;
    request.respond().await;
    assert_eq!(client.get(&sessions, "n").await, Some(2000));
}
