//! Several runtimes that use one store, as the workers of actix-web do.

use std::pin::pin;

use fasthttpsession_core::{Created, Store as _};
use fasthttpsession_servers::{Redis, connections_to};
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::support::sample::{handle, now, record};
use crate::support::{config, within};

fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime starts")
}

#[test]
fn each_runtime_has_its_own_connections_until_it_ends() {
    let server = Redis::start();
    let [first, second] = [runtime(), runtime()];
    let store = first.block_on(config(&server).connections(1).open());
    let store = store.expect("it answers");
    assert_eq!(connections_to(&server.address()), 1);
    let created = second.block_on(store.create(handle(), &record(), now()));
    assert_eq!(created.expect("it answers"), Created::Created);
    assert_eq!(connections_to(&server.address()), 2);
    drop(first);
    assert_eq!(connections_to(&server.address()), 1);
    second.block_on(store.check()).expect("it answers");
    assert_eq!(connections_to(&server.address()), 1);
}

#[test]
fn a_runtime_that_ends_takes_no_call_of_another_with_it() {
    let server = Redis::start();
    let [first, second] = [runtime(), runtime()];
    let store = first.block_on(config(&server).connections(1).open());
    let (store, handle) = (store.expect("it answers"), handle());
    second.block_on(within(async {
        let created = store.create(handle, &record(), now()).await;
        created.expect("it answers");
        server.pause();
        let mut load = pin!(store.load(handle, now()));
        assert!((&mut load).now_or_never().is_none(), "the server is paused");
        let ending = std::thread::spawn(move || drop(first));
        ending.join().expect("it ends");
        server.resume();
        let found = load.await.expect("it was no call of the other");
        assert!(found.is_some());
    }));
}
