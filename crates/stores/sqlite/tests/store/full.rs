//! No room: the record that does not fit is refused, and everything else goes on.

use bytes::Bytes;
use fasthttpsession_core::{Created, Record, Replaced, Store, StoreErrorKind};
use fasthttpsession_sqlite::SqliteStore;
use fasthttpsession_sqlite::rusqlite::Connection;

use super::support::{NOW, Place, create, handle, load, record, start, successor};

/// A store in a file that may have 40 pages, 160 KiB.
async fn small(place: &Place) -> SqliteStore {
    let path = place.path("sessions.db");
    let connect = move || {
        let db = Connection::open(&path)?;
        db.execute_batch("PRAGMA max_page_count = 40")?;
        Ok(db)
    };
    place
        .config()
        .open_on(connect)
        .await
        .expect("the store opens")
}

fn large() -> Record {
    Record {
        body: Bytes::from(vec![7; 1 << 20]),
        ..record()
    }
}

#[tokio::test]
async fn a_record_without_room_is_refused_and_the_old_one_stays() {
    let place = Place::new();
    let store = small(&place).await;
    create(&store, handle(1), &record()).await;
    let next = Record {
        body: large().body,
        ..successor(&record())
    };
    let error = store
        .replace(handle(1), 1, &next, NOW)
        .await
        .expect_err("there is no room");
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(!error.may_have_applied() && error.is_retryable());
    assert_eq!(load(&store, handle(1)).await, Some(record()));
    let replaced = store
        .replace(handle(1), 1, &successor(&record()), NOW)
        .await;
    assert_eq!(
        replaced.expect("there is room for this"),
        Replaced::Replaced
    );
}

#[tokio::test]
async fn a_record_without_room_does_not_fail_its_neighbours() {
    let place = Place::new();
    let store = small(&place).await;
    let (fits, large) = (record(), large());
    let lock = place.lock();
    let before = start(store.create(handle(1), &fits, NOW));
    let refused = start(store.create(handle(2), &large, NOW));
    let after = start(store.create(handle(3), &fits, NOW));
    drop(lock);
    assert_eq!(before.await.expect("an answer"), Created::Created);
    assert_eq!(
        refused.await.expect_err("there is no room").kind(),
        StoreErrorKind::Full
    );
    assert_eq!(after.await.expect("an answer"), Created::Created);
    for number in [1, 3] {
        assert_eq!(load(&store, handle(number)).await, Some(fits.clone()));
    }
}

#[tokio::test]
async fn once_there_is_room_again_the_store_writes_again() {
    let place = Place::new();
    let store = small(&place).await;
    let body = Bytes::from(vec![7; 8 << 10]);
    let wanted = Record { body, ..record() };
    let mut number = 0;
    let error = loop {
        match store.create(handle(number), &wanted, NOW).await {
            Ok(_) => number += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    // Two, for a page that has to be split on the way takes room as well.
    for number in [0, 1] {
        let deleted = store.delete(handle(number), NOW).await;
        deleted.expect("a deletion needs no room");
    }
    create(&store, handle(number), &wanted).await;
    assert_eq!(load(&store, handle(2)).await, Some(wanted));
}
