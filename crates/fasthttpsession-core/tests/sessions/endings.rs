//! G2, logout is final; G3, no adoption; G12, cookies only when they change: sessions that end while requests are under
//! way, and tokens that open nothing.

use fasthttpsession_core::{
    Error, Lifetimes, Outcome, Sessions, StoreErrorKind, TransactError, TwoStores,
};

use crate::faulty::{Fault, Faulty, Gate, Op};
use crate::support::{Client, HOUR, MINUTE, World, opens};

/// How a session ends while a slow request is under way.
#[derive(Clone, Copy, Debug)]
enum Ending {
    Logout,
    End,
    IdleDeadline,
    AbsoluteDeadline,
}

const ENDINGS: [Ending; 4] = [
    Ending::Logout,
    Ending::End,
    Ending::IdleDeadline,
    Ending::AbsoluteDeadline,
];

impl Ending {
    async fn happen(self, world: &World, sessions: &Sessions, client: &Client) {
        match self {
            Self::Logout => {
                client
                    .clone()
                    .visit(sessions, fasthttpsession_core::Session::logout)
                    .await;
            }
            Self::End => assert!(sessions.end(client.handle()).await.unwrap()),
            Self::IdleDeadline => world.clock.advance(HOUR),
            Self::AbsoluteDeadline => {
                for _ in 0..24 * 2 {
                    world.clock.advance(HOUR / 2);
                    if client.is_known(sessions).await {
                        client.clone().visit(sessions, |_| Ok(())).await;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn logout_during_a_slow_request_stays_logged_out() {
    for ending in ENDINGS {
        for persistent in [false, true] {
            let world = World::new();
            let mut cookie = fasthttpsession_core::Cookie::default();
            if persistent {
                cookie = cookie.persistent();
            }
            let sessions = world.builder().cookie(cookie).build().unwrap();
            let mut client = Client::signed_in(&sessions, "ada").await;
            let slow = client.request(&sessions).await;
            slow.set("n", &1).unwrap();
            slow.update("m", |m: &mut u64| *m += 1).unwrap();
            slow.rotate().unwrap();
            slow.set_label("back again").unwrap();
            ending.happen(&world, &sessions, &client).await;
            let response = slow.respond().await;
            assert_eq!(response.cookie(), None, "{ending:?}");
            client.receive(&response);
            assert!(!client.is_known(&sessions).await, "{ending:?}");
            assert_eq!(world.record(&client).await, None, "{ending:?}");
            assert_eq!(world.records().await, 0, "{ending:?}");
        }
    }
}

#[tokio::test]
async fn no_way_to_write_revives_a_session_that_ended() {
    for ending in ENDINGS {
        let world = World::new();
        let sessions = world.sessions();
        let client = Client::signed_in(&sessions, "ada").await;
        let [saved, transacted, finished, reading] = [
            client.request(&sessions).await,
            client.request(&sessions).await,
            client.request(&sessions).await,
            client.request(&sessions).await,
        ];
        finished.respond().await;
        ending.happen(&world, &sessions, &client).await;
        saved.set("n", &1).unwrap();
        assert_eq!(saved.save().await.unwrap(), Outcome::Gone);
        for request in [&transacted, &finished] {
            let result = request.transact(|values| values.set("n", &1)).await;
            assert!(
                matches!(result, Err(TransactError::Session(Error::Ended))),
                "{ending:?}"
            );
        }
        for request in [&saved, &transacted, &reading] {
            assert!(!request.is_alive().await.unwrap());
            assert_eq!(request.respond().await.cookie(), None, "{ending:?}");
        }
        let modified = sessions.modify(client.handle(), |values| values.set("n", &1));
        assert_eq!(modified.await.unwrap(), None);
        assert_eq!(world.records().await, 0, "{ending:?}");
    }
}

#[tokio::test]
async fn a_session_that_ended_between_a_read_and_a_modification_is_not_there() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 0).await;
    let modified = {
        let (sessions, handle) = (sessions.clone(), client.handle());
        let gate = crate::faulty::Gate::new();
        world
            .store
            .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
        let task = tokio::spawn(async move {
            let modify = sessions.modify(handle, |values| values.set("n", &1));
            modify.await.unwrap()
        });
        gate.reached().await;
        assert!(self::end(&world, &client).await);
        gate.open();
        task.await.unwrap()
    };
    assert_eq!(modified, None);
    assert_eq!(world.records().await, 0);
}

async fn end(world: &World, client: &Client) -> bool {
    world.sessions().end(client.handle()).await.unwrap()
}

#[tokio::test]
async fn who_finds_the_session_gone_clears_no_cookie() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let slow = client.request(&sessions).await;
    end(&world, &client).await;
    // On its own read, at its commit, and at its own logout.
    assert_eq!(
        client.request(&sessions).await.respond().await.cookie(),
        None
    );
    slow.set("n", &1).unwrap();
    assert_eq!(slow.save().await.unwrap(), Outcome::Gone);
    slow.logout().unwrap();
    assert_eq!(slow.respond().await.cookie(), None);
}

#[tokio::test]
async fn a_logout_that_finds_its_session_gone_succeeds_and_clears_no_cookie() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let (first, second) = (
        client.request(&sessions).await,
        client.request(&sessions).await,
    );
    first.logout().unwrap();
    second.logout().unwrap();
    assert!(first.respond().await.removes_cookie());
    // Meanwhile a parallel response may have brought a new session.
    assert_eq!(second.respond().await.cookie(), None);
}

#[tokio::test]
async fn logout_ends_it_at_the_store_not_only_in_the_browser() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let copy = client.clone();
    client
        .visit(&sessions, fasthttpsession_core::Session::logout)
        .await;
    assert_eq!(client.token(), None);
    assert_eq!(world.record(&copy).await, None);
    assert!(!copy.is_known(&sessions).await);
}

#[tokio::test]
async fn logout_drops_what_came_before_and_what_follows_begins_a_new_session() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let before = client.clone();
    let request = client.request(&sessions).await;
    request.set("before", &1).unwrap();
    request.logout().unwrap();
    assert!(request.is_empty() && request.handle().is_none() && request.principal().is_none());
    request.set("after", &1).unwrap();
    client.receive(&request.respond().await);
    assert_eq!(client.request(&sessions).await.keys(), ["after"]);
    assert_ne!(client.handle(), before.handle());
    assert!(!before.is_known(&sessions).await);
}

#[tokio::test]
async fn a_logout_that_the_store_refuses_is_an_error_and_ends_nothing() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let refused = fasthttpsession_core::StoreErrorKind::Unavailable;
    world.store.first(Op::Delete, [Fault::Refuse(refused)]);
    let request = client.request(&sessions).await;
    request.logout().unwrap();
    let error = request.finish().await.err().unwrap();
    assert_eq!(error.status(), 503);
    assert!(client.is_known(&sessions).await);
}

#[tokio::test]
async fn unknown_tokens_are_never_adopted() {
    let world = World::new();
    let sessions = world.sessions();
    let known = Client::signed_in(&sessions, "ada").await.token().unwrap();
    let (handle, secret) = known.split_once('.').unwrap();
    let mut wrong = secret.to_owned();
    wrong.replace_range(0..1, if secret.starts_with('A') { "B" } else { "A" });
    let unknown = [
        format!("{}.{secret}", "A".repeat(22)),
        format!("{handle}.{wrong}"),
        format!("{handle}.{secret}AAAA"),
        format!("{handle}.{}", &secret[..20]),
        format!("{handle}.{secret}="),
        format!("{handle}..{secret}"),
        format!("{handle}{secret}"),
        format!(".{secret}"),
        format!("{handle}."),
        handle.to_owned(),
        String::new(),
        format!("{handle}.{}", "A".repeat(4000)),
        format!(" {handle} .{secret}"),
        format!("../../{handle}.{secret}"),
        format!("{handle}.{}", secret.to_uppercase()),
    ];
    let records = world.records().await;
    for token in unknown {
        let mut client = Client::with_token(&token);
        let request = client.request(&sessions).await;
        assert!(request.is_new() && request.handle().is_none(), "{token}");
        assert_eq!(request.respond().await.cookie(), None, "{token}");
        assert_eq!(world.records().await, records, "{token}");
        client.visit(&sessions, |s| s.set("n", &1)).await;
        let adopted = client.token().unwrap();
        assert_ne!(adopted, token);
        assert_ne!(adopted.split_once('.').unwrap().0, handle);
        end(&world, &client).await;
    }
    assert!(opens(&sessions, &known).await);
}

#[tokio::test]
async fn an_expired_token_makes_a_fresh_session_at_the_next_write() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let expired = client.clone();
    world.clock.advance(HOUR);
    let request = client.request(&sessions).await;
    assert!(request.is_new() && request.is_empty());
    assert_eq!(request.respond().await.cookie(), None);
    client.visit(&sessions, |s| s.set("m", &1)).await;
    assert_ne!(client.handle(), expired.handle());
    assert_eq!(client.request(&sessions).await.keys(), ["m"]);
}

/// G4, nothing until something is written.
#[tokio::test]
async fn anonymous_requests_logouts_and_unknown_tokens_add_no_records() {
    let world = World::new();
    let sessions = world.sessions();
    world.store.heal();
    Client::new().begin(&sessions).finish().await.unwrap();
    let unasked = Client::with_token(&format!("{}.{}", "A".repeat(22), "A".repeat(22)));
    assert!(unasked.begin(&sessions).finish().await.unwrap().is_empty());
    assert_eq!(world.store.operations(), 0);

    for act in 0..8 {
        let request = Client::new().request(&sessions).await;
        match act {
            0 => {}
            1 => request.logout().unwrap(),
            2 => request.rotate().unwrap(),
            3 => request.reauthenticated().unwrap(),
            4 => request.remove("n").unwrap(),
            5 => request.clear().unwrap(),
            6 => {
                request.set("n", &1).unwrap();
                request.remove("n").unwrap();
            }
            _ => request.set_lifetimes(Lifetimes::aal3()).unwrap(),
        }
        assert_eq!(request.respond().await.cookie(), None, "{act}");
    }
    assert_eq!(world.store.operations(), 0);

    unasked.request(&sessions).await.respond().await;
    assert_eq!(world.store.operations(), 1);
    assert_eq!(world.store.writes(), 0);
}

/// G6, one read per token tried and one write at most.
#[tokio::test]
async fn an_uncontended_request_reads_once_and_writes_once() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let cost = async |act: fn(&fasthttpsession_core::Session)| {
        world.store.heal();
        let request = client.request(&sessions).await;
        act(&request);
        request.respond().await;
        (world.store.count(Op::Load), world.store.writes())
    };
    assert_eq!(cost(|_| ()).await, (1, 0));
    assert_eq!(cost(|s| s.set("n", &1).unwrap()).await, (1, 1));
    world.clock.advance(4 * MINUTE);
    assert_eq!(cost(|_| ()).await, (1, 1));
    assert_eq!(cost(|_| ()).await, (1, 0));
    world.clock.advance(4 * MINUTE);
    let many = cost(|s| {
        s.set("n", &2).unwrap();
        s.update("m", |m: &mut u64| *m += 1).unwrap();
        s.set_label("phone").unwrap();
        s.rotate().unwrap();
    });
    assert_eq!(many.await, (1, 1));
}

#[tokio::test]
async fn writes_through_a_clone_after_the_end_of_the_request_are_refused() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    request.respond().await;
    let session = request.session.clone();
    let finished: [Result<(), Error>; 10] = [
        session.set("n", &1),
        session.remove("n"),
        session.clear(),
        session.update("n", |n: &mut u64| *n += 1),
        session.login("eve"),
        session.logout(),
        session.rotate(),
        session.reauthenticated(),
        session.set_label("late"),
        session.set_lifetimes(Lifetimes::aal3()),
    ];
    for result in finished {
        assert!(matches!(result, Err(Error::Finished)));
    }
    assert!(matches!(session.save().await, Err(Error::Finished)));
    assert!(request.finish().await.unwrap().0.is_empty());
    assert!(session.is_alive().await.unwrap());
}

#[tokio::test]
async fn a_logout_that_failed_can_be_tried_again() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    let refused = [Fault::Refuse(StoreErrorKind::Unavailable)];
    world.store.first(Op::Delete, refused);
    request.logout().unwrap();
    request.set("n", &1).unwrap();
    assert!(request.save().await.is_err());
    assert!(request.is_alive().await.unwrap());
    assert_eq!(request.principal().unwrap().as_str(), "ada");
    assert!(!request.contains("n"), "written after the logout");
    request.logout().unwrap();
    assert!(request.respond().await.removes_cookie());
    assert_eq!(world.records().await, 0);
}

/// The session was destroyed by the first, so the second finds it gone.
#[tokio::test]
async fn a_logout_after_one_without_an_answer_clears_the_cookie() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    let lost = std::iter::repeat_with(|| Fault::LoseAnswer(StoreErrorKind::Timeout));
    world.store.first(Op::Delete, lost.take(4));
    request.logout().unwrap();
    assert!(request.save().await.is_err());
    request.logout().unwrap();
    assert!(request.respond().await.removes_cookie());
}

/// That no answer came to the first of its tries counts, whatever came to the last.
#[tokio::test]
async fn a_logout_after_one_whose_first_try_had_no_answer_clears_the_cookie() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    let lost = Fault::LoseAnswer(StoreErrorKind::Timeout);
    let refused = Fault::Refuse(StoreErrorKind::Unavailable);
    world.store.first(Op::Delete, [lost, refused]);
    request.logout().unwrap();
    let error = request.save().await.unwrap_err();
    assert!(matches!(error, Error::Store { source, .. } if source.may_have_applied()));
    request.logout().unwrap();
    assert!(request.respond().await.removes_cookie());
}

/// A parallel response may have brought a new one meanwhile.
#[tokio::test]
async fn a_logout_after_one_that_was_refused_clears_no_cookie_of_another() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    let refused = [Fault::Refuse(StoreErrorKind::Unavailable)];
    world.store.first(Op::Delete, refused);
    request.logout().unwrap();
    assert!(request.save().await.is_err());
    assert!(end(&world, &client).await);
    request.logout().unwrap();
    assert_eq!(request.respond().await.cookie(), None);
}

#[tokio::test]
async fn a_logout_while_another_fails_is_made_at_the_end() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let request = client.request(&sessions).await;
    let gate = Gate::new();
    world.store.script({
        let gate = gate.clone();
        move |op, nth| match (op, nth) {
            (Op::Delete, 0) => Fault::HoldAnswer(gate.clone()),
            _ => Fault::None,
        }
    });
    request.logout().unwrap();
    let session = request.session.clone();
    let save = tokio::spawn(async move { session.save().await });
    gate.reached().await;
    request.logout().unwrap();
    save.abort();
    gate.open();
    assert!(
        request.respond().await.removes_cookie(),
        "the store had destroyed it, though nobody waited for that"
    );
    assert_eq!(world.records().await, 0);
}

/// While a store is changed under live traffic, and one of the two does not answer.
#[tokio::test]
async fn of_two_stores_a_session_is_ended_in_the_one_that_answers() {
    const DOWN: Fault = Fault::Refuse(StoreErrorKind::Unavailable);
    let world = World::new();
    let other = Faulty::new();
    let builder = |first: &Faulty, second: &Faulty| {
        let both = TwoStores::new(first.clone(), second.clone());
        let builder = Sessions::builder(both).clock(world.clock.clone());
        builder.build().unwrap()
    };
    for sessions in [builder(&other, &world.store), builder(&world.store, &other)] {
        let mut client = Client::signed_in(&world.sessions(), "ada").await;
        let request = client.request(&sessions).await;
        request.logout().unwrap();
        // It may have been ended, so that it is tried again.
        other.first(Op::Delete, [DOWN]);
        client.receive(&request.respond().await);
        assert_eq!(client.token(), None);

        let client = Client::signed_in(&world.sessions(), "ada").await;
        other.script(|op, _| match op {
            Op::Delete => DOWN,
            _ => Fault::None,
        });
        assert!(sessions.end(client.handle()).await.is_err());
        assert!(world.record(&client).await.is_none());
        other.heal();
    }
}
