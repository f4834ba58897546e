//! A small correct store over a map, which can be told to be wrong.

#![allow(clippy::unwrap_used)]

mod data;
mod fault;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_conformance::store::Subject;
use fasthttpsession_core::{
    Capabilities, Clock, Created, Cursor, Deleted, Handle, Header, Page, Principal, Record,
    Replaced, Store, StoreError, StoreErrorKind, SystemClock, Timestamp, Touched,
};
use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::yield_now;

use data::{Data, Retry, create_again_later, is_live};
pub(crate) use fault::Fault;

/// The largest body that the store keeps.
const MAX_BODY: usize = 2 << 20;
/// How many calls the store serves at once.
const CONNECTIONS: usize = 16;

/// One client of the records, with at most one fault.
pub(crate) struct Faulty {
    fault: Option<Fault>,
    data: Arc<Mutex<Data>>,
    connections: Semaphore,
    /// Loads that this client answered before, for the fault that remembers them.
    seen: Mutex<BTreeMap<Handle, Option<Record>>>,
    /// Answers on the way to this client, for the fault that mixes them up.
    answers: Mutex<VecDeque<Option<Record>>>,
    line: tokio::sync::Mutex<()>,
    /// The runtimes that have called, for the fault that goes by way of one.
    runtimes: Mutex<Vec<runtime::Handle>>,
}

/// A subject whose store has this fault, or none, and a clock of its own or none.
pub(crate) fn subject(fault: Option<Fault>, server_clock: bool) -> Subject<Faulty> {
    let data = Arc::new(Mutex::new(Data {
        server_clock,
        ..Data::default()
    }));
    let (planting, reading) = (Arc::clone(&data), Arc::clone(&data));
    let subject = Subject::new(Faulty::client(fault, &data))
        .second_client(Faulty::client(fault, &data))
        .body_limit(MAX_BODY, MAX_BODY + 1)
        .raw(
            move |handle, bytes| {
                planting.lock().unwrap().planted.insert(handle, bytes);
                std::future::ready(())
            },
            move |handle| std::future::ready(reading.lock().unwrap().bytes(handle)),
        )
        .patience(Duration::from_secs(5));
    if server_clock {
        subject.expires_by_server_clock()
    } else {
        subject.expires_when_told()
    }
}

/// A correct store that nobody else reaches.
pub(crate) fn alone() -> Faulty {
    Faulty::client(None, &Arc::default())
}

impl Faulty {
    fn client(fault: Option<Fault>, data: &Arc<Mutex<Data>>) -> Self {
        Self {
            fault,
            data: Arc::clone(data),
            connections: Semaphore::new(CONNECTIONS),
            seen: Mutex::default(),
            answers: Mutex::default(),
            line: tokio::sync::Mutex::default(),
            runtimes: Mutex::default(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap()
    }

    /// Waits as a network does: before an operation reaches the data, and before its answer is back.
    async fn travel(&self) {
        if self.is(Fault::LatestRuntimeAnswers) {
            let latest = self.latest_runtime();
            drop(latest.spawn(yield_now()).await);
        }
        let _alone = if self.is(Fault::OneCallAtATime) {
            Some(self.line.lock().await)
        } else {
            None
        };
        let permit = self.connections.acquire().await.unwrap();
        if self.is(Fault::DropKeepsConnection) {
            permit.forget();
            yield_now().await;
            self.connections.add_permits(1);
        } else {
            yield_now().await;
        }
    }

    fn latest_runtime(&self) -> runtime::Handle {
        let here = runtime::Handle::current();
        let mut runtimes = self.runtimes.lock().unwrap();
        if !runtimes.iter().any(|runtime| runtime.id() == here.id()) {
            runtimes.push(here);
        }
        runtimes.last().unwrap().clone()
    }

    async fn lock(&self) {
        while self.is(Fault::DropKeepsLock) && std::mem::replace(&mut self.data().locked, true) {
            yield_now().await;
        }
        yield_now().await;
        self.data().locked = false;
    }

    /// The last byte of a handle does not count for one of the faults.
    fn key(&self, handle: Handle) -> Handle {
        let mut bytes = *handle.as_bytes();
        if self.is(Fault::HandlesIgnoreLastByte) {
            bytes[15] = 0;
        }
        Handle::from_bytes(bytes)
    }

    fn unplanted(&self, handle: Handle) -> Result<(), StoreError> {
        if self.data().planted.contains_key(&handle) && !self.is(Fault::CorruptIsEmpty) {
            return Err(StoreError::new(
                StoreErrorKind::Corrupt,
                "what is there is not a record",
            ));
        }
        Ok(())
    }

    fn fitting(&self, handle: Handle, record: &Record) -> Result<(), StoreError> {
        let largest = MAX_BODY - usize::from(self.is(Fault::LargestIsRefused));
        if record.body.len() <= largest || self.is(Fault::TooLargeIsKept) {
            return Ok(());
        }
        if self.is(Fault::TooLargeRemovesOld) {
            self.data().records.remove(&handle);
        }
        Err(StoreError::new(
            StoreErrorKind::TooLarge,
            "the record is too large",
        ))
    }

    fn found(&self, handle: Handle, now: Timestamp) -> Option<Record> {
        let real = SystemClock.now();
        let data = self.data();
        let mut record = data.live(handle, now, self.fault).cloned()?;
        let lives = record.header.expires_at().since(now);
        let expired_by_server =
            data.server_clock && data.due.get(&handle).is_some_and(|due| *due <= real);
        let overflown =
            self.is(Fault::LongLivesAreShort) && lives > Duration::from_secs(30 * 86_400);
        if self.is(Fault::BodyCut) {
            record.body.truncate(1000);
        }
        (!expired_by_server && !overflown).then_some(record)
    }

    /// The answer to a load comes over a line that answers in order, also to those who have left.
    async fn load_in_line(&self, handle: Handle, now: Timestamp) -> Option<Record> {
        let _turn = self.line.lock().await;
        let found = self.found(handle, now);
        self.answers.lock().unwrap().push_back(found);
        yield_now().await;
        self.answers.lock().unwrap().pop_front().flatten()
    }

    fn remembered(&self, handle: Handle, found: Option<Record>) -> Option<Record> {
        if !self.is(Fault::SecondClientRemembers) {
            return found;
        }
        self.seen
            .lock()
            .unwrap()
            .entry(handle)
            .or_insert(found)
            .clone()
    }

    fn same_version(&self, one: u64, other: u64) -> bool {
        #[allow(clippy::cast_precision_loss, clippy::float_cmp)]
        let same_float = one as f64 == other as f64;
        one == other
            || self.is(Fault::ReplaceIgnoresVersion)
            || (self.is(Fault::VersionsAreFloats) && same_float)
    }

    fn insert(&self, handle: Handle, record: &Record, now: Timestamp) -> Created {
        let mut data = self.data();
        let overwrites = self.is(Fault::CreateOverwrites) || self.is(Fault::CreateLooksThenWrites);
        if data.live(handle, now, self.fault).is_some() && !overwrites {
            return Created::Exists;
        }
        data.write(handle, record.clone());
        Created::Created
    }

    /// `before` is what was there when the deletion began to look.
    fn remove(&self, handle: Handle, before: Option<Record>, now: Timestamp) -> Deleted {
        let mut data = self.data();
        let live = data.live(handle, now, self.fault).cloned();
        let live = if self.is(Fault::DeleteLooksThenRemoves) {
            before
        } else {
            live
        };
        let expired = live.is_none() && data.records.contains_key(&handle);
        if expired && self.is(Fault::DeleteOfExpiredAnswersDeleted) {
            return Deleted::Deleted;
        }
        let Some(record) = live else {
            return if self.is(Fault::DeleteOfNothingAnswersDeleted) && !expired {
                Deleted::Deleted
            } else {
                Deleted::Gone
            };
        };
        if !self.is(Fault::DeleteNeedsFirstVersion) || record.header.version == 1 {
            data.records.remove(&handle);
        }
        if self.is(Fault::DeletedStaysListed) {
            data.before.insert(handle, record);
        }
        Deleted::Deleted
    }

    /// Looks, and writes unless the fault is to write later.
    fn swap(&self, handle: Handle, expected: u64, record: &Record, now: Timestamp) -> Replaced {
        let mut data = self.data();
        let live_or_not = data.records.get(&handle);
        let live = live_or_not
            .filter(|old| self.is(Fault::ExpiredIsReplaced) || is_live(old, now, self.fault));
        let Some(current) = live.cloned() else {
            if self.is(Fault::ReplaceMakesRecords) {
                data.write(handle, record.clone());
                return Replaced::Replaced;
            }
            return Replaced::Gone;
        };
        if self.is(Fault::RepeatedReplaceSucceeds) && current == *record {
            return Replaced::Replaced;
        }
        if !self.same_version(current.header.version, expected) {
            let before = data
                .before
                .get(&handle)
                .filter(|_| self.is(Fault::ConflictShowsOldRecord));
            return Replaced::Conflict(before.cloned().unwrap_or(current));
        }
        let due = data.due.get(&handle).copied();
        let indexed = data.principals.get(&handle).cloned();
        match self.fault {
            Some(Fault::ReplaceLooksThenWrites) => {}
            Some(Fault::ReplaceWritesInTwoSteps) => {
                data.write(
                    handle,
                    Record {
                        body: current.body,
                        ..record.clone()
                    },
                );
            }
            Some(Fault::ReplaceKeepsPrincipal) => {
                let mut mixed = record.clone();
                mixed.header.principal = current.header.principal;
                data.write(handle, mixed);
            }
            _ => data.write(handle, record.clone()),
        }
        if self.is(Fault::DeadlinesNotInPurgeIndex) {
            data.due.extend(due.map(|due| (handle, due)));
        }
        if self.is(Fault::PrincipalOfCreationListed) || self.is(Fault::PrincipalIndexFollowsLater) {
            data.principals
                .extend(indexed.map(|principal| (handle, principal)));
        }
        Replaced::Replaced
    }

    fn move_deadline(
        &self,
        handle: Handle,
        version: u64,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Touched {
        let mut data = self.data();
        let fault = self.fault;
        let live = data.records.get_mut(&handle);
        let Some(record) =
            live.filter(|old| self.is(Fault::ExpiredIsTouched) || is_live(old, now, fault))
        else {
            if self.is(Fault::TouchMakesRecords) {
                let header = Header {
                    version,
                    created_at: now,
                    idle_deadline: deadline,
                    absolute_deadline: deadline,
                    principal: None,
                    label: None,
                };
                let body = Bytes::new();
                data.write(handle, Record { header, body });
            }
            return Touched::Gone;
        };
        let header = &mut record.header;
        let current = header.version == version || self.is(Fault::TouchOfAnyVersion);
        let current = current && !self.is(Fault::TouchDoesNothing);
        if current && (header.idle_deadline < deadline || self.is(Fault::TouchShortens)) {
            header.idle_deadline = deadline;
            header.version += u64::from(self.is(Fault::TouchBumpsVersion));
            if self.is(Fault::TouchMovesAbsoluteDeadline) {
                header.absolute_deadline = header.absolute_deadline.max(deadline);
            }
            let due = header.expires_at();
            let stays = [
                Fault::DeadlinesNotInPurgeIndex,
                Fault::ListsWithoutTouches,
                Fault::ServerClockIgnoresTouch,
            ];
            if !stays.into_iter().any(|fault| self.is(fault)) {
                data.due.insert(handle, due);
            }
        }
        Touched::Touched
    }

    async fn touch_whole(&self, handle: Handle, deadline: Timestamp, now: Timestamp) -> Touched {
        let Some(mut record) = self.found(handle, now) else {
            return Touched::Gone;
        };
        yield_now().await;
        record.header.idle_deadline = record.header.idle_deadline.max(deadline);
        self.data().write(handle, record);
        Touched::Touched
    }

    fn live_sessions(&self, now: Timestamp, all: bool) -> Vec<(Handle, Record)> {
        let data = self.data();
        let live = data
            .records
            .iter()
            .filter(|(_, record)| all || is_live(record, now, self.fault));
        live.map(|(handle, record)| (*handle, record.clone()))
            .collect()
    }
}

impl Store for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::all();
        capabilities.scan = !self.is(Fault::HidesScanItHas);
        capabilities
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.travel().await;
        self.lock().await;
        self.unplanted(handle)?;
        let handle = self.key(handle);
        if self.is(Fault::AnswersOfDroppedLoadsKept) {
            return Ok(self.load_in_line(handle, now).await);
        }
        let mut found = self.found(handle, now);
        self.travel().await;
        if self.is(Fault::LoadReadsInTwoSteps) {
            let body = self
                .data()
                .records
                .get(&handle)
                .map(|record| record.body.clone());
            found
                .iter_mut()
                .zip(body)
                .for_each(|(record, body)| record.body = body);
        }
        Ok(self.remembered(handle, found))
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.travel().await;
        self.lock().await;
        if self.is(Fault::CorruptIsOverwritten) {
            self.data().planted.remove(&handle);
        }
        self.unplanted(handle)?;
        self.fitting(handle, record)?;
        let handle = self.key(handle);
        if self.is(Fault::CreateLooksThenWrites) {
            if self.found(handle, now).is_some() {
                return Ok(Created::Exists);
            }
            yield_now().await;
        }
        if self.insert(handle, record, now) == Created::Exists {
            return Ok(Created::Exists);
        }
        if self.is(Fault::CreateComesAgainLater) {
            create_again_later(&self.data, handle, record.clone());
        }
        let mut retry = self.is(Fault::DroppedCreateLandsTwice).then(|| Retry {
            data: Arc::clone(&self.data),
            handle,
            record: Some(record.clone()),
        });
        self.travel().await;
        if let Some(retry) = &mut retry {
            retry.record = None;
        }
        Ok(Created::Created)
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        self.travel().await;
        self.lock().await;
        self.unplanted(handle)?;
        self.fitting(handle, record)?;
        let handle = self.key(handle);
        let answer = self.swap(handle, expected, record, now);
        self.travel().await;
        let later = matches!(
            self.fault,
            Some(Fault::ReplaceLooksThenWrites | Fault::ReplaceWritesInTwoSteps)
        );
        if later && answer == Replaced::Replaced {
            self.data().write(handle, record.clone());
        }
        if self.is(Fault::PrincipalIndexFollowsLater) && answer == Replaced::Replaced {
            self.data()
                .principals
                .insert(handle, record.header.principal.clone());
        }
        Ok(answer)
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.travel().await;
        self.lock().await;
        self.unplanted(handle)?;
        let handle = self.key(handle);
        let current = self
            .found(handle, now)
            .is_some_and(|record| record.header.version == version);
        if self.is(Fault::TouchWritesWholeRecord) && current {
            return Ok(self.touch_whole(handle, idle_deadline, now).await);
        }
        let answer = self.move_deadline(handle, version, idle_deadline, now);
        self.travel().await;
        let is_there = self.found(handle, now).is_some();
        if self.is(Fault::TouchGivesUp) && answer == Touched::Gone && is_there {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "it is not gone",
            ));
        }
        Ok(answer)
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.travel().await;
        self.lock().await;
        let handle = self.key(handle);
        let live = self.data().live(handle, now, self.fault).cloned();
        if self.is(Fault::DeleteLooksThenRemoves) {
            yield_now().await;
        }
        let answer = self.remove(handle, live, now);
        self.travel().await;
        Ok(answer)
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.travel().await;
        let caseless = self.is(Fault::PrincipalsIgnoreCase);
        let fold = |principal: &Principal| {
            let text = principal.as_str();
            if caseless {
                text.to_lowercase()
            } else {
                text.to_owned()
            }
        };
        let mut sessions = self.live_sessions(now, self.is(Fault::ListsExpired));
        let data = self.data();
        if self.is(Fault::DeletedStaysListed) {
            let deleted = data.before.iter();
            let deleted = deleted.filter(|(handle, _)| !data.records.contains_key(*handle));
            sessions.extend(deleted.map(|(handle, record)| (*handle, record.clone())));
        }
        if self.is(Fault::ListsWithoutTouches) {
            for (handle, record) in &mut sessions {
                record.header.idle_deadline = data.due[handle];
            }
        }
        sessions.retain(|(handle, _)| {
            let indexed = data.principals.get(handle).cloned().flatten();
            indexed.is_some_and(|indexed| fold(&indexed) == fold(principal))
        });
        Ok(sessions)
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        if self.is(Fault::DeclaresScanWithoutHavingIt) {
            return Err(StoreError::new(StoreErrorKind::Unsupported, "no scan"));
        }
        self.travel().await;
        let sessions = self.live_sessions(now, self.is(Fault::ScansExpired));
        let limit = if self.is(Fault::PageUnbounded) {
            usize::MAX
        } else {
            limit
        };
        if self.is(Fault::ScanByPosition) {
            let start: usize = after.map_or(0, |cursor| {
                std::str::from_utf8(&cursor.0).unwrap().parse().unwrap()
            });
            let page: Vec<_> = sessions.iter().skip(start).take(limit).cloned().collect();
            let next =
                (page.len() == limit).then(|| Cursor(Bytes::from((start + limit).to_string())));
            return Ok(Page {
                sessions: page,
                next,
            });
        }
        let beyond =
            |handle: &Handle| after.is_none_or(|cursor| handle.as_bytes()[..] > cursor.0[..]);
        let mut page: Vec<_> = sessions
            .into_iter()
            .filter(|(handle, _)| beyond(handle))
            .take(limit)
            .collect();
        let last = page.last().filter(|_| page.len() == limit);
        let next = last.map(|(handle, _)| Cursor(Bytes::copy_from_slice(handle.as_bytes())));
        if self.is(Fault::ScanSkipsEndsOfPages) && next.is_some() {
            page.pop();
        }
        Ok(Page {
            sessions: page,
            next,
        })
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.travel().await;
        Ok(self
            .live_sessions(now, self.is(Fault::CountOfExpired))
            .len() as u64)
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.travel().await;
        let limit = if self.is(Fault::PurgeUnbounded) {
            usize::MAX
        } else {
            limit
        };
        let limit = if self.is(Fault::PurgeStopsEarly) {
            limit.min(3)
        } else {
            limit
        };
        let due = |data: &Data| -> Vec<Handle> {
            let due = data.records.keys().filter(|handle| data.due[handle] <= now);
            due.take(limit).copied().collect()
        };
        if self.is(Fault::PurgeOnlyHides) {
            let mut data = self.data();
            let hidden = due(&data);
            data.due.extend(
                hidden
                    .iter()
                    .map(|handle| (*handle, Timestamp::from_millis(u64::MAX))),
            );
            return Ok(hidden.len() as u64);
        }
        let mut chosen = due(&self.data());
        if self.is(Fault::PurgeLooksThenRemoves) || self.is(Fault::PurgeReportsWhatItSaw) {
            yield_now().await;
        }
        let mut data = self.data();
        if !self.is(Fault::PurgeLooksThenRemoves) && !self.is(Fault::PurgeReportsWhatItSaw) {
            chosen = due(&data);
        }
        let mut removed = 0;
        for handle in chosen {
            let still_due = self.is(Fault::PurgeLooksThenRemoves) || data.due[&handle] <= now;
            let gone = still_due && data.records.remove(&handle).is_some();
            removed += u64::from(gone || self.is(Fault::PurgeReportsWhatItSaw));
        }
        Ok(removed)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.travel().await;
        Ok(())
    }
}
