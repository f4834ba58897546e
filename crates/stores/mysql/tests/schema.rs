//! The schema: made, checked, brought up to date; what is wrong is named with the statement that mends it.

use std::time::Duration;

use fasthttpsession_core::{Deleted, Replaced, Store, StoreError, StoreErrorKind, Touched};
use fasthttpsession_mysql::mysql_async::prelude::Queryable;
use fasthttpsession_mysql::mysql_async::{Opts, Pool};
use fasthttpsession_mysql::{MysqlConfig, MysqlStore};

mod support;
use support::{HOUR, NOW, PROCESSES, Place, create, handle, load, record, replacing, successor};

/// The error of opening what is there without changing it.
async fn refusal(place: &Place) -> StoreError {
    let opened = place.config().migrate(false).open().await;
    let error = opened.expect_err("it should not open");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    error
}

/// The statements that an error names, from the first that begins so.
fn remedy(error: &StoreError, begins: &str) -> String {
    let sentence = error.to_string();
    let at = sentence.find(begins);
    let at = at.unwrap_or_else(|| panic!("no {begins} in: {sentence}"));
    sentence[at..].to_owned()
}

/// The store opens now without changing anything, and keeps a session.
async fn is_mended(place: &Place) -> MysqlStore {
    let store = place.config().migrate(false).open().await;
    let store = store.expect("it was mended");
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    assert_eq!(store.purge(10, NOW).await.expect("an answer"), 0);
    store
}

#[tokio::test]
async fn a_missing_table_is_named_with_the_statement_that_makes_it() {
    let place = Place::new();
    let error = refusal(&place).await;
    assert!(error.to_string().contains("migrate=true"), "{error}");
    place.run(&remedy(&error, "CREATE TABLE"));
    is_mended(&place).await;
}

#[tokio::test]
async fn migrating_makes_the_table_that_checking_wants() {
    let place = Place::new();
    drop(place.store().await);
    is_mended(&place).await;
}

#[tokio::test]
async fn migrating_again_keeps_what_is_there() {
    let place = Place::new();
    create(&place.store().await, [1]).await;
    assert_eq!(load(&place.store().await, 1).await, Some(record()));
}

#[tokio::test]
async fn many_that_migrate_at_once_all_get_a_store() {
    let place = Place::new();
    let opening: Vec<_> = (0..8)
        .map(|_| tokio::spawn(place.config().open()))
        .collect();
    for opening in opening {
        let store = opening.await.expect("no panic").expect("the store opens");
        store.check().await.expect("the store answers");
    }
}

/// That it gave the lock to nobody, a server tells by an answer, not by an error.
#[tokio::test]
async fn nobody_migrates_while_another_does() {
    let place = Place::new();
    let mut other = place.outside().await;
    let lock = "SELECT GET_LOCK(SHA2(CONCAT('fasthttpsession ', DATABASE(), '.fasthttpsession'), 256), 60)";
    let held: Option<u64> = other.query_first(lock).await.expect(lock);
    assert_eq!(held, Some(1));
    let config = place.config();
    let opened = config
        .statement_timeout(Duration::from_secs(3))
        .open()
        .await;
    let error = opened.expect_err("another process migrates");
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";
    assert_eq!(place.number(tables), 0);
    other.disconnect().await.expect("it ends");
    drop(place.store().await);
    is_mended(&place).await;
}

#[tokio::test]
async fn a_wait_for_the_lock_that_the_server_ends_is_not_another_process() {
    let place = Place::new();
    let mut other = place.outside().await;
    let lock = "SELECT GET_LOCK(SHA2(CONCAT('fasthttpsession ', DATABASE(), '.fasthttpsession'), 256), 60)";
    let held: Option<u64> = other.query_first(lock).await.expect(lock);
    assert_eq!(held, Some(1));
    let opening = tokio::spawn(place.config().open());
    let waiting =
        format!("SELECT COUNT(*) FROM {PROCESSES} WHERE db = DATABASE() AND state = 'User lock'");
    place.until(&waiting, 1).await;
    let waiting = waiting.replace("COUNT(*)", "id");
    place.run(&format!("KILL QUERY {}", place.number(&waiting)));
    let opened = opening.await.expect("no panic");
    let error = opened.expect_err("it was told to stop");
    assert!(error.is_retryable(), "{error}");
    assert!(!error.to_string().contains("another process"), "{error}");
}

#[tokio::test]
async fn a_table_that_does_not_say_its_version_is_named_with_the_statement_that_says_it() {
    let place = Place::new();
    drop(place.store().await);
    place.run("ALTER TABLE fasthttpsession COMMENT = ''");
    let error = refusal(&place).await;
    let migrating = place.config().open().await;
    let migrating = migrating.expect_err("it may be anybody's table");
    assert_eq!(migrating.kind(), StoreErrorKind::Misconfigured);
    place.run(&remedy(&error, "ALTER TABLE"));
    is_mended(&place).await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    drop(place.store().await);
    place.run("ALTER TABLE fasthttpsession COMMENT = 'fasthttpsession schema 2'");
    for migrate in [false, true] {
        let opened = place.config().migrate(migrate).open().await;
        let error = opened.expect_err("a later version made it");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        let sentence = error.to_string();
        assert!(
            sentence.contains("version 2") && sentence.contains("update the library"),
            "{error}"
        );
    }
    let comment = "SELECT RIGHT(table_comment, 1) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = 'fasthttpsession'";
    assert_eq!(place.number(comment), 2);
}

#[tokio::test]
async fn a_table_of_another_engine_is_named_with_the_statement_that_changes_it() {
    let place = Place::new();
    drop(place.store().await);
    place.run("ALTER TABLE fasthttpsession ENGINE = MyISAM");
    let error = refusal(&place).await;
    place.run(&remedy(&error, "ALTER TABLE"));
    is_mended(&place).await;
}

#[tokio::test]
async fn a_table_without_what_sessions_need_is_named_with_what_makes_one() {
    for (damage, sentence) in [
        ("DROP COLUMN body", "no column body"),
        ("DROP COLUMN label", "no column label"),
        ("MODIFY body BLOB NOT NULL", "column body"),
        ("MODIFY version INT NOT NULL", "column version"),
        ("MODIFY principal VARBINARY(20)", "column principal"),
        ("DROP KEY expires_at", "no index expires_at"),
        ("DROP PRIMARY KEY", "no index PRIMARY"),
    ] {
        let place = Place::new();
        drop(place.store().await);
        place.run(&format!("ALTER TABLE fasthttpsession {damage}"));
        let error = refusal(&place).await;
        assert!(error.to_string().contains(sentence), "{damage}: {error}");
        let opened = place.config().open().await;
        let error = opened.expect_err("migrating throws nothing away");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        place.run("DROP TABLE fasthttpsession");
        place.run(&remedy(&error, "CREATE TABLE"));
        is_mended(&place).await;
    }
}

/// Without one, nothing is to be found anywhere, not even the lock.
#[tokio::test]
async fn a_missing_database_is_told_with_the_places_for_its_name() {
    let place = Place::new();
    let name = place.database.name();
    let url = place.database.url();
    let url = url.strip_suffix(name).expect("it ends with the database");
    let config = MysqlConfig::from_url(url).expect("it is a URL");
    for migrate in [false, true] {
        let config = config.clone().migrate(migrate);
        let pool = Pool::new(Opts::from_url(url).expect("it is a URL"));
        for opened in [config.clone().open().await, config.open_on(pool).await] {
            let error = opened.expect_err("there is no database");
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
            let sentence = error.to_string();
            for part in ["mysql://user:password@host/database", "`table`"] {
                assert!(sentence.contains(part), "no {part} in: {sentence}");
            }
        }
    }
    let table = format!("{name}.sessions");
    let config = config.table(&table).expect("it is a name").migrate(true);
    let store = config.open().await.expect("the table has its database");
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    let purged = store.purge(10, NOW.after(48 * HOUR)).await;
    assert_eq!(purged.expect("an answer"), 1);
}

#[tokio::test]
async fn a_name_that_the_server_takes_for_something_else_is_refused() {
    let place = Place::new();
    let config = place.config().table("order").expect("it is a name");
    let error = config.open().await.expect_err("it is a word of SQL");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
}

#[tokio::test]
async fn a_user_who_may_not_is_told_so() {
    let place = Place::new();
    let store = place.store().await;
    let (database, user) = (
        place.database.name(),
        place.database.name().replace("test", "web"),
    );
    place.run(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'of a test'"
    ));
    let as_user = place
        .config()
        .migrate(false)
        .user(&user)
        .password("of a test");
    place.run(&format!(
        "GRANT DELETE ON {database}.fasthttpsession TO '{user}'@'%'"
    ));
    let error = as_user.clone().open().await;
    let error = error.expect_err("it may see no column");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("grant it SELECT"), "{error}");
    place.run(&format!(
        "GRANT SELECT ON {database}.fasthttpsession TO '{user}'@'%'"
    ));
    let store_of_user = as_user.open().await;
    let store_of_user = store_of_user.expect("it may read");
    let error = store_of_user.create(handle(1), &record(), NOW).await;
    let error = error.expect_err("it may not write");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    place.run(&format!(
        "GRANT INSERT, UPDATE ON {database}.fasthttpsession TO '{user}'@'%'"
    ));
    create(&store_of_user, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    place.run(&format!("DROP USER '{user}'@'%'"));
}

/// As the page says it.
#[tokio::test]
async fn one_user_makes_the_table_and_another_needs_four_rights_to_it() {
    let place = Place::new();
    let name = place.database.name();
    let users = ["migrator", "web"].map(|user| name.replace("test", user));
    let [migrator, web] = &users;
    for user in &users {
        place.run(&format!(
            "CREATE USER '{user}'@'%' IDENTIFIED BY 'of a test'"
        ));
    }
    place.run(&format!(
        "GRANT SELECT, CREATE, ALTER, INDEX ON {name}.* TO '{migrator}'@'%'"
    ));
    place.run(&format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO '{web}'@'%'"
    ));
    let made = place
        .config()
        .user(migrator)
        .password("of a test")
        .open()
        .await;
    drop(made.expect("it may make the table"));
    let store = place.config().user(web).password("of a test").open().await;
    let store = store.expect("there is nothing to migrate");

    create(&store, 0..16).await;
    let swaps: Vec<_> = (0..12).map(|number| replacing(&store, number)).collect();
    for swap in swaps {
        let replaced = swap.await.expect("no panic").expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }
    assert_eq!(load(&store, 1).await, Some(successor(&record())));
    let touched = store.touch(handle(12), 1, NOW.after(2 * HOUR), NOW).await;
    assert_eq!(touched.expect("an answer"), Touched::Touched);
    let deleted = store.delete(handle(13), NOW).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    let principal = record().header.principal.expect("it has one");
    let sessions = store.sessions_of(&principal, NOW).await;
    assert_eq!(sessions.expect("an answer").len(), 15);
    let page = store.scan(None, 100, NOW).await;
    assert_eq!(page.expect("an answer").sessions.len(), 15);
    assert_eq!(store.count(NOW).await.expect("an answer"), 15);
    let purged = store.purge(100, NOW.after(48 * HOUR)).await;
    assert_eq!(purged.expect("an answer"), 15);
    store.check().await.expect("the store answers");
    for user in &users {
        place.run(&format!("DROP USER '{user}'@'%'"));
    }
}

#[tokio::test]
async fn two_tables_in_one_database_are_two_stores() {
    let place = Place::new();
    let one = place.store().await;
    let name = format!("{}.sessions", place.database.name());
    let other = place.config().table(&name).expect("it is a name");
    let other = other.open().await.expect("the store opens");
    create(&one, [1]).await;
    assert_eq!(load(&other, 1).await, None);
    create(&other, [1]).await;
    one.delete(handle(1), NOW).await.expect("an answer");
    assert_eq!(load(&other, 1).await, Some(record()));
}
