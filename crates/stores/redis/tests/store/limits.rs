//! Memory that is full, records that are too large, users who may not do everything.

use fasthttpsession_core::{
    Created, Deleted, Record, Replaced, Store as _, StoreError, StoreErrorKind, Touched,
};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use fasthttpsession_servers::{Redis, RedisServer};

use crate::support::sample::{
    HOUR, handle, next, now, principal, record, record_of, record_of_size,
};
use crate::support::{config, open};

#[tokio::test]
async fn a_full_server_refuses_writes_and_leaves_sessions_as_they_were() {
    let server = Redis::start();
    let store = open(&server).await;
    let (kept, first) = (handle(), record());
    store.create(kept, &first, now()).await.expect("it answers");
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    for error in [
        store.create(handle(), &record(), now()).await.map(drop),
        store.replace(kept, 1, &next(&first), now()).await.map(drop),
        store
            .replace(kept, 1, &signed_in(&first), now())
            .await
            .map(drop),
    ] {
        let error = error.expect_err("there is no room");
        assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
        assert!(!error.may_have_applied());
    }
    let found = store.load(kept, now()).await.expect("it answers");
    assert_eq!(found, Some(first));
    // A logout needs no room.
    let deleted = store.delete(kept, now()).await.expect("it answers");
    assert_eq!(deleted, Deleted::Deleted);
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    store
        .create(handle(), &record(), now())
        .await
        .expect("there is room again");
}

fn signed_in(record: &fasthttpsession_core::Record) -> fasthttpsession_core::Record {
    let mut next = next(record);
    next.header.principal = Some(principal());
    next
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_unsent() {
    let server = Redis::start();
    let store = config(&server).max_record_bytes(1000).open().await;
    let store = store.expect("it answers");
    let (handle, first) = (handle(), record());
    store
        .create(handle, &first, now())
        .await
        .expect("it is small");
    let mut large = record_of_size(1000);
    large.header.version = 2;
    let error = store.replace(handle, 1, &large, now()).await;
    let error = error.expect_err("it is too large");
    assert_eq!(error.kind(), StoreErrorKind::TooLarge, "{error}");
    assert!(!error.may_have_applied());
    let found = store.load(handle, now()).await.expect("it answers");
    assert_eq!(found, Some(first));
}

/// What the page says that a user needs.
#[tokio::test]
async fn the_rights_that_the_page_names_suffice() {
    let server = Redis::start();
    let page = include_str!("../../src/lib.rs");
    let rule = page.lines().find_map(|line| {
        let rule = line.trim_start_matches("//! ");
        rule.strip_prefix("ACL SETUSER web ")
    });
    let rule = rule.expect("the page shows the rule");
    let mut command = vec!["ACL", "SETUSER", "web"];
    command.extend(rule.split(' '));
    assert_eq!(server.cli(&command).trim(), "OK");
    let url = format!("redis://web:secret@{}", server.address());
    let store = RedisConfig::from_url(&url).expect("it is a URL");
    let store = store.open().await.expect("it lets us in");
    let (handle, principal) = (handle(), principal());
    let first = record_of(&principal);
    store.create(handle, &first, now()).await.expect("it may");
    let replaced = store.replace(handle, 1, &next(&first), now()).await;
    assert_eq!(replaced.expect("it may"), Replaced::Replaced);
    let conflict = store.replace(handle, 1, &next(&first), now()).await;
    assert!(matches!(conflict.expect("it may"), Replaced::Conflict(_)));
    let later = now().after(2 * HOUR);
    store.touch(handle, 2, later, now()).await.expect("it may");
    let theirs = store.sessions_of(&principal, now()).await;
    assert_eq!(theirs.expect("it may").len(), 1);
    store.scan(None, 10, now()).await.expect("it may");
    store.check().await.expect("it may");
    store.delete(handle, now()).await.expect("it may");
    store
        .sessions_of(&principal, now())
        .await
        .expect("it may tidy");
    assert_eq!(server.cli(&["DBSIZE"]).trim(), "0");
}

#[tokio::test]
async fn what_a_user_may_not_do_is_misconfigured() {
    let server = Redis::start();
    let store = open_as(&server, &["~session:*", "+@all"]).await;
    let store = store.expect("it lets us in");
    server.cli(&["ACL", "SETUSER", "web", "resetkeys", "~others:*"]);
    let read = store.load(handle(), now()).await.map(drop);
    let written = store.create(handle(), &record(), now()).await.map(drop);
    for error in [read, written] {
        let error = error.expect_err("it may not");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(!error.may_have_applied());
    }
}

/// As a user who has these rights.
async fn open_as(server: &RedisServer, rights: &[&str]) -> Result<RedisStore, StoreError> {
    server.cli(&[&["ACL", "SETUSER", "web", "reset", "on", ">secret"], rights].concat());
    let url = format!("redis://web:secret@{}", server.address());
    RedisConfig::from_url(&url)?.open().await
}

/// Of that servers tell in words of their own.
#[tokio::test]
async fn what_a_script_may_not_do_is_misconfigured_and_leaves_the_record() {
    let server = Redis::start();
    let store = open_as(&server, &["~session:*", "+@all"]).await;
    let store = store.expect("it lets us in");
    let (handle, principal) = (handle(), principal());
    let first = record_of(&principal);
    store.create(handle, &first, now()).await.expect("it may");
    for missing in ["-set", "-getrange"] {
        server.cli(&["ACL", "SETUSER", "web", "+@all", missing]);
        let another = crate::support::sample::handle();
        for error in [
            store.create(another, &first, now()).await.map(drop),
            store
                .replace(handle, 1, &next(&first), now())
                .await
                .map(drop),
        ] {
            let error = error.expect_err("it may not");
            let sentence = error.to_string();
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{sentence}");
            assert!(!error.may_have_applied(), "{sentence}");
            assert!(sentence.contains("section Rights"), "{sentence}");
        }
        let found = store.load(another, now()).await.expect("it may");
        assert_eq!(found, None);
        let found = store.load(handle, now()).await.expect("it may");
        assert_eq!(found.as_ref(), Some(&first));
    }
}

#[tokio::test]
async fn a_user_without_the_rights_is_refused_at_opening() {
    let server = Redis::start();
    for rights in [
        &["~others:*", "+@all"][..],
        &["~session:*", "+@all", "-eval"],
        &["~session:*", "+@all", "-unlink"],
    ] {
        let error = open_as(&server, rights).await.expect_err("it may not");
        let sentence = error.to_string();
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{sentence}");
        assert!(sentence.contains("section Rights"), "{sentence}");
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_no_record_and_stays() {
    let server = Redis::shared();
    let prefix = crate::support::prefix();
    let store = config(&server).prefix(&prefix).open().await;
    let store = store.expect("it answers");
    let handle = handle();
    let key = format!("{prefix}{handle}");
    server.cli(&["RPUSH", &key, "theirs"]);
    let wrong = [
        store.load(handle, now()).await.map(drop),
        store.create(handle, &record(), now()).await.map(drop),
        store
            .replace(handle, 1, &next(&record()), now())
            .await
            .map(drop),
        store.touch(handle, 1, now(), now()).await.map(drop),
    ];
    for wrong in wrong {
        let error = wrong.expect_err("it is a list");
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    }
    assert_eq!(server.cli(&["TYPE", &key]).trim(), "list");
    let deleted = store.delete(handle, now()).await.expect("it answers");
    assert_eq!(deleted, Deleted::Deleted);
}

/// The scripts read 295 bytes of a record, and then know how long it is, or ask.
#[tokio::test]
async fn a_record_is_whole_or_corrupt_whatever_its_length() {
    let server = Redis::shared();
    let prefix = crate::support::prefix();
    let store = config(&server).prefix(&prefix).open().await;
    let store = store.expect("it answers");
    let overhead = record_of_size(0).to_bytes().len();
    for length in [overhead, 294, 295, 296, 5000] {
        let (handle, first) = (handle(), record_of_size(length - overhead));
        let second = Record {
            body: first.body.clone(),
            ..next(&first)
        };
        let created = store.create(handle, &first, now()).await;
        assert_eq!(created.expect("it answers"), Created::Created, "{length}");
        let replaced = store.replace(handle, 1, &second, now()).await;
        assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
        let touched = store.touch(handle, 2, now().after(2 * HOUR), now()).await;
        assert_eq!(touched.expect("it answers"), Touched::Touched, "{length}");

        server.cli(&["APPEND", &format!("{prefix}{handle}"), "!"]);
        let wrong = [
            store.create(handle, &first, now()).await.map(drop),
            store.replace(handle, 2, &second, now()).await.map(drop),
            store.touch(handle, 2, now(), now()).await.map(drop),
        ];
        for wrong in wrong {
            let error = wrong.expect_err("it has a byte too many");
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{length}: {error}");
        }
    }
}
