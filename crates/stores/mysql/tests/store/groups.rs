//! Calls that come at once are made together, and each has its own answer.

use fasthttpsession_core::{Deleted, Replaced, Store, Touched};

use crate::support::{
    HOUR, NOW, Place, create, handle, load, record, replace, replacing, successor,
};

#[tokio::test]
async fn swaps_that_come_at_once_are_few_statements() {
    let place = Place::private();
    let store = place.store().await;
    create(&store, 0..64).await;
    let before = place.updates();
    let swaps: Vec<_> = (0..64).map(|number| replacing(&store, number)).collect();
    for swap in swaps {
        let replaced = swap.await.expect("no panic").expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }
    let sent = place.updates() - before;
    assert!(sent < 32, "{sent} statements for 64 swaps");
    for number in 0..64 {
        assert_eq!(load(&store, number).await, Some(successor(&record())));
    }
}

#[tokio::test]
async fn each_swap_of_a_group_has_its_own_answer() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, 0..48).await;
    for number in 0..48 {
        match number % 4 {
            1 => {
                let deleted = store.delete(handle(number), NOW).await;
                assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
            }
            2 => {
                let replaced = replace(&store, number).await;
                assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
            }
            _ => {}
        }
    }
    let swaps: Vec<_> = (0..48).map(|number| replacing(&store, number)).collect();
    for (number, swap) in swaps.into_iter().enumerate() {
        let answer = swap.await.expect("no panic").expect("an answer");
        let wanted = match number % 4 {
            1 => Replaced::Gone,
            2 => Replaced::Conflict(successor(&record())),
            _ => Replaced::Replaced,
        };
        assert_eq!(answer, wanted, "of {number}");
    }
}

#[tokio::test]
async fn swaps_on_one_session_at_once_have_one_winner() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    let swaps: Vec<_> = (0..32).map(|_| replacing(&store, 1)).collect();
    let mut winners = 0;
    for swap in swaps {
        match swap.await.expect("no panic").expect("an answer") {
            Replaced::Replaced => winners += 1,
            answer => assert_eq!(answer, Replaced::Conflict(successor(&record()))),
        }
    }
    assert_eq!(winners, 1);
}

#[tokio::test]
async fn loads_that_come_at_once_find_each_its_own() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, 0..32).await;
    let loads: Vec<_> = (0..64)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { load(&store, number).await })
        })
        .collect();
    for (number, load) in loads.into_iter().enumerate() {
        let wanted = (number < 32).then(record);
        assert_eq!(load.await.expect("no panic"), wanted, "of {number}");
    }
}

/// A statement that gives a row the values that it has already says that no row has changed.
#[tokio::test]
async fn what_changes_nothing_is_not_taken_for_what_is_gone() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    for _ in 0..2 {
        let touched = store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW).await;
        assert_eq!(touched.expect("an answer"), Touched::Touched);
    }
    let other_version = store.touch(handle(1), 7, NOW.after(3 * HOUR), NOW).await;
    assert_eq!(other_version.expect("an answer"), Touched::Touched);
    let missing = store.touch(handle(2), 1, NOW.after(2 * HOUR), NOW).await;
    assert_eq!(missing.expect("an answer"), Touched::Gone);
}
