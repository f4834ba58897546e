//! What is done to many sessions of a growing store, 64 at once. In their order, the timed steps leave a store as it was.

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use fasthttpsession::{
    AnyStore, Clock as _, Created, Deleted, Record, Replaced, Store as _, SystemClock, Touched,
};
use serde::Serialize;

use crate::records::{handle, record};

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Makes a session that lasts for days.
    Create,
    /// Makes one that will have expired after [`EXPIRY`].
    #[serde(skip)]
    CreateExpiring,
    /// Reads a session.
    Load,
    /// Writes it anew.
    Replace,
    /// Moves its idle deadline.
    Touch,
    /// Removes it.
    Delete,
}

/// How many expire for a purge.
pub const EXPIRED: u64 = 10_000;
/// When sessions have expired that do; so late that nothing purges them before.
pub const EXPIRY: Duration = Duration::from_secs(2 * 3600);

const DAY: Duration = Duration::from_secs(24 * 3600);
const TASKS: u64 = 64;
/// 200 bytes of values and what the core adds: 10 million fit into memory.
const BODY: [u8; 312] = [7; 312];

impl Step {
    /// Those that are timed, the last two on the sessions of the others.
    pub const TIMED: [Self; 5] = [
        Self::Load,
        Self::Replace,
        Self::Touch,
        Self::Delete,
        Self::Create,
    ];

    /// Does it to every session of `numbers` at this distance.
    pub async fn run(self, store: &AnyStore, numbers: Range<u64>, distance: u64) -> Result<()> {
        let work = |task: u64| {
            let (store, numbers) = (store.clone(), numbers.clone());
            async move {
                let mut number = numbers.start + task * distance;
                while number < numbers.end {
                    self.once(&store, number).await?;
                    number += TASKS * distance;
                    // Stores that answer at once would keep the other tasks of the thread from starting.
                    tokio::task::consume_budget().await;
                }
                anyhow::Ok(())
            }
        };
        let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(work(task))).collect();
        for task in tasks {
            task.await.context("a task panicked")??;
        }
        Ok(())
    }

    async fn once(self, store: &AnyStore, number: u64) -> Result<()> {
        let (handle, now) = (handle(number), SystemClock.now());
        let done = match self {
            Self::Create => {
                store.create(handle, &lasting(1, number), now).await? == Created::Created
            }
            Self::CreateExpiring => {
                store.create(handle, &expiring(), now).await? == Created::Created
            }
            Self::Load => store.load(handle, now).await?.is_some(),
            Self::Replace => {
                let swapped = store.replace(handle, 1, &lasting(2, number), now).await?;
                swapped == Replaced::Replaced
            }
            Self::Touch => {
                store.touch(handle, 2, now.after(3 * DAY), now).await? == Touched::Touched
            }
            Self::Delete => store.delete(handle, now).await? == Deleted::Deleted,
        };
        ensure!(done, "{self:?} did not find a session as it should be");
        Ok(())
    }
}

/// Until another moment of an hour than others, as the sessions of visitors are.
fn lasting(version: u64, number: u64) -> Record {
    let moment = Duration::from_millis(number % 3_600_000 * 7919 % 3_600_000);
    until(version, DAY + moment)
}

fn expiring() -> Record {
    until(1, EXPIRY / 2)
}

fn until(version: u64, idle: Duration) -> Record {
    let mut record = record(version);
    let now = SystemClock.now();
    record.header.idle_deadline = now.after(idle);
    record.header.absolute_deadline = now.after(7 * DAY);
    record.body = Bytes::from_static(&BODY);
    record
}
