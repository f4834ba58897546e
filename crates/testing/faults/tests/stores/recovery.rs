//! The very same store answers again once the network does: nobody restarts anything.

use std::time::Duration;

use fasthttpsession::{AnyStore, Clock as _, Handle, Header, Record, Store as _, SystemClock};
use futures_util::future::join_all;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{sleep, timeout};

use crate::backend::{Backend, open};
use crate::on_every_store;
use crate::trouble::Trouble;

/// Of each wait of a store.
const LIMIT: Duration = Duration::from_millis(200);

/// How long it may take: a store that can't connect rests up to a second before it tries again. The rest is for machines
/// that have much to do.
const RECOVERY: Duration = Duration::from_secs(20);

/// How long troubles may take to show.
const ONSET: Duration = Duration::from_secs(60);

/// How many calls are under way at once.
const CALLERS: usize = 16;

on_every_store!(a_store_answers_again_when_the_network_does);

fn a_store_answers_again_when_the_network_does(backend: Backend) -> Result<(), String> {
    answers_again(backend, RECOVERY, |store| store)
}

/// Within `recovery` after all troubles, each behind a proxy of its own; each twice, for the second time begins otherwise.
pub(crate) fn answers_again(
    backend: Backend,
    recovery: Duration,
    wrap: impl Fn(AnyStore) -> AnyStore,
) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    let outcome = runtime.block_on(async {
        let site = backend.site().await?;
        // With the default limits.
        let direct = open(site.url()).await?;
        let recovery = site.limit(recovery);
        let mut tasks = JoinSet::new();
        for trouble in Trouble::TOTAL {
            let proxy = site.proxy();
            let store = wrap(open(&site.url_behind(&proxy, LIMIT)).await?);
            let sample = Sample::create(&direct).await?;
            tasks.spawn(async move {
                for _ in 0..2 {
                    trouble.begin(&proxy);
                    let failed = timeout(ONSET, sample.fails(&store)).await;
                    failed.map_err(|_| format!("{trouble:?} let all calls through"))?;
                    proxy.heal();
                    let again = timeout(recovery, sample.answers(&store)).await;
                    again.map_err(|_| format!("after {trouble:?} it did not answer again"))??;
                }
                Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect()
    });
    runtime.shutdown_background();
    outcome
}

/// A session that a store has to know again.
struct Sample {
    handle: Handle,
    record: Record,
}

impl Sample {
    async fn create(store: &AnyStore) -> Result<Self, String> {
        let now = SystemClock.now();
        let hour = now.after(Duration::from_secs(3600));
        let header = Header {
            version: 1,
            created_at: now,
            idle_deadline: hour,
            absolute_deadline: hour,
            principal: None,
            label: None,
        };
        let body = b"anything".to_vec().into();
        let sample = Self {
            handle: Handle::from_bytes(fastrand::u128(..).to_be_bytes()),
            record: Record { header, body },
        };
        let created = store.create(sample.handle, &sample.record, now).await;
        created.map_err(|e| e.to_string())?;
        Ok(sample)
    }

    /// Returns when many calls at once have failed.
    async fn fails(&self, store: &AnyStore) {
        let failing = |_| async {
            while store.load(self.handle, SystemClock.now()).await.is_ok() {
                // So that the time can run out, however fast the answers come.
                yield_now().await;
            }
        };
        let failing: Vec<_> = (0..CALLERS).map(failing).collect();
        join_all(failing).await;
    }

    /// Returns when many calls at once were answered, each several times in a row.
    async fn answers(&self, store: &AnyStore) -> Result<(), String> {
        let answering = |_| async {
            let mut in_a_row = 0;
            while in_a_row < 5 {
                match store.load(self.handle, SystemClock.now()).await {
                    Ok(found) if found.as_ref() == Some(&self.record) => in_a_row += 1,
                    Ok(other) => return Err(format!("another record came back: {other:?}")),
                    Err(error) if error.is_retryable() => {
                        in_a_row = 0;
                        // Nobody tells a client when a server is back.
                        sleep(Duration::from_millis(10)).await;
                    }
                    Err(error) => return Err(format!("an error that does not pass: {error}")),
                }
            }
            Ok(())
        };
        let answering: Vec<_> = (0..CALLERS).map(answering).collect();
        join_all(answering).await.into_iter().collect()
    }
}
