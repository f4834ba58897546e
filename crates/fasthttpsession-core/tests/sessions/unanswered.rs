//! G14, no commit counts twice: answers that were lost after the operation was applied, and calls that were lost before.

use fasthttpsession_core::{Error, Limits, Outcome, Sessions, StoreErrorKind, TransactError};
use tokio::task::{JoinHandle, spawn};

use crate::faulty::{Fault, Gate, Op};
use crate::support::{Client, Response, World, join, opens, settle};

fn add_one(client: &Client, sessions: &Sessions) -> JoinHandle<Result<Response, Error>> {
    let (client, sessions) = (client.clone(), sessions.clone());
    spawn(async move {
        let request = client.request(&sessions).await;
        request.update("n", |n: &mut u64| *n += 1)?;
        request.finish().await
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_acknowledged_increment_counts_once() {
    for processes in [1, 2] {
        let seed = fastrand::u64(..);
        println!("{processes} processes, seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let world = World::new();
        let limits = || Limits::default().resends(20).retries(200);
        let each: Vec<_> = (0..processes)
            .map(|_| world.builder().limits(limits()).build().unwrap())
            .collect();
        let client = Client::with(&each[0], "n", 0).await;
        world
            .store
            .script(move |op, _| match (op, random.u8(0..6)) {
                (Op::Replace, 0) => Fault::LoseAnswer(StoreErrorKind::Timeout),
                (Op::Replace, 1) => Fault::LoseAnswer(StoreErrorKind::Unavailable),
                (Op::Replace, 2) => Fault::LoseCall(StoreErrorKind::Timeout),
                _ => Fault::None,
            });
        let writers = (0..64).map(|n| add_one(&client, &each[n % processes]));
        let results = join(writers.collect()).await;
        let (mut acknowledged, mut unknown) = (0, 0);
        for result in results {
            match result {
                Ok(_) => acknowledged += 1,
                Err(Error::OutcomeUnknown { .. }) => unknown += 1,
                Err(error) => panic!("{error}"),
            }
        }
        world.store.heal();
        let n = client.get(&each[0], "n").await.unwrap();
        assert!((acknowledged..=acknowledged + unknown).contains(&n), "{n}");
        if processes == 1 {
            assert_eq!(unknown, 0, "in one process nothing rolls past");
        }
    }
}

/// One reader, whose loads meet `faults`: what it read, and how many loads there were.
async fn one_read<const N: usize>(faults: [Fault; N]) -> (Result<u64, Error>, usize) {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 7).await;
    world.store.first(Op::Load, faults);
    let exchange = client.begin(&sessions);
    let read = match exchange.session().await {
        Ok(session) => session.get("n").map(Option::unwrap_or_default),
        Err(error) => Err(error),
    };
    (read, world.store.count(Op::Load))
}

#[tokio::test]
async fn a_read_whose_connection_was_cut_is_asked_again() {
    use StoreErrorKind::{Timeout, Unavailable};
    let (read, loads) = one_read([Fault::LoseAnswer(Unavailable)]).await;
    assert_eq!((read.unwrap(), loads), (7, 2));
    let thrice = [(); 3].map(|()| Fault::LoseCall(Unavailable));
    let (read, loads) = one_read(thrice).await;
    assert_eq!((read.unwrap(), loads), (7, 4));
    let ever = [(); 9].map(|()| Fault::LoseAnswer(Unavailable));
    let (read, loads) = one_read(ever).await;
    assert_eq!((kind(&read.unwrap_err()), loads), (Some(Unavailable), 4));
    for (fault, expected) in [
        (Fault::LoseAnswer(Timeout), Timeout),
        (Fault::Refuse(Unavailable), Unavailable),
    ] {
        let (read, loads) = one_read([fault]).await;
        assert_eq!((kind(&read.unwrap_err()), loads), (Some(expected), 1));
    }
}

fn kind(error: &Error) -> Option<StoreErrorKind> {
    match error {
        Error::Store { source, .. } => Some(source.kind()),
        _ => None,
    }
}

/// One writer, whose first swap meets `fault`: what it returned, what `n` is then, and how many swaps were sent.
async fn one_swap(fault: Fault) -> (Result<Response, Error>, u64, usize) {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    world.store.first(Op::Replace, [fault]);
    let result = add_one(&client, &sessions).await.unwrap();
    let n = client.get(&sessions, "n").await.unwrap();
    (result, n, world.store.count(Op::Replace))
}

#[tokio::test]
async fn a_swap_that_landed_without_an_answer_counts_once() {
    let (result, n, swaps) = one_swap(Fault::LoseAnswer(StoreErrorKind::Timeout)).await;
    assert_eq!((result.unwrap().cookie(), n, swaps), (None, 1, 2));
}

/// As proxies of MySQL do by themselves when they lose the server.
#[tokio::test]
async fn a_swap_that_a_proxy_sent_twice_counts_once() {
    let (response, n, swaps) = one_swap(Fault::SendTwice).await;
    response.unwrap();
    assert_eq!((n, swaps), (1, 1));
}

#[tokio::test]
async fn a_swap_that_never_arrived_is_sent_again() {
    let (result, n, swaps) = one_swap(Fault::LoseCall(StoreErrorKind::Unavailable)).await;
    assert_eq!((result.unwrap().cookie(), n, swaps), (None, 1, 2));
}

#[tokio::test]
async fn a_swap_that_was_certainly_not_applied_is_an_error_at_once() {
    let (result, n, swaps) = one_swap(Fault::Refuse(StoreErrorKind::Unavailable)).await;
    let error = result.err().unwrap();
    assert!(matches!(
        error,
        Error::Store {
            operation: "commit",
            ..
        }
    ));
    assert_eq!((n, swaps), (0, 1));
}

#[tokio::test]
async fn a_lost_answer_is_found_among_the_last_eight_commits() {
    // Bumps by a process that copies the record keep its names, but versions count on.
    let (result, n, _) = one_swap(Fault::LoseAnswerAndBury(7)).await;
    result.unwrap();
    assert_eq!(n, 1);
}

/// The record's own commits follow the lost one, made by a second process.
async fn buried_under(others: u64) -> (Result<Response, Error>, u64) {
    let world = World::new();
    let (ours, theirs) = (world.sessions(), world.sessions());
    let client = Client::with(&ours, "n", 0).await;
    let gate = crate::faulty::Gate::new();
    let mut faults = vec![
        Fault::LoseAnswer(StoreErrorKind::Timeout),
        Fault::HoldCall(gate.clone()),
    ]
    .into_iter();
    world.store.script(move |op, _| {
        if op == Op::Replace {
            faults.next().unwrap_or(Fault::None)
        } else {
            Fault::None
        }
    });
    let ours = add_one(&client, &ours);
    // The answer was lost, and the same swap is on its way again.
    gate.reached().await;
    for _ in 0..others {
        add_one(&client, &theirs).await.unwrap().unwrap();
    }
    gate.open();
    let result = ours.await.unwrap();
    (result, client.get(&theirs, "n").await.unwrap())
}

#[tokio::test]
async fn the_outcome_is_unknown_only_when_more_than_eight_commits_rolled_past() {
    for others in [0, 1, 7] {
        let (result, n) = buried_under(others).await;
        result.unwrap();
        assert_eq!(n, others + 1);
    }
    for others in [8, 9, 30] {
        let (result, n) = buried_under(others).await;
        let error = result.err().unwrap();
        assert!(matches!(error, Error::OutcomeUnknown { .. }), "{error:?}");
        assert!(error.is_retryable());
        assert_eq!(n, others + 1, "it had landed, and was not applied again");
    }
}

#[tokio::test]
async fn a_swap_that_lost_the_race_after_a_lost_call_is_applied_to_the_winner() {
    let world = World::new();
    let (ours, theirs) = (world.sessions(), world.sessions());
    let client = Client::with(&ours, "n", 0).await;
    let gate = crate::faulty::Gate::new();
    world.store.first(
        Op::Replace,
        [
            Fault::LoseCall(StoreErrorKind::Timeout),
            Fault::HoldCall(gate.clone()),
        ],
    );
    let ours = add_one(&client, &ours);
    gate.reached().await;
    add_one(&client, &theirs).await.unwrap().unwrap();
    gate.open();
    ours.await.unwrap().unwrap();
    assert_eq!(client.get(&theirs, "n").await, Some(2));
}

#[tokio::test]
async fn a_store_that_never_answers_gives_an_unknown_outcome_in_bounded_tries() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    world.store.script(|op, _| match op {
        Op::Replace => Fault::LoseCall(StoreErrorKind::Timeout),
        _ => Fault::None,
    });
    let request = client.request(&sessions).await;
    let failed = request.transact(|values| values.set("n", &1_u64)).await;
    assert!(matches!(
        failed,
        Err(TransactError::Session(Error::OutcomeUnknown {
            source: Some(_),
            ..
        }))
    ));
    assert_eq!(world.store.count(Op::Replace), 4);
}

#[tokio::test]
async fn a_creation_without_answer_is_abandoned_for_a_fresh_handle_and_secret() {
    for fault in [Fault::LoseAnswer, Fault::LoseCall] {
        let world = World::new();
        let sessions = world.sessions();
        world
            .store
            .first(Op::Create, [fault(StoreErrorKind::Timeout)]);
        let client = Client::with(&sessions, "n", 1).await;
        assert_eq!(world.store.count(Op::Create), 2);
        assert_eq!(client.get(&sessions, "n").await, Some(1));
        assert!(opens(&sessions, &client.token().unwrap()).await);
    }
}

#[tokio::test]
async fn a_sign_in_without_answer_is_listed_once() {
    for fault in [Fault::LoseAnswer, Fault::LoseCall] {
        let world = World::new();
        let sessions = world.sessions();
        let lost = [
            fault(StoreErrorKind::Timeout),
            fault(StoreErrorKind::Unavailable),
        ];
        world.store.first(Op::Create, lost);
        let client = Client::signed_in(&sessions, "ada").await;
        let listed = sessions.users().unwrap().sessions_of("ada").await.unwrap();
        let handles: Vec<_> = listed.iter().map(|session| session.handle).collect();
        assert_eq!(handles, [client.handle()]);
    }
}

#[tokio::test]
async fn a_session_whose_forerunner_can_not_be_removed_is_made_all_the_same() {
    let world = World::new();
    let sessions = world.sessions();
    world.store.script(|op, nth| match op {
        Op::Create if nth < 3 => Fault::LoseAnswer(StoreErrorKind::Timeout),
        Op::Delete => Fault::LoseCall(StoreErrorKind::Timeout),
        _ => Fault::None,
    });
    let client = Client::signed_in(&sessions, "ada").await;
    assert_eq!(
        world.store.count(Op::Delete),
        1,
        "it is not waited for again"
    );
    assert!(client.is_known(&sessions).await);
}

#[tokio::test]
async fn a_creation_that_is_never_answered_fails_in_bounded_tries() {
    // Whatever is allowed for handles that are taken.
    for limits in [Limits::default(), Limits::default().retries(0)] {
        let world = World::new();
        let sessions = world.builder().limits(limits).build().unwrap();
        world
            .store
            .script(|_, _| Fault::LoseCall(StoreErrorKind::Timeout));
        let request = Client::new().request(&sessions).await;
        request.set("n", &1).unwrap();
        let error = request.finish().await.err().unwrap();
        assert!(matches!(
            error,
            Error::Store {
                operation: "create",
                ..
            }
        ));
        assert_eq!(world.store.count(Op::Create), 4);
    }
}

#[tokio::test]
async fn a_creation_without_answer_is_made_again_without_retries_too() {
    let world = World::new();
    let limits = Limits::default().retries(0);
    let sessions = world.builder().limits(limits).build().unwrap();
    let lost = Fault::LoseCall(StoreErrorKind::Timeout);
    world.store.first(Op::Create, [lost]);
    let client = Client::with(&sessions, "n", 1).await;
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

/// A replica that takes over may lack the last of them.
#[tokio::test]
async fn a_store_that_lost_commits_is_taken_as_it_is() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let old = world.record(&client).await.unwrap();
    client.visit(&sessions, |s| s.set("n", &2)).await;
    let request = client.request(&sessions).await;
    world.store.place(client.handle(), &old, world.now()).await;
    request.update("n", |n: &mut u64| *n += 10).unwrap();
    world.store.heal();
    request.respond().await;
    assert_eq!(client.get(&sessions, "n").await, Some(11));
    assert_eq!(world.store.count(Op::Replace), 2);
}

/// The same while another commit waits, which knows of those that were lost and can't follow the first.
#[tokio::test]
async fn a_store_that_lost_commits_is_taken_as_it_is_whatever_others_know() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let old = world.record(&client).await.unwrap();
    client.visit(&sessions, |s| s.set("n", &2)).await;
    let gate = Gate::new();
    let held = Fault::HoldCall(gate.clone());
    world.store.first(Op::Replace, [held]);
    let adding = client.request(&sessions).await;
    adding.update("n", |n: &mut u64| *n += 10).unwrap();
    let adding = spawn(async move { adding.finish().await });
    gate.reached().await;
    let refusing = client.request(&sessions).await;
    let few = |n: &mut u64| {
        if *n < 10 { Ok(()) } else { Err("too many") }
    };
    refusing.update("n", few).unwrap();
    let refusing = spawn(async move { refusing.finish().await });
    settle().await;
    world.store.place(client.handle(), &old, world.now()).await;
    gate.open();
    adding.await.unwrap().unwrap();
    let refused = refusing.await.unwrap();
    assert!(matches!(refused, Err(Error::Refused { .. })));
    assert_eq!(client.get(&sessions, "n").await, Some(11));
    assert_eq!(world.store.count(Op::Replace), 2);
}

#[tokio::test]
async fn a_logout_without_answer_is_sent_again() {
    for fault in [Fault::LoseAnswer, Fault::LoseCall] {
        let world = World::new();
        let sessions = world.sessions();
        let mut client = Client::with(&sessions, "n", 1).await;
        let before = client.clone();
        world
            .store
            .first(Op::Delete, [fault(StoreErrorKind::Timeout)]);
        client
            .visit(&sessions, fasthttpsession_core::Session::logout)
            .await;
        assert_eq!(client.token(), None);
        assert!(!before.is_known(&sessions).await);
    }
}

#[tokio::test]
async fn an_end_without_answer_says_that_it_ended_something() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    world
        .store
        .first(Op::Delete, [Fault::LoseAnswer(StoreErrorKind::Timeout)]);
    assert!(sessions.end(client.handle()).await.unwrap());
    assert!(!sessions.end(client.handle()).await.unwrap());
}

#[tokio::test]
async fn what_a_failed_save_lost_does_not_come_back_with_the_next_commit() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    world
        .store
        .first(Op::Replace, [Fault::Refuse(StoreErrorKind::Unavailable)]);
    let request = client.request(&sessions).await;
    request.set("lost", &1).unwrap();
    request.update("n", |n: &mut u64| *n += 1).unwrap();
    request.save().await.unwrap_err();
    assert_eq!(request.keys(), ["n"]);
    assert_eq!(request.get::<u64>("n").unwrap(), Some(0));
    request.set("kept", &1).unwrap();
    request.respond().await;
    assert_eq!(client.request(&sessions).await.keys(), ["kept", "n"]);
    assert_eq!(client.get(&sessions, "n").await, Some(0));
}

#[tokio::test]
async fn what_a_failed_first_save_lost_does_not_come_back_with_the_next_commit() {
    let world = World::new();
    let sessions = world.sessions();
    world
        .store
        .first(Op::Create, [Fault::Refuse(StoreErrorKind::Full)]);
    let mut client = Client::new();
    let request = client.request(&sessions).await;
    request.set("lost", &1).unwrap();
    request.save().await.unwrap_err();
    assert!(request.is_empty());
    request.set("kept", &1).unwrap();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["kept"]);
}

#[tokio::test]
async fn a_failed_save_is_not_tried_again_at_the_end() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    world
        .store
        .first(Op::Replace, [Fault::Refuse(StoreErrorKind::Unavailable)]);
    let request = client.request(&sessions).await;
    request.set("n", &1).unwrap();
    request.save().await.unwrap_err();
    assert_eq!(request.save().await.unwrap(), Outcome::Unchanged);
    request.respond().await;
    assert_eq!(client.get(&sessions, "n").await, Some(0));
}

/// A handler may go on without what it could not save, but not as if the secret were still the one that it was.
#[tokio::test]
async fn a_rotation_of_which_nobody_knows_is_not_forgotten_at_the_end() {
    let faults: [(fn(_) -> _, _); 2] = [(Fault::LoseCall, false), (Fault::LoseAnswer, true)];
    for (fault, lands) in faults {
        for again in [false, true] {
            let world = World::new();
            let sessions = world.sessions();
            let mut client = Client::with(&sessions, "n", 0).await;
            let lost = [(); 4].map(|()| fault(StoreErrorKind::Timeout));
            world.store.first(Op::Replace, lost);
            let request = client.request(&sessions).await;
            request.rotate().unwrap();
            let saved = request.save().await;
            assert!(matches!(saved, Err(Error::OutcomeUnknown { .. })));
            if again {
                request.rotate().unwrap();
                let expected = if lands {
                    Outcome::Overtaken
                } else {
                    Outcome::Committed
                };
                assert_eq!(request.save().await.unwrap(), expected);
            }
            match request.finish().await {
                Ok(response) if again && !lands => {
                    client.receive(&response);
                    assert!(client.is_known(&sessions).await);
                }
                Err(Error::OutcomeUnknown { .. }) if !again || lands => {}
                other => panic!("{:?}", other.map(|response| response.0)),
            }
        }
    }
}

/// It landed, or it did not: the record that stands there now does not tell.
#[tokio::test]
async fn what_an_unreadable_record_hides_is_unknown() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let gate = Gate::new();
    let lost = Fault::LoseAnswer(StoreErrorKind::Timeout);
    world
        .store
        .first(Op::Replace, [lost, Fault::HoldCall(gate.clone())]);
    let adding = add_one(&client, &sessions);
    gate.reached().await;
    world
        .store
        .overwrite(client.handle(), vec![255; 40], world.now())
        .await;
    gate.open();
    let added = adding.await.unwrap();
    assert!(matches!(added, Err(Error::OutcomeUnknown { .. })));
}
