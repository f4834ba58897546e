//! The store: which thread does an operation, whose turn it is, and how long it may take.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, StoreErrorKind, Timestamp, Touched,
};
use fasthttpsession_store_common::{
    Pace, PurgeTask, Purging, Turn, Turns, cursor_at, handle_at, in_runtime, misconfigured,
};
use rustix::fs::Mode;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, timeout, timeout_at};

use crate::cached::{self, Cached};
use crate::config::{FileConfig, SyncPolicy};
use crate::error::refused;
use crate::expiry::Purged;
use crate::folder::Folder;
use crate::layout;
use crate::listing::RECORDS;
use crate::locks::{Held, Locks};
use crate::names::{Shard, Slot};
use crate::records::{MAX_RECORD_BYTES, Records};

/// What waits this long waits for ever; what is longer, no clock can add to the present.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 86_400);

/// Keeps sessions in files. Clones are the same store.
///
/// See the [crate's page](crate) for what it promises and what it costs.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
    _purging: Option<PurgeTask>,
}

struct Shared {
    records: Arc<Records>,
    threads: Arc<Turns>,
    config: FileConfig,
}

/// What a thread did that was to work alone in a shard.
enum Attempt<W, T> {
    Done(Result<T, StoreError>),
    /// Somebody else has the lock: here is the work again.
    Busy(W),
}

impl FileStore {
    /// The largest record that is kept: 16 MiB, its header included. A larger one is refused as
    /// [`TooLarge`](StoreErrorKind::TooLarge).
    pub const MAX_RECORD_BYTES: usize = MAX_RECORD_BYTES;

    pub(crate) async fn open(config: FileConfig) -> Result<Self, StoreError> {
        in_runtime("file")?;
        let settings = config.clone();
        let opened = spawn_blocking(move || open_folder(&settings));
        let opening = timeout(config.timeout, opened).await;
        let folder = opening.map_err(|_| slow(config.timeout).not_applied())?;
        let locks = Locks::new();
        let records = Records {
            folder: folder.map_err(stopped)??,
            locks,
            pace: Pace::default(),
        };
        let purging = Purging {
            every: config.purge_every,
            batch: config.purge_batch,
        };
        let store = Self {
            shared: Arc::new(Shared {
                records: Arc::new(records),
                threads: Arc::new(Turns::new(config.threads.clamp(1, 1024))),
                config,
            }),
            _purging: None,
        };
        Ok(Self {
            _purging: purging.start(store.clone()),
            ..store
        })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FileStore")
            .field(&self.shared.config)
            .finish()
    }
}

impl Store for FileStore {
    fn name(&self) -> &'static str {
        "file"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let shared = &self.shared;
        let found = match cached::load(&shared.records.folder, handle) {
            Cached::Record(record) => Some(record),
            Cached::Nothing => None,
            Cached::Unknown => {
                shared
                    .on_thread(move |records| records.load(handle))
                    .await?
            }
        };
        Ok(found.filter(|record| record.is_live(now)))
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let record = record.clone();
        self.shared
            .alone(handle, move |records, held| {
                records.create(held, handle, &record, now)
            })
            .await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let record = record.clone();
        self.shared
            .alone_at_once(handle, move |records, held| {
                records.replace(held, handle, expected, &record, now)
            })
            .await
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.shared
            .alone_at_once(handle, move |records, held| {
                records.touch(held, handle, version, idle_deadline, now)
            })
            .await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.shared
            .alone(handle, move |records, held| {
                records.delete(held, handle, now)
            })
            .await
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let whose = principal.clone();
        let listed = self.shared.on_thread(move |records| records.listed(&whose));
        let mut sessions = Vec::new();
        for handles in chunks(&listed.await?) {
            let whose = principal.clone();
            let found = self
                .shared
                .on_thread(move |records| records.sessions_of(&whose, &handles, now));
            sessions.extend(found.await?);
        }
        Ok(sessions)
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let (mut after, limit) = (handle_at(after)?, limit.max(1));
        let first = after.map_or(Shard(0), Shard::of);
        let mut sessions = Vec::new();
        for shard in Shard::all().skip(usize::from(first.0)) {
            loop {
                let left = limit - sessions.len();
                let part = self
                    .shared
                    .on_thread(move |records| records.part(shard, after, left, now))
                    .await?;
                sessions.extend(part.sessions);
                let Some(reached) = part.reached else { break };
                after = Some(reached);
                if sessions.len() == limit {
                    let next = Some(cursor_at(reached));
                    return Ok(Page { sessions, next });
                }
            }
        }
        Ok(Page {
            sessions,
            next: None,
        })
    }

    /// Reads every record: see the crate's page for what that costs.
    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut live = 0;
        for shard in Shard::all() {
            let handles = self.shared.on_thread(move |records| records.handles(shard));
            for handles in chunks(&handles.await?) {
                live += self
                    .shared
                    .on_thread(move |records| records.count(&handles, now))
                    .await?;
            }
        }
        Ok(live)
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let shared = &self.shared;
        let mut purged = Purged::default();
        for era in shared
            .on_thread(move |records| records.due_eras(now))
            .await?
        {
            let slots = shared.on_thread(move |records| Ok(records.due_slots(era, now)));
            for slot in purged.note(slots.await?).unwrap_or_default() {
                shared.purge_slot(slot, limit, now, &mut purged).await?;
                if purged.removed == limit {
                    return purged.answer();
                }
            }
        }
        let tidied = shared.on_thread(|records| Ok(remove_unfinished(records)));
        purged.note(tidied.await?);
        purged.answer()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.shared
            .on_thread(|records| layout::check(&records.folder))
            .await
    }
}

impl Shared {
    /// Adds to what is `purged`, until that are `limit` sessions.
    async fn purge_slot(
        &self,
        slot: Slot,
        limit: usize,
        now: Timestamp,
        purged: &mut Purged,
    ) -> Result<(), StoreError> {
        let begun = self.on_thread(move |records| Ok(records.walk(slot)));
        let mut walk = purged.note(begun.await?).flatten();
        while let Some(rest) = walk.take().filter(|_| purged.removed < limit) {
            let left = limit - purged.removed;
            let step = self.on_thread(move |records| Ok(records.purge(rest, left, now)));
            let step = step.await?;
            purged.add(step.purged);
            walk = step.rest;
        }
        Ok(())
    }

    /// Does `work` while nobody else writes in the shard of `handle`: here and now if the shard is free and the disk has
    /// been quick of late, or else on a thread.
    async fn alone_at_once<T, W>(&self, handle: Handle, mut work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Records, &Held<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let waits_for_disk = self.config.sync == SyncPolicy::Full || self.records.pace.is_slow();
        if !waits_for_disk {
            match attempt(&self.records, Shard::of(handle), work) {
                Attempt::Done(answer) => return answer,
                Attempt::Busy(same_work) => work = same_work,
            }
        }
        self.alone(handle, work).await
    }

    /// Does `work` while nobody else writes in the shard of `handle`, on a thread that may wait for the disk. A task
    /// that waits for its turn has no thread.
    async fn alone<T, W>(&self, handle: Handle, mut work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&Records, &Held<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (until, shard) = (self.turn_comes_until(), Shard::of(handle));
        loop {
            let called = self.records.locks.called(shard);
            self.in_turn(until, called).await?;
            let thread = self.thread(until).await?;
            let attempt = self
                .run(thread, move |records| Ok(attempt(records, shard, work)))
                .await?;
            match attempt {
                Attempt::Done(answer) => return answer,
                Attempt::Busy(_) if Instant::now() >= until => return Err(self.no_turn()),
                Attempt::Busy(same_work) => work = same_work,
            }
        }
    }

    /// Does `work` on a thread that may wait for the disk.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let thread = self.thread(self.turn_comes_until()).await?;
        self.run(thread, work).await
    }

    async fn run<T: Send + 'static>(
        &self,
        thread: Turn,
        work: impl FnOnce(&Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let records = Arc::clone(&self.records);
        let task = spawn_blocking(move || {
            let _thread = thread;
            work(&records)
        });
        match timeout(self.config.timeout, task).await {
            Ok(answer) => answer.map_err(stopped)?,
            Err(_) => Err(slow(self.config.timeout)),
        }
    }

    async fn thread(&self, until: Instant) -> Result<Turn, StoreError> {
        self.in_turn(until, self.threads.turn()).await
    }

    fn turn_comes_until(&self) -> Instant {
        Instant::now() + self.config.lock_timeout.min(FOREVER)
    }

    async fn in_turn<T>(
        &self,
        until: Instant,
        turn: impl Future<Output = T>,
    ) -> Result<T, StoreError> {
        in_runtime("file")?;
        timeout_at(until, turn).await.map_err(|_| self.no_turn())
    }

    fn no_turn(&self) -> StoreError {
        let message = format!(
            "others use the same files of the file store, or all of its threads, since {:?}",
            self.config.lock_timeout
        );
        StoreError::new(StoreErrorKind::Timeout, message).not_applied()
    }
}

fn attempt<T, W>(records: &Records, shard: Shard, work: W) -> Attempt<W, T>
where
    W: FnOnce(&Records, &Held<'_>) -> Result<T, StoreError>,
{
    match records.locks.hold(&records.folder, shard) {
        Ok(Some(held)) => {
            let begun = Instant::now();
            let answer = work(records, &held);
            records.pace.note(begun.elapsed());
            Attempt::Done(answer)
        }
        Ok(None) => Attempt::Busy(work),
        Err(error) => Attempt::Done(Err(error)),
    }
}

fn open_folder(config: &FileConfig) -> Result<Folder, StoreError> {
    let path = &config.folder;
    if path.as_os_str().is_empty() {
        return Err(misconfigured("a file store needs the name of a folder"));
    }
    if config.migrate {
        Folder::make(path).map_err(|error| {
            misconfigured(format!("making the folder {}: {error}", path.display()))
        })?;
    }
    let folder = Folder::open(path, config.sync == SyncPolicy::Full).map_err(|error| {
        let doing = format!(
            "opening the folder {} of the file store, which `migrate` would make",
            path.display()
        );
        refused(&doing, error)
    })?;
    keep_others_out(&folder, path)?;
    if config.migrate {
        layout::migrate(&folder)?;
    }
    layout::check(&folder).map(|()| folder)
}

/// Who may write in the folder can move what lies there away, and put sessions of their own making in its place.
fn keep_others_out(folder: &Folder, path: &Path) -> Result<(), StoreError> {
    let mode = folder
        .mode()
        .map_err(|error| refused("looking at the folder of the file store", error))?;
    if !mode.contains(Mode::WOTH) {
        return Ok(());
    }
    Err(misconfigured(format!(
        "all users may write in the folder {} of the file store (mode {:o}), and so could put other sessions in place of \
         these: take that from them (chmod o-w), or, if there are no other users, name a \
         folder in it, which `migrate` makes",
        path.display(),
        mode.bits()
    )))
}

/// Of all shards, whatever it meets in one of them.
fn remove_unfinished(records: &Records) -> Result<(), StoreError> {
    let removed = Shard::all().map(|shard| records.remove_unfinished(shard));
    removed.fold(Ok(()), Result::and)
}

fn chunks(handles: &[Handle]) -> Vec<Vec<Handle>> {
    handles.chunks(RECORDS).map(<[Handle]>::to_vec).collect()
}

fn slow(limit: Duration) -> StoreError {
    let message = format!("the disk of the file store has not answered within {limit:?}");
    StoreError::new(StoreErrorKind::Timeout, message)
}

/// The work did not run, as the runtime is ending; or it panicked, and so does the caller.
fn stopped(error: JoinError) -> StoreError {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => StoreError::new(
            StoreErrorKind::Internal,
            "the file store was asked while its runtime is ending",
        )
        .not_applied(),
    }
}
