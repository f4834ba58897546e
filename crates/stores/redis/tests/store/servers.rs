//! Servers that are dead, hung, restarted or back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fasthttpsession_core::{Handle, Sessions, Store as _, StoreError, StoreErrorKind};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use fasthttpsession_servers::{Redis, RedisServer, keepalives};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::browser::Browser;
use crate::support::fake::Fake;
use crate::support::load::Load;
use crate::support::sample::{HOUR, handle, next, now, record};
use crate::support::{config, open, open_with, until_it_answers, within};

/// Short, and yet enough for a server that answers.
const SHORT: Duration = Duration::from_secs(1);

/// After how long a silent connection is asked whether the server is there.
const SOON: Duration = Duration::from_secs(30);

/// A store on `server` that waits no longer.
pub(crate) async fn open_impatient(server: &RedisServer) -> RedisStore {
    open_with(
        &config(server)
            .connect_timeout(SHORT)
            .response_timeout(SHORT),
    )
    .await
}

/// What each operation on `handle` answers.
async fn errors(store: &RedisStore, handle: Handle) -> [StoreError; 6] {
    let dead = "the server does not answer";
    let record = record();
    [
        store.load(handle, now()).await.map(drop).expect_err(dead),
        store
            .create(handle, &record, now())
            .await
            .map(drop)
            .expect_err(dead),
        store
            .replace(handle, 1, &next(&record), now())
            .await
            .map(drop)
            .expect_err(dead),
        store
            .touch(handle, 1, now().after(2 * HOUR), now())
            .await
            .map(drop)
            .expect_err(dead),
        store.delete(handle, now()).await.map(drop).expect_err(dead),
        store.check().await.expect_err(dead),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_an_error_until_it_is_back() {
    let server = Redis::start();
    let store = open(&server).await;
    let (handle, first) = (handle(), record());
    store
        .create(handle, &first, now())
        .await
        .expect("it answers");
    server.kill();
    for error in errors(&store, handle).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.is_retryable());
    }
    // By now it is known, and nothing is sent.
    for error in errors(&store, handle).await {
        assert!(!error.may_have_applied(), "{error}");
    }
    server.restart();
    until_it_answers(&store).await;
    // Also its scripts are gone.
    let replaced = store.replace(handle, 1, &next(&first), now()).await;
    replaced.expect("it is back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_is_a_time_out_within_the_limits_until_it_goes_on() {
    let server = Redis::start();
    let handle = handle();
    let created = open(&server).await.create(handle, &record(), now()).await;
    created.expect("it answers");
    let store = open_impatient(&server).await;
    server.pause();
    for _ in 0..2 {
        let start = Instant::now();
        for error in errors(&store, handle).await {
            assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        }
        // Six operations of at most two seconds each, on a machine that may be busy.
        assert!(start.elapsed() < Duration::from_secs(40));
    }
    server.resume();
    // What it was sent meanwhile it may have carried out.
    within(async { while store.load(handle, now()).await.is_err() {} }).await;
}

/// Answers that come after somebody has given up must not be taken for answers to what was asked since.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_that_come_too_late_are_nobody_elses() {
    let server = Redis::start();
    let config = config(&server).response_timeout(Duration::from_millis(100));
    let store = open_with(&config).await;
    let mut sessions = Vec::new();
    for _ in 0..64 {
        let (handle, record) = (handle(), record());
        let created =
            within(async { while store.create(handle, &record, now()).await.is_err() {} });
        created.await;
        sessions.push((handle, record));
    }
    let sessions = Arc::new(sessions);
    let (answered, late) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let loads = (0..16).map(|task| {
        let (store, sessions) = (store.clone(), Arc::clone(&sessions));
        let (answered, late) = (Arc::clone(&answered), Arc::clone(&late));
        tokio::spawn(async move {
            for (handle, record) in sessions.iter().cycle().skip(task).step_by(7) {
                match store.load(*handle, now()).await {
                    Ok(found) => {
                        assert_eq!(found.as_ref(), Some(record));
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => {
                        assert!(error.is_retryable(), "{error}");
                        late.fetch_add(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                }
            }
        })
    });
    let loads: Vec<_> = loads.collect();
    for _ in 0..10 {
        let (before, late_before) = (answered.load(Ordering::SeqCst), late.load(Ordering::SeqCst));
        server.pause();
        within(async {
            while late.load(Ordering::SeqCst) == late_before {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        server.resume();
        within(async {
            while answered.load(Ordering::SeqCst) < before + 500 {
                assert!(
                    loads.iter().all(|load| !load.is_finished()),
                    "a load failed"
                );
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
    for load in &loads {
        assert!(!load.is_finished(), "a load got another's record");
        load.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_on_a_dead_or_hung_server_is_an_error_in_time() {
    let server = Redis::start();
    server.pause();
    let config = || config(&server).connect_timeout(SHORT);
    let error = within(config().open()).await.expect_err("it hangs");
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    assert!(!error.may_have_applied());
    server.resume();
    let config = config();
    server.kill();
    let error = within(config.open()).await.expect_err("it is dead");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(!error.may_have_applied());
}

/// What stands between may answer so when it has passed the command on.
#[tokio::test]
async fn an_error_that_redis_does_not_know_leaves_open_whether_the_command_was_carried_out() {
    for (answer, may_have_applied) in [
        ("-ERR Connection timed out", true),
        ("-upstream failure", true),
        (
            "-OOM command not allowed when used memory > 'maxmemory'.",
            false,
        ),
        (
            "-READONLY You can't write against a read only replica.",
            false,
        ),
    ] {
        let fake = Fake::start(move |_, name| match name {
            "EVALSHA" => format!("{answer}\r\n"),
            _ => "+PONG\r\n".to_owned(),
        });
        let fake = fake.await;
        let config = RedisConfig::from_url(&format!("redis://127.0.0.1:{}", fake.port));
        let store = config.expect("it is a URL").open().await;
        let store = store.expect("it answers");
        let deleted = store.delete(handle(), now()).await;
        let error = deleted.expect_err(answer);
        assert_eq!(error.may_have_applied(), may_have_applied, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_ends_are_replaced_unnoticed() {
    let server = Redis::start();
    let store = open(&server).await;
    for _ in 0..20 {
        store.load(handle(), now()).await.expect("it answers");
        server.cli(&["CLIENT", "KILL", "TYPE", "normal"]);
        // Whether it has come to be known is seen by whether the next one is answered; the first may be too early.
        until_it_answers(&store).await;
    }
    store.load(handle(), now()).await.expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_of_no_use_is_not_stormed() {
    is_not_stormed_where(async |_| {}).await;
}

/// As a proxy that has nothing behind it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_greets_and_answers_nothing_is_not_stormed() {
    is_not_stormed_where(async |mut stream| {
        let mut received = [0; 1024];
        // One command, which gives the password.
        let greeting = stream.read(&mut received).await;
        assert!(greeting.expect("a greeting") > 0);
        stream.write_all(b"+OK\r\n").await.expect("room");
        let command = stream.read(&mut received).await;
        assert!(command.expect("a command") > 0);
    })
    .await;
}

/// In place of a server comes one that does this on each connection, and ends it.
async fn is_not_stormed_where(done: impl AsyncFn(TcpStream)) {
    let server = Redis::start();
    let store = config(&server).connections(2).open().await;
    let store = store.expect("it answers");
    server.kill();
    let listener = TcpListener::bind(server.address()).await;
    let listener = listener.expect("the port is free");
    let attempts = AtomicUsize::new(0);
    let useless = async {
        while let Ok((stream, _)) = listener.accept().await {
            attempts.fetch_add(1, Ordering::SeqCst);
            done(stream).await;
        }
    };
    let (start, mut refused) = (Instant::now(), 0);
    let loading = async {
        while start.elapsed() < Duration::from_secs(2) {
            let loaded = store.load(handle(), now()).await;
            loaded.expect_err("nobody answers");
            refused += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = useless => unreachable!("it goes on listening"),
        () = loading => {}
    }
    // On each of two connections after pauses of 50, 100, 200 … ms, or of half as much: eight, and one more if the end is late.
    let attempts = attempts.load(Ordering::SeqCst);
    assert!((1..=18).contains(&attempts), "{attempts}");
    assert!(refused > 100, "who comes meanwhile need not wait");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_killed_under_load_keeps_what_it_has_acknowledged() {
    let server = Redis::start();
    let load = Load::start(&open(&server).await, 16);
    for _ in 0..3 {
        load.goes_on(500).await;
        server.kill();
        server.restart();
    }
    load.goes_on(500).await;
    let report = within(load.end()).await;
    report.print("a server killed three times");
    assert_eq!(report.lost_commits, 0);
    assert_eq!(report.undone_logouts, 0);
    assert_eq!(report.odd_commits, 0);
    assert!(report.logouts > 0 && !report.errors.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_on_a_dead_server_is_an_error() {
    let server = Redis::start();
    let sessions = Sessions::new(open(&server).await);
    let mut browser = Browser::default();
    let visited = browser.visit(&sessions, |session| session.login("ada"));
    visited.await.expect("it answers");
    let exchange = browser.begin(&sessions);
    let session = exchange.session().await.expect("it answers");
    session.logout().expect("it is noted");
    server.kill();
    let error = exchange.finish().await;
    let error = error.expect_err("nobody knows of the logout");
    assert!(error.is_retryable(), "{error}");
}

/// One that a firewall has forgotten, or whose server has lost its power, would be taken for good until somebody waits on it.
#[tokio::test]
async fn a_silent_connection_is_soon_asked_whether_the_server_is_there() {
    let server = Redis::shared();
    let _store = open(&server).await;
    within(async {
        // A moment after the last answer, for until then there is data under way.
        while !keepalives().iter().any(|left| *left <= SOON) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
