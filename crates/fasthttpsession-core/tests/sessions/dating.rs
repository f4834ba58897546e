//! Persistent cookies are dated anew: by touches, and by whatever else extends a session.

use std::time::Duration;

use fasthttpsession_core::{
    Cookie, Error, HeaderEdit, Lifetimes, Session, Sessions, StoreErrorKind, Transport,
};

use crate::faulty::{Fault, Op};
use crate::support::{Client, DAY, HOUR, MINUTE, SECOND, World};

type Act = fn(&Session) -> Result<(), Error>;

fn persistent(world: &World) -> Sessions {
    let cookie = Cookie::default().persistent();
    world.builder().cookie(cookie).build().unwrap()
}

async fn remembered(sessions: &Sessions) -> Client {
    let mut client = Client::new();
    let act: Act = |s| s.login("ada").and(s.set_lifetimes(Lifetimes::remember(30)));
    client.visit(sessions, act).await;
    client
}

#[tokio::test]
async fn a_touch_dates_a_persistent_cookie_anew() {
    let world = World::new();
    let sessions = persistent(&world);
    let mut client = Client::new();
    let first = client.request(&sessions).await;
    first.set("n", &1).unwrap();
    let response = first.respond().await;
    assert_eq!(response.max_age(), Some(3600));
    client.receive(&response);
    world.clock.advance(2 * MINUTE);
    assert_eq!(
        client.request(&sessions).await.respond().await.cookie(),
        None
    );
    world.clock.advance(MINUTE);
    let response = client.request(&sessions).await.respond().await;
    assert_eq!(response.max_age(), Some(3600));
    assert_eq!(response.token(), client.token());
    assert_eq!(
        client.request(&sessions).await.respond().await.cookie(),
        None
    );
}

/// "Remember me" is a choice of each user, and of each sign-in.
#[tokio::test]
async fn the_cookie_of_a_remembered_session_outlives_the_browser_and_no_other_does() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    let month = 30 * 24 * 3600;
    let choices = [
        (None, None),
        (Some(Lifetimes::remember(30)), Some(month)),
        (Some(Lifetimes::aal2()), None),
        (Some(Lifetimes::new(HOUR, 30 * DAY)), None),
        (Some(Lifetimes::aal3()), None),
        (Some(Lifetimes::new(2 * HOUR, DAY)), Some(2 * 3600)),
    ];
    for (lifetimes, age) in choices {
        let request = client.request(&sessions).await;
        request.login("ada").unwrap();
        if let Some(lifetimes) = lifetimes {
            request.set_lifetimes(lifetimes).unwrap();
        }
        let response = request.respond().await;
        assert!(response.cookie().is_some());
        assert_eq!(response.max_age(), age, "{lifetimes:?}");
        client.receive(&response);
    }
}

#[tokio::test]
async fn who_is_remembered_later_gets_the_cookie_again() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    request.set_lifetimes(Lifetimes::remember(1)).unwrap();
    let response = request.respond().await;
    assert_eq!(response.max_age(), Some(24 * 3600));
    assert_eq!(response.token(), client.token());
}

#[tokio::test]
async fn a_remembered_session_without_a_cookie_is_extended_by_a_touch() {
    let world = World::new();
    let header = Transport::header("x-session");
    let sessions = world.builder().transports([header]).build().unwrap();
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    request.set_lifetimes(Lifetimes::remember(1)).unwrap();
    let response = request.respond().await.0;
    let token = response.iter().find_map(|edit| match edit {
        HeaderEdit::SetHeader { value, .. } => Some(value.as_str()),
        _ => None,
    });
    world.clock.advance(2 * HOUR);
    let exchange = sessions.begin([("x-session", token.unwrap())], None);
    assert!(!exchange.session().await.unwrap().is_new());
    let told = exchange.finish().await.unwrap();
    assert!(
        matches!(told[..], [HeaderEdit::Append { name: "vary", .. }]),
        "{told:?}"
    );
    assert_eq!(world.store.writes(), 2);
    assert_eq!(world.store.count(Op::Touch), 1);
}

#[tokio::test]
async fn a_persistent_cookie_never_runs_out_before_the_session_of_a_busy_client() {
    let hour = Lifetimes::default();
    let remembered = |world: &World| {
        let minutes = Lifetimes::new(10 * MINUTE, DAY);
        world.builder().lifetimes(minutes).build().unwrap()
    };
    let makers: [&dyn Fn(&World) -> Sessions; 2] = [&persistent, &remembered];
    for (writing, maker) in [false, true]
        .into_iter()
        .flat_map(|w| makers.map(|m| (w, m)))
    {
        let world = World::new();
        let sessions = maker(&world);
        let mut client = Client::with(&sessions, "n", 1).await;
        client
            .visit(&sessions, |s| s.rotate().and(s.set_lifetimes(hour)))
            .await;
        let mut runs_out = world.now().after(HOUR);
        for _ in 0..300 {
            world.clock.advance(HOUR / 100);
            let request = client.request(&sessions).await;
            if writing {
                request.update("n", |n: &mut u64| *n += 1).unwrap();
            }
            let response = request.respond().await;
            if let Some(age) = response.max_age() {
                runs_out = world.now().after(SECOND * u32::try_from(age).unwrap());
            }
            assert!(
                world.now() < runs_out,
                "the browser dropped the cookie; writing: {writing}"
            );
        }
    }
}

/// Nor if tasks that outlive their requests, or the application itself, use the session all the time.
#[tokio::test]
async fn what_no_response_tells_of_leaves_the_cookie_to_be_dated() {
    for from_outside in [false, true] {
        let world = World::new();
        let sessions = persistent(&world);
        let client = Client::with(&sessions, "n", 1).await;
        let socket = client.request(&sessions).await;
        socket.finish().await.unwrap();
        let mut runs_out = world.now().after(HOUR);
        for n in 0..1500 {
            world.clock.advance(7 * SECOND);
            if from_outside {
                let modified = sessions.modify(client.handle(), |values| values.set("n", &n));
                modified.await.unwrap();
            } else {
                let changed = socket.transact(|values| values.set("n", &n));
                changed.await.unwrap();
            }
            if n % 5 != 0 {
                continue;
            }
            let response = client.request(&sessions).await.respond().await;
            if let Some(age) = response.max_age() {
                runs_out = world.now().after(SECOND * u32::try_from(age).unwrap());
            }
            assert!(world.now() < runs_out, "the browser dropped the cookie");
        }
    }
}

/// Nor does the session run out while they use it, for want of a response.
#[tokio::test]
async fn what_no_response_tells_of_extends_the_session_all_the_same() {
    for (percent, renews) in [0, 5, 50].map(|of| [(of, false), (of, true)]).concat() {
        for from_outside in [false, true] {
            let world = World::new();
            let mut builder = world.builder().touch_after_percent(percent);
            if renews {
                builder = builder.renew_every(10 * MINUTE);
            }
            let cookie = Cookie::default().persistent();
            let sessions = builder.cookie(cookie).build().unwrap();
            let client = Client::with(&sessions, "n", 1).await;
            let socket = client.request(&sessions).await;
            socket.finish().await.unwrap();
            for n in 0..180 {
                world.clock.advance(MINUTE);
                if from_outside {
                    let modified = sessions.modify(client.handle(), |values| values.set("n", &n));
                    assert_eq!(modified.await.unwrap(), Some(()), "minute {n}");
                } else {
                    let changed = socket.transact(|values| values.set("n", &n));
                    changed.await.unwrap();
                }
                // It may end early by that part, or by what a renewal waits, and no more.
                let part = HOUR * u32::from(percent) / 100;
                let early = part.max(if renews { MINUTE / 2 } else { Duration::ZERO });
                let deadline = world.record(&client).await.unwrap().header.idle_deadline;
                let left = deadline.since(world.now());
                assert!(left + early >= HOUR, "{percent} %, {renews}: {left:?}");
            }
            // The next response dates the cookie.
            world.clock.advance(SECOND);
            let response = client.request(&sessions).await.respond().await;
            assert_eq!(response.max_age(), Some(3600));
        }
    }
}

#[tokio::test]
async fn a_cookie_lasts_no_longer_than_the_session_and_400_days() {
    let world = World::new();
    let cookie = Cookie::default().persistent();
    let sessions = world
        .builder()
        .cookie(cookie)
        .lifetimes(Lifetimes::new(900 * DAY, 1000 * DAY))
        .build()
        .unwrap();
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    assert_eq!(request.respond().await.max_age(), Some(400 * 24 * 3600));
    let request = Client::new().request(&sessions).await;
    request.set("n", &1).unwrap();
    request
        .set_lifetimes(Lifetimes::new(MINUTE, MINUTE))
        .unwrap();
    assert_eq!(request.respond().await.max_age(), Some(60));
}

/// A request that only read, while another rotated the secret or signed in: its touch does not count any more, and its
/// cookie would sign the browser out.
#[tokio::test]
async fn a_touch_that_came_after_a_rotation_or_sign_in_sends_no_old_cookie() {
    let acts: [Act; 3] = [|s| s.login("ada"), |s| s.rotate(), |s| s.reauthenticated()];
    for act in acts {
        let world = World::new();
        let sessions = persistent(&world);
        let mut client = Client::with(&sessions, "n", 1).await;
        world.clock.advance(HOUR / 2);
        let slow = client.request(&sessions).await;
        client.visit(&sessions, act).await;
        client.receive(&slow.respond().await);
        assert!(client.is_known(&sessions).await, "signed out");
    }
}

/// The same for a transaction that, run again, finds nothing to change.
#[tokio::test]
async fn a_transaction_that_found_the_secret_rotated_sends_no_old_cookie() {
    let world = World::new();
    let sessions = persistent(&world);
    let mut client = Client::with(&sessions, "ticket", 1).await;
    let slow = client.request(&sessions).await;
    world.clock.advance(HOUR / 2);
    client
        .visit(&sessions, |s| {
            s.remove("ticket")?;
            s.rotate()
        })
        .await;
    let taken = slow.transact(|values| values.take::<u64>("ticket"));
    assert_eq!(taken.await.unwrap(), None);
    client.receive(&slow.respond().await);
    assert!(client.is_known(&sessions).await, "signed out");
}

/// The same for one that had committed on the way, which moved the deadline.
#[tokio::test]
async fn a_commit_before_a_rotation_sign_in_or_logout_sends_no_old_cookie() {
    let acts: [(Act, bool); 4] = [
        (|s| s.login("ada"), true),
        (|s| s.rotate(), true),
        (|s| s.reauthenticated(), true),
        (|s| s.logout(), false),
    ];
    for (act, lives) in acts {
        for fails in [false, true] {
            let world = World::new();
            let sessions = persistent(&world);
            let mut client = Client::with(&sessions, "n", 1).await;
            world.clock.advance(HOUR / 2);
            let slow = client.request(&sessions).await;
            slow.set("n", &2).unwrap();
            slow.save().await.unwrap();
            client.visit(&sessions, act).await;
            if fails {
                let refused = [Fault::Refuse(StoreErrorKind::Unavailable)];
                world.store.first(Op::Replace, refused);
            }
            let response = slow.respond().await;
            assert_eq!(response.cookie(), None);
            assert_eq!(client.is_known(&sessions).await, lives);
        }
    }
}

#[tokio::test]
async fn a_commit_on_the_way_dates_the_cookie_at_the_end() {
    let world = World::new();
    let sessions = persistent(&world);
    let client = Client::with(&sessions, "n", 1).await;
    world.clock.advance(HOUR / 2);
    let request = client.request(&sessions).await;
    request.set("n", &2).unwrap();
    request.save().await.unwrap();
    assert_eq!(request.respond().await.max_age(), Some(3600));
}

/// A request that committed and then failed, or was given up, tells the browser nothing: the next one does.
#[tokio::test]
async fn a_commit_on_the_way_of_a_request_that_fails_leaves_the_cookie_to_be_dated() {
    for saves in [false, true] {
        let world = World::new();
        let sessions = persistent(&world);
        let client = Client::with(&sessions, "n", 1).await;
        world.clock.advance(HOUR / 2);
        let request = client.request(&sessions).await;
        if saves {
            request.set("n", &2).unwrap();
            request.save().await.unwrap();
        } else {
            let changed = request.transact(|values| values.set("n", &2));
            changed.await.unwrap();
        }
        drop(request);
        let deadline = world.record(&client).await.unwrap().header.idle_deadline;
        assert!(deadline.since(world.now()) >= HOUR * 95 / 100, "extended");
        let response = client.request(&sessions).await.respond().await;
        assert_eq!(response.max_age(), Some(3600), "saves: {saves}");
    }
}

/// Who is forgotten again is so when the browser closes.
#[tokio::test]
async fn who_is_no_longer_remembered_gets_the_cookie_again_without_a_date() {
    for (lifetimes, saves) in [None, Some(Lifetimes::aal2())]
        .into_iter()
        .flat_map(|of| [(of, false), (of, true)])
    {
        let world = World::new();
        let sessions = world.sessions();
        let client = remembered(&sessions).await;
        let request = client.request(&sessions).await;
        request.set_lifetimes(lifetimes).unwrap();
        if saves {
            request.save().await.unwrap();
        }
        let response = request.respond().await;
        assert_eq!(response.token(), client.token(), "{lifetimes:?}, {saves}");
        assert_eq!(response.max_age(), None);
        let response = client.request(&sessions).await.respond().await;
        assert_eq!(response.cookie(), None);
    }
}

/// But not by a secret that another request replaced meanwhile.
#[tokio::test]
async fn who_is_no_longer_remembered_after_a_rotation_gets_no_old_cookie() {
    for saves in [false, true] {
        let world = World::new();
        let sessions = world.sessions();
        let mut client = remembered(&sessions).await;
        let slow = client.request(&sessions).await;
        slow.set_lifetimes(None).unwrap();
        if saves {
            slow.save().await.unwrap();
        }
        client.visit(&sessions, Session::rotate).await;
        assert_eq!(slow.respond().await.cookie(), None);
        assert!(client.is_known(&sessions).await);
    }
}
