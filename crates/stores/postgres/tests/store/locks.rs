//! Rows that another transaction holds: those who want them wait, and nobody else does.

use std::time::Duration;

use fasthttpsession_core::{Deleted, Replaced, Store, StoreErrorKind, Touched};

use crate::support::{
    HOUR, NOW, Place, create, handle, literal, load, record, replace, start, successor, within,
};

#[tokio::test]
async fn neighbours_of_a_row_that_is_held_are_answered_at_once() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, 0..10).await;
    let holder = place.holder(&[1, 4, 7]).await;
    let later = NOW.after(2 * HOUR);
    let gate = place.gate().await;
    let first = start(replace(&store, 0));
    let held = start(replace(&store, 1));
    let two = start(replace(&store, 2));
    let first_touch = start(store.touch(handle(3), 1, later, NOW));
    let held_touch = start(store.touch(handle(4), 1, later, NOW));
    let touch = start(store.touch(handle(5), 1, later, NOW));
    let first_deletion = start(store.delete(handle(6), NOW));
    let held_deletion = start(store.delete(handle(7), NOW));
    let deletion = start(store.delete(handle(8), NOW));
    gate.open().await;
    for neighbour in [first, two] {
        assert_eq!(neighbour.await.expect("an answer"), Replaced::Replaced);
    }
    for neighbour in [first_touch, touch] {
        assert_eq!(neighbour.await.expect("an answer"), Touched::Touched);
    }
    for neighbour in [first_deletion, deletion] {
        assert_eq!(neighbour.await.expect("an answer"), Deleted::Deleted);
    }
    holder.commit().await;
    assert_eq!(held.await.expect("an answer"), Replaced::Replaced);
    assert_eq!(held_touch.await.expect("an answer"), Touched::Touched);
    assert_eq!(held_deletion.await.expect("an answer"), Deleted::Deleted);
}

#[tokio::test]
async fn a_row_that_is_held_too_long_is_a_time_out_without_effect() {
    let place = Place::new().await;
    let patient = place.store().await;
    create(&patient, [1]).await;
    let config = place.config().statement_timeout(Duration::from_secs(4));
    let store = config.open().await.expect("the store opens");
    let holder = place.holder(&[1]).await;
    let timeout = within(replace(&store, 1)).await;
    let timeout = timeout.expect_err("the row is held");
    assert_eq!(timeout.kind(), StoreErrorKind::Timeout, "{timeout}");
    assert!(timeout.is_retryable() && !timeout.may_have_applied());
    holder.commit().await;
    assert_eq!(load(&patient, 1).await, Some(record()));
    assert_eq!(
        replace(&patient, 1).await.expect("an answer"),
        Replaced::Replaced
    );
}

#[tokio::test]
async fn however_many_wait_for_rows_there_are_connections_for_others() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, 0..12).await;
    let held: Vec<_> = (0..10).collect();
    let holder = place.holder(&held).await;
    let waiting: Vec<_> = held
        .iter()
        .map(|number| {
            let (store, number) = (store.clone(), *number);
            tokio::spawn(async move { replace(&store, number).await })
        })
        .collect();
    place.until_waiting(1).await;
    assert_eq!(
        replace(&store, 10).await.expect("an answer"),
        Replaced::Replaced
    );
    assert_eq!(load(&store, 11).await, Some(record()));
    assert_eq!(store.count(NOW).await.expect("an answer"), 12);
    holder.commit().await;
    for waiting in waiting {
        let answer = waiting.await.expect("no panic");
        assert_eq!(answer.expect("an answer"), Replaced::Replaced);
    }
}

/// A statement that waited for a row sees it as it was when the statement began; only another one sees how it is.
#[tokio::test]
async fn the_row_that_a_conflict_hands_back_is_the_one_that_was_waited_for() {
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, [1]).await;
    let holder = place.holder(&[1]).await;
    let update = format!(
        "UPDATE fasthttpsession SET version = 2, body = 'body 2' WHERE handle = {}",
        literal(1)
    );
    holder.0.batch_execute(&update).await.expect(&update);
    let mut other = successor(&record());
    other.body = "another body 2".into();
    let replacement = tokio::spawn({
        let store = store.clone();
        async move { store.replace(handle(1), 1, &other, NOW).await }
    });
    place.until_waiting(1).await;
    holder.commit().await;
    let current = Replaced::Conflict(successor(&record()));
    let replaced = replacement.await.expect("no panic");
    assert_eq!(replaced.expect("an answer"), current);
    assert_eq!(load(&store, 1).await, Some(successor(&record())));
}

#[tokio::test]
async fn a_row_that_is_deleted_while_others_wait_for_it_is_gone_to_them() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, [1]).await;
    let holder = place.holder(&[1]).await;
    let delete = format!("DELETE FROM fasthttpsession WHERE handle = {}", literal(1));
    holder.0.batch_execute(&delete).await.expect(&delete);
    let replacements = [(), ()].map(|()| {
        let store = store.clone();
        tokio::spawn(async move { replace(&store, 1).await })
    });
    place.until_waiting(1).await;
    let touch = start(store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW));
    let deletion = start(store.delete(handle(1), NOW));
    holder.commit().await;
    for replacement in replacements {
        let replaced = replacement.await.expect("no panic");
        assert_eq!(replaced.expect("an answer"), Replaced::Gone);
    }
    assert_eq!(touch.await.expect("an answer"), Touched::Gone);
    assert_eq!(deletion.await.expect("an answer"), Deleted::Gone);
    assert_eq!(load(&store, 1).await, None);
}

#[tokio::test]
async fn a_held_row_is_read_without_waiting() {
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, [1]).await;
    let holder = place.holder(&[1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    assert_eq!(
        store
            .sessions_of(record().header.principal.as_ref().expect("it has one"), NOW)
            .await
            .expect("an answer"),
        [(handle(1), record())]
    );
    holder.commit().await;
}
