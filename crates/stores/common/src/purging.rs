//! Purging in the background: begins with a store, in the runtime that it is opened in, and ends with either.

use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{AnyStore, Clock, Store, SystemClock};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How often expired records are removed, and how many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purging {
    /// How long to rest once nothing more was due; zero turns it off.
    pub every: Duration,
    /// The most records removed by one call of [`Store::purge`]; 0 counts as 1.
    pub batch: usize,
}

impl Purging {
    /// Once a minute, 1000 records at a time.
    pub const DEFAULT: Self = Self {
        every: Duration::from_secs(60),
        batch: 1000,
    };

    /// Purges `store` until the last clone of the task that comes back is dropped, or this tokio runtime ends; `None` if
    /// it is off.
    ///
    /// Give it a clone of the store that does not hold this task, or neither would ever end. A purge that fails is
    /// tried again after the rest, and told of ([`AnyStore::watched`]), for nobody waits for its answer.
    pub fn start(self, store: impl Store) -> Option<PurgeTask> {
        let on = !self.every.is_zero();
        on.then(|| PurgeTask {
            _task: Arc::new(Task(tokio::spawn(self.run(AnyStore::new(store).watched())))),
        })
    }

    async fn run(self, store: AnyStore) {
        loop {
            sleep(self.every).await;
            while self.more_is_due(&store).await {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn more_is_due(&self, store: &AnyStore) -> bool {
        let batch = self.batch.max(1);
        let purged = store.purge(batch, SystemClock.now()).await;
        purged.is_ok_and(|purged| purged >= batch as u64)
    }
}

/// Purging that goes on. Clones are the same task; dropping the last one ends it.
#[derive(Clone, Debug)]
pub struct PurgeTask {
    _task: Arc<Task>,
}

#[derive(Debug)]
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}
