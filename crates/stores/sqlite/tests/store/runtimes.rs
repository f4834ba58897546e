//! No runtime, and one that stops amid calls: what they wait for, others get.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fasthttpsession_conformance::store::runtimes::elsewhere;
use fasthttpsession_core::{Store, StoreErrorKind};
use tokio::runtime::Builder;
use tokio::task::yield_now;

use super::support::{NOW, Place, handle, record};

#[test]
fn outside_of_a_runtime_there_is_an_error_and_no_panic() {
    let place = Place::new();
    let error = once(place.config().open()).expect_err("there is no runtime");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    let runtime = Builder::new_current_thread().enable_all().build();
    let store = runtime.expect("a runtime starts").block_on(place.store());
    for outcome in [
        once(store.create(handle(1), &record(), NOW)).map(drop),
        once(store.delete(handle(1), NOW)).map(drop),
        once(store.count(NOW)).map(drop),
        once(store.check()),
    ] {
        let error = outcome.expect_err("there is no runtime");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("tokio"), "{error}");
        assert!(!error.may_have_applied());
    }
}

#[test]
fn without_timers_there_is_an_error_and_no_panic() {
    let place = Place::new();
    let with = Builder::new_current_thread().enable_all().build();
    let store = with.expect("a runtime starts").block_on(place.store());
    let without = Builder::new_current_thread().build();
    let without = without.expect("a runtime starts");
    let opened = without.block_on(place.config().open()).map(drop);
    let created = without.block_on(store.create(handle(1), &record(), NOW));
    for outcome in [opened, created.map(drop)] {
        let error = outcome.expect_err("there are no timers");
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains("enable_all"), "{error}");
    }
}

/// The outcome of what does not wait.
fn once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("it waits"),
    }
}

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
