//! Settings: what a URL and a file say, and what is refused.

use std::time::Duration;

use fasthttpsession_core::{Store, StoreErrorKind};
use fasthttpsession_sqlite::{SqliteConfig, Synchronous};

mod support;
use support::{NOW, Place, create, handle, load, record};

#[test]
fn a_url_a_file_and_a_program_say_the_same() {
    let program = SqliteConfig::new("/srv/sessions.db")
        .table("web_sessions")
        .expect("it is a name")
        .migrate(true)
        .synchronous(Synchronous::Full)
        .readers(7)
        .read_in_place(false)
        .queue(9)
        .timeout(Duration::from_millis(1500))
        .purge_every(Duration::ZERO)
        .purge_batch(11);
    let settings = "table=web_sessions&migrate=true&synchronous=full&readers=7&read_in_place=false&queue=9\
                    &timeout_ms=1500&purge_every_ms=0&purge_batch=11";
    for place in ["sqlite:/srv/sessions.db", "sqlite:///srv/sessions.db"] {
        let url = SqliteConfig::from_url(&format!("{place}?{settings}")).expect("it is a URL");
        assert_eq!(url, program);
    }
    let file = r#"{"path": "/srv/sessions.db", "table": "web_sessions", "migrate": true, "synchronous": "full",
        "readers": 7, "read_in_place": false, "queue": 9, "timeout_ms": 1500, "purge_every_ms": 0, "purge_batch": 11}"#;
    assert_eq!(
        serde_json::from_str::<SqliteConfig>(file).expect("it is a file"),
        program
    );
}

#[test]
fn what_is_not_said_has_its_default() {
    let url = SqliteConfig::from_url("sqlite:sessions.db").expect("it is a URL");
    assert_eq!(url, SqliteConfig::new("sessions.db"));
    let file: SqliteConfig =
        serde_json::from_str(r#"{"path": "sessions.db"}"#).expect("it is a file");
    assert_eq!(file, url);
}

#[test]
fn a_url_that_can_not_be_meant_is_refused() {
    for (url, sentence) in [
        ("sqlite://host/sessions.db", "there is no host"),
        ("postgres:sessions.db", "sqlite:path"),
        ("sqlite:a.db?path=b.db", "before the `?`"),
        ("sqlite:a.db?colour=red", "none of path, table"),
        (
            "sqlite:a.db?synchronous=off",
            "synchronous: it is one of normal, full",
        ),
        ("sqlite:a.db?table=a%3Bb", "name of a table"),
    ] {
        let error = SqliteConfig::from_url(url).expect_err(url);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{url}");
        assert!(error.to_string().contains(sentence), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_path_that_several_connections_can_not_share_is_refused() {
    for (path, sentence) in [
        ("", "needs a file"),
        (":memory:", "memory store"),
        ("file:sessions.db?mode=memory", "not an SQLite URI"),
        ("//server/share/sessions.db", "local disk"),
        ("\\\\server\\share\\sessions.db", "local disk"),
    ] {
        let error = SqliteConfig::new(path)
            .migrate(true)
            .open()
            .await
            .expect_err(path);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{path}");
        assert!(error.to_string().contains(sentence), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_table_of_another_schema_is_refused() {
    let config = SqliteConfig::new("sessions.db")
        .table("other.sessions")
        .expect("it is a name");
    let error = config
        .open()
        .await
        .expect_err("SQLite has no schemas like that");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(error.to_string().contains("main database"), "{error}");
}

#[tokio::test]
async fn a_time_without_end_is_one_too() {
    let place = Place::new();
    let config = place.config().timeout(Duration::MAX);
    let store = config.open().await.expect("the store opens");
    create(&store, handle(1), &record()).await;
    assert_eq!(load(&store, handle(1)).await, Some(record()));
    assert_eq!(store.count(NOW).await.expect("the store answers"), 1);
}

#[tokio::test]
async fn a_name_that_sqlite_keeps_for_itself_is_refused() {
    for name in ["order", "table", "sqlite_sessions"] {
        let place = Place::new();
        let config = place.config().table(name).expect("it is a name");
        let error = config.open().await.expect_err(name);
        assert_eq!(
            error.kind(),
            StoreErrorKind::Misconfigured,
            "{name}: {error}"
        );
        assert!(error.to_string().contains("for itself"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_mistyped_path_makes_no_file_and_no_folder() {
    let place = Place::new();
    let typo = place.path("sesions.db");
    let error = SqliteConfig::new(&typo)
        .open()
        .await
        .expect_err("there is no file");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(error.to_string().contains("migrate=true"), "{error}");
    assert!(!typo.exists());

    let folder = place.path("folder");
    let config = SqliteConfig::new(folder.join("sessions.db")).migrate(true);
    let error = config.open().await.expect_err("there is no folder");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(error.to_string().contains("folder must exist"), "{error}");
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_folder_is_no_file() {
    let place = Place::new();
    for migrate in [false, true] {
        let config = SqliteConfig::new(place.path("")).migrate(migrate);
        let error = config.open().await.expect_err("it is a folder");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("no file"), "{error}");
    }
}
