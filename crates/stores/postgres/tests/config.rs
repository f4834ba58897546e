//! Settings: what a URL, a file and a program say, what is refused, and what is never printed.

use std::error::Error;
use std::time::Duration;

use fasthttpsession_core::StoreErrorKind;
use fasthttpsession_postgres::{PostgresConfig, SslMode};

const SECRET: &str = "s3cret!";

#[test]
fn a_url_a_file_and_a_program_say_the_same() {
    let program = PostgresConfig::new("db.example")
        .and_then(|config| config.table("web.sessions"))
        .expect("they are names")
        .port(5433)
        .user("we@b")
        .password(SECRET)
        .database("a/pp")
        .application_name("shop")
        .sslmode(SslMode::VerifyFull)
        .sslrootcert("/etc/ca.pem")
        .migrate(true)
        .prepared(false)
        .max_connections(7)
        .idle_connections(2)
        .connect_timeout(Duration::from_millis(1100))
        .pool_timeout(Duration::from_millis(1200))
        .statement_timeout(Duration::from_millis(1300))
        .purge_every(Duration::ZERO)
        .purge_batch(11);
    let settings = "port=5433&application_name=shop&sslmode=verify-full&sslrootcert=/etc/ca.pem&table=web.sessions\
         &migrate=true&prepared=false&max_connections=7&idle_connections=2&connect_timeout_ms=1100\
         &pool_timeout_ms=1200&statement_timeout_ms=1300&purge_every_ms=0&purge_batch=11";
    for scheme in ["postgres", "postgresql"] {
        let url = format!("{scheme}://we%40b:s3cret!@db.example/a%2Fpp?{settings}");
        let url = PostgresConfig::from_url(&url).expect("it is a URL");
        assert_eq!(url, program);
    }
    let all_behind = format!(
        "postgres://?host=db.example&user=we%40b&password=s3cret!&database=a/pp&{settings}"
    );
    let all_behind = PostgresConfig::from_url(&all_behind).expect("it is a URL");
    assert_eq!(all_behind, program);
    let file = r#"{"host": "db.example", "port": 5433, "user": "we@b", "password": "s3cret!", "database": "a/pp",
        "application_name": "shop", "sslmode": "verify-full", "sslrootcert": "/etc/ca.pem", "table": "web.sessions",
        "migrate": true, "prepared": false, "max_connections": 7, "idle_connections": 2, "connect_timeout_ms": 1100,
        "pool_timeout_ms": 1200, "statement_timeout_ms": 1300, "purge_every_ms": 0, "purge_batch": 11}"#;
    let file: PostgresConfig = serde_json::from_str(file).expect("it is a file");
    assert_eq!(file, program);
}

#[test]
fn what_is_not_said_has_its_default() {
    let program = PostgresConfig::new("localhost").expect("it is a name");
    let url = PostgresConfig::from_url("postgres://").expect("it is a URL");
    assert_eq!(url, program);
    let file: PostgresConfig = serde_json::from_str("{}").expect("it is a file");
    assert_eq!(file, program);
    let spelt_out = PostgresConfig::from_url(
        "postgres://localhost:5432?application_name=fasthttpsession&sslmode=prefer&table=fasthttpsession\
         &migrate=false&prepared=true&max_connections=8&idle_connections=8&connect_timeout_ms=5000\
         &pool_timeout_ms=5000&statement_timeout_ms=5000&purge_every_ms=60000&purge_batch=1000",
    );
    let hosts_port = PostgresConfig::from_url("postgres://localhost:5432").expect("it is a URL");
    assert_eq!(spelt_out.expect("it is a URL"), hosts_port);
}

#[test]
fn servers_are_named_alike_in_a_url_and_in_a_program() {
    for (url, host) in [
        ("postgres://db1", "db1"),
        ("postgres://db1:5433", "db1:5433"),
        ("postgres://db1:5433,db2:5434", "db1:5433,db2:5434"),
        ("postgres://[::1]:5433", "[::1]:5433"),
        ("postgres://%2Frun%2Fpostgresql", "/run/postgresql"),
        ("postgres://?host=/run/postgresql", "/run/postgresql"),
        ("postgres://?host=db1,db2", "db1,db2"),
    ] {
        let program = PostgresConfig::new(host).expect(host);
        assert_eq!(PostgresConfig::from_url(url).expect(url), program);
    }
}

#[test]
fn what_a_url_says_twice_is_refused() {
    for (place, setting) in [
        ("web@db.example", "host=/run/postgresql"),
        ("%2Frun%2Fpostgresql", "host=localhost"),
        ("web@db.example", "user=other"),
        ("web:s3cret!@db.example", "password=s3cret!"),
        ("db.example/app", "database=app"),
        ("db.example:5433", "port=5432"),
        ("db1:5433,db2:5434", "port=5432"),
    ] {
        let url = format!("postgres://{place}?migrate=true&{setting}");
        let error = PostgresConfig::from_url(&url).expect_err(&url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url}");
        let name = setting.split('=').next().expect("it has a name");
        let sentence = error.to_string();
        assert!(sentence.contains(&format!("says {name} twice")), "{error}");
        assert!(!sentence.contains(SECRET), "{error}");
    }
    for url in [
        "postgres://db1:5433,db2?port=5432",
        "postgres://web@?host=/run/postgresql&database=app",
    ] {
        let read = PostgresConfig::from_url(url);
        assert!(read.is_ok(), "{url}: {read:?}");
    }
}

#[test]
fn what_can_not_be_meant_is_refused_and_named() {
    for (url, sentence) in [
        ("mysql://db.example/app", "postgres://"),
        ("db.example", "postgres://"),
        (
            "postgres://db.example:port",
            "can't be read: invalid value for option `port`",
        ),
        ("postgres://db.example?colour=red", "none of host, port"),
        (
            "postgres://db.example?max_connections=many",
            "max_connections: it is a number",
        ),
        (
            "postgres://db.example?sslmode=allow",
            "sslmode: it is one of",
        ),
        ("postgres://db.example?table=a%3Bb", "name of a table"),
        ("postgres://db.example?port=70000", "port: it is a number"),
        ("postgres://?host=db1,,db2", "names no server"),
    ] {
        let error = PostgresConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url}");
        assert!(error.to_string().contains(sentence), "{url}: {error}");
    }
    for host in [
        "",
        "a,,b",
        "a:port",
        "web:s3cret!@a",
        "web:s3cret!/run/postgresql",
    ] {
        let error = PostgresConfig::new(host).expect_err(host);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{host}");
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
    assert!(serde_json::from_str::<PostgresConfig>(r#"{"tabel": "sessions"}"#).is_err());
    assert!(serde_json::from_str::<PostgresConfig>(r#"{"table": "a;b"}"#).is_err());
}

#[test]
fn no_password_is_printed() {
    let url = format!("postgres://web:{SECRET}@db.example/app");
    let config = PostgresConfig::from_url(&url).expect("it is a URL");
    let printed = format!("{config:?} {config:#?}");
    assert!(!printed.contains(SECRET), "{printed}");
    assert!(printed.contains("password: Some(…)"), "{printed}");

    for wrong in [
        format!("postgres://web:{SECRET}@db.example:port/app"),
        format!("postgres://web:{SECRET}@db.example/app?colour=red"),
        format!("postgres://web:{SECRET}@db.example/app?port=none&password={SECRET}"),
        format!("postgres://web:{SECRET}@[::1/app"),
        format!("postgres://web:{SECRET}%ff@db.example:port/app"),
        format!("postgres://web:{SECRET}@db.example%ff/app"),
        format!("web:{SECRET}@db.example/app"),
        format!("postgre://web:{SECRET}@db.example/app"),
        format!("postgres://web:{SECRET}?5@db.example/app"),
        format!("postgres://web:5?{SECRET}@db.example/app"),
        format!("postgres://web:x@{SECRET}@db.example/app"),
        format!("postgres://web:x@5/{SECRET}@db.example/app"),
        format!("postgres://web:x@{SECRET},5@db.example:port/app"),
    ] {
        let Err(error) = PostgresConfig::from_url(&wrong) else {
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

/// In a URL of libpq it has connections verified, whatever the mode.
#[tokio::test]
async fn authorities_that_would_not_be_asked_are_refused() {
    for settings in [
        "",
        "&sslmode=prefer",
        "&sslmode=require",
        "&sslmode=disable",
    ] {
        let url = format!("postgres://127.0.0.1:1/app?sslrootcert=/etc/ca.pem{settings}");
        let config = PostgresConfig::from_url(&url).expect(&url);
        let error = config.open().await.expect_err("nobody would be verified");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        let sentence = "sslrootcert is of use with sslmode=verify-full only";
        assert!(error.to_string().contains(sentence), "{error}");
    }
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn encryption_that_was_not_compiled_in_is_refused() {
    for sslmode in [SslMode::Require, SslMode::VerifyFull] {
        let config = PostgresConfig::new("127.0.0.1").expect("it is an address");
        let error = config
            .sslmode(sslmode)
            .open()
            .await
            .expect_err("it would not be encrypted");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        let sentence = error.to_string();
        let feature = "the feature \"tls\" of fasthttpsession";
        assert!(sentence.ends_with(feature), "{sentence}");
    }
}
