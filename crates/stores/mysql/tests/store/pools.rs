//! Connections: the application's own, set up in its own way, and too few.

use std::time::Duration;

use fasthttpsession_conformance::store::runtimes::elsewhere;
use fasthttpsession_core::{Created, Deleted, Principal, Replaced, Store, StoreErrorKind, Touched};
use fasthttpsession_mysql::mysql_async::{Opts, OptsBuilder, Pool, PoolConstraints, PoolOpts};
use fasthttpsession_mysql::{MysqlConfig, MysqlStore};
use fasthttpsession_servers::keepalives;
use futures_util::future::join_all;

use crate::support::{
    HOUR, NOW, Place, create, handle, literal, load, record, replace, replacing, successor, within,
};

/// Linux would wait for two hours.
const SOON: Duration = Duration::from_secs(30);
/// Longer than anything takes that nothing is in the way of.
const BOUND: Duration = Duration::from_secs(15);

/// Connections that an application made for itself, each of which begins with `setup`.
fn pool(place: &Place, setup: &str, most: usize) -> Pool {
    let options = Opts::from_url(&place.database.url()).expect("it is a URL");
    let constraints = PoolConstraints::new(1, most).expect("they fit");
    let options = OptsBuilder::from_opts(options)
        .setup(vec![setup.to_owned()])
        .pool_opts(PoolOpts::new().with_constraints(constraints));
    Pool::new(options)
}

async fn on(place: &Place, setup: &str) -> MysqlStore {
    let config = MysqlConfig::new("nowhere.invalid").migrate(true);
    let config = config.purge_every(Duration::ZERO).max_connections(4);
    let store = config.open_on(pool(place, setup, 4)).await;
    store.expect(setup)
}

/// An application may have set its connections up in ways that matter to a store that is not careful.
#[tokio::test]
async fn a_store_works_on_a_pool_that_is_the_applications_own() {
    for setup in [
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE",
        "SET SESSION sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH'",
        "SET SESSION sql_mode = ''",
        "SET NAMES latin1",
        "SET SESSION sql_select_limit = 10",
    ] {
        let place = Place::new();
        let store = on(&place, setup).await;
        create(&store, 0..24).await;
        keeps_every_byte(&store, setup).await;
        let swaps: Vec<_> = (0..20).map(|number| replacing(&store, number)).collect();
        for swap in swaps {
            let replaced = within(swap).await.expect("no panic").expect(setup);
            assert_eq!(replaced, Replaced::Replaced, "{setup}");
        }
        assert_eq!(load(&store, 1).await, Some(successor(&record())), "{setup}");
        let again = replace(&store, 1).await.expect(setup);
        assert_eq!(again, Replaced::Conflict(successor(&record())), "{setup}");
        for _ in 0..2 {
            let touched = store.touch(handle(21), 1, NOW.after(2 * HOUR), NOW).await;
            assert_eq!(touched.expect(setup), Touched::Touched, "{setup}");
        }
        let deleted = store.delete(handle(22), NOW).await;
        assert_eq!(deleted.expect(setup), Deleted::Deleted, "{setup}");
        assert_eq!(replace(&store, 22).await.expect(setup), Replaced::Gone);
        let purged = store.purge(100, NOW.after(48 * HOUR)).await;
        assert_eq!(purged.expect(setup), 23 + 32, "{setup}");
    }
}

/// Bytes of every kind come back, those of one session and of many at once, and so do all sessions of a principal.
async fn keeps_every_byte(store: &MysqlStore, setup: &str) {
    let mut written = record();
    written.header.principal = Principal::new("Zoë").ok();
    written.body = (0..=255).collect();
    for number in 100..132 {
        let created = store.create(handle(number), &written, NOW).await;
        assert_eq!(created.expect(setup), Created::Created, "{setup}");
    }
    assert_eq!(load(store, 100).await, Some(written.clone()), "{setup}");
    let together = join_all((100..132).map(|number| load(store, number))).await;
    assert_eq!(together, vec![Some(written.clone()); 32], "{setup}");
    let principal = Principal::new("Zoë").expect("it is one");
    let sessions = store.sessions_of(&principal, NOW).await.expect(setup);
    assert_eq!(sessions.len(), 32, "{setup}");
}

/// Where a connection's reads are of one moment until its transaction ends, what is read after a swap must be of another.
#[tokio::test]
async fn a_conflict_on_a_pool_with_repeatable_reads_hands_back_what_is_there_now() {
    let place = Place::new();
    let store = on(
        &place,
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    )
    .await;
    create(&store, [1]).await;
    let mut holder = place.holder(&[1]).await;
    holder
        .run(&format!(
            "UPDATE fasthttpsession SET version = 2, body = 'body 2' WHERE handle = {}",
            literal(1)
        ))
        .await;
    let swap = replacing(&store, 1);
    place.until_one_waits().await;
    holder.commit().await;
    let replaced = within(swap).await.expect("no panic").expect("an answer");
    assert_eq!(replaced, Replaced::Conflict(successor(&record())));
}

#[tokio::test]
async fn a_pool_on_which_writes_are_lost_or_mangled_is_refused() {
    let place = Place::new();
    let mode = "SET sql_mode = 'EMPTY_STRING_IS_NULL'";
    let oracle = "SET sql_mode = 'ORACLE'";
    for (setup, sentence) in [
        ("SET autocommit = 0", "autocommit"),
        ("SET collation_connection = latin1_swedish_ci", "SET NAMES"),
        (mode, "EMPTY_STRING_IS_NULL"),
        (oracle, "ORACLE"),
    ] {
        // MySQL has no such modes.
        if [mode, oracle].contains(&setup) && place.number("SELECT VERSION() LIKE '%MariaDB%'") == 0
        {
            continue;
        }
        let config = MysqlConfig::new("nowhere.invalid").migrate(true);
        let opened = config.open_on(pool(&place, setup, 4)).await;
        let error = opened.expect_err(setup);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
        assert!(error.to_string().contains(sentence), "{error}");
    }
}

/// The server may tell each connection to convert what it is sent.
#[tokio::test]
async fn a_store_works_on_a_server_that_sets_connections_up_in_its_own_way() {
    let place = Place::private();
    place.run("SET GLOBAL init_connect = 'SET collation_connection = latin1_swedish_ci'");
    let database = place.database.name();
    // Those who may do everything are let off.
    place.run(&format!(
        "CREATE USER 'web'@'%' IDENTIFIED BY 'of a test'; GRANT ALL ON {database}.* TO 'web'@'%'"
    ));
    let config = place.config().user("web").password("of a test");
    let store = config.open().await.expect("the store opens");
    keeps_every_byte(&store, "init_connect").await;
}

#[tokio::test]
async fn waiting_for_a_connection_ends_without_effect() {
    let place = Place::new();
    let config = place.config().max_connections(1);
    create(&place.store().await, [1, 2]).await;
    let config = config.pool_timeout(Duration::from_secs(1));
    let store = config.open().await.expect("the store opens");
    let holder = place.holder(&[1]).await;
    let first = replacing(&store, 1);
    place.until_one_waits().await;
    let errors = [
        within(store.check()).await.expect_err("none is free"),
        within(replace(&store, 2)).await.expect_err("none is free"),
        within(store.count(NOW)).await.expect_err("none is free"),
    ];
    for error in errors {
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        assert!(error.is_retryable() && !error.may_have_applied());
    }
    holder.commit().await;
    let replaced = within(first).await.expect("no panic").expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    assert_eq!(load(&store, 2).await, Some(record()));
}

#[tokio::test]
async fn who_waits_for_one_of_the_applications_has_none_while_its_runtime_rests() {
    let place = Place::new();
    let config = place.config().max_connections(1).pool_timeout(BOUND);
    let store = config.open_on(pool(&place, "DO 0", 4)).await;
    let store = store.expect("the store opens");
    create(&store, [1]).await;
    let holder = place.holder(&[1]).await;
    let first = replacing(&store, 1);
    place.until_one_waits().await;
    let other = store.clone();
    let stopped = elsewhere(async move || {
        tokio::spawn(async move { other.check().await });
        tokio::task::yield_now().await;
    });
    let ((), _resting) = stopped.await.expect("no panic");
    holder.commit().await;
    let replaced = within(first).await.expect("no panic").expect("an answer");
    assert_eq!(replaced, Replaced::Replaced);
    within(store.check()).await.expect("it is free");
}

#[tokio::test]
async fn no_more_connections_are_made_than_are_set() {
    let place = Place::new();
    let store = place.config().max_connections(3).open().await;
    let store = store.expect("the store opens");
    create(&store, 0..32).await;
    let swaps: Vec<_> = (0..32).map(|number| replacing(&store, number)).collect();
    for swap in swaps {
        let replaced = within(swap).await.expect("no panic").expect("an answer");
        assert_eq!(replaced, Replaced::Replaced);
    }
    let connections = place.connections().len();
    assert!((1..=3).contains(&connections), "{connections} connections");
}

/// What was sent on it would be lost, and nobody could tell whether it was.
#[tokio::test]
async fn one_that_the_server_has_closed_while_it_lay_unused_is_replaced_before_it_is_used() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1]).await;
    place.cut().await;
    // Only one that has lain for a moment is asked.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let replaced = replace(&store, 1).await.expect("another is opened");
    assert_eq!(replaced, Replaced::Replaced);
}

/// One that a firewall has forgotten, or whose server has lost its power, would be taken for good until somebody waits on it.
#[tokio::test]
async fn a_silent_connection_is_soon_asked_whether_the_server_is_there() {
    let place = Place::new();
    let _store = place.store().await;
    within(async {
        // A moment after the last answer, for until then there is data under way.
        while !keepalives().iter().any(|left| *left <= SOON) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
