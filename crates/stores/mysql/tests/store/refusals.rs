//! What the server refuses: of which kind it is, whether it can have had an effect, and what is tried again.

use std::error::Error;

use fasthttpsession_core::StoreErrorKind::{
    Full, Internal, Misconfigured, Timeout, TooLarge, Unavailable,
};
use fasthttpsession_core::{Cursor, Replaced, Store, StoreError};

use fasthttpsession_mysql::mysql_async::prelude::Queryable;

use crate::support::{NOW, Place, create, load, record, replace, successor};

/// Makes each update fail with the server's error `code`, the first `times` times.
async fn refuse_updates(place: &Place, code: u16, times: u32) {
    let mut conn = place.outside().await;
    let trigger = format!(
        "CREATE TRIGGER refuse BEFORE UPDATE ON fasthttpsession FOR EACH ROW
         IF (SELECT times FROM refused) < {times} THEN
           UPDATE refused SET times = times + 1;
           SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'body 2 is refused';
         END IF"
    );
    for sql in [
        // A table that no rollback takes anything back from.
        "CREATE TABLE IF NOT EXISTS refused (times INT) ENGINE = MyISAM",
        "DELETE FROM refused",
        "INSERT INTO refused VALUES (0)",
        "DROP TRIGGER IF EXISTS refuse",
        &trigger,
    ] {
        conn.query_drop(sql).await.expect(sql);
    }
}

const ALWAYS: u32 = 1_000_000;

/// All that an error and those it came from would print.
fn printed(error: &StoreError) -> String {
    let mut texts = vec![format!("{error} {error:?}")];
    let mut source = error.source();
    while let Some(error) = source {
        texts.push(format!("{error} {error:?}"));
        source = error.source();
    }
    texts.join(" ")
}

#[tokio::test]
async fn a_refusal_has_its_kind_and_shows_no_value_and_leaves_the_old_record() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    for (code, kind, retryable) in [
        (1021, Full, true),
        (1114, Full, true),
        (1153, TooLarge, false),
        (1205, Timeout, true),
        (3024, Timeout, true),
        (1290, Unavailable, true),
        (1142, Misconfigured, false),
        (1054, Misconfigured, false),
        (1644, Internal, false),
    ] {
        refuse_updates(&place, code, ALWAYS).await;
        let error = replace(&store, 1).await.expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert_eq!(error.is_retryable(), retryable, "{code}");
        assert!(error.to_string().contains(&code.to_string()), "{error}");
        assert!(!printed(&error).contains("body 2"), "{}", printed(&error));
        assert_eq!(load(&store, 1).await, Some(record()));
    }
}

/// Each swap commits by itself, so a refusal may be of its row, which is then as it was, or of its commit.
#[tokio::test]
async fn a_full_disk_is_told_of_a_row_and_what_befalls_a_commit_leaves_it_open() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    for (code, kind, may_have_applied) in [
        (1021, Full, false),
        (1028, Full, false),
        (1030, Full, false),
        (1114, Full, false),
        (1180, Unavailable, true),
        (1026, Internal, true),
        (1197, Internal, true),
        (1598, Internal, true),
        (1705, Internal, true),
    ] {
        refuse_updates(&place, code, ALWAYS).await;
        let error = replace(&store, 1).await.expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert_eq!(error.may_have_applied(), may_have_applied, "{code}");
    }
}

/// `ProxySQL` says so also when it has lost the server under a statement, or has had it interrupted too late.
#[tokio::test]
async fn what_a_proxy_may_say_in_place_of_the_server_may_have_been_made() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    for (code, kind) in [
        (1317, Timeout),
        (1907, Timeout),
        (2006, Unavailable),
        (2013, Unavailable),
        (9001, Unavailable),
    ] {
        refuse_updates(&place, code, ALWAYS).await;
        let error = replace(&store, 1).await.expect_err("it is refused");
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert!(error.is_retryable() && error.may_have_applied(), "{code}");
    }
}

#[tokio::test]
async fn a_deadlock_is_tried_again() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    refuse_updates(&place, 1213, 3).await;
    let replaced = replace(&store, 1).await.expect("the fourth time it works");
    assert_eq!(replaced, Replaced::Replaced);
    assert_eq!(place.number("SELECT times FROM refused"), 3);
    assert_eq!(load(&store, 1).await, Some(successor(&record())));
}

#[tokio::test]
async fn deadlocks_without_end_are_an_error_without_effect() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    refuse_updates(&place, 1213, ALWAYS).await;
    let error = replace(&store, 1).await.expect_err("it never works");
    assert_eq!(error.kind(), Unavailable, "{error}");
    assert!(error.is_retryable() && !error.may_have_applied());
    assert!(place.number("SELECT times FROM refused") < 20);
}

#[tokio::test]
async fn a_scan_does_not_go_on_from_the_cursor_of_another_store() {
    let store = Place::new().store().await;
    let cursor = Cursor(b"another".to_vec().into());
    let scanned = store.scan(Some(&cursor), 1, NOW).await;
    let error = scanned.expect_err("no handle is like it");
    assert_eq!(error.kind(), Internal, "{error}");
}

#[tokio::test]
async fn no_password_is_in_what_a_refused_one_prints() {
    let place = Place::new();
    let config = place.config().user("somebody").password("s3cret-of-ours");
    let error = config.open().await.expect_err("it is the wrong one");
    assert_eq!(error.kind(), Misconfigured, "{error}");
    let address = format!("127.0.0.1:{}", place.database.server().port());
    assert!(error.to_string().contains(&address), "{error}");
    assert!(!printed(&error).contains("s3cret-of-ours"));
    assert!(!error.may_have_applied());
}

#[tokio::test]
async fn a_database_that_the_user_may_not_use_is_no_wrong_password() {
    let place = Place::new();
    let user = place.database.name().replace("test", "nobody");
    place.run(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'of a test'"
    ));
    let config = place.config().user(&user).password("of a test");
    let error = config.open().await.expect_err("it has no right");
    assert_eq!(error.kind(), Misconfigured, "{error}");
    let sentence = error.to_string();
    assert!(sentence.contains("no right to the database"), "{sentence}");
    assert!(!sentence.contains("password"), "{sentence}");
    place.run(&format!("DROP USER '{user}'@'%'"));
}
