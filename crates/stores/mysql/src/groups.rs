//! What is done for many sessions at once: reads in one statement, swaps in one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{Handle, Header, Record, Replaced, StoreError};
use fasthttpsession_store_common::{Group, GroupLimits, Load, Replace};
use futures_util::future::{BoxFuture, FutureExt, join_all};
use tokio::time::timeout;

use crate::error::Failure;
use crate::operations::Operations;
use crate::row;
use crate::statements::ROLLBACK;

/// How many groups may be under way, how large they may be, and how many calls may wait.
pub(crate) const LIMITS: GroupLimits = GroupLimits {
    at_once: 4,
    calls: 32,
    waiting: 4096,
};

/// The fewest swaps for which a transaction costs less than a statement each.
const FEWEST_SWAPS: usize = 4;
/// How long a swap that is made alone may hold up others: long enough for a server that nothing is in the way of.
const PATIENCE: Duration = Duration::from_millis(20);
/// The largest body that is swapped with others, in bytes.
const LARGEST_SHARED_BODY: usize = 16 * 1024;

/// Reads of single sessions.
pub(crate) struct Loads(pub(crate) Arc<Operations>);

impl Group for Loads {
    type Call = Load;
    type Answer = Option<Record>;

    fn handle(_: &Load) -> Option<Handle> {
        None
    }

    async fn run(&self, loads: Vec<Load>) -> Vec<Result<Option<Record>, StoreError>> {
        if let [load] = &loads[..] {
            return vec![self.0.load(load.handle, load.now).await];
        }
        // Boxed, so that a lone read does not go about with room for many.
        match Box::pin(self.load_all(&loads)).await {
            Ok(found) => loads.iter().map(|load| answer(&found, load)).collect(),
            Err(failure) => {
                let error = failure.of("loading sessions");
                loads.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }
}

impl Loads {
    async fn load_all(
        &self,
        loads: &[Load],
    ) -> Result<HashMap<Handle, Result<Record, row::Wrong>>, Failure> {
        let mut lease = self.0.link.lease("loading sessions").await?;
        let handles = loads.iter().map(|load| load.handle);
        let done = lease.script(self.0.sql.load_all(handles)).await?;
        lease.finish();
        let rows = done.into_iter().flat_map(|done| done.rows).collect();
        Ok(row::sessions(rows)?)
    }
}

fn answer(
    found: &HashMap<Handle, Result<Record, row::Wrong>>,
    load: &Load,
) -> Result<Option<Record>, StoreError> {
    match found.get(&load.handle) {
        None => Ok(None),
        Some(Ok(record)) => Ok(Some(record.clone()).filter(|record| record.is_live(load.now))),
        Some(Err(wrong)) => Err(Failure::from(*wrong).of("loading sessions")),
    }
}

/// Swaps.
pub(crate) struct Swaps(pub(crate) Arc<Operations>);

/// What became of a swap in a group.
pub(crate) enum Swapped {
    Done(Replaced),
    /// It can't be made with others, or something is in its way: its caller goes on with it, so that nobody else has to
    /// wait.
    Alone(BoxFuture<'static, Result<Replaced, StoreError>>),
}

/// The swaps that were sent together, and what came of it.
type Sent = (HashSet<Handle>, Result<(), StoreError>);

impl Group for Swaps {
    /// Boxed wherever it goes, for it goes through many hands.
    type Call = Box<Replace>;
    type Answer = Swapped;

    fn handle(swap: &Box<Replace>) -> Option<Handle> {
        Some(swap.handle)
    }

    async fn run(&self, swaps: Vec<Box<Replace>>) -> Vec<Result<Swapped, StoreError>> {
        if swaps.len() < FEWEST_SWAPS {
            return join_all(swaps.into_iter().map(|swap| patiently(self.alone(swap)))).await;
        }
        // Boxed, so that a lone swap does not go about with room for many.
        let (sent, result) = Box::pin(self.together(&swaps)).await;
        swaps
            .into_iter()
            .map(|swap| {
                if sent.contains(&swap.handle) {
                    result.clone().map(|()| Swapped::Done(Replaced::Replaced))
                } else {
                    Ok(Swapped::Alone(self.alone(swap)))
                }
            })
            .collect()
    }
}

impl Swaps {
    fn alone(&self, swap: Box<Replace>) -> BoxFuture<'static, Result<Replaced, StoreError>> {
        let operations = Arc::clone(&self.0);
        async move {
            let Replace {
                handle,
                expected,
                record,
                now,
            } = *swap;
            operations.replace(handle, expected, &record, now).await
        }
        .boxed()
    }

    /// Makes those swaps that nothing is in the way of. A transaction that something came in the way of made none of them.
    async fn together(&self, swaps: &[Box<Replace>]) -> Sent {
        let mut sent = HashSet::new();
        match self.transaction(swaps, &mut sent).await {
            Ok(()) => (sent, Ok(())),
            Err(failure) if failure.was_in_the_way() => (HashSet::new(), Ok(())),
            Err(failure) => (sent, Err(failure.of("replacing sessions"))),
        }
    }

    /// Locks the rows that no one else has locked, looks which of them are records and as expected, and writes those,
    /// which are then in `sent`.
    async fn transaction(
        &self,
        swaps: &[Box<Replace>],
        sent: &mut HashSet<Handle>,
    ) -> Result<(), Failure> {
        let sql = &self.0.sql;
        let shared: Vec<_> = swaps.iter().filter(|swap| self.may_share(swap)).collect();
        if shared.is_empty() {
            return Ok(());
        }
        let mut lease = self.0.link.lease("replacing sessions").await?;
        let locked = lease
            .script(sql.lock_all(shared.iter().map(|swap| swap.handle)))
            .await?;
        let held = row::headers(locked.into_iter().flat_map(|done| done.rows));
        let due = shared.iter().filter(|swap| is_due(swap, &held));
        let records: Vec<_> = due.map(|swap| (swap.handle, &swap.record)).collect();
        if records.is_empty() {
            lease.script(ROLLBACK).await?;
        } else {
            sent.extend(records.iter().map(|(handle, _)| *handle));
            lease.script(sql.replace_all(&records)).await?;
        }
        lease.finish();
        Ok(())
    }

    /// Whether the text of a group, where a body takes twice its bytes and all else at most 4 KiB, has room for it.
    fn may_share(&self, swap: &Replace) -> bool {
        let room = (self.0.largest_body / LIMITS.calls).saturating_sub(4096) / 2;
        swap.record.body.len() <= room.min(LARGEST_SHARED_BODY)
    }
}

/// Whether what is held is what `swap` is to be made of.
fn is_due(swap: &Replace, held: &HashMap<Handle, Header>) -> bool {
    let held = held.get(&swap.handle);
    held.is_some_and(|held| held.version == swap.expected && held.is_live(swap.now))
}

/// Waits for a swap as long as it holds nobody up.
async fn patiently(
    mut swap: BoxFuture<'static, Result<Replaced, StoreError>>,
) -> Result<Swapped, StoreError> {
    match timeout(PATIENCE, &mut swap).await {
        Ok(replaced) => replaced.map(Swapped::Done),
        Err(_) => Ok(Swapped::Alone(swap)),
    }
}
