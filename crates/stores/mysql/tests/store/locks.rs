//! Rows that another transaction holds: those who want them wait, and nobody else does.

use std::time::Duration;

use fasthttpsession_core::{Deleted, Replaced, Store, StoreErrorKind, Touched};

use crate::support::{
    HOUR, NOW, Place, create, handle, literal, load, record, replace, replacing, successor, within,
};

#[tokio::test]
async fn neighbours_of_a_row_that_is_held_are_answered() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, 0..40).await;
    let held = [3, 17, 33];
    let holder = place.holder(&held).await;
    let (mut waiting, mut neighbours) = (Vec::new(), Vec::new());
    for number in 0..40 {
        let list = if held.contains(&number) {
            &mut waiting
        } else {
            &mut neighbours
        };
        list.push(replacing(&store, number));
    }
    for swap in neighbours {
        let replaced = within(swap).await.expect("no panic").expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }
    assert!(waiting.iter().all(|swap| !swap.is_finished()));
    holder.commit().await;
    for swap in waiting {
        let replaced = within(swap).await.expect("no panic").expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }
}

#[tokio::test]
async fn a_row_that_is_held_too_long_is_a_time_out_without_effect() {
    let place = Place::new();
    let patient = place.store().await;
    create(&patient, [1]).await;
    // Longer than the server waits, a second or, on MySQL, up to two: so it is the server that gives up.
    let config = place
        .config()
        .statement_timeout(Duration::from_millis(2500));
    let store = config.open().await.expect("the store opens");
    let holder = place.holder(&[1]).await;
    let timeout = within(replace(&store, 1)).await;
    let timeout = timeout.expect_err("the row is held");
    assert_eq!(timeout.kind(), StoreErrorKind::Timeout, "{timeout}");
    assert!(timeout.is_retryable(), "{timeout}");
    holder.commit().await;
    assert_eq!(load(&patient, 1).await, Some(record()));
    assert_eq!(
        replace(&patient, 1).await.expect("an answer"),
        Replaced::Replaced
    );
}

/// After a swap that waited, the row is read anew: not as it was when the swap began.
#[tokio::test]
async fn the_row_that_a_conflict_hands_back_is_the_one_that_was_waited_for() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    let mut holder = place.holder(&[1]).await;
    holder
        .run(&format!(
            "UPDATE fasthttpsession SET version = 2, body = 'body 2' WHERE handle = {}",
            literal(1)
        ))
        .await;
    let swap = tokio::spawn({
        let store = store.clone();
        let mut other = successor(&record());
        other.body = "another body 2".into();
        async move { store.replace(handle(1), 1, &other, NOW).await }
    });
    place.until_one_waits().await;
    holder.commit().await;
    let current = Replaced::Conflict(successor(&record()));
    let replaced = within(swap).await.expect("no panic");
    assert_eq!(replaced.expect("an answer"), current);
    assert_eq!(load(&store, 1).await, Some(successor(&record())));
}

#[tokio::test]
async fn a_row_that_is_deleted_while_others_wait_for_it_is_gone_to_them() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    let mut holder = place.holder(&[1]).await;
    holder
        .run(&format!(
            "DELETE FROM fasthttpsession WHERE handle = {}",
            literal(1)
        ))
        .await;
    let swap = replacing(&store, 1);
    let touch = tokio::spawn({
        let store = store.clone();
        async move { store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW).await }
    });
    let deletion = tokio::spawn({
        let store = store.clone();
        async move { store.delete(handle(1), NOW).await }
    });
    place.until_one_waits().await;
    holder.commit().await;
    let replaced = within(swap).await.expect("no panic");
    assert_eq!(replaced.expect("an answer"), Replaced::Gone);
    let touched = within(touch).await.expect("no panic");
    assert_eq!(touched.expect("an answer"), Touched::Gone);
    let deleted = within(deletion).await.expect("no panic");
    assert_eq!(deleted.expect("an answer"), Deleted::Gone);
    assert_eq!(load(&store, 1).await, None);
}

#[tokio::test]
async fn a_held_row_is_read_without_waiting() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    let holder = place.holder(&[1]).await;
    assert_eq!(within(load(&store, 1)).await, Some(record()));
    let ann = record().header.principal.expect("it has one");
    let sessions = within(store.sessions_of(&ann, NOW)).await;
    assert_eq!(sessions.expect("an answer"), [(handle(1), record())]);
    holder.commit().await;
}
