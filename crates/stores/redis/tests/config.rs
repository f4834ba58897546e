//! Settings: what a URL, a file and a program say, what is refused, and what is never printed.

mod support;

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use fasthttpsession_core::{Store as _, StoreErrorKind};
use fasthttpsession_redis::RedisConfig;
use fasthttpsession_servers::{Redis, RedisServer};

const SECRET: &str = "s3cr:t!";

fn config(url: &str) -> RedisConfig {
    RedisConfig::from_url(url).expect(url)
}

#[test]
fn a_url_a_file_and_a_program_say_the_same() {
    let program = |place: &str| {
        RedisConfig::new(place)
            .expect(place)
            .username("we@b")
            .password(SECRET)
            .sentinel_username("watch")
            .sentinel_password("w@tch")
            .database(3)
            .prefix("shop:")
            .ca_file("/etc/ca.pem")
            .connections(7)
            .connect_timeout(Duration::from_millis(1100))
            .response_timeout(Duration::from_millis(1200))
            .max_record_bytes(13)
            .wait_replicas(2)
            .wait_timeout(Duration::from_millis(1300))
    };
    let settings = "username=we%40b&password=s3cr:t!&sentinel_username=watch&sentinel_password=w%40tch&database=3\
        &prefix=shop:&ca_file=/etc/ca.pem&connections=7&connect_timeout_ms=1100&response_timeout_ms=1200\
        &max_record_bytes=13&wait_replicas=2&wait_timeout_ms=1300";
    for place in [
        "redis://localhost",
        "rediss://localhost:6380/1",
        "redis+unix:///run/redis.sock",
        "redis+cluster://a,b:7001,[::1]:7002",
        "redis+sentinel://a,b:1/name",
        "rediss+sentinel://a,b:1/name/4",
    ] {
        assert_eq!(config(&format!("{place}?{settings}")), program(place));
        let file = r#"{"url": "PLACE", "username": "we@b", "password": "s3cr:t!", "sentinel_username": "watch",
            "sentinel_password": "w@tch", "database": 3, "prefix": "shop:", "ca_file": "/etc/ca.pem", "connections": 7,
            "connect_timeout_ms": 1100, "response_timeout_ms": 1200, "max_record_bytes": 13, "wait_replicas": 2,
            "wait_timeout_ms": 1300}"#;
        let file: RedisConfig =
            serde_json::from_str(&file.replace("PLACE", place)).expect("it is a file");
        assert_eq!(file, program(place));
    }
}

#[test]
fn what_is_not_said_has_its_default() {
    let spelt_out = config(
        "redis://localhost?prefix=session:&connections=1&connect_timeout_ms=5000&response_timeout_ms=5000\
        &max_record_bytes=16777216&wait_replicas=0&wait_timeout_ms=1000",
    );
    assert_eq!(config("redis://localhost"), spelt_out);
    assert_eq!(config("redis://localhost:6379/"), spelt_out);
    let file = serde_json::from_str::<RedisConfig>(r#"{"url": "redis://localhost"}"#);
    assert_eq!(file.expect("it is a file"), spelt_out);
    for (short, long) in [
        ("redis+cluster://a", "redis+cluster://a:6379"),
        ("redis+sentinel://a/name", "redis+sentinel://a:26379/name/"),
        (
            "redis+unix:///run/redis.sock",
            "redis+unix:///run/redis%2Esock",
        ),
    ] {
        assert_eq!(config(short), config(long));
    }
}

#[test]
fn what_can_not_be_read_is_refused_and_not_shown() {
    for url in [
        "",
        "localhost",
        "memcached://localhost",
        "redis://",
        "redis:///0",
        "redis://localhost:port",
        "redis://localhost:",
        "redis://localhost:0",
        "redis://localhost:+1",
        "redis://localhost:65536",
        "redis://local host",
        "redis://localhost,other",
        "redis+cluster://a, b",
        "redis+cluster://a,b:0",
        "redis+sentinel://a,b /name",
        "redis://[::1",
        "redis://localhost/first",
        "redis://localhost/0/1",
        "redis://%ff@localhost",
        "redis://:s3cret",
        "redis://web:s3cret",
        "redis://web:12?s3cret@localhost",
        "redis+unix://web:s3cret/run/redis.sock",
        "redis+unix://web:s3c@s3cret/run/redis.sock",
        "redis+unix://:s3cret%2Frun%2Fredis.sock",
        "unix:///run/redis.sock",
        "redis+cluster://a,",
        "redis+cluster://a/0",
        "redis+sentinel://a,b",
        "redis+sentinel://a/name/first",
        "redis://localhost?unknown=1",
        "redis://localhost?connections=many",
        "redis://localhost?url=redis://other",
    ] {
        let error = RedisConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url:?}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    let file = serde_json::from_str::<RedisConfig>(r#"{"url": "redis://a?prefix=b"}"#);
    file.expect_err("settings stand beside the URL");
}

#[test]
fn without_timers_or_sockets_there_is_an_error_and_no_panic() {
    let builder = tokio::runtime::Builder::new_current_thread;
    for without in [builder().build(), builder().enable_time().build()] {
        let without = without.expect("a runtime starts");
        let error = without.block_on(config("redis://127.0.0.1:1").open());
        let error = error.expect_err("there are no timers, or no sockets");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("enable_all"), "{error}");
    }
}

/// Connecting would fail at every certificate, and say that it is the server's fault.
#[test]
fn a_system_without_authorities_is_no_place_for_tls() {
    let mut this = Command::new(std::env::current_exe().expect("this program"));
    this.args(["--exact", "opens_with_tls", "--ignored", "--nocapture"]);
    this.env("SSL_CERT_FILE", "/dev/null");
    let output = this.env_remove("SSL_CERT_DIR").output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("TLS trusts nobody"), "{output:?}");
}

#[tokio::test]
#[ignore = "a child process of the test above"]
async fn opens_with_tls() {
    let opened = config("rediss://127.0.0.1:1").open().await;
    let error = opened.expect_err("nobody listens");
    println!("{:?}: {error}", error.kind());
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
}

#[tokio::test]
async fn settings_that_do_not_fit_each_other_are_refused() {
    for config in [
        RedisConfig::default(),
        config("redis+cluster://127.0.0.1:1?database=1"),
        config("redis://127.0.0.1:1?ca_file=/etc/ca.pem"),
        config("rediss://127.0.0.1:1?ca_file=/no/such/file"),
        config("redis://web@127.0.0.1:1"),
        config("redis://127.0.0.1:1?username=web"),
    ] {
        let shown = format!("{config:?}");
        let error = config.open().await.expect_err(&shown);
        assert_eq!(
            error.kind(),
            StoreErrorKind::Misconfigured,
            "{shown}: {error}"
        );
        assert!(!error.may_have_applied());
    }
    let error = config("redis://127.0.0.1:1").open().await;
    let kind = error.expect_err("nobody listens").kind();
    assert_eq!(kind, StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_port_a_socket_users_and_databases_lead_to_the_store() {
    let server = Redis::shared();
    let by_password = format!("redis://:p%40ss%3Aword%2F1@{}/7", server.address());
    for url in [server.url(), server.socket_url(), by_password] {
        let store = config(&url).open().await.expect("it lets us in");
        store.check().await.expect("it answers");
    }
}

#[tokio::test]
async fn two_databases_and_two_prefixes_are_different_stores() {
    let server = Redis::shared();
    let open = async |database, prefix: &str| {
        let config = support::config(&server).database(database).prefix(prefix);
        config.open().await.expect("it answers")
    };
    let (a, b) = (support::prefix(), support::prefix());
    let ours = open(8, &a).await;
    let (handle, record) = (support::sample::handle(), support::sample::record());
    let now = support::sample::now();
    ours.create(handle, &record, now).await.expect("it answers");
    for theirs in [open(9, &a).await, open(8, &b).await] {
        assert_eq!(theirs.load(handle, now).await.expect("it answers"), None);
    }
    let same = open(8, &a).await.load(handle, now).await;
    assert_eq!(same.expect("it answers"), Some(record));
}

#[tokio::test]
async fn tls_leads_to_a_server_that_is_who_it_says() {
    let server = Redis::start_tls();
    let trusting = || config(&server.url()).ca_file(server.ca_certificate());
    let store = trusting().open().await.expect("it is who it says");
    store.check().await.expect("it answers");
    let error = config(&server.url()).open().await;
    let error = error.expect_err("nobody vouches for it");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    server.kill();
    let error = trusting().open().await.expect_err("it is dead");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn who_means_another_kind_of_server_is_told_so() {
    let (server, tls) = (Redis::shared(), Redis::start_tls());
    let plain_as_tls = format!("rediss://{}", server.address());
    let as_cluster = server.url().replace("redis://", "redis+cluster://");
    let as_cluster = as_cluster
        .rsplit_once('/')
        .expect("a database")
        .0
        .to_owned();
    let as_sentinel = server.url().replace("redis://", "redis+sentinel://");
    let far_database = format!("{}?database=999999", server.url());
    for (url, kind) in [
        (plain_as_tls, StoreErrorKind::Timeout),
        (as_cluster, StoreErrorKind::Misconfigured),
        (as_sentinel, StoreErrorKind::Misconfigured),
        (far_database, StoreErrorKind::Misconfigured),
        (
            format!("redis://{}", tls.address()),
            StoreErrorKind::Unavailable,
        ),
    ] {
        let config = config(&url).connect_timeout(Duration::from_secs(2));
        let error = config.open().await.expect_err(&url);
        assert_eq!(error.kind(), kind, "{url}: {error}");
    }
}

#[tokio::test]
async fn a_login_for_sentinels_needs_a_password_and_sentinels() {
    let [sentinels, cluster, server] = [
        "redis+sentinel://127.0.0.1:1/name",
        "redis+cluster://127.0.0.1:1",
        "redis://127.0.0.1:1",
    ]
    .map(config);
    for (config, sentence) in [
        (
            sentinels.sentinel_username("watch"),
            "set sentinel_password",
        ),
        (cluster.sentinel_username("watch"), "redis+sentinel://"),
        (server.sentinel_password(SECRET), "redis+sentinel://"),
    ] {
        let error = config.open().await.expect_err("it is of no use");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains(sentence), "{error}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_printed() {
    let server = Redis::shared();
    for config in [
        wrong(&server).username("tester").password(SECRET),
        wrong(&server).password(SECRET),
        wrong(&server).username("nobody").password(SECRET),
        config(&format!("redis://tester:{SECRET}@{}", server.address())),
        wrong(&server).sentinel_password(SECRET),
    ] {
        assert!(!format!("{config:?}").contains(SECRET));
        let error = config.open().await.expect_err("it is wrong");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        let mut next: Option<&dyn Error> = Some(&error);
        while let Some(error) = next {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "{shown}");
            next = error.source();
        }
    }
}

fn wrong(server: &RedisServer) -> RedisConfig {
    config(&format!("redis://{}", server.address()))
}
