//! Several runtimes that use one store, as the workers of actix-web do.

use std::pin::pin;
use std::time::Duration;

use fasthttpsession_core::{Created, Store as _};
use fasthttpsession_memcached::MemcachedStore;
use fasthttpsession_servers::{Memcached, MemcachedServer, connections_to};
use futures_util::FutureExt as _;
use tokio::runtime::{Builder, Runtime};

use crate::support::config;
use crate::support::sample::{handle, now, record};

fn runtime() -> Runtime {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    runtime.expect("a runtime starts")
}

/// A store with one connection to a server of its own, opened in `runtime`.
fn store_of(runtime: &Runtime) -> (MemcachedServer, MemcachedStore) {
    let server = Memcached::start();
    let config = config(std::slice::from_ref(&server)).connections(1);
    let store = runtime.block_on(config.response_timeout(Duration::from_secs(30)).open());
    (server, store.expect("it answers"))
}

#[test]
fn each_runtime_has_its_own_connections_until_it_ends() {
    let [first, second] = [runtime(), runtime()];
    let (server, store) = store_of(&first);
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
    let [first, second] = [runtime(), runtime()];
    let ((server, store), handle) = (store_of(&first), handle());
    second.block_on(async {
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
    });
}
