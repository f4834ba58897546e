//! Connections: the user's own, and too few.

use std::time::Duration;

use deadpool_postgres::{Manager, Pool};
use fasthttpsession_core::{Replaced, Store, StoreErrorKind};
use fasthttpsession_postgres::{PostgresConfig, PostgresStore};
use fasthttpsession_servers::keepalives;
use tokio_postgres::NoTls;

use crate::support::{NOW, Place, create, load, record, replace, within};

/// Linux would wait for two hours.
const SOON: Duration = Duration::from_secs(30);

/// Connections that an application made for itself.
pub(crate) fn pool(place: &Place, size: usize) -> Pool {
    let server = place.database.url().parse().expect("it is a URL");
    Pool::builder(Manager::new(server, NoTls))
        .max_size(size)
        .build()
        .expect("a pool can be made")
}

#[tokio::test]
async fn a_store_works_on_a_pool_that_is_the_users_own() {
    let place = Place::new().await;
    let pool = pool(&place, 2);
    let config = PostgresConfig::new("nowhere.invalid").expect("it is a name");
    let store = config.migrate(true).open_on(pool.clone()).await;
    let store = store.expect("the store opens");
    create(&store, [1]).await;
    assert_eq!(load(&store, 1).await, Some(record()));
    assert!(pool.status().size > 0, "it was made on another pool");
    drop(store);
    let mine = pool
        .get()
        .await
        .expect("the pool is still the application's");
    let rows = mine.query("SELECT FROM fasthttpsession", &[]).await;
    assert_eq!(rows.expect("an answer").len(), 1);
}

#[tokio::test]
async fn waiting_for_a_connection_ends_without_effect() {
    let place = Place::new().await;
    let pool = pool(&place, 1);
    drop(pool.get().await.expect("a connection is made"));
    let config = place.config().pool_timeout(Duration::from_secs(2));
    let store = config.open_on(pool.clone()).await.expect("it opens");
    create(&store, [1]).await;
    let taken = pool.get().await.expect("it is free");
    let errors = [
        within(store.check())
            .await
            .expect_err("there is no connection"),
        within(replace(&store, 1))
            .await
            .expect_err("there is no connection"),
        within(store.count(NOW))
            .await
            .expect_err("there is no connection"),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        assert!(error.is_retryable() && !error.may_have_applied());
    }
    drop(taken);
    assert_eq!(load(&store, 1).await, Some(record()));
}

/// That is not a wait that took too long.
#[tokio::test]
async fn a_pool_that_was_closed_is_told_of_at_once() {
    let place = Place::new().await;
    let pool = pool(&place, 1);
    let store = place.config().open_on(pool.clone()).await;
    let store = store.expect("it opens");
    pool.close();
    let error = store.check().await.expect_err("it gives no connection");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("closed"), "{error}");
    assert!(!error.may_have_applied());
}

#[tokio::test]
async fn no_more_connections_are_made_than_are_set() {
    let place = Place::new().await;
    let config = place
        .config()
        .max_connections(3)
        .application_name("counted");
    let store = config.open().await.expect("the store opens");
    create(&store, 0..8).await;
    let holder = place.holder(&[0]).await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let replaced = replace(&store, number).await;
                replaced.and(store.count(NOW).await)
            })
        })
        .collect();
    place.until_waiting(1).await;
    let counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'counted'";
    holder.commit().await;
    for task in tasks {
        assert_eq!(task.await.expect("no panic").expect("an answer"), 8);
    }
    let connections = place.number(counted).await;
    assert!((2..=3).contains(&connections), "{connections} connections");
}

#[tokio::test]
async fn limits_may_be_as_long_as_a_duration_can_be() {
    let place = Place::new().await;
    let config = place.config().purge_every(Duration::MAX);
    let config = config.connect_timeout(Duration::MAX);
    let config = config.pool_timeout(Duration::MAX);
    let config = config.statement_timeout(Duration::MAX);
    let store = config.open().await.expect("the store opens");
    create(&store, [1]).await;
    let replaced = replace(&store, 1).await.expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
}

/// A store with two connections, listed under `name`.
async fn with_two_connections(place: &Place, name: &str, config: PostgresConfig) -> PostgresStore {
    let config = config.application_name(name);
    let store = config.open().await.expect("the store opens");
    create(&store, [0]).await;
    let holder = place.holder(&[0]).await;
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { replace(&store, 0).await }
    });
    place.until_waiting(1).await;
    assert_eq!(load(&store, 0).await, Some(record()));
    holder.commit().await;
    let replaced = waiting.await.expect("no panic").expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    let all = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
    assert_eq!(place.number(&all).await, 2);
    store
}

#[tokio::test]
async fn the_connection_that_was_used_last_is_used_next() {
    let place = Place::new().await;
    let store = with_two_connections(&place, "warm", place.config()).await;
    let micros = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let before = place.number(micros).await;
    for _ in 0..10 {
        store.check().await.expect("an answer");
    }
    let used = format!(
        "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'warm' AND extract(epoch FROM query_start) * 1000000 > {before}"
    );
    assert_eq!(place.number(&used).await, 1);
}

#[tokio::test]
async fn of_unused_connections_those_used_last_stay_open() {
    let place = Place::new().await;
    let config = place.config().idle_connections(1);
    let store = with_two_connections(&place, "kept", config).await;
    store.check().await.expect("an answer");
    let last = "SELECT pid::bigint FROM pg_stat_activity
        WHERE application_name = 'kept' ORDER BY query_start DESC LIMIT 1";
    let used_last = place.number(last).await;
    let all = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kept'";
    place.until(all, 1).await;
    assert_eq!(place.number(last).await, used_last);
}

#[tokio::test]
async fn connections_that_were_cut_are_made_anew() {
    let place = Place::new().await;
    let config = place.config().application_name("cut");
    let store = config.open().await.expect("the store opens");
    create(&store, [1]).await;
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'cut'";
    assert!(place.number(cut).await > 0);
    let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cut'";
    place.until(left, 0).await;
    // The pool hears of it on its own time; until then the error says that trying again makes sense.
    let answer = within(async {
        loop {
            match store.check().await {
                Ok(()) => break,
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
    });
    answer.await;
    assert_eq!(load(&store, 1).await, Some(record()));
}

/// One that a firewall has forgotten, or whose server has lost its power, would be taken for good until somebody waits on it.
#[tokio::test]
async fn a_silent_connection_is_soon_asked_whether_the_server_is_there() {
    let place = Place::new().await;
    let _store = place.store().await;
    within(async {
        // A moment after the last answer, for until then there is data under way.
        while !keepalives().iter().any(|left| *left <= SOON) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
