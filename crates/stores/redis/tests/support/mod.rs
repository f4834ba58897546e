//! What the tests of this store have in common.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod browser;
pub(crate) mod door;
pub(crate) mod fake;
pub(crate) mod load;
pub(crate) mod sample;

use std::future::Future;
use std::time::Duration;

use fasthttpsession_conformance::store::{Subject, checks};
use fasthttpsession_core::{Handle, Store as _, StoreErrorKind};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use fasthttpsession_servers::RedisServer;
use redis::aio::ConnectionLike;
use redis::cmd;

/// So large that the suite's patience is not strained, and so small that the limit is met.
const MAX_RECORD_BYTES: usize = 2 << 20;

/// Two stores at `url` with a prefix of their own, for the suite; `raw` leads to the same database.
pub(crate) async fn subject<C>(url: &str, raw: C) -> Subject<RedisStore>
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    let prefix = prefix();
    let open = async || {
        let config = RedisConfig::from_url(url).expect("the URL is one");
        let config = config.prefix(&prefix).max_record_bytes(MAX_RECORD_BYTES);
        config.open().await.expect("the server answers")
    };
    let (store, second) = (open().await, open().await);
    let key = move |handle: Handle| format!("{prefix}{handle}");
    let (reading, read_key) = (raw.clone(), key.clone());
    Subject::new(store)
        .second_client(second)
        .raw(
            move |handle, bytes| {
                let (mut raw, mut set) = (raw.clone(), cmd("SET"));
                set.arg(key(handle)).arg(bytes);
                async move { set.exec_async(&mut raw).await.expect("SET succeeds") }
            },
            move |handle| {
                let (mut raw, mut get) = (reading.clone(), cmd("GET"));
                get.arg(read_key(handle));
                async move { get.query_async(&mut raw).await.expect("GET succeeds") }
            },
        )
        .body_limit(1 << 20, MAX_RECORD_BYTES)
        .expires_by_server_clock()
}

/// The settings of a store on `server`, with time to spare.
pub(crate) fn config(server: &RedisServer) -> RedisConfig {
    let config = RedisConfig::from_url(&server.url()).expect("the URL is one");
    config
        .database(0)
        .connect_timeout(Duration::from_secs(30))
        .response_timeout(Duration::from_secs(30))
}

/// A store on `server`, with time to spare.
pub(crate) async fn open(server: &RedisServer) -> RedisStore {
    config(server).open().await.expect("the server answers")
}

/// A store with short limits: on a busy machine opening it may take several attempts.
pub(crate) async fn open_with(config: &RedisConfig) -> RedisStore {
    let opened = within(async {
        loop {
            match config.clone().open().await {
                Err(error) if error.kind() == StoreErrorKind::Timeout => {}
                opened => break opened,
            }
        }
    });
    opened.await.expect("the servers answer")
}

/// What `work` comes to, which must not take for ever.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(60), work).await;
    done.expect("it ends some time")
}

/// Asks until the server answers.
pub(crate) async fn until_it_answers(store: &RedisStore) {
    within(async {
        while store.check().await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    format!("test-{:016x}:", fastrand::u64(..))
}

/// Runs every check of the suite, each on stores of its own.
pub(crate) async fn run_suite<C>(url: &str, raw: C)
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    let mut failures = Vec::new();
    for check in checks::<RedisStore>() {
        let subject = subject(url, raw.clone()).await;
        if let Err(failure) = check.run(&subject).await {
            failures.push(format!(
                "{}: {failure}, seed {}",
                check.name,
                subject.seed()
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
