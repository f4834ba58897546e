//! The files: who may read them, how they are closed, and connections of the application's own.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use fasthttpsession_core::{Store, StoreErrorKind};
use fasthttpsession_sqlite::rusqlite::Connection;
use fasthttpsession_sqlite::{SqliteConfig, Synchronous};

use super::support::{HOUR, NOW, Place, create, handle, load, record, start, successor, until};

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        let meta = std::fs::metadata(place.path(name)).expect(name);
        assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn the_last_clone_writes_the_log_back_and_closes_the_file() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(1), &record()).await;
    let log = place.path("sessions.db-wal");
    assert!(log.exists());
    drop(store);
    until("the log was written back", || !log.exists()).await;
    assert_eq!(load(&place.store().await, handle(1)).await, Some(record()));
}

#[tokio::test]
async fn a_call_in_flight_is_committed_although_the_store_is_dropped() {
    let place = Place::new();
    let config = place.config().queue(1).timeout(Duration::from_secs(60));
    let store = config.open().await;
    let store = store.expect("the store opens");
    let (lock, record) = (place.lock(), record());
    let in_flight = start(store.create(handle(1), &record, NOW));
    // As long as it waits in the queue, there is no room for another.
    let mut queued = Box::pin(store.create(handle(2), &record, NOW));
    until("the writer has taken the first", || {
        let mut context = Context::from_waker(Waker::noop());
        let is_queued = queued.as_mut().poll(&mut context).is_pending();
        if !is_queued {
            queued = Box::pin(store.create(handle(2), &record, NOW));
        }
        is_queued
    })
    .await;
    drop((in_flight, queued));
    drop(store);
    drop(lock);
    let log = place.path("sessions.db-wal");
    until("the store has closed the file", || !log.exists()).await;
    let store = place.store().await;
    assert_eq!(load(&store, handle(1)).await, Some(record));
    assert_eq!(load(&store, handle(2)).await, None, "nobody wanted it");
}

/// What would be written there is gone when the store is closed, and another process makes a file of its own.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_removed_or_replaced_takes_no_writes() {
    for is_replaced in [false, true] {
        let place = Place::new();
        let store = place.store().await;
        create(&store, handle(1), &record()).await;
        let (path, copy) = (place.path("sessions.db"), place.path("copy.db"));
        if is_replaced {
            std::fs::copy(&path, &copy).expect("there is room");
            std::fs::rename(&copy, &path).expect("it may be renamed");
        } else {
            std::fs::remove_file(&path).expect("it may be removed");
        }
        let next = successor(&record());
        let errors = [
            store.create(handle(2), &record(), NOW).await.map(drop),
            store.replace(handle(1), 1, &next, NOW).await.map(drop),
            store
                .touch(handle(1), 1, NOW.after(2 * HOUR), NOW)
                .await
                .map(drop),
            store.delete(handle(1), NOW).await.map(drop),
            store.purge(1, NOW).await.map(drop),
            store.check().await,
        ];
        for error in errors {
            let error = error.expect_err("it has no name any more");
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
            assert!(!error.may_have_applied(), "{error}");
            let sentence = error.to_string();
            assert!(sentence.contains("was removed or replaced"), "{sentence}");
            assert!(sentence.contains("restart"), "{sentence}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_back_at_its_place_is_used_again() {
    let place = Place::new();
    let store = place.store().await;
    let (path, away) = (place.path("sessions.db"), place.path("away.db"));
    std::fs::rename(&path, &away).expect("it may be renamed");
    store.check().await.expect_err("it is elsewhere");
    std::fs::rename(&away, &path).expect("it may be renamed");
    store.check().await.expect("it is back");
    create(&store, handle(1), &record()).await;
}

#[tokio::test]
async fn sessions_outlive_the_store_with_each_setting() {
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        let place = Place::new();
        let config = place.config().synchronous(synchronous);
        let store = config.clone().open().await.expect("the store opens");
        create(&store, handle(1), &record()).await;
        drop(store);
        let store = config
            .read_in_place(false)
            .open()
            .await
            .expect("the store opens");
        assert_eq!(load(&store, handle(1)).await, Some(record()));
    }
}

#[tokio::test]
async fn connections_of_the_application_are_used_for_everything() {
    let place = Place::new();
    let path = place.path("own.db");
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let connect = move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let db = Connection::open(&path)?;
        db.execute_batch("CREATE TABLE IF NOT EXISTS orders (id INTEGER)")?;
        Ok(db)
    };
    let config = SqliteConfig::new("").migrate(true).readers(3);
    let store = config.open_on(connect).await.expect("the store opens");
    create(&store, handle(1), &record()).await;
    assert_eq!(load(&store, handle(1)).await, Some(record()));
    assert_eq!(store.count(NOW).await.expect("an answer"), 1);
    assert_eq!(opened.load(Ordering::Relaxed), 1 + 1 + 3 + 2);
}

#[tokio::test]
async fn connections_to_memory_are_refused() {
    let config = SqliteConfig::new("").migrate(true);
    let error = config
        .open_on(Connection::open_in_memory)
        .await
        .expect_err("each has its own");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    assert!(error.to_string().contains("write-ahead log"), "{error}");
}

#[tokio::test]
async fn what_is_printed_of_a_store_is_where_it_is() {
    let place = Place::new();
    let printed = format!("{:?}", place.store().await);
    assert!(
        printed.contains("sessions.db") && printed.contains("fasthttpsession"),
        "{printed}"
    );
}

/// As on a disk that hangs.
#[tokio::test(start_paused = true)]
async fn opening_a_file_that_never_opens_is_a_timeout() {
    let limit = Duration::from_secs(5);
    let (begin, asked) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let never = move || {
        begin.send(()).expect("the test waits");
        // Until the test has ended.
        let _ = ended.lock().expect("nothing panics").recv();
        Connection::open_in_memory()
    };
    let config = SqliteConfig::new("").migrate(true).timeout(limit);
    let mut opening = pin!(config.open_on(never));
    let context = &mut Context::from_waker(Waker::noop());
    assert!(opening.as_mut().poll(context).is_pending());
    asked.recv().expect("it opens the file");
    tokio::time::advance(limit).await;
    // As long as anything takes that is within the limit.
    tokio::time::advance(Duration::from_secs(1)).await;
    let Poll::Ready(opened) = opening.as_mut().poll(context) else {
        drop(end);
        panic!("it waits for ever");
    };
    drop(end);
    let error = opened.expect_err("no file was opened");
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    assert!(!error.may_have_applied());
}
