//! A runtime that stops amid calls: what they wait for, others get.

use fasthttpsession_conformance::store::runtimes::elsewhere;
use fasthttpsession_core::Store;
use tokio::task::yield_now;

use super::support::{NOW, Place};

#[tokio::test]
async fn who_waits_to_list_in_a_runtime_that_rests_keeps_no_connection_from_others() {
    let place = Place::new();
    let store = place.store().await;
    let waiting = store.clone();
    let rested = elsewhere(async move || {
        for _ in 0..8 {
            let store = waiting.clone();
            tokio::spawn(async move { store.count(NOW).await });
        }
        yield_now().await;
    });
    let ((), _resting) = rested.await.expect("it does not panic");
    assert_eq!(store.count(NOW).await.expect("the store answers"), 0);
    store.check().await.expect("the store answers");
}
