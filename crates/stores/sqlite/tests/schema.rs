//! The schema: made, checked, brought up to date; what is wrong is named with the statement that mends it.

use fasthttpsession_core::{Store, StoreError, StoreErrorKind};

mod support;
use support::{NOW, Place, create, handle, load, record};

/// The error of opening what is there without changing it.
async fn refusal(place: &Place) -> StoreError {
    let error = place
        .config()
        .migrate(false)
        .open()
        .await
        .expect_err("it should not open");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    error
}

/// The statement that an error names, behind the last colon that begins one.
fn remedy(error: &StoreError, begins: &str) -> String {
    let sentence = error.to_string();
    let at = sentence
        .find(begins)
        .unwrap_or_else(|| panic!("no {begins} in: {sentence}"));
    sentence[at..].to_owned()
}

#[tokio::test]
async fn a_missing_table_is_named_with_the_statements_that_make_it() {
    let place = Place::new();
    place.run("VACUUM");
    let error = refusal(&place).await;
    assert!(error.to_string().contains("migrate=true"), "{error}");
    place.run(&remedy(&error, "CREATE TABLE"));
    let store = place
        .config()
        .migrate(false)
        .open()
        .await
        .expect("it was mended");
    create(&store, handle(1), &record()).await;
}

#[tokio::test]
async fn migrating_again_keeps_what_is_there() {
    let place = Place::new();
    create(&place.store().await, handle(1), &record()).await;
    assert_eq!(load(&place.store().await, handle(1)).await, Some(record()));
}

#[tokio::test]
async fn many_that_open_a_new_file_at_once_all_get_a_store() {
    let place = Place::new();
    let opening: Vec<_> = (0..8)
        .map(|_| tokio::spawn(place.config().open()))
        .collect();
    for opening in opening {
        let store = opening.await.expect("no panic").expect("the store opens");
        store.check().await.expect("the store answers");
    }
}

#[tokio::test]
async fn an_older_schema_is_named_and_brought_up_to_date() {
    let place = Place::new();
    drop(place.store().await);
    // Before version 1 there was no table.
    place.run("UPDATE fasthttpsession_schema SET version = 0; DROP TABLE fasthttpsession");
    let error = refusal(&place).await;
    assert!(error.to_string().contains("migrate=true"), "{error}");
    create(&place.store().await, handle(1), &record()).await;
    assert_eq!(
        place.number("SELECT version FROM fasthttpsession_schema"),
        1
    );
}

#[tokio::test]
async fn a_column_that_goes_while_the_store_is_open_is_an_error_that_says_so() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    place.run("ALTER TABLE fasthttpsession RENAME COLUMN label TO name");
    for answer in [
        store.load(handle(1), NOW).await.map(drop),
        store.create(handle(2), &record(), NOW).await.map(drop),
    ] {
        let error = answer.expect_err("there is no such column");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("gone or changed"), "{error}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let place = Place::new();
    drop(place.store().await);
    place.run("UPDATE fasthttpsession_schema SET version = 2");
    for config in [place.config(), place.config().migrate(false)] {
        let error = config.open().await.expect_err("a later version made it");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
        assert!(error.to_string().contains("version 2"), "{error}");
    }
    assert_eq!(
        place.number("SELECT version FROM fasthttpsession_schema"),
        2
    );
}

#[tokio::test]
async fn a_missing_column_is_named_with_the_statement_that_adds_it() {
    let place = Place::new();
    drop(place.store().await);
    place.run("ALTER TABLE fasthttpsession DROP COLUMN label");
    let error = refusal(&place).await;
    assert!(error.to_string().contains("no column label"), "{error}");
    place.run(&remedy(&error, "ALTER TABLE"));
    let store = place
        .config()
        .migrate(false)
        .open()
        .await
        .expect("it was mended");
    create(&store, handle(1), &record()).await;
    assert_eq!(load(&store, handle(1)).await, Some(record()));
}

#[tokio::test]
async fn a_missing_index_is_named_with_the_statement_that_makes_it() {
    for index in ["fasthttpsession_purge_at", "fasthttpsession_principal"] {
        let place = Place::new();
        drop(place.store().await);
        place.run(&format!("DROP INDEX {index}"));
        let error = refusal(&place).await;
        assert!(error.to_string().contains(index), "{error}");
        place.run(&remedy(&error, "CREATE INDEX"));
        place
            .config()
            .migrate(false)
            .open()
            .await
            .expect("it was mended");
    }
}

#[tokio::test]
async fn a_table_that_can_not_hold_sessions_is_put_aside_by_the_statements_named() {
    let foreign = "CREATE TABLE fasthttpsession (id TEXT)";
    let without_body = "ALTER TABLE fasthttpsession DROP COLUMN body";
    let wrong_type = "ALTER TABLE fasthttpsession DROP COLUMN body; \
                      ALTER TABLE fasthttpsession ADD COLUMN body TEXT";
    for (damage, is_ours, sentence) in [
        (foreign, false, "not made by this library"),
        (without_body, true, "no column body"),
        (wrong_type, true, "type TEXT, not BLOB"),
    ] {
        let place = Place::new();
        if is_ours {
            drop(place.store().await);
        }
        place.run(damage);
        let error = refusal(&place).await;
        assert!(error.to_string().contains(sentence), "{error}");
        let error = place
            .config()
            .open()
            .await
            .expect_err("migrating throws nothing away");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        place.run(&remedy(&error, "DROP INDEX"));
        create(&place.store().await, handle(1), &record()).await;
        assert_eq!(
            place.number("SELECT count(*) FROM fasthttpsession_aside"),
            0
        );
    }
}

#[tokio::test]
async fn two_tables_in_one_file_are_two_stores() {
    let place = Place::new();
    let one = place.store().await;
    let other = place.config().table("other").expect("it is a name");
    let other = other.open().await.expect("the store opens");
    create(&one, handle(1), &record()).await;
    assert_eq!(load(&other, handle(1)).await, None);
}
