//! Calls that are committed together: each gets its own answer, in its place, after the commit.

use std::fs;

use fasthttpsession_core::{Created, Deleted, Replaced, Store, StoreErrorKind, Touched};

use super::support::{HOUR, NOW, Place, create, handle, load, record, start, successor};

#[tokio::test]
async fn calls_on_one_session_in_a_group_are_applied_in_order_and_answered_each() {
    let place = Place::new();
    let store = place.store().await;
    let (first, second) = (record(), successor(&record()));
    let lock = place.lock();
    let create = start(store.create(handle(1), &first, NOW));
    let create_again = start(store.create(handle(1), &second, NOW));
    let replace = start(store.replace(handle(1), 1, &second, NOW));
    let replace_again = start(store.replace(handle(1), 1, &second, NOW));
    let touch = start(store.touch(handle(1), 2, NOW.after(2 * HOUR), NOW));
    let delete = start(store.delete(handle(1), NOW));
    let delete_again = start(store.delete(handle(1), NOW));
    let replace_nothing = start(store.replace(handle(1), 2, &second, NOW));
    drop(lock);
    assert_eq!(create.await.expect("an answer"), Created::Created);
    assert_eq!(create_again.await.expect("an answer"), Created::Exists);
    assert_eq!(replace.await.expect("an answer"), Replaced::Replaced);
    let current = Replaced::Conflict(second.clone());
    assert_eq!(replace_again.await.expect("an answer"), current);
    assert_eq!(touch.await.expect("an answer"), Touched::Touched);
    assert_eq!(delete.await.expect("an answer"), Deleted::Deleted);
    assert_eq!(delete_again.await.expect("an answer"), Deleted::Gone);
    assert_eq!(replace_nothing.await.expect("an answer"), Replaced::Gone);
    assert_eq!(load(&store, handle(1)).await, None);
}

#[tokio::test]
async fn calls_that_have_queued_up_are_one_commit() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, handle(0), &record()).await;
    let log = place.path("sessions.db-wal");
    let length = || fs::metadata(&log).expect("there is a log").len();
    let before = length();
    create(&store, handle(1), &record()).await;
    let of_one = length() - before;

    let lock = place.lock();
    let wanted = record();
    let calls: Vec<_> = (2..66)
        .map(|number| start(store.create(handle(number), &wanted, NOW)))
        .collect();
    let before = length();
    drop(lock);
    for call in calls {
        assert_eq!(call.await.expect("an answer"), Created::Created);
    }
    let of_many = length() - before;
    assert!(
        of_many < 16 * of_one,
        "one took {of_one} bytes of log, 64 took {of_many}"
    );
}

/// Makes a group with session 2 in it fail at its very end: a debt that SQLite asks for when it commits.
const DEBT: &str = "
    CREATE TABLE creditors (id INTEGER PRIMARY KEY);
    CREATE TABLE debts (creditor INTEGER REFERENCES creditors (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER owe AFTER INSERT ON fasthttpsession WHEN NEW.handle = x'02020202020202020202020202020202'
    BEGIN INSERT INTO debts VALUES (1); END";

#[tokio::test]
async fn what_was_not_committed_is_not_acknowledged() {
    let place = Place::new();
    let store = place.store().await;
    place.run(DEBT);
    let wanted = record();
    let lock = place.lock();
    let before = start(store.create(handle(1), &wanted, NOW));
    let in_debt = start(store.create(handle(2), &wanted, NOW));
    let after = start(store.create(handle(3), &wanted, NOW));
    drop(lock);
    assert_eq!(before.await.expect("an answer"), Created::Created);
    let error = in_debt.await.expect_err("it can't be committed");
    assert!(!error.may_have_applied(), "{error}");
    assert_eq!(after.await.expect("an answer"), Created::Created);
    for (number, found) in [(1, Some(&wanted)), (2, None), (3, Some(&wanted))] {
        assert_eq!(load(&store, handle(number)).await.as_ref(), found);
    }
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_not_made() {
    let place = Place::new();
    let store = place.store().await;
    let wanted = record();
    let lock = place.lock();
    // What the writer has in hand already may be made.
    let in_hand = start(store.create(handle(1), &wanted, NOW));
    let dropped = start(store.create(handle(2), &wanted, NOW));
    let waiting = start(store.create(handle(3), &wanted, NOW));
    drop(dropped);
    drop(lock);
    in_hand.await.expect("an answer");
    waiting.await.expect("an answer");
    // The writer may have taken all three at once.
    if load(&store, handle(2)).await.is_some() {
        assert_eq!(
            store.delete(handle(2), NOW).await.expect("an answer"),
            Deleted::Deleted
        );
    }
    assert_eq!(store.count(NOW).await.expect("an answer"), 2);
}

#[tokio::test]
async fn more_calls_than_may_wait_are_refused_without_effect() {
    let place = Place::new();
    let store = place
        .config()
        .queue(2)
        .open()
        .await
        .expect("the store opens");
    let wanted = record();
    let lock = place.lock();
    // The writer takes up to two from the queue, and then waits for the lock.
    let mut calls = Vec::new();
    let refusal = loop {
        let number = u8::try_from(calls.len()).expect("a few are enough");
        let mut call = Box::pin(store.create(handle(number), &wanted, NOW));
        tokio::select! {
            biased;
            answer = &mut call => break answer.expect_err("nothing can be written"),
            () = tokio::task::yield_now() => calls.push(call),
        }
    };
    assert_eq!(refusal.kind(), StoreErrorKind::Unavailable);
    assert!(!refusal.may_have_applied() && refusal.is_retryable());
    drop(lock);
    let refused = handle(u8::try_from(calls.len()).expect("a few"));
    for call in calls {
        assert_eq!(call.await.expect("an answer"), Created::Created);
    }
    assert_eq!(load(&store, refused).await, None);
}
