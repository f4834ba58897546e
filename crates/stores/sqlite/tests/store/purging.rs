//! Purging: what was used lives, what has expired goes, also in the background, as long as the store is there.

use std::time::Duration;

use fasthttpsession_core::{Clock, Created, Record, Store, SystemClock, Timestamp};
use fasthttpsession_sqlite::SqliteStore;

use super::support::{HOUR, NOW, Place, create, handle, load, record, successor, until};

const ALL: &str = "SELECT count(*) FROM fasthttpsession";
const DUE_SOONEST: &str = "SELECT min(purge_at) FROM fasthttpsession";

fn millis(moment: Timestamp) -> i64 {
    i64::try_from(moment.as_millis()).expect("a timestamp fits")
}

fn until_deadline(idle_deadline: Timestamp, mut record: Record) -> Record {
    record.header.idle_deadline = idle_deadline;
    record
}

#[tokio::test]
async fn a_session_that_was_used_is_put_off_and_purged_at_its_new_deadline() {
    let place = Place::new();
    let store = place.store().await;
    let (one, other) = (NOW.after(2 * HOUR), NOW.after(3 * HOUR));
    create(&store, handle(1), &record()).await;
    create(&store, handle(2), &record()).await;
    store
        .touch(handle(1), 1, one, NOW)
        .await
        .expect("an answer");
    let next = until_deadline(other, successor(&record()));
    store
        .replace(handle(2), 1, &next, NOW)
        .await
        .expect("an answer");
    assert_eq!(
        place.number(DUE_SOONEST),
        millis(NOW.after(HOUR)),
        "no index was changed"
    );

    for (now, removed) in [(NOW.after(HOUR), 0), (one, 1), (other, 1)] {
        assert_eq!(
            store.purge(10, now).await.expect("an answer"),
            removed,
            "at {now:?}"
        );
    }
    assert_eq!(place.number(ALL), 0);
}

#[tokio::test]
async fn a_purge_looks_at_a_session_that_lives_only_once_a_deadline() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    store
        .touch(handle(1), 1, NOW.after(9 * HOUR), NOW)
        .await
        .expect("an answer");
    assert_eq!(store.purge(1, NOW.after(HOUR)).await.expect("an answer"), 0);
    assert_eq!(place.number(DUE_SOONEST), millis(NOW.after(9 * HOUR)));
}

#[tokio::test]
async fn a_session_lives_until_the_very_moment_of_its_deadline() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    let deadline = NOW.after(HOUR + Duration::from_millis(1));
    let touched = store.touch(handle(1), 1, deadline, NOW).await;
    touched.expect("an answer");
    for (now, removed) in [(NOW.after(HOUR), 0), (deadline, 1)] {
        let purged = store.purge(10, now).await.expect("an answer");
        assert_eq!(purged, removed, "at {now:?}");
    }
}

#[tokio::test]
async fn a_deadline_that_comes_earlier_is_purged_earlier() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    let soon = NOW.after(HOUR / 2);
    let next = until_deadline(soon, successor(&record()));
    store
        .replace(handle(1), 1, &next, NOW)
        .await
        .expect("an answer");
    assert_eq!(store.purge(10, soon).await.expect("an answer"), 1);
}

#[tokio::test]
async fn a_purge_of_many_among_many_that_live_removes_at_most_its_limit() {
    let place = Place::new();
    let store = place.store().await;
    for number in 0..250 {
        let deadline = NOW.after(HOUR * (1 + u32::from(number % 2)));
        create(&store, handle(number), &until_deadline(deadline, record())).await;
    }
    let now = NOW.after(HOUR);
    assert_eq!(store.purge(0, now).await.expect("an answer"), 0);
    assert_eq!(store.purge(120, now).await.expect("an answer"), 120);
    assert_eq!(store.purge(120, now).await.expect("an answer"), 5);
    assert_eq!(store.count(now).await.expect("an answer"), 125);
    assert_eq!(place.number(ALL), 125);
}

#[tokio::test]
async fn what_has_expired_goes_in_the_background() {
    let place = Place::new();
    let store = place.config().purge_every(Duration::from_millis(1));
    let store = store.open().await.expect("the store opens");
    let now = SystemClock.now();
    let mut expiring = record();
    expiring.header.idle_deadline = now.after(Duration::from_millis(5));
    store
        .create(handle(1), &expiring, now)
        .await
        .expect("an answer");
    until("it was purged", || place.number(ALL) == 0).await;
    assert_eq!(load(&store, handle(1)).await, None);
}

#[tokio::test]
async fn purging_ends_with_the_last_clone() {
    let place = Place::new();
    let store = place.config().purge_every(Duration::from_millis(1));
    let store = store.open().await.expect("the store opens");
    let clone = store.clone();
    create(&store, handle(1), &record()).await;
    let log = place.path("sessions.db-wal");
    drop(store);
    assert!(log.exists(), "a clone is left");
    create(&clone, handle(2), &record()).await;
    drop(clone);
    until("the file was closed", || !log.exists()).await;
}

#[tokio::test]
async fn a_store_that_is_not_to_purge_does_not() {
    let (off, on) = (Place::new(), Place::new());
    let idle = off.store().await;
    let busy = on.config().purge_every(Duration::from_millis(1));
    let busy = busy.open().await.expect("the store opens");
    create_expired(&idle, 1).await;
    // The second is purged after a round in which the first, were it on, would have purged as well.
    for number in 1..3 {
        create_expired(&busy, number).await;
        until("it was purged", || on.number(ALL) == 0).await;
    }
    assert_eq!(off.number(ALL), 1);
}

#[tokio::test]
async fn stores_that_purge_one_file_share_the_work_and_leave_what_lives() {
    let place = Place::new();
    let config = place
        .config()
        .purge_every(Duration::from_millis(1))
        .purge_batch(7);
    let one = config.clone().open().await.expect("the store opens");
    let other = config.open().await.expect("the store opens");
    let now = SystemClock.now();
    let mut living = until_deadline(now.after(HOUR), record());
    living.header.absolute_deadline = now.after(HOUR);
    let created = one.create(handle(0), &living, now).await;
    assert_eq!(created.expect("an answer"), Created::Created);
    for number in 1..200 {
        create_expired(&one, number).await;
    }
    until("all were purged", || place.number(ALL) == 1).await;
    let found = other.load(handle(0), now).await.expect("an answer");
    assert_eq!(found, Some(living));
}

/// A session that expired long before the present.
async fn create_expired(store: &SqliteStore, number: u8) {
    let past = Timestamp::from_millis(1_000);
    let expired = until_deadline(past.after(HOUR), record());
    let created = store.create(handle(number), &expired, past).await;
    assert_eq!(created.expect("an answer"), Created::Created);
}
