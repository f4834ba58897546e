//! A primary that becomes a replica, while its name is given to its successor, where a session is logged out that it has.

use std::time::Duration;

use fasthttpsession_core::{Handle, Record, Store as _, StoreErrorKind};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use fasthttpsession_servers::{Redis, RedisServer};

use crate::support::door::Door;
use crate::support::sample::{handle, next, now, record};
use crate::support::{open, within};

/// Longer than anything that is waited for here.
const LONG: Duration = Duration::from_secs(600);

/// So many links are used in turn, and so often.
const LINKS: usize = 2;

struct Demoted {
    old: RedisServer,
    new: RedisServer,
    door: Door,
    handle: Handle,
    record: Record,
}

impl Demoted {
    /// As it is before that.
    async fn start() -> Self {
        let (old, new) = (Redis::start(), Redis::start());
        let (handle, first) = (handle(), record());
        let record = next(&first);
        let store = open(&old).await;
        let created = store.create(handle, &first, now()).await;
        created.expect("it answers");
        // What waits behind a script that the server does not know yet has written nothing.
        let replaced = store.replace(handle, 1, &record, now()).await;
        replaced.expect("it answers");
        Self {
            door: Door::to(&old).await,
            old,
            new,
            handle,
            record,
        }
    }

    fn config(&self) -> RedisConfig {
        let by_name = format!("127.0.0.1:{}", self.door.port);
        let url = self.old.url().replace(&self.old.address(), &by_name);
        let config = RedisConfig::from_url(&url).expect("the URL is one");
        config
            .database(0)
            .connect_timeout(LONG)
            .response_timeout(LONG)
    }

    /// A store for which the session is there.
    async fn open(&self, config: RedisConfig) -> RedisStore {
        let store = config.open().await.expect("it answers");
        for _ in 0..LINKS {
            let found = store.load(self.handle, now()).await;
            assert_eq!(found.expect("it answers").as_ref(), Some(&self.record));
        }
        store
    }

    fn demote(&self) {
        self.door.now_to(&self.new);
        self.old.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    }

    async fn is_left_by(&self, store: &RedisStore) {
        for _ in 0..LINKS {
            let found = within(store.load(self.handle, now())).await;
            assert_eq!(found.expect("it answers"), None, "it was logged out");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_demoted_is_read_no_longer_once_it_has_refused_a_write() {
    let demoted = Demoted::start().await;
    let waiting = demoted.open(demoted.config().wait_replicas(1)).await;
    let others = demoted.open(demoted.config().connections(LINKS)).await;
    demoted.demote();
    for store in [waiting, others] {
        let deleted = within(store.delete(handle(), now())).await;
        let error = deleted.expect_err("it is a replica");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(!error.may_have_applied(), "{error}");
        demoted.is_left_by(&store).await;
    }
}

/// It answers those that wait for replicas with an error, and ends their connections alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_was_demoted_is_read_no_longer_once_it_has_given_up_waiting() {
    let demoted = Demoted::start().await;
    let waiting = demoted.config().wait_replicas(1).wait_timeout(LONG);
    let store = demoted.open(waiting).await;
    let (sending, handle) = (store.clone(), demoted.handle);
    let third = next(&demoted.record);
    let replacing = tokio::spawn(async move { sending.replace(handle, 2, &third, now()).await });
    within(async {
        let clients = || demoted.old.cli(&["INFO", "clients"]);
        while !clients().contains("blocked_clients:1") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    demoted.demote();
    let replaced = within(replacing).await.expect("it does not panic");
    replaced.expect_err("no replica confirms it");
    demoted.is_left_by(&store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_answers_nothing_without_its_primary_is_left_by_those_that_only_read() {
    let demoted = Demoted::start().await;
    let stale = ["CONFIG", "SET", "replica-serve-stale-data", "no"];
    demoted.old.cli(&stale);
    let store = demoted.open(demoted.config()).await;
    demoted.demote();
    let loaded = within(store.load(demoted.handle, now())).await;
    let error = loaded.expect_err("its primary is down");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    demoted.is_left_by(&store).await;
}
