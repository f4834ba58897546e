//! Servers that are dead, hung, restarted or back.

use std::time::{Duration, Instant};

use fasthttpsession_core::{
    Deleted, Handle, Replaced, Sessions, Store as _, StoreError, StoreErrorKind, Touched,
};
use fasthttpsession_memcached::MemcachedStore;
use fasthttpsession_servers::{Memcached, MemcachedServer};

use crate::support::browser::Browser;
use crate::support::sample::{HOUR, handle, next, now, record};
use crate::support::{client, config, handle_on, open, until_it_answers};

fn three() -> [MemcachedServer; 3] {
    [Memcached::start(), Memcached::start(), Memcached::start()]
}

/// What each operation on `handle`, but a creation, answers.
async fn errors(store: &MemcachedStore, handle: Handle) -> [StoreError; 4] {
    let record = next(&record());
    let dead = "its server does not answer";
    [
        store.load(handle, now()).await.expect_err(dead),
        store
            .replace(handle, 1, &record, now())
            .await
            .expect_err(dead),
        store
            .touch(handle, 1, now().after(2 * HOUR), now())
            .await
            .expect_err(dead),
        store.delete(handle, now()).await.expect_err(dead),
    ]
}

/// The handle of a new session; `None` if no server took it. With one of three that does not answer, the eight handles that
/// are tried all lead there once in 6,561 times.
async fn begun(sessions: &Sessions) -> Option<Handle> {
    let mut browser = Browser::default();
    let visited = browser.visit(sessions, |session| session.set("n", &1));
    match visited.await {
        Ok(()) => Some(browser.handle()),
        Err(error) => {
            assert!(error.is_retryable(), "{error}");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_an_error_for_its_sessions_and_for_no_others() {
    let servers = three();
    let store = open(&servers).await;
    let handles = [0, 1, 2].map(|place| handle_on(&servers, place));
    for handle in handles {
        store
            .create(handle, &record(), now())
            .await
            .expect("it answers");
    }
    servers[1].kill();
    for error in errors(&store, handles[1]).await {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.is_retryable());
        assert!(error.to_string().contains(&servers[1].address()), "{error}");
    }
    let error = store.create(handles[1], &record(), now()).await;
    let error = error.expect_err("its server is dead");
    assert!(
        error.is_of_one_server() && !error.may_have_applied(),
        "{error}"
    );
    for handle in [handles[0], handles[2]] {
        let found = store.load(handle, now()).await.expect("its server lives");
        assert!(found.is_some());
    }
    let error = store.check().await.expect_err("one is dead");
    assert!(error.to_string().contains(&servers[1].address()), "{error}");
    servers[1].restart();
    until_it_answers(&store, handles[1]).await;
    assert_eq!(
        store.load(handles[1], now()).await.expect("it is back"),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn new_sessions_avoid_a_dead_server_and_return_to_it() {
    let servers = three();
    let sessions = Sessions::new(open(&servers).await);
    let raw = client(&servers);
    let server_of_new = async || {
        let handle = begun(&sessions).await?;
        Some(raw.server_of(&format!("session:{handle}")).to_string())
    };
    let first = Some(servers[0].address());
    servers[0].kill();
    let mut failed = 0;
    for _ in 0..40 {
        let server = server_of_new().await;
        assert_ne!(server, first);
        failed += usize::from(server.is_none());
    }
    assert!(failed < 3, "{failed} of 40 found no server");
    servers[0].restart();
    let returned = async { while server_of_new().await != first {} };
    let returned = tokio::time::timeout(Duration::from_secs(60), returned);
    returned.await.expect("it is used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_on_a_dead_server_is_an_error() {
    let servers = three();
    let sessions = Sessions::new(open(&servers).await);
    let mut browser = Browser::default();
    let visited = browser.visit(&sessions, |session| session.login("ada"));
    visited.await.expect("they live");
    let exchange = browser.begin(&sessions);
    let session = exchange.session().await.expect("they live");
    session.logout().expect("it is noted");
    for server in &servers {
        server.kill();
    }
    let error = exchange
        .finish()
        .await
        .expect_err("nobody knows of the logout");
    assert!(error.is_retryable(), "{error}");
    let error = sessions.end(browser.handle()).await;
    error.expect_err("nobody knows of the logout");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_server_a_new_session_is_an_error_in_time() {
    let servers = three();
    let sessions = Sessions::new(open(&servers).await);
    for server in &servers {
        server.kill();
    }
    let start = Instant::now();
    let visited = Browser::default()
        .visit(&sessions, |session| session.set("n", &1))
        .await;
    let error = visited.expect_err("all are dead");
    assert!(error.is_retryable(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_server_is_a_timeout_until_it_goes_on() {
    let servers = three();
    let patient = open(&servers).await;
    let there = handle_on(&servers, 0);
    let created = patient.create(there, &record(), now()).await;
    created.expect("it answers");
    // Short, and yet enough for servers that answer.
    let config = config(&servers).response_timeout(Duration::from_secs(1));
    let store = config.open().await.expect("they answer");
    let sessions = Sessions::new(store.clone());
    servers[0].pause();
    let start = Instant::now();
    let error = store.load(there, now()).await.expect_err("it hangs");
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    for error in errors(&store, there).await {
        assert!(error.is_retryable(), "{error}");
    }
    let mut failed = 0;
    for _ in 0..20 {
        failed += usize::from(begun(&sessions).await.is_none());
    }
    assert!(failed < 3, "{failed} of 20 found none that answers");
    assert!(start.elapsed() < Duration::from_secs(60));
    servers[0].resume();
    until_it_answers(&store, there).await;
    // It was only slow: what it was sent meanwhile it may have carried out.
    patient.load(there, now()).await.expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_sessions_are_gone_and_nothing_is_an_error() {
    let server = Memcached::start();
    let store = open(std::slice::from_ref(&server)).await;
    let (handle, record) = (handle(), record());
    store
        .create(handle, &record, now())
        .await
        .expect("it answers");
    server.restart();
    until_it_answers(&store, handle).await;
    let replaced = store.replace(handle, 1, &next(&record), now()).await;
    assert_eq!(replaced.expect("it answers"), Replaced::Gone);
    assert_eq!(store.load(handle, now()).await.expect("it answers"), None);
    let touched = store.touch(handle, 1, now().after(2 * HOUR), now()).await;
    assert_eq!(touched.expect("it answers"), Touched::Gone);
    let deleted = store.delete(handle, now()).await;
    assert_eq!(deleted.expect("it answers"), Deleted::Gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_opens_as_long_as_one_server_answers() {
    let servers = three();
    servers[2].kill();
    let store = open(&servers).await;
    let created = store.create(handle_on(&servers, 0), &record(), now()).await;
    created.expect("it answers");
    for server in &servers {
        server.kill();
    }
    let error = config(&servers).open().await.expect_err("all are dead");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(!error.may_have_applied());
}

/// Of one server, no other handle would fare better.
#[tokio::test(flavor = "multi_thread")]
async fn the_only_server_is_asked_once_for_a_new_session() {
    let server = Memcached::start();
    let store = open(std::slice::from_ref(&server)).await;
    server.kill();
    let created = store.create(handle(), &record(), now()).await;
    assert!(!created.expect_err("it is dead").is_of_one_server());
}
