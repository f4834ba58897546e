//! Programs with several runtimes, such as servers that have one for each worker.

use std::time::Duration;

use fasthttpsession_conformance::store::runtimes::{elsewhere, used_in_several_runtimes};
use fasthttpsession_core::{Store, StoreErrorKind};

use crate::support::{HOUR, NOW, Place, create, handle, within};

#[tokio::test]
async fn all_runtimes_together_make_no_more_connections_than_are_set() {
    let place = Place::new();
    let store = place.config().max_connections(3).open().await;
    let store = store.expect("the store opens");
    // One that was just closed may be listed for a moment.
    let all_but_three_closed = async || {
        while place.connections().len() != 3 {
            tokio::task::yield_now().await;
        }
    };
    let used = used_in_several_runtimes(&store, 6, NOW, all_but_three_closed);
    within(used).await.expect("answers");
}

#[tokio::test]
async fn a_connection_that_a_call_gave_up_is_closed_though_its_runtime_rests() {
    let place = Place::new();
    // What waits for the disk takes as long as it does.
    create(&place.store().await, [1]).await;
    let config = place.config().migrate(false).max_connections(1);
    let store = config.statement_timeout(Duration::from_secs(2)).open();
    let store = store.await.expect("the store opens");
    let holder = place.holder(&[1]).await;
    let other = store.clone();
    let touched = elsewhere(async move || {
        let touch = other.touch(handle(1), 1, NOW.after(2 * HOUR), NOW);
        touch.await
    });
    let (touched, _resting) = touched.await.expect("no panic");
    let timeout = touched.expect_err("the row is held");
    assert_eq!(timeout.kind(), StoreErrorKind::Timeout, "{timeout}");
    holder.commit().await;
    store.check().await.expect("there is room for another");
    within(async {
        while place.connections().len() != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
