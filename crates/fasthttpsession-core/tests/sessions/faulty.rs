//! A store that misbehaves as a test says: it counts operations, holds them at gates, loses answers, and lets others be
//! first.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{
    Capabilities, Created, Deleted, Handle, Principal, Record, Replaced, Store, StoreError,
    StoreErrorKind, Timestamp, Touched,
};
use fasthttpsession_memory::MemoryStore;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::sleep;

/// One of the five operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Load,
    Create,
    Replace,
    Touch,
    Delete,
}

/// What befalls one operation.
pub(crate) enum Fault {
    None,
    /// Applied, but the answer is lost.
    LoseAnswer(StoreErrorKind),
    /// A replacement that something on the way sends once more, which passes on the second answer.
    SendTwice,
    /// Never applied, and the caller can't know.
    LoseCall(StoreErrorKind),
    /// Certainly not applied.
    Refuse(StoreErrorKind),
    /// As [`Self::Refuse`], by one server of several.
    RefuseHere(StoreErrorKind),
    /// The answer is lost, and the call arrives only when [`Faulty::let_one_arrive`] lets it.
    Delay(StoreErrorKind),
    /// Is applied, and takes so long there and so long back.
    Far(Duration),
    /// Waits at the gate, then is applied.
    HoldCall(Gate),
    /// Is applied, then waits at the gate with the answer.
    HoldAnswer(Gate),
    /// As many other processes commit first.
    Outrun(u64),
    /// Is applied, then as many other processes commit, then the answer is lost.
    LoseAnswerAndBury(u64),
}

type Script = Box<dyn FnMut(Op, usize) -> Fault + Send>;
type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A [`MemoryStore`] with faults. Clones are the same store.
#[derive(Clone)]
pub(crate) struct Faulty(Arc<Inner>);

struct Inner {
    store: MemoryStore,
    counts: Mutex<HashMap<Op, usize>>,
    script: Mutex<Script>,
    lists: AtomicBool,
    /// How many turns operations leave to others before and after they are applied: none without it.
    pace: Mutex<Option<(u8, fastrand::Rng)>>,
    /// Calls that arrive later.
    delayed: Mutex<Vec<Call>>,
}

impl Faulty {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Inner {
            store: MemoryStore::new(),
            counts: Mutex::default(),
            script: Mutex::new(Box::new(|_, _| Fault::None)),
            lists: AtomicBool::new(true),
            pace: Mutex::default(),
            delayed: Mutex::default(),
        }))
    }

    /// From now on operations take some turns, at random, twice at most so many.
    pub(crate) fn dawdle(&self, most: u8, random: fastrand::Rng) {
        *self.0.pace.lock().unwrap() = Some((most, random));
    }

    async fn turns(&self) {
        let turns =
            (self.0.pace.lock().unwrap().as_mut()).map_or(0, |(most, random)| random.u8(0..=*most));
        for _ in 0..turns {
            yield_now().await;
        }
    }

    /// One of the delayed calls arrives, if there is any: the one at `choose` of so many.
    pub(crate) async fn let_one_arrive(&self, choose: impl FnOnce(usize) -> usize) -> bool {
        let call = {
            let mut delayed = self.0.delayed.lock().unwrap();
            (!delayed.is_empty()).then(|| {
                let at = choose(delayed.len());
                delayed.remove(at)
            })
        };
        let arrives = call.is_some();
        if let Some(call) = call {
            call.await;
        }
        arrives
    }

    /// Keeps `call`, whose answer is lost.
    fn later<T>(
        &self,
        kind: StoreErrorKind,
        call: impl Future<Output = ()> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0.delayed.lock().unwrap().push(Box::pin(call));
        Err(lost(kind))
    }

    /// What befalls each operation from now on: `script` gets the operation and which of its kind it is, from 0.
    pub(crate) fn script(&self, script: impl FnMut(Op, usize) -> Fault + Send + 'static) {
        self.0.counts.lock().unwrap().clear();
        *self.0.script.lock().unwrap() = Box::new(script);
    }

    /// The faults of the first operations of kind `op`; what follows passes.
    pub(crate) fn first(&self, op: Op, faults: impl IntoIterator<Item = Fault>) {
        let mut faults: Vec<_> = faults.into_iter().map(Some).collect();
        self.script(move |found, nth| {
            let fault = if found == op {
                faults.get_mut(nth)
            } else {
                None
            };
            fault.and_then(Option::take).unwrap_or(Fault::None)
        });
    }

    /// From now on it can't list sessions by principal, as memcached can't.
    pub(crate) fn unlearn_listing(&self) {
        self.0.lists.store(false, Ordering::Relaxed);
    }

    pub(crate) fn heal(&self) {
        self.script(|_, _| Fault::None);
    }

    /// How many operations of kind `op` were begun since the last script.
    pub(crate) fn count(&self, op: Op) -> usize {
        self.0.counts.lock().unwrap().get(&op).copied().unwrap_or(0)
    }

    /// Operations that write.
    pub(crate) fn writes(&self) -> usize {
        [Op::Create, Op::Replace, Op::Touch, Op::Delete]
            .map(|op| self.count(op))
            .iter()
            .sum()
    }

    pub(crate) fn operations(&self) -> usize {
        self.writes() + self.count(Op::Load)
    }

    /// The record behind `handle`, past all faults.
    pub(crate) async fn record(&self, handle: Handle, now: Timestamp) -> Option<Record> {
        self.0.store.load(handle, now).await.unwrap()
    }

    pub(crate) async fn records(&self, now: Timestamp) -> u64 {
        self.0.store.count(now).await.unwrap()
    }

    /// Puts `body` in place of the record's.
    pub(crate) async fn overwrite(&self, handle: Handle, body: impl Into<Bytes>, now: Timestamp) {
        let mut record = self.record(handle, now).await.unwrap();
        record.body = body.into();
        self.commit(handle, record, now).await;
    }

    /// Somebody writes `record` into the database, past all versions.
    pub(crate) async fn place(&self, handle: Handle, record: &Record, now: Timestamp) {
        self.0.store.delete(handle, now).await.unwrap();
        let created = self.0.store.create(handle, record, now).await;
        assert_eq!(created.unwrap(), Created::Created);
    }

    /// Another process commits something that changes nothing, `times` times.
    pub(crate) async fn bump(&self, handle: Handle, times: u64, now: Timestamp) {
        for _ in 0..times {
            if let Some(record) = self.record(handle, now).await {
                self.commit(handle, record, now).await;
            }
        }
    }

    async fn commit(&self, handle: Handle, mut record: Record, now: Timestamp) {
        let expected = record.header.version;
        record.header.version += 1;
        let replaced = self.0.store.replace(handle, expected, &record, now).await;
        assert_eq!(replaced.unwrap(), Replaced::Replaced);
    }

    fn fault(&self, op: Op) -> Fault {
        let nth = {
            let mut counts = self.0.counts.lock().unwrap();
            let count = counts.entry(op).or_default();
            *count += 1;
            *count - 1
        };
        (self.0.script.lock().unwrap())(op, nth)
    }

    /// What befalls the operation before it is applied; what is left of the fault is for afterwards.
    async fn before(&self, op: Op, handle: Handle, now: Timestamp) -> Result<Fault, StoreError> {
        self.turns().await;
        match self.fault(op) {
            Fault::LoseCall(kind) => Err(lost(kind)),
            Fault::Refuse(kind) => Err(StoreError::new(kind, "refused").not_applied()),
            Fault::RefuseHere(kind) => {
                let error = StoreError::new(kind, "refused by this server");
                Err(error.not_applied().of_one_server())
            }
            Fault::HoldCall(gate) => {
                gate.pass().await;
                Ok(Fault::None)
            }
            Fault::Outrun(times) => {
                self.bump(handle, times, now).await;
                Ok(Fault::None)
            }
            Fault::Far(way) => {
                sleep(way).await;
                Ok(Fault::Far(way))
            }
            rest => Ok(rest),
        }
    }

    async fn after(&self, rest: Fault, handle: Handle, now: Timestamp) -> Result<(), StoreError> {
        self.turns().await;
        match rest {
            Fault::LoseAnswer(kind) => Err(lost(kind)),
            Fault::HoldAnswer(gate) => {
                gate.pass().await;
                Ok(())
            }
            Fault::LoseAnswerAndBury(times) => {
                self.bump(handle, times, now).await;
                Err(lost(StoreErrorKind::Timeout))
            }
            Fault::Far(way) => {
                sleep(way).await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn lost(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "the answer was lost")
}

impl Store for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.0.store.capabilities();
        capabilities.sessions_of = self.0.lists.load(Ordering::Relaxed);
        capabilities
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let rest = self.before(Op::Load, handle, now).await?;
        let answer = self.0.store.load(handle, now).await?;
        self.after(rest, handle, now).await?;
        Ok(answer)
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let rest = self.before(Op::Create, handle, now).await?;
        if let Fault::Delay(kind) = rest {
            let (store, record) = (self.clone(), record.clone());
            return self.later(kind, async move {
                let _ = store.0.store.create(handle, &record, now).await;
            });
        }
        let answer = self.0.store.create(handle, record, now).await?;
        self.after(rest, handle, now).await?;
        Ok(answer)
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let rest = self.before(Op::Replace, handle, now).await?;
        if let Fault::Delay(kind) = rest {
            let (store, record) = (self.clone(), record.clone());
            return self.later(kind, async move {
                let _ = store.0.store.replace(handle, expected, &record, now).await;
            });
        }
        if matches!(rest, Fault::SendTwice) {
            self.0.store.replace(handle, expected, record, now).await?;
        }
        let answer = self.0.store.replace(handle, expected, record, now).await?;
        self.after(rest, handle, now).await?;
        Ok(answer)
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let rest = self.before(Op::Touch, handle, now).await?;
        if let Fault::Delay(kind) = rest {
            let store = self.clone();
            return self.later(kind, async move {
                let _ = store
                    .0
                    .store
                    .touch(handle, version, idle_deadline, now)
                    .await;
            });
        }
        let answer = self
            .0
            .store
            .touch(handle, version, idle_deadline, now)
            .await?;
        self.after(rest, handle, now).await?;
        Ok(answer)
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let rest = self.before(Op::Delete, handle, now).await?;
        if let Fault::Delay(kind) = rest {
            let store = self.clone();
            return self.later(kind, async move {
                let _ = store.0.store.delete(handle, now).await;
            });
        }
        let answer = self.0.store.delete(handle, now).await?;
        self.after(rest, handle, now).await?;
        Ok(answer)
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.0.store.sessions_of(principal, now).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Where operations wait until a test opens it.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Semaphore, Semaphore)>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }

    /// Waits until one more operation stands at the gate.
    pub(crate) async fn reached(&self) {
        self.0.0.acquire().await.unwrap().forget();
    }

    /// Lets all pass from now on.
    pub(crate) fn open(&self) {
        self.0.1.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn pass(&self) {
        self.0.0.add_permits(1);
        drop(self.0.1.acquire().await.unwrap());
    }
}
