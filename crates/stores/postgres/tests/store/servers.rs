//! A server that is killed, and one that hangs: errors that say what they are, within their bounds, and recovery.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use fasthttpsession_core::{Replaced, Store, StoreError, StoreErrorKind};
use fasthttpsession_postgres::PostgresConfig;

use crate::support::{PATIENCE, Place, create, load, record, replace, start, successor, within};

const BOUND: Duration = Duration::from_secs(3);

/// What `work` fails with, in no more than its bound, as far as a busy machine can tell.
async fn failed<T: std::fmt::Debug>(
    work: impl Future<Output = Result<T, StoreError>>,
) -> StoreError {
    let begin = Instant::now();
    let error = within(work).await.expect_err("the server does not answer");
    assert!(begin.elapsed() < PATIENCE / 3, "{:?}", begin.elapsed());
    assert!(error.is_retryable(), "{error}");
    error
}

#[tokio::test]
async fn a_server_that_is_killed_is_unavailable_and_used_again_when_it_is_back() {
    let place = Place::private().await;
    let store = place.store().await;
    create(&store, [1, 2]).await;
    place.database.server().kill();
    for _ in 0..3 {
        let error = failed(Box::pin(replace(&store, 1))).await;
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        failed(store.check()).await;
    }
    place.database.server().restart();
    assert_eq!(load(&store, 2).await, Some(record()));
    let replaced = replace(&store, 2).await.expect("the server is back");
    assert_eq!(replaced, Replaced::Replaced);
    assert_eq!(load(&store, 1).await, Some(record()));
}

#[tokio::test]
async fn a_write_under_way_when_the_server_is_killed_may_have_been_made() {
    let place = Place::private().await;
    let store = place.store().await;
    create(&store, [1]).await;
    let gate = place.gate().await;
    let under_way = start(replace(&store, 1));
    place.until_waiting(1).await;
    place.database.server().kill();
    drop(gate);
    let error = failed(under_way).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.may_have_applied());
    assert!(error.source().is_none(), "it is not all said: {error:?}");
    place.database.server().restart();
    assert_eq!(load(&store, 1).await, Some(record()));
}

#[tokio::test]
async fn a_write_that_was_never_sent_was_certainly_not_made() {
    let place = Place::private().await;
    let store = place.store().await;
    create(&store, [1]).await;
    place.database.server().kill();
    // Until the pool has heard of it, writes are sent into nothing.
    let certain = within(async {
        loop {
            let error = replace(&store, 1).await.expect_err("the server is dead");
            if !error.may_have_applied() {
                break error;
            }
        }
    });
    assert_eq!(certain.await.kind(), StoreErrorKind::Unavailable);
}

#[tokio::test]
async fn a_server_that_hangs_is_a_time_out_and_used_again_when_it_goes_on() {
    let place = Place::private().await;
    // What goes to the disk takes as long as it does.
    create(&place.store().await, [1, 2]).await;
    let config = place.config().migrate(false);
    let store = config
        .connect_timeout(BOUND)
        .pool_timeout(BOUND)
        .statement_timeout(BOUND)
        .open()
        .await
        .expect("the store opens");
    place.database.server().pause();
    for _ in 0..2 {
        let error = failed(Box::pin(replace(&store, 1))).await;
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        let error = failed(store.check()).await;
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    }
    place.database.server().resume();
    // What was sent before may still be on its way through the server.
    let loaded = within(async {
        loop {
            match store
                .load(crate::support::handle(2), crate::support::NOW)
                .await
            {
                Ok(loaded) => break loaded,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    });
    assert_eq!(loaded.await, Some(record()));
    let one = load(&store, 1).await;
    assert!(one == Some(record()) || one == Some(successor(&record())));
}

#[tokio::test]
async fn opening_on_a_server_that_is_not_there_is_unavailable() {
    let place = Place::private().await;
    place.database.server().kill();
    let error = failed(place.config().open()).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(!error.may_have_applied());
}

#[tokio::test]
async fn opening_on_a_server_that_hangs_is_a_time_out() {
    let place = Place::private().await;
    place.database.server().pause();
    // However long a connection may take, and whichever of the two limits is the shorter.
    for config in [
        place.config().connect_timeout(BOUND),
        place.config().pool_timeout(BOUND),
    ] {
        let error = failed(config.open()).await;
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        assert!(!error.may_have_applied());
        let address = format!("127.0.0.1:{}", place.database.server().port());
        assert!(error.to_string().contains(&address), "{error}");
    }
    place.database.server().resume();
}

#[tokio::test]
async fn of_several_servers_one_that_hangs_is_passed_over() {
    let place = Place::new().await;
    // Connections are taken by the system, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let silent = silent.local_addr().expect("it has an address");
    let url = place
        .database
        .url()
        .replacen('@', &format!("@{silent},"), 1);
    let config = PostgresConfig::from_url(&url).expect("it is a URL");
    let config = config.migrate(true).purge_every(Duration::ZERO);
    let config = config.connect_timeout(3 * BOUND).pool_timeout(2 * BOUND);
    let store = within(config.open()).await.expect("the other one answers");
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
}

/// What prints an error alone tells all of it, and what prints what it came from, too, tells nothing twice.
#[tokio::test]
async fn why_no_connection_was_made_is_said_once_with_the_place() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port is free");
    for (host, place, reason) in [
        (&*closed.to_string(), &*closed.to_string(), "refused"),
        ("/nowhere", "/nowhere/.s.PGSQL.5432", "No such file"),
    ] {
        let config = PostgresConfig::new(host).expect(host);
        let error = failed(config.open()).await;
        let sentence = error.to_string();
        let begin = format!("connecting to {place}: ");
        assert!(sentence.starts_with(&begin), "{sentence}");
        assert!(sentence.contains(reason), "{sentence}");
        assert!(error.source().is_none(), "{error:?}");
    }
}

#[tokio::test]
async fn of_several_servers_what_each_one_said_is_told() {
    let [closed, other] = [(); 2].map(|()| {
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        closed.expect("a port is free").to_string()
    });
    let config = PostgresConfig::new(&format!("{closed},{other}")).expect("they are two");
    let error = failed(config.open()).await;
    let sentence = error.to_string();
    for place in [closed, other] {
        let said = format!("connecting to {place}: ");
        assert!(sentence.contains(&said), "{sentence}");
    }
    assert!(!error.may_have_applied());
}
