//! What a request does while a commit of its own is under way, and what it has earned when a later one fails.

use fasthttpsession_core::{
    Cookie, Error, HeaderEdit, Outcome, Session, Sessions, StoreErrorKind, TransactError,
};
use futures_util::FutureExt as _;
use tokio::task::{JoinHandle, spawn};

use crate::faulty::{Fault, Gate, Op};
use crate::support::{Client, MINUTE, Request, Response, World, settle};

type Act = fn(&Session) -> Result<(), Error>;

/// A save of `request` that waits before its operation `op` reaches the store, until the gate is opened.
async fn held_save(
    world: &World,
    request: &Request,
    op: Op,
) -> (Gate, JoinHandle<Result<Outcome, Error>>) {
    let gate = Gate::new();
    world.store.first(op, [Fault::HoldCall(gate.clone())]);
    let session = request.session.clone();
    let save = spawn(async move { session.save().await });
    gate.reached().await;
    (gate, save)
}

fn refuse_first(world: &World, op: Op) {
    let refused = Fault::Refuse(StoreErrorKind::Unavailable);
    world.store.first(op, [refused]);
}

/// What a response gets in place of the handler's when the exchange is given up.
fn abandoned(request: &Request) -> Response {
    Response(request.exchange.abandon())
}

#[tokio::test]
async fn a_logout_within_a_transaction_that_aborts_is_final() {
    for had_session in [false, true] {
        let world = World::new();
        let sessions = world.sessions();
        let mut client = if had_session {
            Client::signed_in(&sessions, "eve").await
        } else {
            Client::new()
        };
        let request = client.request(&sessions).await;
        request.login("ada").unwrap();
        request.set("n", &1).unwrap();
        let aborted = request.transact(|_| {
            request.logout().unwrap();
            Err::<(), _>("no")
        });
        assert!(matches!(aborted.await, Err(TransactError::Aborted("no"))));
        let response = request.respond().await;
        assert_eq!(response.token(), None);
        client.receive(&response);
        assert!(!client.is_known(&sessions).await);
        assert_eq!(world.records().await, 0);
    }
}

#[tokio::test]
async fn a_logout_while_the_first_record_is_made_leaves_none() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::new().request(&sessions).await;
    request.login("ada").unwrap();
    let (gate, save) = held_save(&world, &request, Op::Create).await;
    request.logout().unwrap();
    gate.open();
    assert_eq!(save.await.unwrap().unwrap(), Outcome::Gone);
    assert_eq!(request.respond().await.token(), None);
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn a_logout_while_a_sign_in_moves_to_a_new_record_ends_both() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    client.clone().visit(&sessions, |s| s.login("eve")).await;
    request.login("ada").unwrap();
    let (gate, save) = held_save(&world, &request, Op::Create).await;
    request.logout().unwrap();
    gate.open();
    save.await.unwrap().unwrap();
    request.respond().await;
    assert_eq!(world.records().await, 0);
}

/// The record's handle is drawn while the sign-in waits, and its secret is hashed with the handle.
#[tokio::test]
async fn a_sign_in_while_the_first_record_is_made_gets_a_token_that_opens_it() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    let request = client.request(&sessions).await;
    request.set("n", &1).unwrap();
    let (gate, save) = held_save(&world, &request, Op::Create).await;
    request.login("ada").unwrap();
    gate.open();
    assert_eq!(save.await.unwrap().unwrap(), Outcome::Committed);
    client.receive(&request.respond().await);
    let next = client.request(&sessions).await;
    assert_eq!(next.principal().unwrap().as_str(), "ada");
    assert_eq!(next.get::<u64>("n").unwrap(), Some(1));
    assert_eq!(world.records().await, 1);
}

#[tokio::test]
async fn a_rotation_while_a_sign_in_moves_to_a_new_record_gets_a_token_that_opens_it() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    client.clone().visit(&sessions, |s| s.login("eve")).await;
    request.login("ada").unwrap();
    let (gate, save) = held_save(&world, &request, Op::Create).await;
    request.rotate().unwrap();
    gate.open();
    save.await.unwrap().unwrap();
    client.receive(&request.respond().await);
    let next = client.request(&sessions).await;
    assert_eq!(next.principal().unwrap().as_str(), "ada");
}

/// A parallel response may just have brought a new one.
#[tokio::test]
async fn a_logout_that_finds_its_saved_session_gone_leaves_the_cookie_alone() {
    for cookie in [Cookie::default(), Cookie::default().persistent()] {
        let world = World::new();
        let sessions = world.builder().cookie(cookie).build().unwrap();
        let client = Client::signed_in(&sessions, "ada").await;
        let request = client.request(&sessions).await;
        request.rotate().unwrap();
        request.save().await.unwrap();
        assert!(sessions.end(client.handle()).await.unwrap());
        request.logout().unwrap();
        assert_eq!(request.respond().await.cookie(), None);
    }
}

/// A session whose secret was replaced and saved, five minutes into a request whose cookie has a date.
async fn with_a_saved_secret(world: &World) -> (Sessions, Client, Request) {
    let cookie = Cookie::default().persistent();
    let sessions = world.builder().cookie(cookie).build().unwrap();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.rotate().unwrap();
    request.save().await.unwrap();
    world.clock.advance(5 * MINUTE);
    (sessions, client, request)
}

#[tokio::test]
async fn a_secret_that_was_saved_is_sent_though_an_extension_fails() {
    let world = World::new();
    let (sessions, mut client, request) = with_a_saved_secret(&world).await;
    refuse_first(&world, Op::Replace);
    client.receive(&request.respond().await);
    assert!(client.is_known(&sessions).await);
}

#[tokio::test]
async fn a_secret_that_was_saved_is_sent_though_the_last_commit_fails() {
    let world = World::new();
    let (sessions, mut client, request) = with_a_saved_secret(&world).await;
    request.set("n", &1).unwrap();
    refuse_first(&world, Op::Replace);
    assert!(request.finish().await.is_err());
    client.receive(&abandoned(&request));
    assert_eq!(client.get(&sessions, "n").await, None);
    assert!(client.is_known(&sessions).await);
    assert_eq!(abandoned(&request).cookie(), None, "it is said once");
}

#[tokio::test]
async fn an_exchange_that_is_given_up_commits_nothing_more_and_tells_what_was_saved() {
    let world = World::new();
    let (sessions, mut client, request) = with_a_saved_secret(&world).await;
    request.set("n", &1).unwrap();
    world.store.heal();
    client.receive(&abandoned(&request));
    assert_eq!(request.respond().await.0, []);
    assert_eq!(world.store.writes(), 0);
    assert!(matches!(request.set("n", &2), Err(Error::Finished)));
    assert!(client.is_known(&sessions).await);
    assert_eq!(client.get(&sessions, "n").await, None);
}

#[tokio::test]
async fn an_exchange_that_is_given_up_before_its_session_was_asked_for_says_nothing() {
    let world = World::new();
    let sessions = world.sessions();
    let exchange = Client::new().begin(&sessions);
    assert_eq!(exchange.abandon(), []);
    let session = exchange.session().await.unwrap();
    assert!(matches!(session.set("n", &1), Err(Error::Finished)));
    let vary = HeaderEdit::Append {
        name: "vary",
        value: "Cookie".into(),
    };
    assert!(!exchange.finish().await.unwrap().contains(&vary));
}

/// Of a save that is dropped nobody learns whether it landed.
#[tokio::test]
async fn a_request_does_not_end_well_after_a_dropped_save_of_its_secret() {
    for replace in [
        |request: &Request| request.login("ada"),
        |request: &Request| request.rotate(),
        |request: &Request| request.reauthenticated(),
    ] {
        let world = World::new();
        let sessions = world.sessions();
        let client = Client::signed_in(&sessions, "eve").await;
        let request = client.request(&sessions).await;
        replace(&request).unwrap();
        let (gate, save) = held_save(&world, &request, Op::Replace).await;
        save.abort();
        settle().await;
        gate.open();
        assert_eq!(request.principal().unwrap().as_str(), "eve");
        let unknown = request.finish().await;
        assert!(matches!(unknown, Err(Error::OutcomeUnknown { .. })));
    }
}

#[tokio::test]
async fn a_logout_whose_save_was_dropped_is_made_at_the_end() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.logout().unwrap();
    let (gate, save) = held_save(&world, &request, Op::Delete).await;
    save.abort();
    settle().await;
    gate.open();
    let response = request.respond().await;
    assert!(response.removes_cookie());
    client.receive(&response);
    assert_eq!(world.records().await, 0);
}

/// A task may transact after its request is over: what the request gave up is not its to commit.
#[tokio::test]
async fn what_was_given_up_does_not_come_back_by_a_transaction_under_way() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let other = client.request(&sessions).await;
    other.set("n", &2).unwrap();
    let (gate, first) = held_save(&world, &other, Op::Replace).await;
    let request = client.request(&sessions).await;
    request.set("left", &1).unwrap();
    request.rotate().unwrap();
    let session = request.session.clone();
    let transaction = spawn(async move { session.transact(|_| Err::<(), _>("no")).await });
    settle().await;
    request.exchange.abandon();
    gate.open();
    assert_eq!(first.await.unwrap().unwrap(), Outcome::Committed);
    let aborted = transaction.await.unwrap();
    assert!(matches!(aborted, Err(TransactError::Aborted("no"))));
    let late = request.transact(|values| values.set("late", &1));
    late.await.unwrap();
    assert_eq!(client.get(&sessions, "late").await, Some(1));
    assert_eq!(client.get(&sessions, "left").await, None);
}

/// A touch that the end of the request makes tells that the session has ended since.
#[tokio::test]
async fn a_secret_that_was_saved_is_not_sent_once_its_session_is_known_to_be_gone() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.rotate().unwrap();
    request.save().await.unwrap();
    world.clock.advance(5 * MINUTE);
    assert!(sessions.end(client.handle()).await.unwrap());
    assert_eq!(request.respond().await.cookie(), None);
}

/// The commit of a request landed, which it learns only after another has replaced the secret: what it would send is dead.
#[tokio::test]
async fn an_answer_that_was_lost_sends_no_secret_that_was_replaced_since() {
    let acts: [Act; 2] = [|s| s.login("ada"), |s| s.rotate()];
    for (act, renews) in [
        (acts[0], false),
        (acts[0], true),
        (acts[1], false),
        (acts[1], true),
    ] {
        let world = World::new();
        let builder = || world.builder().cookie(Cookie::default().persistent());
        let sessions = if renews {
            builder().renew_every(10 * MINUTE).build().unwrap()
        } else {
            builder().build().unwrap()
        };
        let other = world.sessions();
        let mut client = Client::with(&sessions, "n", 1).await;
        world.clock.advance(30 * MINUTE);
        let request = client.request(&sessions).await;
        let gate = Gate::new();
        let lost = Fault::LoseAnswer(StoreErrorKind::Timeout);
        world
            .store
            .first(Op::Replace, [lost, Fault::HoldCall(gate.clone())]);
        let late = spawn(async move { request.respond().await });
        gate.reached().await;
        client.visit(&other, act).await;
        gate.open();
        assert_eq!(late.await.unwrap().cookie(), None, "renews: {renews}");
        assert!(client.is_known(&sessions).await);
    }
}

/// Whoever has waited gets the turn before whoever had it just now.
#[tokio::test]
async fn a_request_ends_while_a_task_of_its_own_goes_on_committing() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let request = client.request(&sessions).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let session = request.session.clone();
    let busy = spawn(async move {
        for n in 0..1000 {
            let count = session.transact(|values| values.set("n", &n));
            count.await.unwrap();
        }
    });
    gate.reached().await;
    let mut ends = Box::pin(request.respond());
    assert!(ends.as_mut().now_or_never().is_none());
    gate.open();
    ends.await;
    assert!(!busy.is_finished());
    busy.await.unwrap();
    assert_eq!(client.get(&sessions, "n").await, Some(999));
}
