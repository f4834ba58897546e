//! A connection of the application's own.

use fasthttpsession_core::{Store as _, StoreErrorKind};
use fasthttpsession_redis::RedisConfig;
use fasthttpsession_servers::Redis;
use redis::{Client, aio::ConnectionManager};

use crate::support::sample::{handle, now, principal, record, record_of};
use crate::support::{config, prefix, until_it_answers};

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_kept_over_the_applications_connection_also_after_a_restart() {
    let server = Redis::start();
    let client = Client::open(server.url()).expect("the URL is one");
    let own = ConnectionManager::new(client).await;
    let own = own.expect("the server answers");
    let config = RedisConfig::default().prefix(&prefix());
    let store = config.open_on(own).await.expect("the server answers");
    let (handle, record) = (handle(), record());
    store
        .create(handle, &record, now())
        .await
        .expect("it answers");
    server.kill();
    let error = store.load(handle, now()).await.expect_err("it is dead");
    assert!(error.is_retryable(), "{error}");
    server.restart();
    until_it_answers(&store).await;
    let found = store.load(handle, now()).await.expect("it is back");
    assert_eq!(found, Some(record));
}

#[tokio::test]
async fn opening_on_a_connection_that_is_dead_is_unavailable() {
    let server = Redis::start();
    let client = Client::open(server.url()).expect("the URL is one");
    let own = client.get_multiplexed_async_connection().await;
    let own = own.expect("the server answers");
    server.kill();
    let opened = RedisConfig::default().open_on(own).await;
    let error = opened.expect_err("it is dead");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}

/// Its answers have other forms: scores are numbers, in pairs with what has them.
#[tokio::test]
async fn a_connection_that_speaks_resp3_lists_and_scans_too() {
    let server = Redis::start();
    let url = format!("{}?protocol=resp3", server.url());
    let client = Client::open(url).expect("the URL is one");
    let own = client.get_multiplexed_async_connection().await;
    let own = own.expect("the server answers");
    let store = config(&server).open_on(own).await;
    let store = store.expect("the server answers");
    let principal = principal();
    for _ in 0..20 {
        let created = store.create(handle(), &record_of(&principal), now()).await;
        created.expect("it answers");
    }
    let theirs = store.sessions_of(&principal, now()).await;
    assert_eq!(theirs.expect("it answers").len(), 20);
    let page = store.scan(None, 1000, now()).await;
    assert_eq!(page.expect("it answers").sessions.len(), 20);
}

#[tokio::test]
async fn opening_leaves_alone_what_the_application_keeps_beside_the_sessions() {
    let server = Redis::start();
    for name in ["opening", "check", "@", ""] {
        server.cli(&["SET", &format!("session:{name}"), "its own"]);
    }
    let before = server.cli(&["DBSIZE"]);
    let config = config(&server).prefix("session:");
    config.open().await.expect("the server answers");
    assert_eq!(server.cli(&["DBSIZE"]), before);
}
