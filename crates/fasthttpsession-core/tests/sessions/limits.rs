//! G13, bounded: sizes, numbers and patience have limits, each with a typed error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fasthttpsession_core::{Error, Limits, Outcome, Session, StoreErrorKind, TransactError};

use crate::faulty::{Fault, Op};
use crate::support::{Client, World};

#[tokio::test]
async fn values_are_limited_in_bytes_and_number_and_what_exceeds_changes_nothing() {
    let world = World::new();
    let limits = Limits::default().record_bytes(256).values(3);
    let sessions = world.builder().limits(limits).build().unwrap();
    let request = Client::new().request(&sessions).await;
    let huge = request.set("a", &"x".repeat(300)).unwrap_err();
    assert!(matches!(huge, Error::TooLarge { limit: 256, bytes } if bytes > 300));
    assert_eq!(huge.status(), 413);
    for key in ["a", "b", "c"] {
        request.set(key, &1).unwrap();
    }
    let many = request.set("d", &1).unwrap_err();
    assert!(matches!(many, Error::TooManyValues { limit: 3 }));
    let many = request.update("d", |n: &mut u64| *n += 1).unwrap_err();
    assert!(matches!(many, Error::TooManyValues { limit: 3 }));
    request.set("a", &2).unwrap();
    request.remove("b").unwrap();
    request.set("d", &1).unwrap();
    let transacted = request.transact(|values| values.set("e", &1)).await;
    assert!(matches!(
        transacted,
        Err(TransactError::Aborted(Error::TooManyValues { .. }))
    ));
    let mut client = Client::new();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["a", "c", "d"]);
}

#[tokio::test]
async fn the_limit_in_bytes_is_exact() {
    let world = World::new();
    let limits = Limits::default().record_bytes(256);
    let sessions = world.builder().limits(limits).build().unwrap();
    // 2 bytes and the key, 2 for the length, and quotes in JSON.
    let fits = "x".repeat(256 - 2 - 1 - 2 - 2);
    let request = Client::new().request(&sessions).await;
    request.set("k", &fits).unwrap();
    let more = request.set("k", &format!("{fits}x")).unwrap_err();
    assert!(matches!(
        more,
        Error::TooLarge {
            bytes: 257,
            limit: 256
        }
    ));
    request.set("l", &1).unwrap_err();
}

#[tokio::test]
async fn what_a_larger_limit_let_in_may_shrink_but_not_grow() {
    let world = World::new();
    let mut client = Client::new();
    let roomy = world.sessions();
    client
        .visit(&roomy, |s| s.set("big", &"x".repeat(2000)))
        .await;
    client.visit(&roomy, |s| s.set("small", &1)).await;
    let limits = Limits::default().record_bytes(1000).values(1);
    let tight = world.builder().limits(limits).build().unwrap();
    let request = client.request(&tight).await;
    request.set("big", &"x".repeat(2001)).unwrap_err();
    request.set("third", &1).unwrap_err();
    request.set("small", &2).unwrap();
    request.set("big", &"x".repeat(1500)).unwrap();
    request.respond().await;
    let text = client.request(&roomy).await.get::<String>("big").unwrap();
    assert_eq!(text.unwrap().len(), 1500);
}

#[tokio::test]
async fn keys_have_1_to_255_bytes() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    for key in ["", &"k".repeat(256)] {
        let request = client.request(&sessions).await;
        let (bytes, set) = (key.len(), request.set(key, &1));
        assert!(matches!(set, Err(Error::InvalidKey { bytes: found }) if found == bytes));
        let updated = request.update(key, |n: &mut u64| assert_eq!(*n, 1, "not run"));
        assert!(matches!(updated, Err(Error::InvalidKey { .. })));
        assert_eq!(request.get::<u64>(key).unwrap(), None);
        request.remove(key).unwrap();
        request.respond().await;
    }
    for key in ["k".repeat(255), "\0".into(), "ключ".into(), "=;\r\n".into()] {
        client.visit(&sessions, |s| s.set(&key, &1)).await;
        assert_eq!(client.get(&sessions, &key).await, Some(1));
    }
}

#[tokio::test]
async fn a_commit_that_others_keep_winning_over_gives_up() {
    let world = World::new();
    let sessions = world
        .builder()
        .limits(Limits::default().retries(3))
        .build()
        .unwrap();
    let client = Client::with(&sessions, "n", 1).await;
    world.store.script(|op, _| match op {
        Op::Replace => Fault::Outrun(1),
        _ => Fault::None,
    });
    let request = client.request(&sessions).await;
    let mut runs = 0;
    let result = request.transact(|values| {
        runs += 1;
        values.set("n", &2)
    });
    let Err(TransactError::Session(error)) = result.await else {
        panic!("it can't have won")
    };
    assert!(
        matches!(error, Error::Contention { conflicts: 4, handle } if handle == client.handle())
    );
    assert!(error.is_retryable());
    assert_eq!((runs, world.store.count(Op::Replace)), (4, 4));
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_commit_that_lost_as_often_as_it_may_wins_at_its_last_try() {
    let world = World::new();
    let sessions = world
        .builder()
        .limits(Limits::default().retries(3))
        .build()
        .unwrap();
    let client = Client::with(&sessions, "n", 1).await;
    world.store.first(
        Op::Replace,
        [Fault::Outrun(1), Fault::Outrun(2), Fault::Outrun(1)],
    );
    let request = client.request(&sessions).await;
    request.set("n", &2).unwrap();
    assert_eq!(request.save().await.unwrap(), Outcome::Committed);
    assert_eq!(world.store.count(Op::Replace), 4);
    assert_eq!(client.get(&sessions, "n").await, Some(2));
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn a_generator_that_repeats_itself_finds_no_free_handle() {
    let world = World::new();
    let sessions = world
        .builder()
        .limits(Limits::default().retries(4))
        .system_generator_for_tests(|bytes| {
            bytes.fill(7);
            Ok(())
        })
        .build()
        .unwrap();
    let first = Client::with(&sessions, "n", 1).await;
    world.store.heal();
    let request = Client::new().request(&sessions).await;
    request.set("n", &2).unwrap();
    let error = request.finish().await.err().unwrap();
    assert!(
        matches!(error, Error::NoFreeHandle { tries: 5 }),
        "{error:?}"
    );
    assert_eq!(world.store.count(Op::Create), 5);
    assert_eq!(first.get(&sessions, "n").await, Some(1));
}

/// A failing generator is an error, and nothing is written ("a short read is an error", 7.2.3).
#[cfg(feature = "testing")]
#[tokio::test]
async fn a_generator_that_fails_is_an_error_and_nothing_is_written() {
    let world = World::new();
    let failing = world
        .builder()
        .renew_every(crate::support::MINUTE)
        .system_generator_for_tests(|_| Err("no entropy".into()))
        .build()
        .unwrap();
    let client = Client::with(&world.sessions(), "n", 1).await;
    world.store.heal();
    let visitor = Client::new().request(&failing).await;
    visitor.set("n", &2).unwrap();
    let error = visitor.finish().await.err().unwrap();
    assert!(matches!(error, Error::Random { .. }));
    let known = client.request(&failing).await;
    assert!(matches!(known.login("ada"), Err(Error::Random { .. })));
    assert!(matches!(known.rotate(), Err(Error::Random { .. })));
    assert!(matches!(known.reauthenticated(), Err(Error::Random { .. })));
    assert_eq!(known.principal(), None);
    known.respond().await;
    assert_eq!(world.store.writes(), 0);
    // A renewal that is due can wait.
    world.clock.advance(2 * crate::support::MINUTE);
    let request = client.request(&failing).await;
    request.set("n", &3).unwrap();
    assert_eq!(request.respond().await.cookie(), None);
    assert_eq!(client.get(&failing, "n").await, Some(3));
}

#[tokio::test]
async fn a_new_session_avoids_a_server_that_is_down() {
    let world = World::new();
    let sessions = world.sessions();
    let down = || Fault::RefuseHere(StoreErrorKind::Unavailable);
    world.store.first(Op::Create, [down(), down(), down()]);
    let client = Client::with(&sessions, "n", 1).await;
    assert_eq!(world.store.count(Op::Create), 4);
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_new_session_finds_all_servers_down_within_eight_tries() {
    for (limits, tries) in [(Limits::default().retries(4), 5), (Limits::default(), 8)] {
        let world = World::new();
        let sessions = world.builder().limits(limits).build().unwrap();
        world.store.script(|op, _| match op {
            Op::Create => Fault::RefuseHere(StoreErrorKind::Unavailable),
            _ => Fault::None,
        });
        let request = Client::new().request(&sessions).await;
        request.set("n", &1).unwrap();
        let error = request.finish().await.err().unwrap();
        assert!(matches!(error, Error::Store { .. }), "{error:?}");
        assert_eq!(world.store.count(Op::Create), tries);
    }
}

#[tokio::test]
async fn a_full_store_is_an_error_and_the_visitor_gets_no_cookie() {
    let world = World::new();
    let sessions = world.sessions();
    world
        .store
        .first(Op::Create, [Fault::Refuse(StoreErrorKind::Full)]);
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    let error = request.finish().await.err().unwrap();
    assert_eq!((error.status(), world.store.count(Op::Create)), (503, 1));
    assert!(request.finish().await.unwrap().0.is_empty());
}

/// The log grows with the keys, not with the writes.
#[tokio::test]
async fn a_hundred_thousand_writes_of_one_key_are_one() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    for n in 0..50_000 {
        request.set("text", &n).unwrap();
        request.remove("text").unwrap();
    }
    request.set("text", "last").unwrap();
    // Somebody was first, so that the log is applied and not the view.
    client.clone().visit(&sessions, |s| s.set("n", &2)).await;
    request.respond().await;
    let request = client.request(&sessions).await;
    assert_eq!(request.get::<String>("text").unwrap().unwrap(), "last");
    assert_eq!(request.get("n").unwrap(), Some(2_u64));
}

#[tokio::test]
async fn several_values_are_set_all_or_none() {
    let world = World::new();
    let limits = Limits::default().values(3);
    let sessions = world.builder().limits(limits).build().unwrap();
    let mut client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    let too_many = request.set_all([("a", 1), ("b", 2), ("c", 3)]);
    assert!(matches!(too_many, Err(Error::TooManyValues { limit: 3 })));
    assert_eq!(request.keys(), ["n"]);
    request.set_all([("a", 1), ("b", 2)]).unwrap();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["a", "b", "n"]);
}

/// What it wrote would be written as often as it runs.
#[tokio::test]
async fn the_closure_of_an_update_writes_to_no_session() {
    type Write = fn(&Session) -> Result<(), Error>;
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let request = client.request(&sessions).await;
    let writes: [Write; 5] = [
        |session| session.update("n", |n: &mut u64| *n += 1),
        |session| session.set("m", &1),
        |session| session.remove("m"),
        |session| session.login("ada"),
        Session::logout,
    ];
    for write in writes {
        let session = request.session.clone();
        let inside = move |n: &mut u64| {
            write(&session)?;
            *n += 1;
            Ok::<_, Error>(())
        };
        let refused = request.update("n", inside).unwrap_err();
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
        let said = refused.to_string();
        assert!(said.contains("transact"), "{said}");
        assert_eq!(said.matches("refused").count(), 1, "{said}");
    }
    // It may read.
    let session = request.session.clone();
    let inside = move |n: &mut u64| {
        *n += 1 + session.get::<u64>("m")?.unwrap_or_default();
        Ok::<_, Error>(())
    };
    request.update("n", inside).unwrap();
    // And once it has ended or panicked, others write.
    let panics = catch_unwind(AssertUnwindSafe(|| {
        request.update("n", |n: &mut u64| assert!(*n > 1, "on purpose"))
    }));
    assert!(panics.is_err());
    request.set("m", &7).unwrap();
    request.respond().await;
    assert_eq!(client.get(&sessions, "n").await, Some(1));
    assert_eq!(client.get(&sessions, "m").await, Some(7));
}

/// Nor when it runs again, at the commit.
#[tokio::test]
async fn the_closure_of_an_update_writes_to_no_session_at_the_commit() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let request = client.request(&sessions).await;
    let (session, mut is_first) = (request.session.clone(), true);
    let inside = move |n: &mut u64| {
        if !std::mem::take(&mut is_first) {
            session.set("m", &1)?;
        }
        *n += 1;
        Ok::<_, Error>(())
    };
    request.update("n", inside).unwrap();
    client
        .clone()
        .visit(&sessions, |s| s.update("n", |n: &mut u64| *n += 1))
        .await;
    let refused = request.save().await.unwrap_err();
    assert!(refused.to_string().contains("transact"), "{refused}");
    request.respond().await;
    assert_eq!(client.get(&sessions, "n").await, Some(1));
    assert_eq!(client.get(&sessions, "m").await, None);
}

#[tokio::test]
async fn a_request_removes_no_more_keys_than_a_session_may_have_beside_its_own() {
    let world = World::new();
    let limits = Limits::default().values(2);
    let sessions = world.builder().limits(limits).build().unwrap();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| s.set_all([("a", 1), ("b", 2)]))
        .await;
    let request = client.request(&sessions).await;
    for key in ["a", "b"] {
        request.remove(key).unwrap();
    }
    for n in 0..1023 {
        request.remove(format!("key {n}")).unwrap();
    }
    request.set("z", &1).unwrap();
    request.remove("z").unwrap();
    request.set("kept", &1).unwrap();
    for key in ["one more", "kept"] {
        let many = request.remove(key).unwrap_err();
        assert!(matches!(many, Error::TooManyRemovals { limit: 1026 }));
        assert_eq!(many.status(), 413);
    }
    request.remove("a").unwrap();
    // What is no key is there in no session.
    for no_key in [String::new(), "k".repeat(256)] {
        request.remove(no_key).unwrap();
    }
    request.respond().await;
    assert_eq!(client.request(&sessions).await.keys(), ["kept"]);
}
