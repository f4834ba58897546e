//! A store that several runtimes use, as the workers of actix-web do, and the one ends in which it was opened.

use std::pin::pin;
use std::sync::mpsc;
use std::thread;

use fasthttpsession::{AnyStore, Clock as _, Handle, Sessions, Store as _, SystemClock};
use fasthttpsession_faults::{Fault, Proxy};
use fasthttpsession_servers::connections_to;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::runtime::Runtime;

use crate::backend::{Backend, Site, open};
use crate::on_every_store;

on_every_store!(a_runtime_that_ends_takes_no_commit_of_another_with_it);

/// The stores that have connections.
const CONNECTED: [Backend; 4] = [
    Backend::Redis,
    Backend::Memcached,
    Backend::Mariadb,
    Backend::Postgres,
];
/// So many at once that stores make them together.
const SESSIONS: usize = 16;
/// How often each is committed to.
const COMMITS: usize = 40;

fn a_runtime_that_ends_takes_no_commit_of_another_with_it(backend: Backend) -> Result<(), String> {
    let [first, second] = runtimes();
    let site = second.block_on(backend.site())?;
    let sessions = Sessions::new(first.block_on(open(site.url()))?);
    let handles = first.block_on(join_all((0..SESSIONS).map(|_| made(&sessions))));
    let others = first.block_on(join_all((0..SESSIONS).map(|_| made(&sessions))));
    let (committed, commits) = mpsc::channel();
    let adding = |runtime: &Runtime, handle: Handle| {
        runtime.spawn(add(sessions.clone(), handle, committed.clone()))
    };
    // Together with those that go on; they end with their runtime.
    for handle in others {
        adding(&first, handle);
    }
    let adding: Vec<_> = handles
        .iter()
        .map(|handle| adding(&second, *handle))
        .collect();
    // Theirs are left, so that the count ends if they do.
    drop(committed);
    commits.iter().take(SESSIONS * COMMITS / 4).for_each(drop);
    drop(first);
    second.block_on(async {
        for added in adding {
            let added = added.await.map_err(|error| error.to_string())?;
            added.map_err(|error| format!("a commit of the other runtime: {error}"))?;
        }
        for handle in handles {
            let found = sessions
                .read(handle)
                .await
                .map_err(|error| error.to_string())?;
            let count = found.map(|found| found.values.get::<usize>("n"));
            if !matches!(count, Some(Ok(Some(COMMITS)))) {
                return Err(format!("{COMMITS} commits came to {count:?}"));
            }
        }
        Ok(())
    })
}

#[test]
fn each_runtime_has_its_own_connections_until_it_ends() {
    for backend in CONNECTED {
        let [first, second] = runtimes();
        let (store, proxy, _site) = opened_in(&first, backend);
        let connections = || connections_to(&proxy.address().to_string());
        let check = || second.block_on(store.check()).expect("it answers");
        assert_eq!(connections(), 1, "to {backend:?}, of who opened it");
        check();
        assert_eq!(connections(), 2, "to {backend:?}, of both");
        drop(first);
        assert_eq!(connections(), 1, "to {backend:?}, of who is left");
        check();
        assert_eq!(connections(), 1, "to {backend:?}, of who is left");
    }
}

#[test]
fn a_runtime_that_ends_takes_no_call_of_another_with_it() {
    for backend in CONNECTED {
        let [first, second] = runtimes();
        let (store, proxy, _site) = opened_in(&first, backend);
        second.block_on(async {
            let handle = made(&Sessions::new(store.clone())).await;
            proxy.answers(Fault::Hang);
            let mut load = pin!(store.load(handle, SystemClock.now()));
            assert!((&mut load).now_or_never().is_none(), "no answer comes");
            let ending = thread::spawn(move || drop(first));
            ending.join().expect("it ends");
            proxy.heal();
            let found = load.await;
            let found = found.unwrap_or_else(|error| panic!("{backend:?}: {error}"));
            assert!(found.is_some());
        });
    }
}

fn runtimes() -> [Runtime; 2] {
    [(); 2].map(|()| Runtime::new().expect("a runtime can be made"))
}

/// A store that was opened in `runtime`, the proxy that all its connections go through, and where that leads.
fn opened_in(runtime: &Runtime, backend: Backend) -> (AnyStore, Proxy, Site) {
    runtime.block_on(async {
        let site = backend.site().await.expect("it can be used");
        let proxy = site.proxy();
        let store = open(&proxy.url(site.url())).await.expect("it answers");
        (store, proxy, site)
    })
}

async fn made(sessions: &Sessions) -> Handle {
    let exchange = sessions.begin([("cookie", "")], None);
    let session = exchange.session().await.expect("it needs no store");
    session.set("n", &0).expect("it is small");
    exchange.finish().await.expect("the server answers");
    session.handle().expect("it was committed")
}

/// Adds one again and again, and tells each time.
async fn add(
    sessions: Sessions,
    handle: Handle,
    committed: mpsc::Sender<()>,
) -> Result<(), fasthttpsession::TransactError<fasthttpsession::Error>> {
    for _ in 0..COMMITS {
        let added = sessions.modify(handle, |values| {
            let count: usize = values.get("n")?.unwrap_or_default();
            values.set("n", &(count + 1))
        });
        added.await?;
        // Whoever counts needs no more than some.
        let _ = committed.send(());
    }
    Ok(())
}
