//! Requests whose own commit is kept without being polled, and does not end.

use std::time::Duration;

use fasthttpsession_core::{Error, Session, Sessions};
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
        assert!(
            matches!(&unknown, Error::OutcomeUnknown { handle, source: Some(_) } if *handle == client.handle()),
            "{unknown:?}"
        );
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
