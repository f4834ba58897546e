//! Settings: what a URL, a file and a program say, what is refused, and what is never printed.

use std::error::Error;
use std::time::Duration;

use fasthttpsession_core::StoreErrorKind;
use fasthttpsession_mysql::{MysqlConfig, Tls};

const SECRET: &str = "s3cret!";

#[test]
fn a_url_a_file_and_a_program_say_the_same() {
    let program = MysqlConfig::new("db.example")
        .table("web.sessions")
        .expect("it is a name")
        .port(3307)
        .socket("/run/db.sock")
        .user("we@b")
        .password(SECRET)
        .database("a/pp")
        .tls(Tls::Verified)
        .ca_file("/etc/ca.pem")
        .migrate(true)
        .max_connections(7)
        .idle_connections(2)
        .connect_timeout(Duration::from_millis(1100))
        .pool_timeout(Duration::from_millis(1200))
        .statement_timeout(Duration::from_millis(1300))
        .purge_every(Duration::ZERO)
        .purge_batch(11);
    let settings = "socket=/run/db.sock&tls=verified&ca_file=/etc/ca.pem&table=web.sessions&migrate=true\
        &max_connections=7&idle_connections=2&connect_timeout_ms=1100&pool_timeout_ms=1200\
        &statement_timeout_ms=1300&purge_every_ms=0&purge_batch=11";
    for scheme in ["mysql", "mariadb"] {
        let url = format!("{scheme}://we%40b:s3cret!@db.example:3307/a%2Fpp?{settings}");
        assert_eq!(MysqlConfig::from_url(&url).expect(&url), program);
    }
    let file = r#"{"host": "db.example", "port": 3307, "socket": "/run/db.sock", "user": "we@b",
        "password": "s3cret!", "database": "a/pp", "tls": "verified", "ca_file": "/etc/ca.pem",
        "table": "web.sessions", "migrate": true, "max_connections": 7, "idle_connections": 2,
        "connect_timeout_ms": 1100, "pool_timeout_ms": 1200, "statement_timeout_ms": 1300,
        "purge_every_ms": 0, "purge_batch": 11}"#;
    let file: MysqlConfig = serde_json::from_str(file).expect("it is a file");
    assert_eq!(file, program);
}

#[test]
fn what_is_not_said_has_its_default() {
    let program = MysqlConfig::new("localhost");
    let url = MysqlConfig::from_url("mysql://localhost").expect("it is a URL");
    assert_eq!(url, program);
    let file: MysqlConfig = serde_json::from_str("{}").expect("it is a file");
    assert_eq!(file, program);
    let spelt_out = MysqlConfig::from_url(
        "mysql://localhost:3306?tls=off&table=fasthttpsession&migrate=false&max_connections=16\
         &idle_connections=4&connect_timeout_ms=5000&pool_timeout_ms=5000&statement_timeout_ms=5000\
         &purge_every_ms=60000&purge_batch=1000",
    );
    assert_eq!(spelt_out.expect("it is a URL"), program);
}

#[test]
fn an_address_has_brackets_in_a_url_only() {
    let program = MysqlConfig::new("::1")
        .port(3307)
        .user("web")
        .password("pw");
    let url = MysqlConfig::from_url("mysql://web:pw@[::1]:3307").expect("it is a URL");
    assert_eq!(url, program);
}

#[test]
fn what_can_not_be_meant_is_refused_and_named() {
    for (url, sentence) in [
        ("postgres://db.example/app", "mysql://"),
        ("db.example", "mysql://"),
        ("mysql://db.example:port/app", "mysql://"),
        ("mysql://db.example/app?colour=red", "none of host, port"),
        (
            "mysql://db.example/app?max_connections=many",
            "max_connections: it is a number",
        ),
        ("mysql://db.example/app?tls=perhaps", "tls: it is one of"),
        ("mysql://db.example/app?table=a%3Bb", "name of a table"),
        ("mysql://db.example/app?host=other", "before the `?`"),
        ("mysql://db.example/app?host=localhost", "before the `?`"),
        ("mysql://db.example:3307/app?port=3306", "before the `?`"),
        ("mysql://web@db.example/app?user=", "before the `?`"),
        ("mysql://web:12/s3cret@db.example/app", "%2F"),
        ("mysql://web:12#s3cret@db.example/app", "%23"),
        ("mysql://web:/s3cret@db.example/app", "%2F"),
    ] {
        let error = MysqlConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url}");
        assert!(error.to_string().contains(sentence), "{url}: {error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
    assert!(serde_json::from_str::<MysqlConfig>(r#"{"tabel": "sessions"}"#).is_err());
    assert!(serde_json::from_str::<MysqlConfig>(r#"{"table": "a;b"}"#).is_err());
}

#[test]
fn no_password_is_printed() {
    let url = format!("mysql://web:{SECRET}@db.example/app");
    let config = MysqlConfig::from_url(&url).expect("it is a URL");
    let printed = format!("{config:?} {config:#?}");
    assert!(!printed.contains(SECRET), "{printed}");

    for wrong in [
        format!("mysql://web:{SECRET}@db.example:port/app"),
        format!("mysql://web:{SECRET}@db.example/app?colour=red"),
        format!("mysql://web:{SECRET}@db.example/app?port=none&password={SECRET}"),
        format!("mysql://web:{SECRET}@[::1/app"),
        format!("web:{SECRET}@db.example/app"),
        format!("mysq://web:{SECRET}@db.example/app"),
        format!("mysql://web:{SECRET}?5@db.example/app"),
        format!("mysql://web:5?{SECRET}@db.example/app"),
    ] {
        let Err(error) = MysqlConfig::from_url(&wrong) else {
            panic!("{wrong} was taken");
        };
        let mut printed = format!("{error} {error:?} {error:#?}");
        let mut source = error.source();
        while let Some(error) = source {
            printed = format!("{printed} {error} {error:?}");
            source = error.source();
        }
        assert!(!printed.contains(SECRET), "{printed}");
    }
}

#[tokio::test]
async fn authorities_that_would_not_be_asked_are_refused() {
    for settings in ["", "&tls=off", "&socket=/nowhere/db.sock"] {
        let url = format!("mysql://127.0.0.1:1/app?ca_file=/etc/ca.pem{settings}");
        let config = MysqlConfig::from_url(&url).expect(&url);
        let error = config.open().await.expect_err("nobody would be verified");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        let sentence = "ca_file is of use with tls=verified only";
        assert!(error.to_string().contains(sentence), "{error}");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn encryption_that_was_not_compiled_in_is_refused() {
    let config = MysqlConfig::new("127.0.0.1").tls(Tls::Verified);
    let error = config.open().await.expect_err("it would not be encrypted");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let sentence = error.to_string();
    let feature = "the feature `tls` of fasthttpsession";
    assert!(sentence.ends_with(feature), "{sentence}");
}
