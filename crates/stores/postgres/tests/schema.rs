//! The schema: made, checked, brought up to date; what is wrong is named with the statement that mends it.

use fasthttpsession_core::{Deleted, Replaced, Store, StoreError, StoreErrorKind, Touched};
use fasthttpsession_postgres::PostgresStore;

mod support;
use support::{HOUR, NOW, Place, create, handle, load, record, replace, successor};

const VERSION: &str = "SELECT right(obj_description('fasthttpsession'::regclass), 1)::int::bigint";

/// The error of opening what is there without changing it.
async fn refusal(place: &Place) -> StoreError {
    let opened = place.config().migrate(false).open().await;
    let error = opened.expect_err("it should not open");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    error
}

/// The statements that an error names, from the first that begins so to the last semicolon.
fn remedy(error: &StoreError, begins: &str) -> String {
    let sentence = error.to_string();
    let at = sentence.find(begins);
    let at = at.unwrap_or_else(|| panic!("no {begins} in: {sentence}"));
    let end = sentence.rfind(';').expect("a statement ends with one") + 1;
    sentence[at..end].to_owned()
}

/// The store opens now without changing anything, and keeps a session.
async fn is_mended(place: &Place) -> PostgresStore {
    let store = place.config().migrate(false).open().await;
    let store = store.expect("it was mended");
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    assert_eq!(store.purge(10, NOW).await.expect("an answer"), 0);
    store
}

#[tokio::test]
async fn a_missing_table_is_named_with_the_statements_that_make_it() {
    let place = Place::new().await;
    let error = refusal(&place).await;
    assert!(error.to_string().contains("migrate=true"), "{error}");
    place.run(&remedy(&error, "CREATE TABLE")).await;
    is_mended(&place).await;
}

#[tokio::test]
async fn migrating_makes_the_table_that_checking_wants() {
    let place = Place::new().await;
    drop(place.store().await);
    is_mended(&place).await;
}

#[tokio::test]
async fn migrating_again_keeps_what_is_there() {
    let place = Place::new().await;
    create(&place.store().await, [1]).await;
    assert_eq!(load(&place.store().await, 1).await, Some(record()));
}

#[tokio::test]
async fn many_that_migrate_at_once_all_get_a_store() {
    let place = Place::new().await;
    let opening: Vec<_> = (0..8)
        .map(|_| tokio::spawn(place.config().open()))
        .collect();
    for opening in opening {
        let store = opening.await.expect("no panic").expect("the store opens");
        store.check().await.expect("the store answers");
    }
}

#[tokio::test]
async fn a_table_that_does_not_say_its_version_is_named_with_the_statement_that_says_it() {
    let place = Place::new().await;
    drop(place.store().await);
    place.run("COMMENT ON TABLE fasthttpsession IS NULL").await;
    let error = refusal(&place).await;
    let migrating = place.config().open().await;
    let migrating = migrating.expect_err("it may be anybody's table");
    assert_eq!(migrating.kind(), StoreErrorKind::Misconfigured);
    assert_eq!(migrating.to_string(), error.to_string());
    place.run(&remedy(&error, "COMMENT ON TABLE")).await;
    is_mended(&place).await;
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new().await;
    drop(place.store().await);
    place
        .run("COMMENT ON TABLE fasthttpsession IS 'fasthttpsession schema 2'")
        .await;
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
    assert_eq!(place.number(VERSION).await, 2);
}

#[tokio::test]
async fn a_missing_column_is_named_with_the_statement_that_adds_it() {
    for column in ["principal", "label"] {
        let place = Place::new().await;
        drop(place.store().await);
        place
            .run(&format!("ALTER TABLE fasthttpsession DROP COLUMN {column}"))
            .await;
        let error = refusal(&place).await;
        let named = format!("no column {column}");
        assert!(error.to_string().contains(&named), "{error}");
        place.run(&remedy(&error, "ALTER TABLE")).await;
        let next = place.config().migrate(false).open().await;
        if let Err(error) = next {
            // Its index went with it.
            place.run(&remedy(&error, "CREATE INDEX")).await;
        }
        is_mended(&place).await;
    }
}

#[tokio::test]
async fn a_table_without_what_no_session_can_be_without_is_not_mended_silently() {
    for (damage, sentence) in [
        ("DROP COLUMN body", "no column body"),
        ("DROP COLUMN purge_at", "no column purge_at"),
        (
            "ALTER COLUMN body TYPE text USING ''",
            "body has the type text, not bytea",
        ),
        (
            "ALTER COLUMN version TYPE int",
            "version has the type integer, not bigint",
        ),
    ] {
        let place = Place::new().await;
        drop(place.store().await);
        place
            .run(&format!("ALTER TABLE fasthttpsession {damage}"))
            .await;
        let error = refusal(&place).await;
        assert!(error.to_string().contains(sentence), "{error}");
        let opened = place.config().open().await;
        let error = opened.expect_err("migrating throws nothing away");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        place.run(&remedy(&error, "DROP TABLE")).await;
        is_mended(&place).await;
    }
}

#[tokio::test]
async fn a_table_of_something_else_is_left_alone() {
    let place = Place::new().await;
    place
        .run("CREATE TABLE fasthttpsession (id int); INSERT INTO fasthttpsession VALUES (1)")
        .await;
    for migrate in [false, true] {
        let opened = place.config().migrate(migrate).open().await;
        let error = opened.expect_err("it has no sessions");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        let sentence = error.to_string();
        for part in ["no column handle", "set `table` to another name"] {
            assert!(sentence.contains(part), "no {part} in: {sentence}");
        }
        assert!(!sentence.contains("DROP"), "{sentence}");
    }
    let rows = "SELECT count(*) FROM fasthttpsession";
    assert_eq!(place.number(rows).await, 1);
}

#[tokio::test]
async fn a_missing_index_is_named_with_the_statement_that_makes_it() {
    for (damage, begins) in [
        ("DROP INDEX fasthttpsession_purge_at", "CREATE INDEX"),
        ("DROP INDEX fasthttpsession_principal", "CREATE INDEX"),
        (
            "ALTER TABLE fasthttpsession DROP CONSTRAINT fasthttpsession_pkey",
            "ALTER TABLE",
        ),
    ] {
        let place = Place::new().await;
        drop(place.store().await);
        place.run(damage).await;
        let error = refusal(&place).await;
        let migrating = place.config().open().await;
        let migrating = migrating.expect_err("the table may be large, and in use");
        assert_eq!(migrating.to_string(), error.to_string());
        place.run(&remedy(&error, begins)).await;
        is_mended(&place).await;
    }
}

#[tokio::test]
async fn a_database_that_can_not_keep_every_principal_is_refused() {
    let place = Place::new().await;
    let name = format!("{}_latin", place.database.name());
    place
        .run(&format!(
            "CREATE DATABASE {name} ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ))
        .await;
    let opened = place.config().database(name).open().await;
    let error = opened.expect_err("it has not all characters");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("ENCODING 'UTF8'"), "{error}");
}

#[tokio::test]
async fn a_role_that_may_not_is_told_which_right_it_lacks() {
    let place = Place::new().await;
    let store = place.store().await;
    let role = format!("{}_web", place.database.name());
    place
        .run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'of a test'"))
        .await;
    let as_role = place.config().user(&role).password("of a test");
    let as_role = as_role.migrate(false);
    for (had, lacked) in [
        ("", "GRANT SELECT, INSERT, UPDATE, DELETE ON"),
        ("SELECT", "GRANT INSERT, UPDATE, DELETE ON"),
    ] {
        if !had.is_empty() {
            let readable = format!("GRANT {had} ON fasthttpsession TO {role}");
            place.run(&readable).await;
        }
        let opened = as_role.clone().open().await;
        let error = opened.expect_err("it may not do all");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        place.run(&remedy(&error, lacked)).await;
        let store_of_role = as_role.clone().open().await;
        let store_of_role = store_of_role.expect("it may do all");
        create(&store_of_role, [1]).await;
        assert_eq!(load(&store, 1).await, Some(record()));
        let deleted = store_of_role.delete(handle(1), NOW).await;
        deleted.expect("it may");
        let revoked = format!("REVOKE ALL ON fasthttpsession FROM {role}");
        place.run(&revoked).await;
    }
    place
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

/// As the page says it.
#[tokio::test]
async fn one_role_makes_the_table_and_another_needs_four_rights_to_it() {
    let place = Place::new().await;
    let roles = ["migrator", "web"].map(|role| format!("{}_{role}", place.database.name()));
    let [migrator, web] = &roles;
    place
        .run(&format!(
            "CREATE ROLE {migrator} LOGIN PASSWORD 'of a test'; CREATE ROLE {web} LOGIN PASSWORD 'of a test';
             GRANT CREATE ON SCHEMA public TO {migrator};
             ALTER DEFAULT PRIVILEGES FOR ROLE {migrator} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {web}"
        ))
        .await;
    let config = place.config().password("of a test");
    let made = config.clone().user(migrator).open().await;
    drop(made.expect("it may make the table"));
    let store = config.user(web).open().await;
    let store = store.expect("there is nothing to migrate");

    create(&store, 1..5).await;
    let replaced = replace(&store, 1).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    let stale = replace(&store, 1).await;
    let next = successor(&record());
    assert_eq!(stale.expect("an answer"), Replaced::Conflict(next));
    let touched = store.touch(handle(2), 1, NOW.after(2 * HOUR), NOW).await;
    assert_eq!(touched.expect("an answer"), Touched::Touched);
    let deleted = store.delete(handle(3), NOW).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    let principal = record().header.principal.expect("it has one");
    let sessions = store.sessions_of(&principal, NOW).await;
    assert_eq!(sessions.expect("an answer").len(), 3);
    let page = store.scan(None, 100, NOW).await;
    assert_eq!(page.expect("an answer").sessions.len(), 3);
    assert_eq!(store.count(NOW).await.expect("an answer"), 3);
    let purged = store.purge(100, NOW.after(48 * HOUR)).await;
    assert_eq!(purged.expect("an answer"), 3);
    store.check().await.expect("the store answers");
    drop(store);
    for role in &roles {
        place
            .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
            .await;
    }
}

/// As old applications want it: a backslash in a text is then one that escapes what follows.
#[tokio::test]
async fn a_database_with_texts_of_old_keeps_sessions_and_is_opened_again() {
    let place = Place::new().await;
    let name = place.database.name();
    let setting = format!("ALTER DATABASE {name} SET standard_conforming_strings = off");
    place.run(&setting).await;
    for _ in 0..2 {
        place.config().open().await.expect("the store opens");
    }
    is_mended(&place).await;
}

#[tokio::test]
async fn two_tables_in_one_database_are_two_stores() {
    let place = Place::new().await;
    place.run("CREATE SCHEMA web").await;
    let one = place.store().await;
    let other = place.config().table("web.sessions").expect("it is a name");
    let other = other.open().await.expect("the store opens");
    create(&one, [1]).await;
    assert_eq!(load(&other, 1).await, None);
    create(&other, [1]).await;
    let deleted = one.delete(handle(1), NOW).await;
    deleted.expect("an answer");
    assert_eq!(load(&other, 1).await, Some(record()));
}
