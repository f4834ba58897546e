//! Programs with several runtimes, such as servers that have one for each worker.

use std::time::Duration;

use fasthttpsession_conformance::store::runtimes::{elsewhere, used_in_several_runtimes};
use fasthttpsession_core::{Record, Replaced, Store, StoreError};
use fasthttpsession_postgres::PostgresStore;
use tokio::task::{JoinHandle, yield_now};

use crate::pool::pool;
use crate::support::{
    Holder, NOW, Place, create, handle, record, replace, start, successor, within,
};

/// Longer than anything takes that nothing is in the way of.
const BOUND: Duration = Duration::from_secs(15);

/// A record that travels alone.
fn large() -> Record {
    let mut large = successor(&record());
    large.body = vec![0; 300 * 1024].into();
    large
}

#[tokio::test]
async fn all_runtimes_together_make_no_more_connections_than_are_set() {
    let place = Place::new().await;
    let config = place.config().max_connections(3);
    let config = config.application_name("of several runtimes");
    let store = config.open().await.expect("the store opens");
    let counted =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'of several runtimes'";
    // One that was just closed may be listed for a moment.
    let used = used_in_several_runtimes(&store, 6, NOW, async || place.until(counted, 3).await);
    within(used).await.expect("answers");
}

/// A store with so many connections, one of which waits for a row; who holds that, and the replacement that waits.
async fn with_one_who_waits_for_a_row(
    place: &Place,
    connections: usize,
) -> (
    PostgresStore,
    Holder,
    JoinHandle<Result<Replaced, StoreError>>,
) {
    let config = place.config().max_connections(connections);
    let store = config.pool_timeout(BOUND).open().await;
    let store = store.expect("the store opens");
    create(&store, [0]).await;
    let holder = place.holder(&[0]).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { replace(&store, 0).await }
    });
    place.until_waiting(1).await;
    (store, holder, waiting)
}

#[tokio::test]
async fn who_gave_up_waiting_for_a_connection_has_none_though_its_runtime_rests() {
    let place = Place::new().await;
    let (store, holder, waiting) = with_one_who_waits_for_a_row(&place, 1).await;
    let other = store.clone();
    let gave_up = elsewhere(async move || {
        let _given_up = start(other.check());
        yield_now().await;
    });
    let ((), _resting) = gave_up.await.expect("no panic");
    holder.commit().await;
    let replaced = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    within(store.check()).await.expect("its connection is free");
}

#[tokio::test]
async fn who_waits_for_one_of_the_applications_has_none_while_its_runtime_rests() {
    let place = Place::new().await;
    let config = place.config().pool_timeout(BOUND);
    let store = config.open_on(pool(&place, 1)).await;
    let store = store.expect("the store opens");
    create(&store, [0]).await;
    let holder = place.holder(&[0]).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { replace(&store, 0).await }
    });
    place.until_waiting(1).await;
    let other = store.clone();
    let stopped = elsewhere(async move || {
        tokio::spawn(async move { other.check().await });
        // It goes on in a task of its own.
        for _ in 0..2 {
            yield_now().await;
        }
    });
    let ((), _resting) = stopped.await.expect("no panic");
    holder.commit().await;
    let replaced = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    within(store.check()).await.expect("it is free");
}

#[tokio::test]
async fn who_gave_up_waiting_to_wait_for_a_row_is_not_waited_for_though_its_runtime_rests() {
    let place = Place::new().await;
    let (store, holder, waiting) = with_one_who_waits_for_a_row(&place, 2).await;
    create(&store, [1]).await;
    let other = store.clone();
    let gave_up = elsewhere(async move || {
        let large = large();
        let _given_up = start(other.replace(handle(1), 7, &large, NOW));
        yield_now().await;
    });
    let ((), _resting) = gave_up.await.expect("no panic");
    holder.commit().await;
    let replaced = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    let large = large();
    let replaced = within(store.replace(handle(1), 1, &large, NOW)).await;
    assert_eq!(replaced.expect("nobody waits"), Replaced::Replaced);
}

#[tokio::test]
async fn who_waits_for_a_connection_to_wait_for_a_row_holds_up_nobody_though_its_runtime_rests() {
    let place = Place::new().await;
    let config = place.config().max_connections(1);
    let store = config.pool_timeout(BOUND).open().await;
    let store = store.expect("the store opens");
    create(&store, [0, 1]).await;
    let locker = place.outside().await;
    let lock = "BEGIN; LOCK TABLE fasthttpsession";
    locker.batch_execute(lock).await.expect(lock);
    let counting = tokio::spawn({
        let store = store.clone();
        async move { store.count(NOW).await }
    });
    place.until_waiting(1).await;
    let other = store.clone();
    let waits = elsewhere(async move || {
        let large = large();
        let _waiting = start(other.replace(handle(0), 7, &large, NOW));
        yield_now().await;
    });
    let ((), _resting) = waits.await.expect("no panic");
    locker.batch_execute("COMMIT").await.expect("it ends");
    let counted = counting.await.expect("no panic");
    assert_eq!(counted.expect("an answer"), 2);
    let large = large();
    let replaced = within(store.replace(handle(1), 1, &large, NOW)).await;
    assert_eq!(replaced.expect("it waits for nobody"), Replaced::Replaced);
}

#[tokio::test]
async fn a_connection_that_makes_room_is_closed_though_its_runtime_rests() {
    let place = Place::new().await;
    let config = place.config().max_connections(1);
    let config = config.application_name("making room");
    let opened = elsewhere(async move || config.open().await).await;
    let (store, _resting) = opened.expect("no panic");
    let store = store.expect("the store opens");
    let counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'making room'";
    assert_eq!(place.number(counted).await, 1);
    store.check().await.expect("an answer");
    place.until(counted, 1).await;
}
