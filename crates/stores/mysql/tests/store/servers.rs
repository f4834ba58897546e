//! A server that is killed, and one that hangs: errors that say what they are, within their bounds, and recovery.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use fasthttpsession_core::{Deleted, Replaced, Store, StoreError, StoreErrorKind, Touched};
use fasthttpsession_mysql::MysqlConfig;

use crate::support::{
    HOUR, NOW, PATIENCE, Place, create, handle, load, record, replace, replacing, successor, within,
};

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
    let place = Place::private();
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
    let place = Place::private();
    let store = place.store().await;
    create(&store, [1]).await;
    let holder = place.holder(&[1]).await;
    let under_way = replacing(&store, 1);
    place.until_one_waits().await;
    place.database.server().kill();
    drop(holder);
    let error = failed(async { under_way.await.expect("no panic") }).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.may_have_applied());
    assert!(error.source().is_none(), "it is not all said: {error:?}");
    place.database.server().restart();
    assert_eq!(load(&store, 1).await, Some(record()));
}

#[tokio::test]
async fn a_write_that_was_never_sent_was_certainly_not_made() {
    let place = Place::private();
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
    let place = Place::private();
    // What goes to the disk takes as long as it does.
    create(&place.store().await, [1, 2]).await;
    let store = place
        .config()
        .migrate(false)
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
            match store.load(handle(2), NOW).await {
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
    let place = Place::private();
    place.database.server().kill();
    let error = failed(place.config().open()).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(!error.may_have_applied());
}

#[tokio::test]
async fn opening_on_a_server_that_hangs_is_a_time_out() {
    let place = Place::private();
    place.database.server().pause();
    let error = failed(place.config().connect_timeout(BOUND).open()).await;
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    let address = format!("127.0.0.1:{}", place.database.server().port());
    assert!(error.to_string().contains(&address), "{error}");
    assert!(!error.may_have_applied());
    place.database.server().resume();
}

/// Who has waited for long while all connections were in use has little time left for a new one.
#[tokio::test]
async fn a_connection_that_is_waited_for_and_then_made_takes_no_longer_than_one_that_is_waited_for()
{
    // A fifth of it is left for what goes on while it is waited for.
    const BOUND: Duration = Duration::from_secs(15);
    let place = Place::private();
    create(&place.store().await, [1]).await;
    let store = place.config().migrate(false).max_connections(1);
    let store = store.pool_timeout(BOUND).open().await;
    let store = store.expect("the store opens");
    let _holder = place.holder(&[1]).await;
    let first = replacing(&store, 1);
    place.until_one_waits().await;
    let second = tokio::spawn(async move { store.check().await });
    tokio::time::sleep(BOUND.mul_f64(0.8)).await;
    place.database.server().pause();
    // Dropped with an answer under way, its connection is closed.
    first.abort();
    let error = failed(async { second.await.expect("no panic") }).await;
    assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("connecting to"), "{error}");
    assert!(!error.may_have_applied());
    place.database.server().resume();
}

/// What prints an error alone tells all of it, and what prints what it came from, too, tells nothing twice.
#[tokio::test]
async fn why_no_connection_was_made_is_said_once_with_the_place() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port is free");
    let not_there = MysqlConfig::new("127.0.0.1").port(closed.port());
    let socket = "/nowhere/mysql.sock";
    for (config, place, reason) in [
        (not_there.clone(), &*closed.to_string(), "refused"),
        (not_there.socket(socket), socket, "No such file"),
    ] {
        let error = failed(config.open()).await;
        let sentence = error.to_string();
        let begin = format!("connecting to {place}: ");
        assert!(sentence.starts_with(&begin), "{sentence}");
        assert!(sentence.contains(reason), "{sentence}");
        assert!(error.source().is_none(), "{error:?}");
    }
}

/// As a primary does that was demoted: sent again, a write would be refused again, and nobody wonders whether it was made.
#[tokio::test]
async fn a_server_that_only_answers_reads_has_certainly_not_written() {
    let place = Place::private();
    let database = place.database.name();
    place.run("CREATE USER 'service'@'%' IDENTIFIED BY 'of a test'");
    place.run(&format!("GRANT ALL ON {database}.* TO 'service'@'%'"));
    let config = place.config().user("service").password("of a test");
    let store = config.open().await.expect("the store opens");
    create(&store, 0..24).await;
    place.run("SET GLOBAL read_only = 1");
    let touched = store.touch(handle(1), 1, NOW.after(2 * HOUR), NOW).await;
    let mut refused = vec![
        store.create(handle(30), &record(), NOW).await.err(),
        replace(&store, 1).await.err(),
        touched.err(),
        store.delete(handle(1), NOW).await.err(),
    ];
    let swaps: Vec<_> = (0..24).map(|number| replacing(&store, number)).collect();
    for swap in swaps {
        refused.push(within(swap).await.expect("no panic").err());
    }
    for error in refused {
        let error = error.expect("it is refused");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("only answers reads"), "{error}");
        assert!(!error.may_have_applied(), "{error}");
    }
    assert_eq!(load(&store, 1).await, Some(record()));
    place.run("SET GLOBAL read_only = 0");
    let replaced = replace(&store, 1).await.expect("it takes writes again");
    assert_eq!(replaced, Replaced::Replaced);
}

/// A mode for programs that were written for another database, under which statements mean something else or nothing.
#[tokio::test]
async fn a_server_that_speaks_as_another_is_spoken_to_as_ever() {
    let place = Place::private();
    place.run(
        "SET GLOBAL sql_mode = /*M! 'ORACLE,EMPTY_STRING_IS_NULL,NO_BACKSLASH_ESCAPES' */
         /*!80000 'ANSI,NO_BACKSLASH_ESCAPES' */",
    );
    let store = place.store().await;
    create(&store, 0..24).await;
    let swaps: Vec<_> = (0..24).map(|number| replacing(&store, number)).collect();
    for swap in swaps {
        let replaced = within(swap).await.expect("no panic").expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }
    assert_eq!(load(&store, 1).await, Some(successor(&record())));
    let touched = store.touch(handle(1), 2, NOW.after(2 * HOUR), NOW).await;
    assert_eq!(touched.expect("an answer"), Touched::Touched);
    let deleted = store.delete(handle(1), NOW).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    let purged = store.purge(100, NOW.after(48 * HOUR)).await;
    assert_eq!(purged.expect("an answer"), 23);
}
