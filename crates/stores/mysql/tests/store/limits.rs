//! How large a record may be, and how long a wait.

use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Deleted, Record, Replaced, Store, StoreErrorKind};
use fasthttpsession_mysql::MysqlConfig;

use crate::support::{NOW, Place, create, handle, load, record, replacing, successor, within};

#[tokio::test]
async fn a_record_over_the_servers_limit_is_refused_before_it_is_sent() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    let limit = place.number("SELECT @@max_allowed_packet");
    let body = vec![0; usize::try_from(limit).expect("it is small")];
    let large = Record {
        body: Bytes::from(body),
        ..successor(&record())
    };
    let errors = [
        store.create(handle(2), &large, NOW).await.map(drop),
        store.replace(handle(1), 1, &large, NOW).await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("it is larger than the server takes");
        assert_eq!(error.kind(), StoreErrorKind::TooLarge);
        assert!(!error.may_have_applied() && !error.is_retryable());
    }
    assert_eq!(load(&store, 1).await, Some(record()));
}

/// It was taken before the limit was lowered, and can't come back.
#[tokio::test]
async fn a_record_over_a_limit_that_was_lowered_is_told_of_with_the_setting() {
    let place = Place::private();
    let store = place.store().await;
    let large = Record {
        body: vec![0; 100_000].into(),
        ..record()
    };
    let created = store.create(handle(1), &large, NOW).await;
    created.expect("the limit is higher");
    place.cut().await;
    place.run("SET GLOBAL max_allowed_packet = 65536");
    // One that was in use a moment ago is used again without a question.
    within(async { while store.check().await.is_err() {} }).await;
    let errors = [
        store.load(handle(1), NOW).await.map(drop),
        store.replace(handle(1), 7, &record(), NOW).await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("it is larger than a message may be");
        assert_eq!(error.kind(), StoreErrorKind::TooLarge, "{error}");
        assert!(
            !error.may_have_applied() && !error.is_retryable(),
            "{error}"
        );
        assert!(error.to_string().contains("max_allowed_packet"), "{error}");
    }
    let deleted = store.delete(handle(1), NOW).await;
    assert_eq!(deleted.expect("it need not be read"), Deleted::Deleted);
}

#[tokio::test]
async fn a_server_that_takes_too_little_is_refused() {
    let place = Place::private();
    place.run("SET GLOBAL max_allowed_packet = 16384");
    let config = MysqlConfig::from_url(&place.database.url()).expect("it is a URL");
    let error = config.migrate(true).open().await;
    let error = error.expect_err("no purge would fit");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(error.to_string().contains("max_allowed_packet"), "{error}");
}

#[tokio::test]
async fn limits_without_end_are_none() {
    let place = Place::new();
    let config = place.config().connect_timeout(Duration::MAX);
    let config = config
        .pool_timeout(Duration::MAX)
        .statement_timeout(Duration::MAX);
    let store = within(config.open()).await.expect("the store opens");
    within(create(&store, 0..16)).await;
    let swaps: Vec<_> = (0..16).map(|number| replacing(&store, number)).collect();
    for swap in swaps {
        let replaced = within(swap).await.expect("no panic");
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    }
    let loaded = within(load(&store, 1)).await;
    assert_eq!(loaded, Some(successor(&record())));
}
