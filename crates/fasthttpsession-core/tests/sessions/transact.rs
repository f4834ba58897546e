//! `transact`: one atomic step whose result is the winning run's.

use fasthttpsession_core::{
    Error, Limits, Outcome, Session, StoreErrorKind, TransactError, Values,
};
use futures_util::FutureExt as _;

use crate::faulty::{Fault, Op};
use crate::support::{Client, World};

#[tokio::test]
async fn the_closure_may_borrow_and_the_winning_run_returns() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let rival = client.clone();
    world.store.first(Op::Replace, [Fault::Outrun(1)]);
    let request = client.request(&sessions).await;
    let (mut runs, name) = (Vec::new(), String::from("n"));
    let result = request.transact(|values| {
        let n = values.get::<u64>(&name)?.unwrap_or(0) + 1;
        runs.push(n);
        values.set(&name, &n)?;
        Ok::<_, Error>(&name)
    });
    assert_eq!(result.await.unwrap(), "n");
    assert_eq!(runs, [2, 2]);
    assert_eq!(rival.get(&sessions, "n").await, Some(2));
}

#[tokio::test]
async fn after_a_conflict_the_result_is_of_the_run_that_was_committed() {
    use crate::faulty::Gate;
    let world = World::new();
    let (ours, theirs) = (world.sessions(), world.sessions());
    let mut client = Client::with(&ours, "n", 1).await;
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let request = client.request(&ours).await;
    let draw = tokio::spawn(async move {
        let draw = request.transact(|values| {
            let n = values.get::<u64>("n")?.unwrap_or(0) + 1;
            values.set("n", &n)?;
            Ok::<_, Error>(n)
        });
        draw.await.unwrap()
    });
    gate.reached().await;
    client.visit(&theirs, |s| s.set("n", &10)).await;
    gate.open();
    assert_eq!(draw.await.unwrap(), 11);
    assert_eq!(client.get(&ours, "n").await, Some(11));
}

/// What a transaction returns was there when it was committed, also if the request has written the same before.
#[tokio::test]
async fn who_writes_once_more_what_others_changed_meanwhile_has_it_written() {
    type Act = fn(&mut Values) -> Result<(), Error>;
    let acts: [(Act, _); 3] = [
        (|values| values.set("door", &1), Some(1)),
        (
            |values| {
                values.set("door", &1)?;
                values.take::<u64>("door").map(drop)
            },
            None,
        ),
        (
            |values| {
                values.clear();
                Ok(())
            },
            None,
        ),
    ];
    for (act, expected) in acts {
        let world = World::new();
        let (ours, theirs) = (world.sessions(), world.sessions());
        let mut client = Client::with(&ours, "door", 0).await;
        let request = client.request(&ours).await;
        for again in [false, true] {
            request.transact(act).await.unwrap();
            let door = client.get(&ours, "door").await;
            assert_eq!(door, expected, "again: {again}");
            client.visit(&theirs, |s| s.set("door", &0)).await;
        }
    }
}

#[tokio::test]
async fn its_future_may_be_sent_to_another_thread() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::with(&sessions, "n", 1)
        .await
        .request(&sessions)
        .await;
    let session = request.session.clone();
    let task = tokio::spawn(async move {
        let n = session.transact(|values| values.get::<u64>("n")).await;
        session.save().await.unwrap();
        n.unwrap()
    });
    assert_eq!(task.await.unwrap(), Some(1));
}

#[tokio::test]
async fn an_error_writes_nothing_and_leaves_what_was_pending() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    for conflict in [false, true] {
        let request = client.request(&sessions).await;
        request.set("pending", &1).unwrap();
        request.update("n", |n: &mut u64| *n += 1).unwrap();
        request.rotate().unwrap();
        if conflict {
            world.store.first(Op::Replace, [Fault::Outrun(1)]);
        } else {
            world.store.heal();
        }
        let mut runs = 0;
        let result = request.transact(|values| {
            runs += 1;
            values.set("n", &100).unwrap();
            values.clear();
            if runs == 1 && conflict {
                Ok(())
            } else {
                Err("no")
            }
        });
        assert!(matches!(result.await, Err(TransactError::Aborted("no"))));
        assert_eq!(world.store.writes(), usize::from(conflict));
        assert_eq!(
            client.request(&sessions).await.contains("pending"),
            conflict
        );
        client.receive(&request.respond().await);
        assert_eq!(client.request(&sessions).await.keys(), ["n", "pending"]);
    }
    assert_eq!(client.get(&sessions, "n").await, Some(3));
}

#[tokio::test]
async fn an_error_of_a_visitor_makes_no_record() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::new().request(&sessions).await;
    request.set("pending", &1).unwrap();
    let result = request.transact(|values| {
        values.set("n", &1).unwrap();
        Err::<(), _>("no")
    });
    assert!(matches!(result.await, Err(TransactError::Aborted("no"))));
    assert_eq!(world.records().await, 0);
    let mut client = Client::new();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["pending"]);
}

#[tokio::test]
async fn a_visitor_who_transacts_has_a_session() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::new().request(&sessions).await;
    request
        .transact(|values| values.set("n", &1))
        .await
        .unwrap();
    assert_eq!(world.records().await, 1);
    request
        .transact(|values| values.set("m", &1))
        .await
        .unwrap();
    let mut client = Client::new();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["m", "n"]);
    assert_eq!(world.records().await, 1);
}

#[tokio::test]
async fn what_a_visitor_took_out_does_not_come_back() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::new().request(&sessions).await;
    request.set("ticket", &7).unwrap();
    let taken = request
        .transact(|values| values.take::<u64>("ticket"))
        .await;
    assert_eq!(taken.unwrap(), Some(7));
    let again = request
        .transact(|values| values.take::<u64>("ticket"))
        .await;
    assert_eq!(again.unwrap(), None);
    assert!(!request.contains("ticket"));
    request.set("n", &1).unwrap();
    let mut client = Client::new();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["n"]);
}

#[tokio::test]
async fn a_closure_that_changes_nothing_writes_nothing() {
    let world = World::new();
    let sessions = world.sessions();
    for client in [Client::new(), Client::with(&sessions, "n", 1).await] {
        world.store.heal();
        let request = client.request(&sessions).await;
        let n = request.transact(|values| {
            values.remove("absent");
            values.get::<u64>("n")
        });
        n.await.unwrap();
        assert_eq!(request.respond().await.cookie(), None);
        assert_eq!(world.store.writes(), 0);
    }
}

#[tokio::test]
async fn it_works_after_the_request_is_finished_on_the_record_as_it_is_now() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.respond().await;
    client.visit(&sessions, |s| s.set("n", &5)).await;
    client
        .visit(&sessions, fasthttpsession_core::Session::rotate)
        .await;
    let read = request.transact(|values| values.get::<u64>("n")).await;
    assert_eq!(read.unwrap(), Some(5));
    request
        .transact(|values| values.set("m", &6))
        .await
        .unwrap();
    assert_eq!(client.get(&sessions, "m").await, Some(6));
    assert_eq!(request.get("m").unwrap(), Some(6_u64));
    client
        .visit(&sessions, fasthttpsession_core::Session::logout)
        .await;
    let ended = request.transact(|values| values.get::<u64>("n")).await;
    assert!(matches!(ended, Err(TransactError::Session(Error::Ended))));
}

#[tokio::test]
async fn it_has_ended_after_a_finished_logout() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    for client in [client, Client::new()] {
        let request = client.request(&sessions).await;
        request.logout().unwrap();
        request.respond().await;
        let ended = request.transact(|values| values.set("n", &1)).await;
        assert!(matches!(ended, Err(TransactError::Session(Error::Ended))));
    }
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn it_has_ended_when_somebody_signed_in() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let (under_way, finished) = (
        client.request(&sessions).await,
        client.request(&sessions).await,
    );
    finished.respond().await;
    client.visit(&sessions, |s| s.login("ada")).await;
    for request in [under_way, finished] {
        let ended = request.transact(|values| values.set("n", &2)).await;
        assert!(matches!(ended, Err(TransactError::Session(Error::Ended))));
    }
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_panic_leaves_the_record_untouched_and_the_session_usable() {
    let world = World::new();
    let sessions = world.sessions();
    let known = Client::with(&sessions, "n", 1).await;
    for client in [Client::new(), known.clone()] {
        world.store.heal();
        let request = client.request(&sessions).await;
        let result = request.transact(|values| -> Result<(), Error> {
            values.set("n", &2)?;
            panic!("a bug of the application's")
        });
        let panic = std::panic::AssertUnwindSafe(result)
            .catch_unwind()
            .await
            .err()
            .unwrap();
        assert_eq!(
            *panic.downcast::<&str>().unwrap(),
            "a bug of the application's"
        );
        assert_eq!(world.store.writes(), 0);
        request
            .transact(|values| values.set("m", &3))
            .await
            .unwrap();
    }
    assert_eq!(known.request(&sessions).await.keys(), ["m", "n"]);
    assert_eq!(known.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn the_store_failing_is_not_the_closures_error() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    world
        .store
        .first(Op::Replace, [Fault::Refuse(StoreErrorKind::TooLarge)]);
    let request = client.request(&sessions).await;
    let result = request.transact(|values| values.set("n", &2)).await;
    let Err(TransactError::Session(error)) = result else {
        panic!("it was refused")
    };
    assert_eq!(error.status(), 413);
}

#[tokio::test]
async fn modify_is_the_same_from_outside() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    world.store.first(Op::Replace, [Fault::Outrun(2)]);
    let mut runs = 0;
    let modified = sessions.modify(client.handle(), |values| {
        runs += 1;
        values.set("n", &runs)
    });
    assert_eq!(modified.await.unwrap(), Some(()));
    assert_eq!(client.get(&sessions, "n").await, Some(2));
    let aborted = sessions
        .modify(client.handle(), |_| Err::<(), _>("no"))
        .await;
    assert!(matches!(aborted, Err(TransactError::Aborted("no"))));
    let modified = sessions.modify(client.handle(), |values| values.get::<u64>("n"));
    assert_eq!(modified.await.unwrap(), Some(Some(2)));
    assert!(client.is_known(&sessions).await);
}

#[tokio::test]
async fn a_transaction_may_look_at_the_session_it_is_of() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::with(&sessions, "n", 1)
        .await
        .request(&sessions)
        .await;
    let seen = request.transact(|_| request.get::<u64>("n")).await;
    assert_eq!(seen.unwrap(), Some(1));
}

#[tokio::test]
async fn writes_during_a_save_belong_to_the_next_commit() {
    use crate::faulty::Gate;
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.update("n", |n: &mut u64| *n += 1).unwrap();
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let session = request.session.clone();
    let save = tokio::spawn(async move { session.save().await.unwrap() });
    gate.reached().await;
    request.update("n", |n: &mut u64| *n += 10).unwrap();
    request.set("late", &1).unwrap();
    client.clone().visit(&sessions, |_| Ok(())).await;
    gate.open();
    assert_eq!(save.await.unwrap(), Outcome::Committed);
    assert_eq!(client.get(&sessions, "n").await, Some(2));
    request.update("n", |n: &mut u64| *n += 100).unwrap();
    request.respond().await;
    assert_eq!(client.get(&sessions, "n").await, Some(112));
    assert_eq!(client.get(&sessions, "late").await, Some(1));
}

/// Of another task of the request, say.
#[tokio::test]
async fn what_a_transaction_did_is_seen_beside_what_was_written_meanwhile() {
    let world = World::new();
    let sessions = world.sessions();
    for client in [
        Client::new(),
        Client::signed_in(&sessions, "ada").await,
        Client::with(&sessions, "gone", 1).await,
    ] {
        let mut client = client;
        let request = client.request(&sessions).await;
        request.set("both", &1).unwrap();
        let committed = request.transact(|values| {
            request.set("late", &2)?;
            request.update("both", |both: &mut u64| *both += 10)?;
            request.remove("removed")?;
            request.set_label("late")?;
            values.set("removed", &1)?;
            values.remove("gone");
            values.set("n", &7)
        });
        committed.await.unwrap();
        let seen = |session: &Session| (session.keys(), session.entries::<u64>().unwrap());
        let names = ["both", "late", "n"].map(str::to_owned).to_vec();
        let values = [11, 2, 7];
        let expected = names.iter().cloned().zip(values).collect();
        assert_eq!(seen(&request), (names, expected));
        assert_eq!(request.label().unwrap().as_str(), "late");
        let before = seen(&request);
        client.receive(&request.respond().await);
        assert_eq!(seen(&client.request(&sessions).await.session), before);
    }
}

/// The view of another principal is another one.
#[tokio::test]
async fn a_sign_in_during_a_transaction_shows_nothing_of_the_former_user() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    let committed = request.transact(|values| {
        request.login("eve")?;
        request.set("own", &1)?;
        values.set("secret", &7)
    });
    committed.await.unwrap();
    assert_eq!(request.principal().unwrap().as_str(), "eve");
    assert_eq!(request.keys(), ["own"]);
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["own"]);
}

#[tokio::test]
async fn a_closure_that_fails_as_sessions_do_needs_no_error_of_its_own() {
    async fn redeem(session: &Session) -> Result<Option<String>, Error> {
        Ok(session.transact(|values| values.take("coupon")).await?)
    }
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    client.visit(&sessions, |s| s.set("coupon", "free")).await;
    let request = client.request(&sessions).await;
    assert_eq!(redeem(&request).await.unwrap().as_deref(), Some("free"));
    client.visit(&sessions, |s| s.set("coupon", &1)).await;
    let request = client.request(&sessions).await;
    let aborted = redeem(&request).await;
    assert!(matches!(aborted, Err(Error::Decode { .. })));
    client.visit(&sessions, |s| s.set("coupon", "free")).await;
    let request = client.request(&sessions).await;
    assert!(sessions.end(client.handle()).await.unwrap());
    assert!(matches!(redeem(&request).await, Err(Error::Ended)));
}

#[tokio::test]
async fn values_that_are_put_in_place_of_the_sessions_are_committed() {
    let world = World::new();
    let sessions = world.sessions();
    let from = Client::with(&sessions, "n", 1).await;
    let to = Client::with(&sessions, "n", 2).await;
    let source = sessions.read(from.handle()).await.unwrap().unwrap();
    let copied = sessions.modify(to.handle(), |values| {
        *values = source.values.clone();
        Ok::<_, Error>(())
    });
    assert_eq!(copied.await.unwrap(), Some(()));
    assert_eq!(to.get(&sessions, "n").await, Some(1));
}

/// Whatever limits the values came with.
#[tokio::test]
async fn values_that_are_put_in_place_of_the_sessions_have_its_limits() {
    let world = World::new();
    let wide = world.sessions();
    let mut large = Client::new();
    large.visit(&wide, |s| s.set("n", &"x".repeat(1000))).await;
    let values = wide.read(large.handle()).await.unwrap().unwrap().values;
    let limits = Limits::default().record_bytes(300);
    let narrow = world.builder().limits(limits).build().unwrap();
    for client in [Client::new(), Client::with(&narrow, "n", 1).await] {
        let request = client.request(&narrow).await;
        let placed = request.transact(|own| {
            *own = values.clone();
            Ok::<_, Error>(())
        });
        let error = placed.await.unwrap_err();
        assert!(matches!(
            error,
            TransactError::Session(Error::TooLarge { limit: 300, .. })
        ));
    }
}

/// The second factor was wrong, say, while another task of the request had a transaction under way.
#[tokio::test]
async fn what_is_discarded_meanwhile_does_not_come_back_when_a_transaction_aborts() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let request = client.request(&sessions).await;
    request.login("ada").unwrap();
    let session = request.session.clone();
    let aborted = request.transact(|_| {
        session.discard();
        session.set("n", &7).unwrap();
        Err::<(), _>(Error::Ended)
    });
    let aborted = aborted.await.unwrap_err();
    assert!(matches!(aborted, TransactError::Aborted(Error::Ended)));
    request.respond().await;
    let next = client.request(&sessions).await;
    assert_eq!(next.principal(), None);
    assert_eq!(next.get::<u64>("n").unwrap(), Some(7));
}

/// It waits for something to keep; not so what was discarded.
#[tokio::test]
async fn a_visitor_who_discards_meanwhile_keeps_no_label() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    let request = client.request(&sessions).await;
    request.set_label("planted").unwrap();
    let session = request.session.clone();
    let nothing = request.transact(|_| {
        session.discard();
        Ok::<_, Error>(())
    });
    nothing.await.unwrap();
    request.set("n", &1).unwrap();
    client.receive(&request.respond().await);
    let handle = client.handle();
    let found = sessions.read(handle).await.unwrap().unwrap();
    assert_eq!(found.header.label, None);
}
