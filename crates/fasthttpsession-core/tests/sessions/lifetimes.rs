//! G7, both clocks; and touches: sent when they are due.

use std::time::Duration;

use fasthttpsession_core::{Clock as _, Error, Lifetimes, Session, StoreErrorKind};

use crate::faulty::{Fault, Op};
use crate::support::{Client, DAY, HOUR, MINUTE, SECOND, World};

type Act = fn(&Session) -> Result<(), Error>;

/// The levels that have limits in NIST SP 800-63B-4, in minutes.
const LEVELS: [(Lifetimes, u32, u32); 2] = [
    (Lifetimes::aal2(), 60, 24 * 60),
    (Lifetimes::aal3(), 15, 12 * 60),
];

/// "Idle deadline enforced on read" (7.3.1).
#[tokio::test]
async fn a_session_ends_when_it_was_idle_for_its_idle_lifetime() {
    for (lifetimes, idle, _) in LEVELS {
        let world = World::new();
        let sessions = world.builder().lifetimes(lifetimes).build().unwrap();
        let client = Client::with(&sessions, "n", 1).await;
        let last = Duration::from_millis(1);
        world
            .clock
            .advance((idle * MINUTE).checked_sub(last).unwrap());
        assert!(client.is_known(&sessions).await);
        world.clock.advance(last);
        assert!(!client.is_known(&sessions).await);
    }
}

/// "Absolute deadline whatever the activity" (7.3.2).
#[tokio::test]
async fn a_session_ends_at_its_absolute_deadline_however_much_it_is_used() {
    for (lifetimes, idle, absolute) in LEVELS {
        let world = World::new();
        let sessions = world.builder().lifetimes(lifetimes).build().unwrap();
        let client = Client::with(&sessions, "n", 1).await;
        let (step, steps) = (idle * MINUTE / 2, 2 * absolute / idle);
        for _ in 1..steps {
            world.clock.advance(step);
            client.clone().visit(&sessions, |s| s.set("n", &2)).await;
            client.clone().visit(&sessions, |_| Ok(())).await;
            assert!(client.is_known(&sessions).await);
        }
        world.clock.advance(step);
        assert!(!client.is_known(&sessions).await);
    }
}

#[tokio::test]
async fn reading_extends_the_session_with_few_writes() {
    for (percent, writes) in [(5, 19), (50, 1), (0, 98)] {
        let world = World::new();
        let sessions = world
            .builder()
            .touch_after_percent(percent)
            .build()
            .unwrap();
        let client = Client::with(&sessions, "n", 1).await;
        world.store.heal();
        for _ in 0..98 {
            world.clock.advance(HOUR / 100);
            client.request(&sessions).await.respond().await;
        }
        assert_eq!(world.store.count(Op::Touch), writes, "{percent} %");
        assert_eq!(world.store.writes(), writes);
        // It may end early by that part, never late.
        let left = world
            .record(&client)
            .await
            .unwrap()
            .header
            .idle_deadline
            .since(world.now());
        assert!(left <= HOUR && left > HOUR * (100 - u32::from(percent) - 1) / 100);
    }
}

/// A store's index of deadlines changes as seldom as if the session were only read.
#[tokio::test]
async fn writing_moves_the_idle_deadline_as_seldom_as_reading() {
    let world = World::new();
    let sessions = world.builder().touch_after_percent(10).build().unwrap();
    let client = Client::with(&sessions, "n", 1).await;
    let mut seen = Vec::new();
    for n in 0..98 {
        world.clock.advance(HOUR / 100);
        client.clone().visit(&sessions, |s| s.set("n", &n)).await;
        let record = world.record(&client).await.expect("it is in use");
        assert!(record.header.idle_deadline.since(world.now()) > HOUR * 9 / 10);
        seen.push(record.header.idle_deadline);
    }
    seen.dedup();
    assert_eq!(seen.len(), 10);
    assert_eq!(world.store.count(Op::Touch), 0);
}

#[tokio::test]
async fn a_failed_touch_costs_the_response_nothing() {
    for fault in [Fault::Refuse, Fault::LoseCall, Fault::LoseAnswer] {
        let world = World::new();
        let sessions = world.sessions();
        let client = Client::with(&sessions, "n", 1).await;
        world.clock.advance(HOUR / 2);
        world
            .store
            .first(Op::Touch, [fault(StoreErrorKind::Timeout)]);
        let response = client.request(&sessions).await.respond().await;
        assert_eq!(response.cookie(), None);
        assert_eq!(world.store.count(Op::Touch), 1);
        assert!(client.is_known(&sessions).await);
    }
}

/// "Re-authentication resets both clocks" (63B §5.2).
#[tokio::test]
async fn sign_in_and_reauthentication_reset_both_clocks() {
    let acts: [Act; 2] = [|s| s.login("ada"), |s| s.reauthenticated()];
    for act in acts {
        let world = World::new();
        let sessions = world.sessions();
        let mut client = Client::with(&sessions, "n", 1).await;
        let created = world.now();
        for _ in 0..46 {
            world.clock.advance(HOUR / 2);
            client.visit(&sessions, |_| Ok(())).await;
        }
        client.visit(&sessions, act).await;
        let request = client.request(&sessions).await;
        assert_eq!(request.created_at(), Some(created));
        assert_eq!(request.idle_deadline(), Some(world.now().after(HOUR)));
        assert_eq!(request.absolute_deadline(), Some(world.now().after(DAY)));
    }
}

#[tokio::test]
async fn who_signed_in_long_ago_is_to_prove_itself_again() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    assert!(!request.is_authenticated_within(DAY), "nobody is signed in");
    request.login("ada").unwrap();
    assert!(request.is_authenticated_within(Duration::ZERO));
    client.receive(&request.respond().await);
    world.clock.advance(10 * MINUTE);
    let request = client.request(&sessions).await;
    assert!(request.is_authenticated_within(10 * MINUTE));
    assert!(!request.is_authenticated_within(9 * MINUTE));
    request.reauthenticated().unwrap();
    assert!(request.is_authenticated_within(Duration::ZERO));
    client.receive(&request.respond().await);
    world.clock.advance(MINUTE);
    let request = client.request(&sessions).await;
    assert!(request.is_authenticated_within(MINUTE));
    request.logout().unwrap();
    assert!(!request.is_authenticated_within(DAY));
}

#[tokio::test]
async fn a_session_may_have_lifetimes_of_its_own() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| {
            s.login("ada")?;
            s.set_lifetimes(Lifetimes::remember(30))
        })
        .await;
    world.clock.advance(29 * DAY);
    assert!(client.is_known(&sessions).await);
    // They last through sign-in and re-authentication.
    client
        .visit(&sessions, fasthttpsession_core::Session::reauthenticated)
        .await;
    world.clock.advance(29 * DAY);
    client.visit(&sessions, |s| s.set("n", &1)).await;
    world.clock.advance(DAY);
    assert!(!client.is_known(&sessions).await);
}

/// Whoever signs in without "remember me" where somebody was remembered.
#[tokio::test]
async fn a_session_may_have_those_of_all_sessions_again() {
    let world = World::new();
    let lifetimes = Lifetimes::new(MINUTE, HOUR);
    let sessions = world.builder().lifetimes(lifetimes).build().unwrap();
    let mut client = Client::new();
    for own in [Some(Lifetimes::remember(30)), None] {
        let sign_in = |session: &Session| {
            session.login("ada")?;
            session.set_lifetimes(own)
        };
        client.visit(&sessions, sign_in).await;
    }
    let request = client.request(&sessions).await;
    let now = world.clock.now();
    assert_eq!(request.idle_deadline(), Some(now.after(MINUTE)));
    assert_eq!(request.absolute_deadline(), Some(now.after(HOUR)));
    // They are not its own, either.
    let longer = Lifetimes::new(HOUR, HOUR);
    let sessions = world.builder().lifetimes(longer).build().unwrap();
    client.visit(&sessions, |s| s.set("n", &1)).await;
    world.clock.advance(2 * MINUTE);
    assert!(client.is_known(&sessions).await);
}

#[tokio::test]
async fn shorter_lifetimes_count_at_once() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    client
        .visit(&sessions, |s| {
            s.set_lifetimes(Lifetimes::new(MINUTE, 2 * MINUTE))
        })
        .await;
    world.clock.advance(MINUTE.checked_sub(SECOND).unwrap());
    client.visit(&sessions, |s| s.set("n", &2)).await;
    world.clock.advance(MINUTE.checked_sub(SECOND).unwrap());
    assert!(client.is_known(&sessions).await);
    client.visit(&sessions, |s| s.set("n", &3)).await;
    world.clock.advance(2 * SECOND);
    assert!(
        !client.is_known(&sessions).await,
        "the absolute one runs from creation"
    );
}

#[tokio::test]
async fn lifetimes_that_no_session_can_have_are_refused() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::with(&sessions, "n", 1)
        .await
        .request(&sessions)
        .await;
    for (idle, absolute) in [
        (Duration::ZERO, HOUR),
        (Duration::from_micros(999), HOUR),
        (HOUR, HOUR.checked_sub(SECOND).unwrap()),
    ] {
        let set = request.set_lifetimes(Lifetimes::new(idle, absolute));
        assert!(matches!(set, Err(Error::InvalidLifetimes)));
    }
    request
        .set_lifetimes(Lifetimes::new(Duration::MAX, Duration::MAX))
        .unwrap();
    request.respond().await;
}

#[tokio::test]
async fn what_a_visitor_noted_before_the_first_value_counts_after_it() {
    for saved_between in [false, true] {
        let world = World::new();
        let sessions = world.sessions();
        let request = Client::new().request(&sessions).await;
        request.set_lifetimes(Lifetimes::remember(30)).unwrap();
        request.set_label("phone").unwrap();
        if saved_between {
            request.save().await.unwrap();
        }
        request.set("n", &1).unwrap();
        let mut client = Client::new();
        client.receive(&request.respond().await);
        let header = world.record(&client).await.unwrap().header;
        assert_eq!(header.label.unwrap().as_str(), "phone");
        assert_eq!(header.absolute_deadline, world.now().after(30 * DAY));
    }
}

#[tokio::test]
async fn reading_from_outside_is_no_use_and_modifying_is() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let deadline = world.record(&client).await.unwrap().header.idle_deadline;
    world.clock.advance(30 * MINUTE);
    let snapshot = sessions.read(client.handle()).await.unwrap().unwrap();
    assert_eq!(snapshot.values.get("n").unwrap(), Some(1_u64));
    assert_eq!(
        world.record(&client).await.unwrap().header.idle_deadline,
        deadline
    );
    assert_eq!(
        sessions
            .read(fasthttpsession_core::Handle::from_bytes([0; 16]))
            .await
            .unwrap()
            .map(|_| ()),
        None
    );
    let modified = sessions.modify(client.handle(), |values| values.set("n", &2));
    assert_eq!(modified.await.unwrap(), Some(()));
    assert_eq!(client.get(&sessions, "n").await, Some(2));
}
