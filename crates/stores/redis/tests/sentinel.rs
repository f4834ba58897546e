//! Servers that sentinels watch: a new primary is followed without a restart.

mod support;

use std::time::Duration;

use fasthttpsession_core::{Store as _, StoreErrorKind};
use fasthttpsession_redis::RedisConfig;
use fasthttpsession_servers::{RedisSentinel, RedisServer};
use redis::Client;
use support::load::{Load, Report};
use support::{open_with, within};
use tokio::runtime::{Builder, Runtime};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_suite_holds_on_a_primary_that_sentinels_name() {
    let watched = RedisSentinel::start();
    let direct = watched.primary().url();
    let direct = direct.rsplit_once('/').expect("it ends with a database").0;
    let client = Client::open(direct).expect("the URL is one");
    let raw = client.get_multiplexed_async_connection().await;
    support::run_suite(&watched.url(), raw.expect("the primary answers")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_killed_primary_is_followed_under_load() {
    followed_when("a primary killed", |watched| watched.servers[0].kill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_hangs_is_followed_under_load() {
    followed_when("a primary that hangs", |watched| watched.servers[0].pause()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_was_told_to_become_a_replica_is_left_under_load() {
    followed_when("`SENTINEL FAILOVER`", |watched| {
        watched.sentinels[0].cli(&["SENTINEL", "FAILOVER", RedisSentinel::PRIMARY]);
    })
    .await;
}

/// It can't be told to become a replica, and goes on as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_primary_that_does_not_know_of_its_successor_is_left() {
    let watched = RedisSentinel::start();
    let load = Load::start(&open_with(&config(&watched)).await, 16);
    load.goes_on(1000).await;
    let old = &watched.servers[0];
    watched.sentinels[0].cli(&["SENTINEL", "FAILOVER", RedisSentinel::PRIMARY]);
    another_than(old.port(), &watched).await;
    old.cli(&["ACL", "SETUSER", "tester", "resetpass", ">another"]);
    for client in old.cli(&["CLIENT", "LIST"]).lines() {
        if client.contains("name=sentinel-") {
            let id = client.split([' ', '=']).nth(1).expect("it has an id");
            old.cli(&["CLIENT", "KILL", "ID", id]);
        }
    }
    is_used(watched.primary()).await;
    assert!(old.cli(&["ROLE"]).starts_with("master"));
    load.goes_on(1000).await;
    let report = load.end().await;
    report.print("a primary that is told nothing");
    assert_eq!(report.odd_commits, 0);
}

/// That is how Redis is, and what the page warns of.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_no_replica_had_got_is_lost_with_its_primary() {
    let report = cut_and_killed(0).await;
    report.print("cut off from its replicas, then killed");
    assert_eq!(report.odd_commits, 0);
    assert!(report.lost_commits > 0, "nothing was lost");
    assert!(report.undone_logouts > 0, "no logout was undone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_replica_has_confirmed_is_not_lost_with_its_primary() {
    let report = cut_and_killed(1).await;
    report.print("the same, with `wait_replicas` 1");
    assert_eq!(report.odd_commits, 0);
    assert_eq!(report.lost_commits, 0);
    assert_eq!(report.undone_logouts, 0);
    assert!(report.logouts > 0);
}

/// A sentinel that hangs is not the one to wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_sentinel_that_hangs_or_is_dead_holds_nobody_up() {
    let watched = RedisSentinel::start();
    watched.sentinels[0].pause();
    watched.sentinels[1].kill();
    let config = RedisConfig::from_url(&watched.url()).expect("the URL is one");
    let patience = Duration::from_secs(600);
    let config = config.connect_timeout(patience).response_timeout(patience);
    let store = within(config.open()).await;
    let checked = store.expect("the third sentinel answers").check().await;
    checked.expect("the primary answers");
    watched.sentinels[0].resume();
}

/// Both answer `PING`, and refuse every write.
#[tokio::test]
async fn a_sentinel_or_a_replica_in_place_of_the_primary_is_refused() {
    let watched = RedisSentinel::start();
    for (server, kind, sentence) in [
        (
            &watched.sentinels[0],
            StoreErrorKind::Misconfigured,
            "redis+sentinel://",
        ),
        (
            &watched.servers[1],
            StoreErrorKind::Unavailable,
            "it is a replica",
        ),
    ] {
        let url = format!("redis://:p%40ss%3Aword%2F1@{}", server.address());
        let config = RedisConfig::from_url(&url).expect("it is a URL");
        let error = config.open().await.expect_err("it takes no writes");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(!error.may_have_applied(), "{error}");
    }
}

/// Sentinels are asked over connections too, and nothing comes on those of a runtime that does not run.
#[test]
fn a_runtime_that_does_not_run_holds_nobody_up_who_looks_for_the_primary() {
    let watched = RedisSentinel::start();
    let config = RedisConfig::from_url(&watched.url()).expect("the URL is one");
    let patience = Duration::from_secs(600);
    let config = config.connect_timeout(patience).response_timeout(patience);
    let [first, second] = [runtime(), runtime()];
    let store = first.block_on(within(config.open()));
    let store = store.expect("the primary answers");
    let checked = second.block_on(within(store.check()));
    checked.expect("the primary answers");
}

async fn followed_when(what: &str, happens: impl FnOnce(&RedisSentinel)) {
    let watched = RedisSentinel::start();
    let config = config(&watched);
    let load = Load::start(&open_with(&config).await, 16);
    load.goes_on(1000).await;
    let before = watched.primary().port();
    happens(&watched);
    another_than(before, &watched).await;
    is_used(watched.primary()).await;
    load.goes_on(5000).await;
    let report = load.end().await;
    report.print(what);
    assert_eq!(report.odd_commits, 0);
}

/// A primary that is cut off from its replicas under load, and killed some time later.
async fn cut_and_killed(wait_replicas: u32) -> Report {
    let watched = RedisSentinel::start();
    // A replica that was cut off for ten times as long is not made the primary.
    let (setting, value) = ("down-after-milliseconds", "3000");
    for sentinel in &watched.sentinels {
        sentinel.cli(&["SENTINEL", "SET", RedisSentinel::PRIMARY, setting, value]);
    }
    let config = config(&watched).wait_replicas(wait_replicas);
    let store = open_with(&config.wait_timeout(Duration::from_millis(200))).await;
    let load = Load::start(&store, 16);
    load.goes_on(1000).await;
    let [primary, replicas @ ..] = &watched.servers[..] else {
        unreachable!("there are three")
    };
    for replica in replicas {
        replica.cli(&["CONFIG", "SET", "masterauth", "wrong"]);
    }
    primary.cli(&["CLIENT", "KILL", "TYPE", "replica"]);
    if wait_replicas > 0 {
        load.fails(50).await;
    } else {
        load.goes_on(1000).await;
    }
    primary.kill();
    another_than(primary.port(), &watched).await;
    for replica in replicas {
        replica.cli(&["CONFIG", "SET", "masterauth", "p@ss:word/1"]);
    }
    load.goes_on(2000).await;
    load.end().await
}

/// One that runs as long as somebody waits in it.
fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts")
}

fn config(watched: &RedisSentinel) -> RedisConfig {
    let config = RedisConfig::from_url(&watched.url()).expect("the URL is one");
    config
        .connect_timeout(Duration::from_millis(500))
        .response_timeout(Duration::from_millis(500))
}

/// Waits until somebody runs scripts on `server`. They are not replicated, only what they do is.
async fn is_used(server: &RedisServer) {
    let stats = || server.cli(&["INFO", "commandstats"]);
    within(async {
        while !stats().contains("cmdstat_evalsha") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// Waits until the sentinels name another primary.
async fn another_than(port: u16, watched: &RedisSentinel) {
    within(async {
        while watched.primary().port() == port {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
