//! Writes that wait for replicas.

use std::time::Duration;

use fasthttpsession_core::{Deleted, Replaced, Store as _, StoreError, StoreErrorKind};
use fasthttpsession_redis::RedisStore;
use fasthttpsession_servers::{Redis, RedisServer};

use crate::counter::calls;
use crate::support::sample::{handle, next, now, record};
use crate::support::{config, open, within};

/// Longer than anything that is waited for here.
const LONG: Duration = Duration::from_secs(600);

/// A primary, its replica, and a store that waits for that.
async fn replicated() -> (RedisServer, RedisServer, RedisStore) {
    let (primary, replica) = (Redis::start(), Redis::start());
    replica.cli(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    within(async {
        while !primary
            .cli(&["INFO", "replication"])
            .contains("state=online")
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // What a connection has written itself is all that a server waits for, so that two show more than one.
    let config = config(&primary).wait_replicas(1).connections(2);
    let store = config.wait_timeout(Duration::from_millis(300)).open().await;
    (primary, replica, store.expect("it answers"))
}

fn is_unconfirmed<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.expect_err("no replica confirms it");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.may_have_applied() && error.is_retryable());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_is_acknowledged_once_a_replica_has_it() {
    let (primary, replica, store) = replicated().await;
    let (handle, first) = (handle(), record());
    // A busy machine may hold up a replica for longer than the limit.
    within(async { while store.create(handle, &first, now()).await.is_err() {} }).await;
    let key = format!("session:{handle}");
    assert_eq!(replica.cli(&["EXISTS", &key]).trim(), "1");
    let waits = calls(&primary);
    assert!(waits.iter().any(|(name, _)| name == "wait"));
    let before = primary.cli(&["INFO", "commandstats"]);
    store.load(handle, now()).await.expect("it answers");
    let wait = |stats: &str| {
        stats
            .lines()
            .find(|line| line.contains("cmdstat_wait:"))
            .map(str::to_owned)
    };
    let after = primary.cli(&["INFO", "commandstats"]);
    assert_eq!(wait(&before), wait(&after), "a load waits for nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_no_replica_confirms_is_an_error_however_often_it_is_sent() {
    let (primary, replica, store) = replicated().await;
    let (handle, first) = (handle(), record());
    within(async { while store.create(handle, &first, now()).await.is_err() {} }).await;
    replica.pause();
    let second = next(&first);
    let offset = || -> u64 {
        let role = primary.cli(&["ROLE"]);
        let offset = role.lines().nth(1).expect("a primary has an offset");
        offset.parse().expect("it is a number")
    };
    for _ in 0..3 {
        let before = offset();
        is_unconfirmed(store.replace(handle, 1, &second, now()).await);
        assert!(offset() > before, "the server had nothing to wait for");
    }
    // The primary has it all the same.
    let found = store.load(handle, now()).await.expect("it answers");
    assert_eq!(found.as_ref(), Some(&second));
    for _ in 0..3 {
        let before = offset();
        is_unconfirmed(store.delete(handle, now()).await);
        assert!(offset() > before, "the server had nothing to wait for");
    }
    replica.resume();
    let deleted = within(async {
        loop {
            if let Ok(deleted) = store.delete(handle, now()).await {
                break deleted;
            }
        }
    });
    assert_eq!(deleted.await, Deleted::Gone);
    let key = format!("session:{handle}");
    assert_eq!(replica.cli(&["EXISTS", &key]).trim(), "0");
    assert_eq!(primary.cli(&["EXISTS", &key]).trim(), "0");
    let replaced = store.replace(handle, 1, &second, now()).await;
    assert!(!matches!(replaced, Ok(Replaced::Replaced)));
}

/// Another connection than the one that removed the record has nothing to wait for, and no room to write something.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_no_replica_confirms_is_an_error_also_where_the_primary_is_full() {
    let (primary, replica, store) = replicated().await;
    let (handle, first) = (handle(), record());
    within(async { while store.create(handle, &first, now()).await.is_err() {} }).await;
    replica.pause();
    primary.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    is_unconfirmed(store.delete(handle, now()).await);
    for _ in 0..4 {
        let deleted = store.delete(handle, now()).await;
        let error = deleted.expect_err("no replica confirms it");
        assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    }
    let found = store.load(handle, now()).await.expect("it answers");
    assert_eq!(found, None, "it needs no room");
    primary.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    replica.resume();
    let key = format!("session:{handle}");
    within(async { while store.delete(handle, now()).await.is_err() {} }).await;
    assert_eq!(replica.cli(&["EXISTS", &key]).trim(), "0");
}

/// The server answers the write, and then whoever waits for replicas with an error.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_waits_while_its_primary_is_demoted_may_have_been_applied() {
    let server = Redis::start();
    let (handle, first) = (handle(), record());
    let second = next(&first);
    let third = next(&second);
    // By one who waits for nobody, for what waits behind a script that the server does not know yet has written nothing.
    let other = open(&server).await;
    let created = other.create(handle, &first, now()).await;
    created.expect("it answers");
    let replaced = other.replace(handle, 1, &second, now()).await;
    replaced.expect("it answers");
    let waiting = config(&server).wait_replicas(1);
    let store = waiting.wait_timeout(LONG).open().await;
    let store = store.expect("it answers");
    let (sending, sent) = (store.clone(), third.clone());
    let replacing = tokio::spawn(async move { sending.replace(handle, 2, &sent, now()).await });
    within(async {
        while !server
            .cli(&["INFO", "clients"])
            .contains("blocked_clients:1")
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    is_unconfirmed(within(replacing).await.expect("it does not panic"));
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    let found = store.load(handle, now()).await.expect("it answers");
    assert_eq!(found, Some(third));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_to_wait_without_end_is_one_too() {
    let (primary, _replica, _) = replicated().await;
    let waiting = config(&primary).wait_replicas(1);
    let store = waiting.wait_timeout(Duration::MAX).open().await;
    let store = store.expect("it answers");
    let created = within(store.create(handle(), &record(), now())).await;
    created.expect("the replica confirms it");
}

#[tokio::test]
async fn a_primary_that_has_lost_its_replicas_can_be_told_to_refuse_writes() {
    let primary = Redis::start();
    primary.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let store = config(&primary).open().await.expect("it answers");
    let created = store.create(handle(), &record(), now()).await;
    let error = created.expect_err("it has no replica");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(!error.may_have_applied());
}
