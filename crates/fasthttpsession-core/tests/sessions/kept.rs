//! Requests whose own commit is kept without being polled, and does not end.

use std::time::Duration;

use fasthttpsession_core::{Error, Session, Sessions, StoreErrorKind, TransactError};
use futures_util::FutureExt as _;

use crate::faulty::{Fault, Gate, Op};
use crate::support::{Client, World};

type Act = fn(&Session) -> Result<(), Error>;

fn impatient(world: &World) -> Sessions {
    let builder = world.builder();
    let patience = Duration::from_millis(1);
    builder.patience_for_tests(patience).build().unwrap()
}

/// A handler that leaves a future of its own to nobody: what it does may land yet.
#[tokio::test]
async fn a_request_does_not_end_well_before_its_own_commit_that_is_not_polled() {
    let world = World::new();
    let sessions = impatient(&world);
    let client = Client::with(&sessions, "n", 0).await;
    let acts: [(Act, Op, u64); 2] = [
        (|s| s.update("n", |n: &mut u64| *n += 1), Op::Replace, 1),
        (|s| s.logout(), Op::Delete, 0),
    ];
    for (act, op, records) in acts {
        let request = client.request(&sessions).await;
        act(&request).unwrap();
        let gate = Gate::new();
        world.store.first(op, [Fault::HoldAnswer(gate.clone())]);
        let mut kept = Box::pin(request.save());
        assert!(kept.as_mut().now_or_never().is_none());
        gate.reached().await;
        let unknown = request.finish().await.err().unwrap();
        assert!(is_unknown(&unknown, &client), "{unknown:?}");
        gate.open();
        kept.await.unwrap();
        assert_eq!(world.records().await, records);
        if records > 0 {
            assert_eq!(client.get(&sessions, "n").await, Some(1));
        }
    }
}

/// A record of which nobody ever learns the secret is as good as none.
#[tokio::test]
async fn a_request_whose_first_record_is_not_polled_can_be_made_again() {
    let world = World::new();
    let sessions = impatient(&world);
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    let gate = Gate::new();
    world
        .store
        .first(Op::Create, [Fault::HoldAnswer(gate.clone())]);
    let mut kept = Box::pin(request.save());
    assert!(kept.as_mut().now_or_never().is_none());
    gate.reached().await;
    let error = request.finish().await.err().unwrap();
    assert!(matches!(
        error,
        Error::Store {
            operation: "create",
            ..
        }
    ));
    assert!(error.is_retryable());
}

/// A handler that keeps one future of its own, as `select!` does, and awaits another.
#[tokio::test]
async fn a_commit_behind_one_that_is_not_polled_fails_in_time() {
    let world = World::new();
    let sessions = impatient(&world);
    let client = Client::with(&sessions, "n", 0).await;
    let request = client.request(&sessions).await;
    request.update("n", |n: &mut u64| *n += 1).unwrap();
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let mut kept = Box::pin(request.save());
    assert!(kept.as_mut().now_or_never().is_none());
    gate.reached().await;
    request.set("saved", &1).unwrap();
    let saved = request.save().await.unwrap_err();
    assert!(is_unknown(&saved, &client), "{saved:?}");
    let transacted = request.transact(|values| values.set("transacted", &1));
    let Err(TransactError::Session(transacted)) = transacted.await else {
        panic!("it is not this one's turn")
    };
    assert!(is_unknown(&transacted, &client), "{transacted:?}");
    gate.open();
    kept.await.unwrap();
    request.respond().await;
    // What failed is not committed behind anyone's back.
    let next = client.request(&sessions).await;
    assert_eq!(next.keys(), ["n"]);
    assert_eq!(next.get("n").unwrap(), Some(1_u64));
}

fn is_unknown(error: &Error, client: &Client) -> bool {
    matches!(error, Error::OutcomeUnknown { handle, source: Some(_) } if *handle == client.handle())
}

#[tokio::test]
async fn a_session_whose_loading_is_not_polled_is_asked_for_in_vain_but_not_for_ever() {
    let world = World::new();
    let sessions = impatient(&world);
    let client = Client::with(&sessions, "n", 0).await;
    let exchange = client.begin(&sessions);
    let gate = Gate::new();
    world.store.first(Op::Load, [Fault::HoldCall(gate.clone())]);
    let mut kept = Box::pin(exchange.session());
    assert!(kept.as_mut().now_or_never().is_none());
    gate.reached().await;
    let error = exchange.session().await.unwrap_err();
    assert!(
        matches!(&error, Error::Store { operation: "load", source } if source.kind() == StoreErrorKind::Timeout),
        "{error:?}"
    );
    gate.open();
    assert_eq!(kept.await.unwrap().get("n").unwrap(), Some(0_u64));
}
