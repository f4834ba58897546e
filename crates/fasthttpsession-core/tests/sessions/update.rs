//! `update`, which runs again at the commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fasthttpsession_core::{Error, Limits, Outcome, Session, TransactError};
use futures_util::FutureExt as _;

use crate::faulty::{Fault, Op};
use crate::support::{Client, World};

type Act = fn(&Session) -> Result<(), Error>;

#[tokio::test]
async fn an_update_runs_again_on_what_another_committed() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let runs = Arc::new(AtomicUsize::new(0));
    for (conflicting, expected) in [(false, 1), (true, 3)] {
        runs.store(0, Ordering::SeqCst);
        let (request, counter) = (client.request(&sessions).await, Arc::clone(&runs));
        let add = move |n: &mut u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            *n += 10;
        };
        request.update("n", add).unwrap();
        if conflicting {
            client.clone().visit(&sessions, |s| s.set("n", &5)).await;
            world
                .store
                .first(Op::Replace, [Fault::None, Fault::Outrun(1)]);
        }
        request.respond().await;
        // Without a conflict, the run in the handler is enough.
        assert!(runs.load(Ordering::SeqCst) <= expected);
    }
    assert_eq!(client.get(&sessions, "n").await, Some(15));
}

#[tokio::test]
async fn an_update_does_not_run_again_because_a_transaction_failed() {
    let world = World::new();
    let sessions = world.sessions();
    for client in [Client::new(), Client::with(&sessions, "n", 1).await] {
        let request = client.request(&sessions).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&runs);
        let add = move |n: &mut u64| {
            counter.fetch_add(1, Ordering::SeqCst);
            *n += 10;
        };
        request.update("n", add).unwrap();
        let failed = request.transact(|_| Err::<(), _>("no")).await;
        assert!(matches!(failed, Err(TransactError::Aborted("no"))));
        request.respond().await;
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn an_update_that_refuses_at_once_is_not_recorded() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    let refused = request.update("n", |n: &mut u64| {
        *n = 100;
        Err("no")
    });
    assert!(matches!(refused, Err(Error::Refused { .. })));
    assert_eq!(refused.unwrap_err().status(), 409);
    assert_eq!(request.get("n").unwrap(), Some(1_u64));
    assert_eq!(request.save().await.unwrap(), Outcome::Unchanged);
}

#[tokio::test]
async fn an_update_that_refuses_at_the_commit_aborts_all_of_it() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "stock", 1).await;
    let request = client.request(&sessions).await;
    request.set("ordered", &1).unwrap();
    let take = |stock: &mut u64| match stock.checked_sub(1) {
        Some(left) => {
            *stock = left;
            Ok(())
        }
        None => Err("sold out"),
    };
    request.update("stock", take).unwrap();
    client
        .clone()
        .visit(&sessions, |s| s.update("stock", take))
        .await;
    let error = request.finish().await.err().unwrap();
    assert!(matches!(error, Error::Refused { .. }));
    assert_eq!(client.request(&sessions).await.keys(), ["stock"]);
}

#[tokio::test]
async fn an_update_may_read_the_session_it_is_of() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    let (session, runs) = (request.session.clone(), AtomicUsize::new(0));
    let curious = move |n: &mut u64| {
        assert!(runs.fetch_add(1, Ordering::SeqCst) < 100, "it never ends");
        *n = session.get::<u64>("n").unwrap().unwrap() + 1;
    };
    request.update("n", curious).unwrap();
    request.respond().await;
    assert_eq!(client.get(&sessions, "n").await, Some(2));
}

/// As another task of the request may do at that moment.
#[tokio::test]
async fn an_update_runs_again_if_the_value_was_set_while_it_ran() {
    let world = World::new();
    let sessions = world.sessions();
    for (client, before) in [
        (Client::with(&sessions, "n", 1).await, "another value"),
        (Client::with(&sessions, "other", 1).await, "no value"),
    ] {
        let request = client.request(&sessions).await;
        let (session, runs) = (request.session.clone(), AtomicUsize::new(0));
        let add = move |n: &mut u64| {
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                let session = session.clone();
                let set = thread::spawn(move || session.set("n", &10));
                set.join().unwrap().unwrap();
            }
            *n += 1;
        };
        request.update("n", add).unwrap();
        request.respond().await;
        let after = client.get(&sessions, "n").await;
        assert_eq!(after, Some(11), "there was {before}");
    }
}

/// Its destructor may look at the session, as one that logs does.
#[tokio::test]
async fn an_update_that_is_dropped_may_use_the_session_it_is_of() {
    struct Looks(Session);
    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(self.0.len() < 2);
        }
    }
    let acts: [(Act, usize); 4] = [
        (|s| s.logout(), 1),
        (
            |s| {
                discard_amid_a_transaction(s);
                Ok(())
            },
            1,
        ),
        (|s| s.remove("text"), 1),
        (|s| s.clear(), 1000), // more than it may have, so that it is refused
    ];
    for (act, length) in acts {
        let world = World::new();
        let limits = Limits::default().record_bytes(300);
        let sessions = world.builder().limits(limits).build().unwrap();
        let request = Client::new().request(&sessions).await;
        let looks = Looks(request.session.clone());
        let (done, ended) = mpsc::channel();
        // It would hang in the lock of its own thread.
        thread::spawn(move || {
            let updated = request.update("text", move |text: &mut String| {
                let _ = &looks;
                *text = "x".repeat(length);
            });
            assert_eq!(updated.is_ok(), length == 1);
            act(&request).unwrap();
            request.finish().now_or_never().unwrap().unwrap();
            done.send(()).unwrap();
        });
        ended.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}

/// Which has taken along what was written, and aborts.
fn discard_amid_a_transaction(session: &Session) {
    let aborted = session.transact(|_| {
        session.discard();
        Err::<(), _>(Error::Ended)
    });
    assert!(aborted.now_or_never().unwrap().is_err());
}
