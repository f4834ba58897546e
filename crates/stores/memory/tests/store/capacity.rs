//! What happens at capacity, and that it is bounded without anybody purging.

use std::pin::pin;
use std::task::{Context, Waker};

use crate::sample::{HOUR, MINUTE, NOW, handle, record, record_of};
use fasthttpsession_core::{Created, Deleted, Store, StoreErrorKind};
use fasthttpsession_memory::{MemoryStore, WhenFull};

fn store(capacity: usize, when_full: WhenFull) -> MemoryStore {
    MemoryStore::builder()
        .capacity(capacity)
        .when_full(when_full)
        .build()
}

async fn has(store: &MemoryStore, number: u64) -> bool {
    store.load(handle(number), NOW).await.unwrap().is_some()
}

#[tokio::test]
async fn a_full_store_refuses_new_sessions_and_keeps_the_old_ones() {
    let store = store(2, WhenFull::Refuse);
    for number in 0..2 {
        assert_eq!(
            store
                .create(handle(number), &record(HOUR), NOW)
                .await
                .unwrap(),
            Created::Created
        );
    }
    let error = store
        .create(handle(2), &record(HOUR), NOW)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(!error.may_have_applied());
    assert!(has(&store, 0).await && has(&store, 1).await && !has(&store, 2).await);
    assert_eq!(
        store.create(handle(1), &record(HOUR), NOW).await.unwrap(),
        Created::Exists
    );
}

#[tokio::test]
async fn a_full_store_has_room_again_after_a_logout() {
    let store = store(1, WhenFull::Refuse);
    store.create(handle(0), &record(HOUR), NOW).await.unwrap();
    assert_eq!(
        store.delete(handle(0), NOW).await.unwrap(),
        Deleted::Deleted
    );
    assert_eq!(store.delete(handle(0), NOW).await.unwrap(), Deleted::Gone);
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    store
        .create(handle(2), &record(HOUR), NOW)
        .await
        .unwrap_err();
}

#[tokio::test]
async fn expired_sessions_never_stand_in_the_way_of_new_ones() {
    let store = store(10, WhenFull::Refuse);
    for number in 0..10 {
        store
            .create(handle(number), &record_of("ann", MINUTE), NOW)
            .await
            .unwrap();
    }
    let later = NOW.after(MINUTE);
    for number in 10..20 {
        store
            .create(handle(number), &record(HOUR), later)
            .await
            .unwrap();
    }
    assert_eq!(
        store
            .create(handle(20), &record(HOUR), later)
            .await
            .unwrap_err()
            .kind(),
        StoreErrorKind::Full
    );
}

#[tokio::test]
async fn eviction_ends_the_anonymous_session_that_would_expire_soonest() {
    let store = store(4, WhenFull::EvictAnonymous);
    store
        .create(handle(0), &record_of("ann", MINUTE), NOW)
        .await
        .unwrap();
    store
        .create(handle(1), &record(3 * MINUTE), NOW)
        .await
        .unwrap();
    store
        .create(handle(2), &record(2 * MINUTE), NOW)
        .await
        .unwrap();
    store
        .create(handle(3), &record(4 * MINUTE), NOW)
        .await
        .unwrap();
    store.create(handle(4), &record(HOUR), NOW).await.unwrap();
    assert!(!has(&store, 2).await);
    // Used since, so it no longer is the one to expire soonest.
    store
        .touch(handle(1), 1, NOW.after(2 * HOUR), NOW)
        .await
        .unwrap();
    store.create(handle(5), &record(HOUR), NOW).await.unwrap();
    assert!(!has(&store, 3).await);
    for number in [0, 1, 4, 5] {
        assert!(has(&store, number).await, "{number} was evicted");
    }
}

#[tokio::test]
async fn eviction_spares_all_that_are_in_use_however_many_were_used_since() {
    const USED: u64 = 10_239;
    let store = store(10_240, WhenFull::EvictAnonymous);
    for number in 0..USED {
        store
            .create(handle(number), &record(HOUR), NOW)
            .await
            .unwrap();
    }
    let (unused, minute) = (handle(USED), NOW.after(MINUTE));
    let left = record(HOUR + MINUTE);
    store.create(unused, &left, minute).await.unwrap();
    let half = NOW.after(HOUR / 2);
    for number in 0..USED {
        store
            .touch(handle(number), 1, NOW.after(2 * HOUR), half)
            .await
            .unwrap();
    }
    let later = half.after(MINUTE);
    let new = record(2 * HOUR);
    store.create(handle(USED + 1), &new, later).await.unwrap();
    for number in 0..USED {
        assert!(has(&store, number).await, "{number} was evicted");
    }
    assert!(!has(&store, USED).await, "it would expire an hour sooner");
}

#[tokio::test]
async fn eviction_never_ends_a_signed_in_session() {
    let store = store(2, WhenFull::EvictAnonymous);
    store
        .create(handle(0), &record_of("ann", MINUTE), NOW)
        .await
        .unwrap();
    store.create(handle(1), &record(HOUR), NOW).await.unwrap();
    let (expected, signed_in) = crate::sample::next(record_of("bob", HOUR));
    store
        .replace(handle(1), expected, &signed_in, NOW)
        .await
        .unwrap();
    let error = store
        .create(handle(2), &record(HOUR), NOW)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(has(&store, 0).await && has(&store, 1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creations_at_once_never_exceed_the_capacity() {
    for when_full in [WhenFull::Refuse, WhenFull::EvictAnonymous] {
        let store = store(100, when_full);
        let tasks = (0..4).map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut created = 0;
                for number in task * 1000..task * 1000 + 500 {
                    created += u64::from(
                        store
                            .create(handle(number), &record(HOUR), NOW)
                            .await
                            .is_ok(),
                    );
                }
                created
            })
        });
        let mut created = 0;
        for task in tasks.collect::<Vec<_>>() {
            created += task.await.unwrap();
        }
        assert_eq!(store.count(NOW).await.unwrap(), 100);
        if when_full == WhenFull::Refuse {
            assert_eq!(created, 100);
        }
    }
}

#[tokio::test]
async fn a_store_that_nobody_purges_is_bounded_by_what_lives() {
    let store = MemoryStore::new();
    for step in 0..200_000_u64 {
        let now = NOW.after(std::time::Duration::from_millis(step));
        let mut record = record(MINUTE);
        // Ten seconds, so that at most 10,000 live at once.
        record.header.idle_deadline = now.after(MINUTE / 6);
        store.create(handle(step), &record, now).await.unwrap();
    }
    let kept: usize = records(&store);
    assert!(kept < 15_000, "{kept} records are kept, 10,000 live");
}

/// Records there are, live or not: only `Debug` tells.
fn records(store: &MemoryStore) -> usize {
    let text = format!("{store:?}");
    let number = text
        .split("records: ")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    number.unwrap().parse().unwrap()
}

const MANY: u64 = 200_000;

/// A store at its capacity, whose sessions live longer than they seem to: a touch files nothing anew.
async fn full_of_touched(when_full: WhenFull) -> MemoryStore {
    let store = store(200_000, when_full);
    let short = record(MINUTE);
    for number in 0..MANY {
        let created = store.create(handle(number), &short, NOW).await;
        assert_eq!(created.unwrap(), Created::Created);
        let touched = store.touch(handle(number), 1, NOW.after(HOUR), NOW).await;
        touched.unwrap();
    }
    store
}

/// Looking at so many takes long, and a thread of a runtime has others to serve.
#[tokio::test]
async fn a_creation_that_has_to_look_at_many_lets_others_have_the_thread() {
    for (when_full, now) in [
        (WhenFull::Refuse, NOW.after(2 * MINUTE)),
        (WhenFull::EvictAnonymous, NOW),
    ] {
        let store = full_of_touched(when_full).await;
        let another = record(2 * HOUR);
        let mut creation = pin!(store.create(handle(MANY), &another, now));
        let once = creation
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(once.is_pending(), "{when_full:?}");
        let created = creation.await.map_err(|error| error.kind());
        let expected = match when_full {
            WhenFull::EvictAnonymous => Ok(Created::Created),
            _ => Err(StoreErrorKind::Full),
        };
        assert_eq!(created, expected);
    }
}

/// What one that gave up has made room for is there for others.
#[tokio::test]
async fn a_creation_that_is_dropped_while_it_looks_keeps_no_room() {
    let store = full_of_touched(WhenFull::EvictAnonymous).await;
    let another = record(2 * HOUR);
    for polls in [1, 10, 100, 1_000, 10_000] {
        let mut creation = pin!(store.create(handle(MANY), &another, NOW));
        for _ in 0..polls {
            let context = &mut Context::from_waker(Waker::noop());
            if creation.as_mut().poll(context).is_ready() {
                break;
            }
        }
    }
    let count = store.count(NOW).await.unwrap();
    assert!(count <= MANY, "{count}");
    assert!(format!("{store:?}").contains(&format!("records: {count},")));
}
