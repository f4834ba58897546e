//! What operations and requests cost: each command is a round trip, and the server counts them.

use std::time::Duration;

use fasthttpsession_core::{
    Created, Deleted, Error, ManualClock, Replaced, Session, Sessions, Store as _, Touched,
};
use fasthttpsession_servers::{Memcached, MemcachedServer};

use crate::support::browser::Browser;
use crate::support::sample::{HOUR, handle, next, now, record};
use crate::support::{ask, open};

/// Counts the commands of a server from one question to the next.
struct Counter {
    server: MemcachedServer,
    last: u64,
}

impl Counter {
    fn of(server: &MemcachedServer) -> Self {
        let mut counter = Self {
            server: server.clone(),
            last: 0,
        };
        counter.new_ones();
        counter
    }

    fn new_ones(&mut self) -> u64 {
        let counted = [
            "get_hits",
            "get_misses",
            "cmd_set",
            "delete_hits",
            "delete_misses",
        ];
        let now: u64 = counted.iter().map(|name| self.server.stat(name)).sum();
        now - std::mem::replace(&mut self.last, now)
    }
}

#[tokio::test]
async fn each_operation_after_a_load_is_one_round_trip() {
    let server = Memcached::start();
    let (store, mut counter) = (
        open(std::slice::from_ref(&server)).await,
        Counter::of(&server),
    );
    let (handle, first) = (handle(), record());
    let created = store.create(handle, &first, now()).await;
    assert_eq!(created.expect("it answers"), Created::Created);
    assert_eq!(counter.new_ones(), 1, "a creation");

    let loaded = store.load(handle, now()).await.expect("it answers");
    assert_eq!(loaded.as_ref(), Some(&first));
    assert_eq!(counter.new_ones(), 1, "a load");

    let later = now().after(2 * HOUR);
    let touched = store.touch(handle, 1, later, now()).await;
    assert_eq!(touched.expect("it answers"), Touched::Touched);
    assert_eq!(counter.new_ones(), 1, "a touch");

    let second = next(&first);
    let replaced = store.replace(handle, 1, &second, now()).await;
    assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
    assert_eq!(counter.new_ones(), 1, "a replacement");

    let deleted = store.delete(handle, now()).await;
    assert_eq!(deleted.expect("it answers"), Deleted::Deleted);
    assert_eq!(counter.new_ones(), 1, "a deletion");
    assert_eq!(server.stat("cas_badval"), 0);
}

#[tokio::test]
async fn whoever_has_not_seen_a_session_looks_at_it_first() {
    let server = Memcached::start();
    let servers = std::slice::from_ref(&server);
    let (ours, theirs) = (open(servers).await, open(servers).await);
    let mut counter = Counter::of(&server);
    let (handle, first) = (handle(), record());
    ours.create(handle, &first, now())
        .await
        .expect("it answers");
    counter.new_ones();

    let later = now().after(2 * HOUR);
    theirs
        .touch(handle, 1, later, now())
        .await
        .expect("it answers");
    assert_eq!(counter.new_ones(), 2, "a touch");

    let second = next(&first);
    let replaced = ours.replace(handle, 1, &second, now()).await;
    assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
    assert_eq!(
        counter.new_ones(),
        3,
        "a guess that was wrong, a look, a replacement"
    );

    let conflict = theirs.replace(handle, 1, &second, now()).await;
    assert_eq!(
        conflict.expect("it answers"),
        Replaced::Conflict(second.clone())
    );
    assert_eq!(counter.new_ones(), 2, "a guess that was wrong, a look");

    let idle = second.header.idle_deadline;
    let touched = ours.touch(handle, 2, idle, now()).await;
    assert_eq!(touched.expect("it answers"), Touched::Touched);
    assert_eq!(
        counter.new_ones(),
        1,
        "a look that shows that nothing is to be done"
    );
}

#[tokio::test]
async fn a_request_costs_a_read_and_at_most_one_write() {
    let server = Memcached::start();
    let clock = ManualClock::at(now());
    let store = open(std::slice::from_ref(&server)).await;
    let sessions = Sessions::builder(store).clock(clock.clone()).build();
    let sessions = sessions.expect("nothing is asked of the store that it lacks");
    let (mut browser, mut counter) = (Browser::default(), Counter::of(&server));
    let mut costs = async |browser: &mut Browser, act: Act| {
        browser.visit(&sessions, act).await.expect("it answers");
        counter.new_ones()
    };
    let nothing: Act = |_| Ok(());
    let ours = &mut browser;
    assert_eq!(costs(ours, nothing).await, 0, "a visitor");
    let set: Act = |session| session.set("n", &1);
    assert_eq!(costs(ours, set).await, 1, "a new session");
    assert_eq!(costs(ours, nothing).await, 1, "a read");
    assert_eq!(costs(ours, set).await, 2, "a read and a write");
    let login: Act = |session| session.login("ada");
    assert_eq!(costs(ours, login).await, 2, "a sign-in");
    for _ in 0..3 {
        // 5 % of the idle time of an hour are three minutes.
        clock.advance(Duration::from_secs(190));
        assert_eq!(costs(ours, nothing).await, 2, "a read and a touch");
        assert_eq!(costs(ours, nothing).await, 1, "a read soon after");
    }
    let mut late = ours.clone();
    assert_eq!(costs(ours, Session::logout).await, 2, "a logout");
    assert_eq!(costs(&mut late, nothing).await, 1, "an ended session");

    let unasked = late.begin(&sessions);
    unasked.finish().await.expect("nothing is asked");
    assert_eq!(counter.new_ones(), 0, "a handler that does not ask");
    assert_eq!(server.stat("cas_badval"), 0);
}

/// What a handler does.
type Act = fn(&Session) -> Result<(), Error>;

#[tokio::test]
async fn a_session_is_one_item_that_lasts_as_long_as_it() {
    let server = Memcached::start();
    let store = open(std::slice::from_ref(&server)).await;
    let day = 24 * HOUR;
    for (span, least) in [
        (HOUR, 3_600),
        (29 * day, 29 * 86_400),
        (400 * day, 400 * 86_400),
    ] {
        let (handle, mut record) = (handle(), record());
        record.header.absolute_deadline = now().after(500 * day);
        record.header.idle_deadline = now().after(span);
        store
            .create(handle, &record, now())
            .await
            .expect("it answers");
        let answer = ask(&server, &format!("mg session:{handle} s t"));
        let bytes = record.to_bytes().len();
        let seconds = answer.trim().strip_prefix(&format!("HD s{bytes} t"));
        let seconds: u64 = seconds
            .and_then(|seconds| seconds.parse().ok())
            .expect(&answer);
        // The server's clock may lag behind by two seconds, and the test by a minute.
        assert!((least - 60..=least + 4).contains(&seconds), "{seconds}");
    }
}
