//! Damaged files: rows that are no record, pages that are no page, a file that is no database.

use std::fs;

use fasthttpsession_core::{Created, Deleted, Store, StoreError, StoreErrorKind};

use super::support::{HOUR, NOW, Place, create, handle, load, record, start, successor, until};

/// Each spoils the row of session 1 in a way that the table's types allow.
const SPOILS: [&str; 5] = [
    "UPDATE fasthttpsession SET principal = ''",
    "UPDATE fasthttpsession SET principal = CAST(x'ff' AS TEXT)",
    "UPDATE fasthttpsession SET label = 'a' || char(10)",
    "UPDATE fasthttpsession SET label = printf('%.256c', 'x')",
    "UPDATE fasthttpsession SET created_at = -1",
];

fn is_corrupt<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.expect_err("the row is no record");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
}

#[tokio::test]
async fn a_row_that_is_no_record_is_an_error_and_stays() {
    for spoil in SPOILS {
        let place = Place::new();
        let store = place.store().await;
        create(&store, handle(1), &record()).await;
        place.run(&format!("{spoil} WHERE handle = x'{}'", "01".repeat(16)));
        let sum = "SELECT sum(version + idle_deadline) FROM fasthttpsession";
        let before = place.number(sum);
        is_corrupt(store.load(handle(1), NOW).await);
        is_corrupt(store.create(handle(1), &record(), NOW).await);
        is_corrupt(
            store
                .replace(handle(1), 1, &successor(&record()), NOW)
                .await,
        );
        is_corrupt(store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW).await);
        assert_eq!(place.number(sum), before, "{spoil}");
        assert_eq!(
            store.delete(handle(1), NOW).await.expect("an answer"),
            Deleted::Deleted
        );
    }
}

#[tokio::test]
async fn a_row_that_is_larger_than_any_record_is_an_error_and_is_not_read() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    place.run("UPDATE fasthttpsession SET body = zeroblob(20000000)");
    create(&store, handle(2), &record()).await;
    is_corrupt(store.load(handle(1), NOW).await);
    is_corrupt(store.create(handle(1), &record(), NOW).await);
    is_corrupt(store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW).await);
    is_corrupt(store.scan(None, 10, NOW).await);
    assert_eq!(load(&store, handle(2)).await, Some(record()));
    is_corrupt(store.delete(handle(1), NOW).await);
    let purged = store.purge(10, NOW.after(48 * HOUR)).await;
    assert_eq!(purged.expect("an answer"), 2);
}

#[tokio::test]
async fn a_row_that_is_no_record_does_not_fail_its_neighbours() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(2), &record()).await;
    place.run(SPOILS[0]);
    let (wanted, next) = (record(), successor(&record()));
    let lock = place.lock();
    let before = start(store.create(handle(1), &wanted, NOW));
    let spoiled = start(store.replace(handle(2), 1, &next, NOW));
    let after = start(store.create(handle(3), &wanted, NOW));
    drop(lock);
    assert_eq!(before.await.expect("an answer"), Created::Created);
    is_corrupt(spoiled.await);
    assert_eq!(after.await.expect("an answer"), Created::Created);
    assert_eq!(load(&store, handle(1)).await, Some(wanted));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let place = Place::new();
    let rubbish = "rubbish ".repeat(1000);
    fs::write(place.path("sessions.db"), &rubbish).expect("the file can be written");
    let error = place.config().open().await.expect_err("it is no database");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    let path = place.path("sessions.db").display().to_string();
    for part in ["no SQLite database", &path] {
        assert!(error.to_string().contains(part), "{error}");
    }
    let left = fs::read_to_string(place.path("sessions.db")).expect("the file is there");
    assert_eq!(left, rubbish);
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_not_a_missing_session() {
    let place = Place::new();
    let store = place.store().await;
    for number in 0..200 {
        create(&store, handle(number), &record()).await;
    }
    drop(store);
    let log = place.path("sessions.db-wal");
    until("the log was written back", || !log.exists()).await;
    let path = place.path("sessions.db");
    let mut bytes = fs::read(&path).expect("the file is there");
    // The first page has the schema.
    bytes[4096..].fill(0xaa);
    fs::write(&path, bytes).expect("the file can be written");
    match place.config().migrate(false).open().await {
        Ok(store) => is_corrupt(store.load(handle(1), NOW).await),
        Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt),
    }
}
