//! Rows that are no record, as the table's types allow them.

use fasthttpsession_core::{
    Deleted, Label, Principal, Replaced, Store, StoreError, StoreErrorKind, Touched,
};
use fasthttpsession_mysql::mysql_async::prelude::Queryable;
use fasthttpsession_mysql::mysql_async::{Conn, Row};

use crate::support::{
    HOUR, NOW, Place, create, handle, literal, load, record, replace, replacing, successor,
};

const SPOILS: [&str; 16] = [
    "created_at = -1",
    "idle_deadline = -1",
    "absolute_deadline = -1",
    "principal = ''",
    "principal = X'FF'",
    "principal = 'a\\nb'",
    "principal = X'61C3'",
    "principal = X'C280'",
    "principal = X'EDA080'",
    "principal = X'F4908080'",
    "label = ''",
    "label = X'7F'",
    "label = X'C0AF'",
    "label = X'E0809F'",
    // Together they would be one character.
    "principal = X'C3', label = X'A9'",
    "principal = NULL, label = X'80'",
];

/// Texts of characters that take one to four bytes, the first and the last of each.
const TEXTS: [&str; 10] = [
    " ",
    "~",
    "a/b",
    "\u{a0}",
    "\u{7ff}",
    "\u{800}",
    "\u{d7ff}\u{e000}",
    "\u{ffff}",
    "\u{10000}",
    "\u{10ffff}",
];

fn is_corrupt<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.expect_err("the row is no record");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
}

async fn spoil(outside: &mut Conn, what: &str, number: u8) {
    let handle = literal(number);
    let spoil = format!("UPDATE fasthttpsession SET {what} WHERE handle = {handle}");
    outside.query_drop(&spoil).await.expect(what);
}

#[tokio::test]
async fn a_row_that_is_no_record_is_an_error_and_stays() {
    let place = Place::new();
    let (store, mut outside) = (place.store().await, place.outside().await);
    let row = "SELECT * FROM fasthttpsession";
    for what in SPOILS {
        create(&store, [1]).await;
        spoil(&mut outside, what, 1).await;
        let before: Option<Row> = outside.query_first(row).await.expect(row);
        is_corrupt(store.load(handle(1), NOW).await);
        let later = NOW.after(25 * HOUR);
        for now in [NOW, later] {
            is_corrupt(store.create(handle(1), &record(), now).await);
        }
        is_corrupt(replace(&store, 1).await);
        is_corrupt(store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW).await);
        let after: Option<Row> = outside.query_first(row).await.expect(row);
        let values = |row: Option<Row>| row.expect("it stays").unwrap();
        assert_eq!(values(after), values(before), "{what}");
        let deleted = store.delete(handle(1), NOW).await;
        assert_eq!(deleted.expect("an answer"), Deleted::Deleted, "{what}");
    }
}

#[tokio::test]
async fn a_row_that_is_no_record_does_not_fail_those_that_are_swapped_with_it() {
    let place = Place::new();
    let (store, mut outside) = (place.store().await, place.outside().await);
    create(&store, 0..48).await;
    for (number, what) in (0..).zip(SPOILS) {
        spoil(&mut outside, what, 3 * number).await;
    }
    spoil(&mut outside, "version = -1", 1).await;
    let swaps: Vec<_> = (0..48).map(|number| replacing(&store, number)).collect();
    for (number, swap) in swaps.into_iter().enumerate() {
        let answer = swap.await.expect("no panic");
        if number % 3 == 0 || number == 1 {
            is_corrupt(answer);
        } else {
            assert_eq!(answer.expect("an answer"), Replaced::Replaced, "{number}");
        }
    }
    let changed = "SELECT COUNT(*) FROM fasthttpsession WHERE version = 2";
    assert_eq!(place.number(changed), 48 - 16 - 1);
}

#[tokio::test]
async fn whatever_text_is_one_is_replaced_and_touched() {
    let place = Place::new();
    let store = place.store().await;
    let long = "\u{20ac}".repeat(85);
    let texts = TEXTS.into_iter().chain([long.as_str()]);
    for (number, text) in (0..).zip(texts) {
        let mut record = record();
        record.header.principal = Principal::new(text).ok();
        record.header.label = Label::new(text).ok();
        assert!(record.header.label.is_some(), "{text:?}");
        for now in [NOW, NOW.after(25 * HOUR)] {
            let created = store.create(handle(number), &record, now).await;
            created.expect("an answer");
        }
        let touched = store
            .touch(handle(number), 1, NOW.after(2 * HOUR), NOW)
            .await;
        assert_eq!(touched.expect("an answer"), Touched::Touched);
        let replaced = store
            .replace(handle(number), 1, &successor(&record), NOW)
            .await;
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced, "{text:?}");
        assert_eq!(load(&store, number).await, Some(successor(&record)));
    }
}
