//! Swaps of many sessions that go as one script.

use std::sync::Arc;

use fasthttpsession_core::{Handle, Record, Replaced, StoreError, Timestamp};
use fasthttpsession_store_common::{Group, GroupLimits, Grouped};

use crate::error::unexpected;
use crate::scripts;
use crate::store::{Inner, decimal, span};

/// How many groups may be under way, how large they may be, and how many calls may wait.
const LIMITS: GroupLimits = GroupLimits {
    at_once: 2,
    calls: 64,
    waiting: 16_384,
};
/// The largest record that is swapped with others, in bytes: a server does nothing else while it reads a group, which is
/// at most 1 MiB.
const LARGEST_SHARED: usize = 16 * 1024;
/// The most that a record has beside its body, in bytes.
const LARGEST_HEADER: usize = 40 + 255 + 255;

/// Makes swaps in groups, if that is of use.
#[derive(Clone)]
pub(crate) struct Swaps {
    inner: Arc<Inner>,
    groups: Arc<Grouped<Together>>,
}

/// What makes a group of them.
struct Together(Arc<Inner>);

/// A swap: [`Store::replace`](fasthttpsession_core::Store::replace). Boxed wherever it goes, for it goes through many hands.
struct Swap {
    handle: Handle,
    expected: u64,
    record: Record,
    now: Timestamp,
}

/// What became of a swap.
enum Swapped {
    Done(Replaced),
    /// Something is special about it, and nothing was written: its caller goes on with it alone.
    Alone,
}

impl Swaps {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        let groups = Grouped::new(Together(Arc::clone(&inner)), LIMITS);
        Self {
            inner,
            groups: Arc::new(groups),
        }
    }

    pub(crate) async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let inner = &self.inner;
        let largest = LARGEST_SHARED.min(inner.max_record_bytes);
        let alone = || Box::pin(inner.replace(handle, expected, record, now));
        if record.body.len() + LARGEST_HEADER > largest || !record.is_live(now) {
            return alone().await;
        }
        let swap = Box::new(Swap {
            handle,
            expected,
            record: record.clone(),
            now,
        });
        match self.groups.call(swap).await? {
            Swapped::Done(replaced) => Ok(replaced),
            Swapped::Alone => alone().await,
        }
    }
}

impl Group for Together {
    type Call = Box<Swap>;
    type Answer = Swapped;

    fn handle(swap: &Box<Swap>) -> Option<Handle> {
        Some(swap.handle)
    }

    async fn run(&self, swaps: Vec<Box<Swap>>) -> Vec<Result<Swapped, StoreError>> {
        // Both boxed, so that a swap which waits for others has no room for either.
        if let [swap] = &swaps[..] {
            let replaced = Box::pin(swap.alone(&self.0)).await;
            return vec![replaced.map(Swapped::Done)];
        }
        match Box::pin(self.together(&swaps)).await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) => swaps.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

impl Together {
    async fn together(&self, swaps: &[Box<Swap>]) -> Result<Vec<Swapped>, StoreError> {
        let keys: Vec<_> = swaps
            .iter()
            .map(|swap| self.0.keys.record(swap.handle))
            .collect();
        let keys: Vec<_> = keys.iter().map(|key| &key[..]).collect();
        // What lives at the latest moment lives at each; what does not is asked for again at its own.
        let now = swaps.iter().map(|swap| swap.now).max();
        let now = decimal(now.unwrap_or(Timestamp::from_millis(0)));
        let parts: Vec<_> = swaps.iter().map(|swap| swap.parts()).collect();
        let mut arguments: Vec<&[u8]> = vec![&now];
        for (expected, record, span) in &parts {
            arguments.extend([&expected[..], record, span]);
        }
        let reply = self.0.backend.run(&scripts::SWAPS, &keys, &arguments);
        let answers = reply.await?.word;
        if answers.len() != swaps.len() {
            return Err(unexpected("a script"));
        }
        Ok(answers.into_iter().map(Swapped::of).collect())
    }
}

impl Swap {
    async fn alone(&self, inner: &Inner) -> Result<Replaced, StoreError> {
        let (expected, record) = (self.expected, &self.record);
        inner.replace(self.handle, expected, record, self.now).await
    }

    /// The expected version, the record and its time to live, as the script takes them.
    fn parts(&self) -> ([u8; 8], Vec<u8>, Vec<u8>) {
        let record = self.record.to_bytes();
        (
            self.expected.to_be_bytes(),
            record,
            span(&self.record, self.now),
        )
    }
}

impl Swapped {
    fn of(answer: u8) -> Self {
        match answer {
            b'1' => Self::Done(Replaced::Replaced),
            _ => Self::Alone,
        }
    }
}
