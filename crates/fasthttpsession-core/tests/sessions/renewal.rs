//! "Rotation, exactly": secrets that are renewed in two steps, so that neither a lost response nor parallel requests
//! sign anyone out.

mod browsing;

use std::time::Duration;

use fasthttpsession_core::{Cookie, Lifetimes, Sessions, StoreErrorKind};

use crate::faulty::{Fault, Gate, Op};
use crate::support::{Client, DAY, HOUR, Response, SECOND, World, join, opens, settle};

const EVERY: Duration = Duration::from_secs(100);
const GRACE: Duration = Duration::from_secs(30);

fn renewing(world: &World) -> Sessions {
    world
        .builder()
        .renew_every(EVERY)
        .lifetimes(Lifetimes::new(DAY, 30 * DAY))
        .build()
        .unwrap()
}

/// With cookies that each response dates anew.
fn dating(world: &World) -> Sessions {
    dating_for(world, HOUR)
}

/// The same, of sessions that live `idle` without a request.
fn dating_for(world: &World, idle: Duration) -> Sessions {
    world
        .builder()
        .lifetimes(Lifetimes::new(idle, DAY))
        .renew_every(EVERY)
        .cookie(Cookie::default().persistent())
        .touch_after_percent(0)
        .build()
        .unwrap()
}

async fn read(client: &Client, sessions: &Sessions) -> Response {
    client.request(sessions).await.respond().await
}

#[tokio::test]
async fn a_new_secret_is_offered_once_a_period_and_taken_up_when_it_is_presented() {
    let world = World::new();
    let sessions = renewing(&world);
    let mut client = Client::with(&sessions, "n", 1).await;
    let first = client.token().unwrap();
    world.clock.advance(EVERY.checked_sub(SECOND).unwrap());
    assert_eq!(read(&client, &sessions).await.cookie(), None);
    world.clock.advance(SECOND);
    client.receive(&read(&client, &sessions).await);
    let second = client.token().unwrap();
    assert_ne!(first, second);

    // Both are good until the second is presented, however long that takes.
    world.clock.advance(10 * EVERY);
    assert!(opens(&sessions, &first).await && opens(&sessions, &second).await);

    // Presented: no cookie, and the first runs out after the grace.
    assert_eq!(read(&client, &sessions).await.cookie(), None);
    world.clock.advance(GRACE.checked_sub(SECOND).unwrap());
    assert!(opens(&sessions, &first).await && opens(&sessions, &second).await);
    world.clock.advance(SECOND);
    assert!(!opens(&sessions, &first).await && opens(&sessions, &second).await);
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn an_offer_is_repeated_once_a_grace_period_and_the_last_two_are_good() {
    let world = World::new();
    let sessions = renewing(&world);
    let client = Client::with(&sessions, "n", 1).await;
    world.clock.advance(EVERY);
    let mut offers = Vec::new();
    for _ in 0..3 {
        offers.push(read(&client, &sessions).await.token().unwrap());
        world.clock.advance(GRACE.checked_sub(SECOND).unwrap());
        assert_eq!(read(&client, &sessions).await.cookie(), None);
        world.clock.advance(SECOND);
    }
    let mut good = Vec::new();
    for offer in &offers {
        good.push(opens(&sessions, offer).await);
    }
    assert_eq!(good, [false, true, true]);
    assert!(client.is_known(&sessions).await);
}

#[tokio::test]
async fn after_a_lost_offer_the_next_renewal_is_a_period_away_again() {
    let world = World::new();
    let sessions = renewing(&world);
    let mut client = Client::with(&sessions, "n", 1).await;
    world.clock.advance(EVERY);
    let lost = read(&client, &sessions).await;
    assert!(lost.token().is_some());
    world.clock.advance(GRACE);
    client.receive(&read(&client, &sessions).await);
    read(&client, &sessions).await;
    let renewed = world.now();
    while world.now().since(renewed) < EVERY {
        assert_eq!(read(&client, &sessions).await.cookie(), None);
        world.clock.advance(5 * SECOND);
    }
    assert!(read(&client, &sessions).await.token().is_some());
}

#[tokio::test]
async fn each_cookie_of_parallel_requests_that_are_all_due_is_good_at_the_end() {
    for batched in [false, true] {
        let world = World::new();
        let sessions = renewing(&world);
        let client = Client::with(&sessions, "n", 1).await;
        world.clock.advance(EVERY);
        let gate = Gate::new();
        if batched {
            world
                .store
                .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
        }
        let mut requests = Vec::new();
        for _ in 0..6 {
            requests.push(client.request(&sessions).await);
        }
        let tasks: Vec<_> = requests
            .into_iter()
            .map(|request| tokio::spawn(async move { request.respond().await }))
            .collect();
        settle().await;
        gate.open();
        let responses = join(tasks).await;
        let tokens: Vec<_> = responses.iter().filter_map(Response::token).collect();
        assert!(!tokens.is_empty());
        for token in tokens {
            assert!(opens(&sessions, &token).await, "batched: {batched}");
        }
    }
}

#[tokio::test]
async fn an_offer_that_a_rotation_in_the_same_swap_killed_is_not_sent() {
    let world = World::new();
    let sessions = renewing(&world);
    let client = Client::with(&sessions, "n", 1).await;
    world.clock.advance(EVERY);
    let gate = Gate::new();
    world
        .store
        .first(Op::Replace, [Fault::HoldCall(gate.clone())]);
    let [first, offered, rotated] = [
        client.request(&sessions).await,
        client.request(&sessions).await,
        client.request(&sessions).await,
    ];
    rotated.rotate().unwrap();
    let mut tasks = Vec::new();
    for request in [first, offered, rotated] {
        tasks.push(tokio::spawn(async move { request.respond().await }));
        settle().await;
    }
    gate.open();
    let responses = join(tasks).await;
    assert!(opens(&sessions, &responses[2].token().unwrap()).await);
    if let Some(token) = responses[1].token() {
        assert!(opens(&sessions, &token).await);
    }
}

#[tokio::test]
async fn a_renewal_that_fails_costs_the_response_nothing() {
    let world = World::new();
    let sessions = renewing(&world);
    let client = Client::with(&sessions, "n", 1).await;
    world.clock.advance(EVERY);
    world
        .store
        .first(Op::Replace, [Fault::Refuse(StoreErrorKind::Unavailable)]);
    assert_eq!(read(&client, &sessions).await.cookie(), None);
    assert!(client.is_known(&sessions).await);
    assert!(read(&client, &sessions).await.token().is_some());
}

#[tokio::test]
async fn renewal_is_off_unless_asked_for() {
    let world = World::new();
    let sessions = world
        .builder()
        .lifetimes(Lifetimes::new(DAY, 30 * DAY))
        .build()
        .unwrap();
    let client = Client::with(&sessions, "n", 1).await;
    for _ in 0..20 {
        world.clock.advance(DAY / 2);
        assert_eq!(read(&client, &sessions).await.cookie(), None);
    }
}

/// Which of the requests under way while a secret is replaced answers last.
#[derive(Clone, Copy, Debug)]
enum Late {
    /// Loaded before the new secret was presented; only reads.
    Slow,
    /// Loaded after, with the secret that runs out; only reads.
    Reading,
    /// The same, but writes.
    Writing,
}

#[tokio::test]
async fn a_secret_that_runs_out_is_not_sent_again() {
    for late in [Late::Slow, Late::Reading, Late::Writing] {
        let world = World::new();
        let sessions = dating(&world);
        let mut client = Client::with(&sessions, "n", 1).await;
        let early = client.clone();
        world.clock.advance(EVERY);
        client.receive(&read(&client, &sessions).await);
        let slow = early.request(&sessions).await;
        world.clock.advance(SECOND);
        read(&client, &sessions).await;
        world.clock.advance(SECOND);
        let request = match late {
            Late::Slow => slow,
            Late::Reading | Late::Writing => early.request(&sessions).await,
        };
        if let Late::Writing = late {
            request.set("n", &2).unwrap();
        }
        client.receive(&request.respond().await);
        world.clock.advance(GRACE);
        assert!(client.is_known(&sessions).await, "{late:?}");
    }
}

/// Arriving last, it would bring back the secret that runs out: so the renewal waits for it, for a grace if that is no longer
/// than a twentieth of the idle lifetime.
#[tokio::test]
async fn a_renewal_is_not_overtaken_by_a_cookie_that_was_dated_before() {
    for (idle, waits) in [(HOUR, GRACE), (EVERY, EVERY / 20)] {
        let world = World::new();
        let sessions = dating_for(&world, idle);
        let mut client = Client::with(&sessions, "n", 1).await;
        let mut renewed = world.now();
        for _ in 0..3 {
            let soon = EVERY.checked_sub(SECOND).unwrap();
            let since = world.now().since(renewed);
            world.clock.advance(soon.checked_sub(since).unwrap());
            let late = read(&client, &sessions).await;
            assert_eq!(late.token(), client.token(), "dated anew");
            // As long as it may be on its way, nobody is answered with a cookie.
            for _ in 1..waits.as_secs() {
                world.clock.advance(SECOND);
                let writing = client.request(&sessions).await;
                writing.update("n", |n: &mut u64| *n += 1).unwrap();
                assert_eq!(writing.respond().await.cookie(), None);
                let modified = sessions.modify(client.handle(), |values| values.set("m", &1));
                modified.await.unwrap();
            }
            client.receive(&late);
            world.clock.advance(SECOND);
            client.receive(&read(&client, &sessions).await);
            assert_ne!(late.token(), client.token(), "renewed");
            read(&client, &sessions).await;
            renewed = world.now();
            world.clock.advance(GRACE);
            assert!(client.is_known(&sessions).await);
            assert!(!opens(&sessions, &late.token().unwrap()).await);
        }
    }
}

/// Of two offers that crossed, the browser kept the second, and presents it when the next renewal is due already.
#[tokio::test]
async fn a_renewal_is_not_overtaken_by_a_cookie_that_was_dated_as_two_offers_changed_places() {
    let world = World::new();
    let sessions = dating(&world);
    let mut client = Client::with(&sessions, "n", 1).await;
    let mut other = client.clone();
    world.clock.advance(EVERY);
    other.receive(&read(&client, &sessions).await);
    world.clock.advance(GRACE);
    let second = read(&client, &sessions).await;
    read(&other, &sessions).await;
    client.receive(&second);
    world.clock.advance(2 * EVERY);
    let late = read(&client, &sessions).await;
    world.clock.advance(SECOND);
    client.receive(&read(&client, &sessions).await);
    read(&client, &sessions).await;
    client.receive(&late);
    world.clock.advance(GRACE);
    assert!(client.is_known(&sessions).await);
}

/// However short a time the session lives without a request: it may end early by what a touch waits for, at least by a
/// twentieth, and by no more.
#[tokio::test]
async fn a_renewal_that_waits_ends_no_session_in_use() {
    const WITHIN: [(u32, u8); 7] = [
        (10, 5),
        (10, 0),
        (60, 5),
        (60, 50),
        (600, 1),
        (3600, 0),
        (3600, 5),
    ];
    for ((idle, percent), save) in WITHIN
        .iter()
        .flat_map(|of| [None, Some(false), Some(true)].map(|save| (*of, save)))
    {
        let world = World::new();
        let (every, grace) = (20 * SECOND, 15 * SECOND);
        let sessions = world
            .builder()
            .lifetimes(Lifetimes::new(idle * SECOND, DAY))
            .renew_every(every)
            .renew_grace(grace)
            .cookie(Cookie::default().persistent())
            .touch_after_percent(percent)
            .build()
            .unwrap();
        let early = SECOND * idle * u32::from(percent.max(5)) / 100;
        let mut client = Client::with(&sessions, "n", 0).await;
        let (first, mut runs_out) = (client.token(), world.now().after(idle * SECOND));
        for n in 1..300 {
            world.clock.advance(SECOND);
            assert!(world.now() < runs_out, "the browser dropped the cookie");
            let request = client.request(&sessions).await;
            assert!(
                !request.is_new(),
                "{idle} s, {percent} %: gone in second {n}"
            );
            if let Some(save) = save {
                request.set("n", &n).unwrap();
                if save {
                    request.save().await.unwrap();
                }
            }
            let response = request.respond().await;
            client.receive(&response);
            if let Some(age) = response.max_age() {
                runs_out = world.now().after(SECOND * u32::try_from(age).unwrap());
            }
            let deadline = world.record(&client).await.unwrap().header.idle_deadline;
            let left = deadline.since(world.now());
            assert!(
                left + early >= idle * SECOND,
                "{idle} s, {percent} %: {left:?} left in second {n}"
            );
        }
        assert_ne!(client.token(), first, "{idle} s, {percent} %: renewed");
    }
}

/// Otherwise that response would have the secret that the renewal then replaces.
#[tokio::test]
async fn a_commit_on_the_way_leaves_it_to_the_renewal_to_date_the_cookie() {
    let world = World::new();
    let sessions = dating(&world);
    let client = Client::with(&sessions, "n", 1).await;
    world.clock.advance(EVERY);
    let request = client.request(&sessions).await;
    request.set("n", &2).unwrap();
    request.save().await.unwrap();
    let response = request.respond().await;
    assert_ne!(response.token(), client.token(), "renewed");
    assert_eq!(response.max_age(), Some(3600));
}

/// Where renewals are off, one that was begun is completed, be the offer lost or not: otherwise both secrets would be good for
/// ever, and a cookie with a date would never be dated again.
#[tokio::test]
async fn a_renewal_that_was_begun_is_completed_though_they_are_off_by_now() {
    for is_lost in [false, true] {
        let world = World::new();
        let cookie = || Cookie::default().persistent();
        let lives = Lifetimes::new(DAY, 30 * DAY);
        let builder = || world.builder().lifetimes(lives).cookie(cookie());
        let on = builder().renew_every(EVERY).build().unwrap();
        let off = builder().build().unwrap();
        let mut client = Client::with(&on, "n", 1).await;
        let first = client.token().unwrap();
        let mut runs_out = world.now().after(DAY);
        world.clock.advance(EVERY);
        let offer = read(&client, &on).await;
        if !is_lost {
            client.receive(&offer);
        }
        for _ in 0..100 {
            world.clock.advance(DAY / 50);
            let response = read(&client, &off).await;
            client.receive(&response);
            if let Some(age) = response.max_age() {
                runs_out = world.now().after(SECOND * u32::try_from(age).unwrap());
            }
            assert!(world.now() < runs_out);
        }
        assert!(!opens(&off, &first).await);
    }
}
