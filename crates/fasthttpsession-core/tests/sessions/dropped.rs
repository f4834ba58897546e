//! A request whose exchange is dropped, because its handler panicked or nobody waits for it any more, commits nothing, nor
//! do tasks that outlive it commit anything for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fasthttpsession_core::{Error, Session, TransactError};
use futures_util::FutureExt as _;

use crate::faulty::{Fault, Gate, Op};
use crate::support::{Client, Request, World};

type Act = fn(&Session) -> Result<(), Error>;

/// What a task has whose request is dropped.
fn dropped(request: Request) -> Session {
    let Request { exchange, session } = request;
    drop(exchange);
    session
}

fn is_finished<T>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Finished))
}

#[tokio::test]
async fn a_task_commits_nothing_of_a_request_that_was_dropped() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.set("paid", &true).unwrap();
    request.update("n", |n: &mut u64| *n += 1).unwrap();
    request.set_label("paid").unwrap();
    request.rotate().unwrap();
    request.login("eve").unwrap();
    let task = dropped(request);
    assert!(is_finished(&task.set("late", &1)));
    assert!(is_finished(&task.save().await));
    task.transact(|values| values.set("own", &1)).await.unwrap();
    let request = client.request(&sessions).await;
    assert_eq!(request.keys(), ["own"]);
    assert_eq!(request.principal().unwrap().as_str(), "ada");
    assert_eq!(request.label(), None);
}

#[tokio::test]
async fn a_task_sees_what_the_store_has_and_not_what_was_given_up() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.set("n", &2).unwrap();
    let task = dropped(request);
    assert_eq!(task.get("n").unwrap(), Some(1));
    let visitor = Client::new().request(&sessions).await;
    visitor.set("n", &2).unwrap();
    assert!(dropped(visitor).is_empty());
}

#[tokio::test]
async fn what_is_discarded_is_not_committed_and_what_follows_is() {
    let acts: [Act; 4] = [
        |session| session.logout(),
        |session| session.login("eve"),
        |session| session.rotate().and(session.set_label("label")),
        |session| session.update("n", |n: &mut u64| *n += 1),
    ];
    for act in acts {
        let world = World::new();
        let sessions = world.sessions();
        let mut client = Client::signed_in(&sessions, "ada").await;
        client.visit(&sessions, |s| s.set("n", &1)).await;
        let token = client.token();
        let request = client.request(&sessions).await;
        request.set("saved", &true).unwrap();
        request.save().await.unwrap();
        act(&request.session).unwrap();
        request.discard();
        assert_eq!(request.principal().unwrap().as_str(), "ada");
        assert_eq!(request.get("n").unwrap(), Some(1));
        request.set("after", &true).unwrap();
        client.receive(&request.respond().await);
        assert_eq!(client.token(), token);
        let request = client.request(&sessions).await;
        assert_eq!(request.keys(), ["after", "n", "saved"]);
        assert_eq!(request.get("n").unwrap(), Some(1));
        assert_eq!(request.principal().unwrap().as_str(), "ada");
        assert_eq!(request.label(), None);
    }
}

#[tokio::test]
async fn what_a_visitor_discards_makes_no_session() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::new().request(&sessions).await;
    request.login("ada").unwrap();
    request.set("n", &1).unwrap();
    request.discard();
    assert_eq!(request.principal(), None);
    assert_eq!(request.respond().await.cookie(), None);
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn a_logout_of_a_request_that_was_dropped_ends_nothing() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.logout().unwrap();
    let task = dropped(request);
    assert!(task.is_alive().await.unwrap());
    task.transact(|values| values.set("own", &1)).await.unwrap();
    assert_eq!(client.get(&sessions, "own").await, Some(1));
}

#[tokio::test]
async fn a_visitor_whose_request_was_dropped_gets_no_record() {
    let world = World::new();
    let request = Client::new().request(&world.sessions()).await;
    request.set("n", &1).unwrap();
    let task = dropped(request);
    assert!(is_finished(&task.set("n", &2)));
    let change = task.transact(|values| values.set("n", &3)).await;
    assert!(matches!(change, Err(TransactError::Session(Error::Ended))));
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn what_asks_for_the_session_keeps_no_request_open() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let Request { exchange, session } = client.request(&sessions).await;
    let asked = exchange.request_session();
    session.set("n", &2).unwrap();
    drop(exchange);
    let session = asked.session().await.unwrap();
    assert!(is_finished(&session.set("n", &3)));
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_session_that_is_asked_for_when_the_request_is_dropped_takes_no_writes() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let gate = Gate::new();
    for under_way in [false, true] {
        let exchange = client.begin(&sessions);
        let asked = exchange.request_session();
        let loads = async move { asked.session().await.unwrap() };
        let session = if under_way {
            world.store.first(Op::Load, [Fault::HoldCall(gate.clone())]);
            let loads = tokio::spawn(loads);
            gate.reached().await;
            drop(exchange);
            gate.open();
            loads.await.unwrap()
        } else {
            drop(exchange);
            loads.await
        };
        assert_eq!(session.get("n").unwrap(), Some(1));
        assert!(is_finished(&session.set("n", &2)), "{under_way}");
    }
}

#[tokio::test]
async fn a_finish_that_is_dropped_while_it_waits_commits_nothing() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    request.set("n", &2).unwrap();
    let saving = request.session.clone();
    let save = tokio::spawn(async move { saving.save().await });
    gate.reached().await;
    request.set("m", &2).unwrap();
    let mut finish = Box::pin(request.finish());
    assert!((&mut finish).now_or_never().is_none());
    drop(finish);
    let task = dropped(request);
    gate.open();
    save.await.unwrap().unwrap();
    task.transact(|values| values.set("own", &1)).await.unwrap();
    let request = client.request(&sessions).await;
    assert_eq!(request.keys(), ["n", "own"]);
    assert_eq!(request.get("n").unwrap(), Some(2), "it was saved");
}

#[tokio::test]
async fn a_request_that_was_finished_loses_nothing_when_it_is_dropped() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.set("n", &2).unwrap();
    request.respond().await;
    let task = dropped(request);
    assert_eq!(task.get("n").unwrap(), Some(2));
    assert_eq!(client.get(&sessions, "n").await, Some(2));
}

/// Nor does it commit what was left of a request that failed before its commit.
#[tokio::test]
async fn a_task_commits_nothing_of_a_request_that_could_not_be_finished() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.rotate().unwrap();
    let gate = Gate::new();
    let held = Fault::HoldAnswer(gate.clone());
    world.store.first(Op::Replace, [held]);
    let mut save = Box::pin(request.save());
    assert!((&mut save).now_or_never().is_none());
    drop(save);
    gate.open();
    request.set("left", &1).unwrap();
    let failed = request.exchange.finish().await;
    assert!(matches!(failed, Err(Error::OutcomeUnknown { .. })));
    let task = dropped(request);
    // Whether its secret is the one that counts nobody knows; its sign-in is.
    task.transact(|values| values.set("own", &1)).await.unwrap();
    let found = sessions.read(client.handle()).await.unwrap().unwrap();
    assert_eq!(found.values.keys().collect::<Vec<_>>(), ["own"]);
}

/// What a closure owns may do anything when it is dropped, even use the session.
#[tokio::test]
async fn closures_are_given_up_outside_of_the_sessions_lock() {
    struct Looks(Session, Arc<AtomicBool>);
    impl Drop for Looks {
        fn drop(&mut self) {
            self.1.store(self.0.is_empty(), Ordering::Relaxed);
        }
    }
    let request = Client::new().request(&World::new().sessions()).await;
    let looked = Arc::new(AtomicBool::new(false));
    let looks = Looks(request.session.clone(), Arc::clone(&looked));
    let update = request.update("n", move |n: &mut u64| {
        let _ = &looks;
        *n += 1;
    });
    update.unwrap();
    drop(dropped(request));
    assert!(looked.load(Ordering::Relaxed));
}
