//! What the server refuses: of which kind it is, and whether it can have had an effect.

use std::error::Error;

use fasthttpsession_core::StoreErrorKind::{
    Full, Internal, Misconfigured, Timeout, TooLarge, Unavailable,
};
use fasthttpsession_core::{Store, StoreError};
use fasthttpsession_postgres::PostgresConfig;

use crate::support::{NOW, Place, create, handle, load, record, replace, successor};

/// Makes each update fail, with a detail that shows what it was to write.
async fn refuse_updates(place: &Place, code: &str) {
    place
        .run(&format!(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}', DETAIL = encode(NEW.body, 'escape'); END $$;
             DROP TRIGGER IF EXISTS refuse ON fasthttpsession;
             CREATE TRIGGER refuse BEFORE UPDATE ON fasthttpsession FOR EACH ROW EXECUTE FUNCTION refuse()"
        ))
        .await;
}

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
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, [1]).await;
    for (code, kind, retryable) in [
        ("53100", Full, true),
        ("53200", Unavailable, true),
        ("53300", Unavailable, true),
        ("54000", TooLarge, false),
        ("55P03", Timeout, true),
        ("57014", Timeout, true),
        ("25006", Unavailable, true),
        ("42501", Misconfigured, false),
        ("42703", Misconfigured, false),
        ("22000", Internal, false),
    ] {
        refuse_updates(&place, code).await;
        let error = replace(&store, 1).await.expect_err(code);
        assert_eq!(error.kind(), kind, "{code}: {error}");
        assert_eq!(error.is_retryable(), retryable, "{code}");
        assert!(!error.may_have_applied(), "{code}");
        assert!(error.to_string().contains(code), "{error}");
        assert!(!printed(&error).contains("body 2"), "{}", printed(&error));
        assert_eq!(load(&store, 1).await, Some(record()));
    }
}

/// Of a deadlock and of a snapshot that is too old: another try has an answer as a rule.
#[tokio::test]
async fn what_others_are_in_the_way_of_each_time_had_no_effect() {
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, [1]).await;
    for code in ["40P01", "40001"] {
        refuse_updates(&place, code).await;
        let error = replace(&store, 1).await.expect_err(code);
        assert_eq!(error.kind(), Unavailable, "{code}: {error}");
        assert!(error.is_retryable() && !error.may_have_applied(), "{code}");
        assert!(error.to_string().contains("each time"), "{error}");
        assert_eq!(load(&store, 1).await, Some(record()));
    }
}

#[tokio::test]
async fn a_server_that_goes_down_or_does_not_know_may_have_made_the_write() {
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, [1]).await;
    for code in ["57P01", "40003"] {
        refuse_updates(&place, code).await;
        let error = replace(&store, 1).await.expect_err(code);
        assert_eq!(error.kind(), Unavailable, "{code}");
        assert!(error.may_have_applied() && error.is_retryable(), "{code}");
    }
}

/// A standby, or what is set up like one, has nothing that was written since it last heard of the primary.
#[tokio::test]
async fn a_server_that_takes_no_writes_is_not_read_from() {
    let place = Place::new().await;
    drop(place.store().await);
    let name = place.database.name();
    let setting = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    place.run(&setting).await;
    for prepared in [true, false] {
        let config = place.config().migrate(false).prepared(prepared);
        let error = config.open().await.expect_err("it takes no writes");
        assert_eq!(error.kind(), Unavailable, "{error}");
        assert!(!error.may_have_applied());
        assert!(error.to_string().contains("no writes"), "{error}");
    }
}

#[tokio::test]
async fn no_password_is_in_what_a_refused_one_prints() {
    let place = Place::new().await;
    let config = place.config().password("s3cret-of-ours");
    let error = config.open().await.expect_err("it is the wrong one");
    assert_eq!(error.kind(), Misconfigured, "{error}");
    let address = format!("127.0.0.1:{}", place.database.server().port());
    assert!(error.to_string().contains(&address), "{error}");
    assert!(
        !printed(&error).contains("s3cret-of-ours"),
        "{}",
        printed(&error)
    );
    assert!(!error.may_have_applied());
}

/// Nothing passes here by itself.
#[tokio::test]
async fn a_password_that_is_missing_is_a_matter_of_settings() {
    let place = Place::new().await;
    let url = place.database.url();
    let (_, server) = url.split_once('@').expect("it has a password");
    let config = PostgresConfig::from_url(&format!("postgres://tester@{server}"));
    let opened = config.expect("it is a URL").open().await;
    let error = opened.expect_err("the role has a password");
    assert_eq!(error.kind(), Misconfigured, "{error}");
    assert!(!error.may_have_applied());
}

#[tokio::test]
async fn a_table_that_changes_under_a_store_stops_it_for_a_moment_only() {
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    place
        .run("ALTER TABLE fasthttpsession ALTER COLUMN label TYPE varchar(300)")
        .await;
    // Each connection has the statement prepared for the table as it was.
    while let Err(error) = store.load(handle(1), NOW).await {
        assert!(error.is_retryable(), "{error}");
    }
    let next = successor(&record());
    store
        .replace(handle(1), 1, &next, NOW)
        .await
        .expect("an answer");
    assert_eq!(load(&store, 1).await, Some(next));
}
