//! Programs with several runtimes, such as servers that have one for each worker.

use std::sync::Arc;
use std::thread;

use fasthttpsession_core::Replaced;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;

use crate::support::{Place, create, load, record, replace, within};

/// One that runs only while it is asked to.
fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts")
}

#[test]
fn a_runtime_that_does_not_run_holds_up_no_other() {
    let [first, second] = [runtime(), runtime()];
    let (_place, store) = first.block_on(async {
        let place = Place::new().await;
        let store = place.store().await;
        create(&store, [1]).await;
        (place, store)
    });
    second.block_on(within(async {
        assert_eq!(load(&store, 1).await, Some(record()));
        let replaced = replace(&store, 1).await.expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }));
}

#[test]
fn all_runtimes_together_make_no_more_connections_than_are_set() {
    const RUNTIMES: u8 = 6;
    let main = runtime();
    let (place, store) = main.block_on(async {
        let place = Place::new().await;
        let config = place.config().max_connections(3);
        let config = config.application_name("of several runtimes");
        let store = config.open().await.expect("the store opens");
        create(&store, 0..RUNTIMES * 8).await;
        (place, store)
    });
    // What one has opened, others may use to their last call.
    let barrier = Arc::new(Barrier::new(usize::from(RUNTIMES) + 1));
    let threads: Vec<_> = (0..RUNTIMES)
        .map(|number| {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            thread::spawn(move || {
                runtime().block_on(async {
                    for session in 0..8 {
                        let replaced = replace(&store, number * 8 + session).await;
                        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
                    }
                    within(barrier.wait()).await;
                    within(barrier.wait()).await;
                });
            })
        })
        .collect();
    let counted =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'of several runtimes'";
    let connections = main.block_on(async {
        within(barrier.wait()).await;
        let connections = place.number(counted).await;
        within(barrier.wait()).await;
        connections
    });
    assert_eq!(connections, 3);
    for thread in threads {
        thread.join().expect("no panic");
    }
}
