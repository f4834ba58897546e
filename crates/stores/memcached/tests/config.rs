//! Settings: what a URL, a file and a program say, what is refused, and what is never printed.

mod support;

use std::error::Error;
use std::time::Duration;

use fasthttpsession_core::{Store as _, StoreErrorKind};
use fasthttpsession_memcached::MemcachedConfig;
use fasthttpsession_servers::Memcached;

const SECRET: &str = "s3cr:t!";

#[test]
fn a_url_a_file_and_a_program_say_the_same() {
    let program = MemcachedConfig::new("cache-1,cache-2:11212,[::1]")
        .expect("they are addresses")
        .username("we@b")
        .password(SECRET)
        .tls(true)
        .ca_file("/etc/ca.pem")
        .prefix("shop:")
        .connections(7)
        .connect_timeout(Duration::from_millis(1100))
        .response_timeout(Duration::from_millis(1200))
        .max_record_bytes(13);
    let settings = "ca_file=/etc/ca.pem&prefix=shop:&connections=7&connect_timeout_ms=1100\
        &response_timeout_ms=1200&max_record_bytes=13";
    for url in [
        format!("memcached+tls://we%40b:s3cr%3At!@cache-1,cache-2:11212,[::1]?{settings}"),
        format!(
            "memcached+tls://we%40b:s3cr:t!@cache-1:11211,cache-2:11212,[::1]:11211/?{settings}"
        ),
        format!(
            "memcached://cache-1,cache-2:11212,[::1]?tls=true&username=we%40b&password=s3cr:t!&{settings}"
        ),
    ] {
        assert_eq!(MemcachedConfig::from_url(&url).expect(&url), program);
    }
    let file = r#"{"servers": "cache-1, cache-2:11212, [::1]", "username": "we@b", "password": "s3cr:t!", "tls": true,
        "ca_file": "/etc/ca.pem", "prefix": "shop:", "connections": 7, "connect_timeout_ms": 1100,
        "response_timeout_ms": 1200, "max_record_bytes": 13}"#;
    let file: MemcachedConfig = serde_json::from_str(file).expect("it is a file");
    assert_eq!(file, program);
}

/// As tools make them that write random bytes in Base64.
#[test]
fn a_password_with_a_plus_is_the_same_before_and_behind_the_question_mark() {
    let program = MemcachedConfig::new("localhost").expect("it is an address");
    let program = program.username("web").password("a+b c");
    for url in [
        "memcached://web:a+b%20c@localhost",
        "memcached://localhost?username=web&password=a+b%20c",
        "memcached://localhost?username=web&password=a%2Bb%20c",
    ] {
        assert_eq!(MemcachedConfig::from_url(url).expect(url), program);
    }
}

#[test]
fn what_is_not_said_has_its_default() {
    let program = MemcachedConfig::new("localhost").expect("it is an address");
    let url = MemcachedConfig::from_url("memcached://localhost").expect("it is a URL");
    assert_eq!(url, program);
    let file = serde_json::from_str(r#"{"servers": "localhost"}"#).expect("it is a file");
    assert_eq!(program, file);
    let spelt_out = "memcached://localhost:11211?tls=false&prefix=session:&connections=1&connect_timeout_ms=1000\
        &response_timeout_ms=2000&max_record_bytes=1048576";
    let spelt_out = MemcachedConfig::from_url(spelt_out).expect("it is a URL");
    assert_eq!(spelt_out, program);
}

#[test]
fn sockets_are_named_alike_in_a_url_and_in_a_program() {
    for (url, servers) in [
        (
            "memcached+unix:///run/memcached.sock",
            "/run/memcached.sock",
        ),
        ("memcached+unix:///run/a%20b", "/run/a b"),
        ("memcached+unix:///run/a,/run/b", "/run/a,/run/b"),
    ] {
        let program = MemcachedConfig::new(servers).expect(servers);
        assert_eq!(MemcachedConfig::from_url(url).expect(url), program);
    }
}

#[test]
fn what_can_not_be_read_is_refused() {
    for url in [
        "",
        "localhost",
        "redis://localhost",
        "memcached://",
        "memcached:///run/memcached.sock",
        "memcached+unix://localhost",
        "memcached://localhost,",
        "memcached://localhost:port",
        "memcached://localhost/1",
        "memcached://%ff@localhost",
        "memcached://localhost?unknown=1",
        "memcached://localhost?connections=many",
        "memcached://localhost?servers=others",
        "memcached://localhost?prefix=%ff",
    ] {
        let error = MemcachedConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url:?}");
    }
    let file = serde_json::from_str::<MemcachedConfig>(r#"{"servers": "a b"}"#);
    file.expect_err("a host has no spaces");
}

#[test]
fn what_a_url_says_twice_is_refused() {
    for (url, name) in [
        (
            "memcached://web:s3cret@localhost?username=other",
            "username",
        ),
        (
            "memcached://web:s3cret@localhost?password=s3cret",
            "password",
        ),
        ("memcached+tls://localhost?tls=false", "tls"),
    ] {
        let error = MemcachedConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url}");
        let sentence = error.to_string();
        assert!(sentence.contains(&format!("says {name} twice")), "{error}");
        assert!(!sentence.contains("s3cret"), "{error}");
    }
}

#[test]
fn a_password_where_a_server_should_be_is_not_shown() {
    let servers = "web:s3cret@cache-1";
    let program = MemcachedConfig::new(servers).expect_err("it is no server");
    let url = MemcachedConfig::from_url("memcached://web:s3cret").expect_err("it is no server");
    let socket = MemcachedConfig::from_url("memcached+unix://web:s3cret/run/memcached.sock");
    let socket = socket.expect_err("it is no path");
    let file = serde_json::from_str::<MemcachedConfig>(&format!(r#"{{"servers": "{servers}"}}"#));
    let file = file.expect_err("it is no server");
    for shown in [
        format!("{socket} {socket:?}"),
        format!("{program} {program:?}"),
        format!("{url} {url:?}"),
        format!("{file} {file:?}"),
    ] {
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[tokio::test]
async fn settings_that_do_not_fit_each_other_are_refused() {
    let config = || MemcachedConfig::new("127.0.0.1:1").expect("it is an address");
    let socket = MemcachedConfig::new("/no/such/socket").expect("it is a path");
    let twice = MemcachedConfig::new("localhost,localhost:11211").expect("they are addresses");
    let (longest, longer) = ("x".repeat(228), "x".repeat(229));
    let wrong = [
        MemcachedConfig::default(),
        twice,
        config().prefix("a b"),
        config().prefix("a\n"),
        config().prefix("a\u{a0}"),
        config().prefix(&longer),
        config().username("web"),
        config().password(SECRET),
        config().username("web").password("with space"),
        config().ca_file("/etc/ca.pem"),
        config().tls(true).ca_file("/no/such/file"),
        socket.tls(true),
    ];
    for config in wrong {
        let shown = format!("{config:?}");
        let error = config.open().await.expect_err(&shown);
        assert_eq!(
            error.kind(),
            StoreErrorKind::Misconfigured,
            "{shown}: {error}"
        );
        assert!(!error.may_have_applied());
    }
    let error = config().prefix(&longest).open().await;
    let kind = error.expect_err("nobody listens").kind();
    assert_eq!(kind, StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_socket_and_a_password_lead_to_the_store() {
    let (socket, users) = (Memcached::start_on_socket(), Memcached::start_with_users());
    for url in [socket.socket_url(), users.url()] {
        let config = MemcachedConfig::from_url(&url).expect("it is a URL");
        let config = config.response_timeout(Duration::from_secs(30));
        let store = config.open().await.expect("it lets us in");
        store.check().await.expect("it answers");
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_leads_to_the_store() {
    let server = Memcached::start_tls();
    let config = || MemcachedConfig::from_url(&server.url()).expect("it is a URL");
    let trusting = config()
        .ca_file(server.ca_certificate())
        .response_timeout(Duration::from_secs(30));
    let store = trusting.open().await.expect("it is who it says");
    store.check().await.expect("it answers");
    let error = config().open().await.expect_err("nobody vouches for it");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn tls_that_was_not_built_in_is_refused() {
    let config = MemcachedConfig::from_url("memcached+tls://localhost").expect("it is a URL");
    let error = config.open().await.expect_err("it was not built in");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    let sentence = error.to_string();
    let feature = "the feature `tls` of fasthttpsession";
    assert!(sentence.ends_with(feature), "{sentence}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_printed() {
    let server = Memcached::start_with_users();
    let config = MemcachedConfig::new(&server.address()).expect("it is an address");
    let config = config.username("tester").password(SECRET);
    assert!(!format!("{config:?}").contains(SECRET));
    let error = config.open().await.expect_err("it is wrong");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    // The sentence has all of it.
    assert!(error.source().is_none(), "{error:?}");
}

#[tokio::test]
async fn two_prefixes_are_two_stores() {
    let server = Memcached::start();
    let open = async |prefix| {
        let config = support::config(std::slice::from_ref(&server)).prefix(prefix);
        config.open().await.expect("it answers")
    };
    let (ours, theirs) = (open("a:").await, open("b:").await);
    let (handle, record) = (support::sample::handle(), support::sample::record());
    let now = support::sample::now();
    ours.create(handle, &record, now).await.expect("it answers");
    assert_eq!(theirs.load(handle, now).await.expect("it answers"), None);
    assert!(ours.load(handle, now).await.expect("it answers").is_some());
}
