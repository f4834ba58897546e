//! What operations and requests cost: each command is a round trip, and the server counts them.

use std::time::Duration;

use fasthttpsession_core::{
    Created, Deleted, Error, ManualClock, Replaced, Session, Sessions, Store as _, Touched,
};
use fasthttpsession_redis::RedisStore;
use fasthttpsession_servers::Redis;

use crate::counter::{Counter, calls};
use crate::support::browser::Browser;
use crate::support::sample::{
    HOUR, handle, next, now, principal, record, record_of, record_of_size,
};
use crate::support::{config, open};

#[tokio::test]
async fn each_operation_is_one_round_trip_whatever_the_size() {
    let server = Redis::start();
    let store = open(&server).await;
    // Has the server know the scripts.
    live(&store, 10, |_| ()).await;
    for size in [10, 5_000_000] {
        let mut counter = Counter::of(&server);
        live(&store, size, |what| {
            assert_eq!(counter.new_ones(), 1, "{what} of {size} bytes");
        })
        .await;
    }
}

/// The life of a session whose values have so many bytes; `done` is told what was done.
async fn live(store: &RedisStore, size: usize, mut done: impl FnMut(&str)) {
    let (handle, first) = (handle(), record_of_size(size));
    let created = store.create(handle, &first, now()).await;
    assert_eq!(created.expect("it answers"), Created::Created);
    done("a creation");

    let loaded = store.load(handle, now()).await.expect("it answers");
    assert_eq!(loaded.as_ref(), Some(&first));
    done("a load");

    let later = now().after(2 * HOUR);
    let touched = store.touch(handle, 1, later, now()).await;
    assert_eq!(touched.expect("it answers"), Touched::Touched);
    done("a touch");

    let mut second = next(&first);
    second.body = record_of_size(size).body;
    let replaced = store.replace(handle, 1, &second, now()).await;
    assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
    done("a replacement");

    let deleted = store.delete(handle, now()).await;
    assert_eq!(deleted.expect("it answers"), Deleted::Deleted);
    done("a deletion");
}

#[tokio::test]
async fn a_conflict_brings_the_current_record_in_the_same_round_trip() {
    let server = Redis::start();
    let store = open(&server).await;
    let (handle, first) = (handle(), record());
    let second = next(&first);
    store
        .create(handle, &first, now())
        .await
        .expect("it answers");
    store
        .replace(handle, 1, &second, now())
        .await
        .expect("it answers");
    let scripts = || -> u64 {
        let calls = calls(&server);
        let sent = calls.iter().filter(|(name, _)| name.starts_with("eval"));
        sent.map(|(_, calls)| calls).sum()
    };
    let before = scripts();
    let conflict = store.replace(handle, 1, &next(&first), now()).await;
    assert_eq!(conflict.expect("it answers"), Replaced::Conflict(second));
    assert_eq!(scripts() - before, 1);
    // The script's own.
    assert!(calls(&server).contains(&("get".to_owned(), 1)));
}

#[tokio::test]
async fn a_request_costs_a_read_and_at_most_one_write() {
    let server = Redis::start();
    let clock = ManualClock::at(now());
    let store = open(&server).await;
    let sessions = Sessions::builder(store).clock(clock.clone()).build();
    let sessions = sessions.expect("nothing is asked of the store that it lacks");
    let nothing: Act = |_| Ok(());
    let set: Act = |session| session.set("n", &1);
    let login: Act = |session| session.login("ada");

    let mut first = Browser::default();
    for act in [set, login, Session::logout] {
        let visited = first.visit(&sessions, act).await;
        visited.expect("the server gets to know the scripts");
    }
    let (mut browser, mut counter) = (Browser::default(), Counter::of(&server));
    let mut costs = async |browser: &mut Browser, act: Act| {
        browser.visit(&sessions, act).await.expect("it answers");
        counter.new_ones()
    };
    let ours = &mut browser;
    assert_eq!(costs(ours, nothing).await, 0, "a visitor");
    assert_eq!(costs(ours, set).await, 1, "a new session");
    assert_eq!(costs(ours, nothing).await, 1, "a read");
    assert_eq!(costs(ours, set).await, 2, "a read and a write");
    assert_eq!(costs(ours, login).await, 2, "a sign-in, with its index");
    assert_eq!(costs(ours, set).await, 2, "a write, signed in");
    for round in 0..3 {
        // 5 % of the idle time of an hour are three minutes.
        clock.advance(Duration::from_secs(190));
        let cost = costs(ours, nothing).await;
        // The first time the server gets to know the script.
        assert_eq!(cost, if round == 0 { 3 } else { 2 }, "a read and a touch");
        assert_eq!(costs(ours, nothing).await, 1, "a read soon after");
    }
    let mut late = ours.clone();
    assert_eq!(costs(ours, Session::logout).await, 2, "a logout");
    assert_eq!(costs(&mut late, nothing).await, 1, "an ended session");

    let unasked = late.begin(&sessions);
    unasked.finish().await.expect("nothing is asked");
    assert_eq!(counter.new_ones(), 0, "a handler that does not ask");
}

/// What a handler does.
type Act = fn(&Session) -> Result<(), Error>;

#[tokio::test]
async fn a_script_that_the_server_has_forgotten_is_sent_again() {
    let server = Redis::start();
    let store = open(&server).await;
    let handle = handle();
    let mut last = record();
    store
        .create(handle, &last, now())
        .await
        .expect("it answers");
    let mut counter = Counter::of(&server);
    for cost in [2, 1, 1] {
        let next = next(&last);
        let version = last.header.version;
        let replaced = store.replace(handle, version, &next, now()).await;
        assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
        assert_eq!(counter.new_ones(), cost);
        last = next;
    }
    server.cli(&["SCRIPT", "FLUSH"]);
    counter.new_ones();
    let (version, last) = (last.header.version, next(&last));
    let replaced = store.replace(handle, version, &last, now()).await;
    assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
    assert_eq!(counter.new_ones(), 2);
    assert_eq!(
        store.load(handle, now()).await.expect("it answers"),
        Some(last)
    );
}

#[tokio::test]
async fn nothing_that_is_sent_looks_at_the_whole_database() {
    let server = Redis::start();
    let store = open(&server).await;
    let principal = principal();
    for _ in 0..20 {
        let created = store.create(handle(), &record_of(&principal), now()).await;
        created.expect("it answers");
    }
    let theirs = store.sessions_of(&principal, now()).await;
    assert_eq!(theirs.expect("it answers").len(), 20);
    let page = store.scan(None, 5, now()).await.expect("it answers");
    assert!(page.next.is_some(), "a page is a part");
    store.check().await.expect("it answers");
    let calls = calls(&server);
    for unbounded in ["keys", "smembers", "zrange", "flushdb", "sort", "dbsize"] {
        assert!(
            calls.iter().all(|(name, _)| name != unbounded),
            "{unbounded}"
        );
    }
}

#[tokio::test]
async fn all_operations_share_few_connections() {
    let server = Redis::start();
    let store = config(&server).connections(2).open().await;
    let store = store.expect("it answers");
    let loads = (0..500).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.load(handle(), now()).await })
    });
    for load in loads.collect::<Vec<_>>() {
        let found = load.await.expect("it does not panic");
        assert_eq!(found.expect("it answers"), None);
    }
    let clients = server.cli(&["CLIENT", "LIST", "TYPE", "normal"]);
    let ours = clients
        .lines()
        .filter(|line| line.contains("user=tester") && !line.contains("cmd=client"));
    assert_eq!(ours.count(), 2, "{clients}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_many_tasks_ask_at_once_is_written_once() {
    let server = Redis::start();
    let store = config(&server).connections(1).open().await;
    let store = store.expect("it answers");
    let received = || -> u64 {
        let stats = server.cli(&["INFO", "stats"]);
        let mut lines = stats.lines();
        let count = lines.find_map(|line| line.strip_prefix("total_reads_processed:"));
        count
            .expect("it is counted")
            .trim()
            .parse()
            .expect("a number")
    };
    let before = received();
    // From within the runtime, so that they are all ready before the first of them runs.
    let asking = tokio::spawn(async move {
        let loads = (0..100).map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.load(handle(), now()).await })
        });
        for load in loads.collect::<Vec<_>>() {
            let found = load.await.expect("it does not panic");
            assert_eq!(found.expect("it answers"), None);
        }
    });
    asking.await.expect("it does not panic");
    // Among them are those of the two questions.
    let writes = received() - before;
    assert!(writes <= 20, "{writes} writes for 100 commands");
}

#[tokio::test]
async fn a_record_is_one_key_that_the_server_removes_by_itself() {
    let server = Redis::start();
    let store = open(&server).await;
    let (handle, record) = (handle(), record());
    store
        .create(handle, &record, now())
        .await
        .expect("it answers");
    let key = format!("session:{handle}");
    let left = || -> u64 {
        let left = server.cli(&["PTTL", &key]);
        left.trim().parse().expect("it has an end")
    };
    let hour = 3_600_000;
    assert_eq!(server.cli(&["DBSIZE"]).trim(), "1");
    assert!((hour - 60_000..=hour).contains(&left()), "{}", left());
    let later = now().after(2 * HOUR);
    store
        .touch(handle, 1, later, now())
        .await
        .expect("it answers");
    assert!(
        (2 * hour - 60_000..=2 * hour).contains(&left()),
        "{}",
        left()
    );
    assert!(!store.capabilities().purge);
}
