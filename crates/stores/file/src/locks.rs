//! Who may write: one at a time in each shard. Within the process tasks wait until they are told that it is free, without
//! a thread; between processes a file is locked, which the operating system unlocks when its process ends, however it
//! ends.
//!
//! No task that waits has anything, for its runtime may not run any more: a shard is had by a thread, from which it can't
//! be taken.

use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use fasthttpsession_core::StoreError;
use rustix::fs::{FlockOperation, OFlags, Stat, flock, fstat};
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::error::{missing, refused};
use crate::folder::Folder;
use crate::names::{SHARDS, Shard};

/// How often a thread asks again for a lock that another process has, before it lets other tasks have the thread. What
/// is done under a lock takes some ten microseconds.
const TRIES: usize = 4;
/// How long a thread that reads or purges waits for a shard that somebody writes to.
const BRIEF: Duration = Duration::from_millis(20);
/// How long such a thread rests before it asks again.
const PAUSE: Duration = Duration::from_micros(200);
/// How long one who was told that a shard is free, or who met another process there, is waited for by the others.
const REST: Duration = Duration::from_millis(1);
/// How long, at last, the others wait before they look for themselves: many that look often would be a load of their own.
const LONGEST_REST: Duration = Duration::from_millis(64);

/// The locks of all shards. The file of each is opened when it is first needed, and stays open as long as it lies at its
/// place.
pub(crate) struct Locks(Box<[Lock]>);

#[derive(Default)]
struct Lock {
    /// Locked by the only one of this process that may write in the shard.
    gate: Mutex<Gate>,
    free: Notify,
}

#[derive(Default)]
struct Gate {
    /// With which file it is.
    file: Option<(OwnedFd, Stat)>,
    /// When somebody last set out to have the shard, unless they have had it since.
    tried: Option<Instant>,
}

/// The only one of all processes that may write in a shard, until it is dropped.
pub(crate) struct Held<'a> {
    gate: MutexGuard<'a, Gate>,
    shard: Shard,
    // Called after the gate is open: fields are dropped after `drop`, in their order.
    _call: Call<'a>,
}

/// Dropped, it calls whoever has waited for longest.
struct Call<'a>(&'a Notify);

impl Locks {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Lock::default()).collect())
    }

    /// Waits until it is worth while to ask for `shard` on a thread: nobody of this process has it, or is about to.
    pub(crate) async fn called(&self, shard: Shard) {
        let lock = self.of(shard);
        // It keeps its place in the queue until it is called.
        let mut call = pin!(lock.free.notified());
        let mut rest = REST;
        while !lock.try_next() {
            // Whoever was called may be in a runtime that does not run.
            if timeout(rest, call.as_mut()).await.is_ok() {
                call.set(lock.free.notified());
            }
            rest = (2 * rest).min(LONGEST_REST);
        }
    }

    /// Locks `shard`; `None` if somebody else has it.
    pub(crate) fn hold(
        &self,
        folder: &Folder,
        shard: Shard,
    ) -> Result<Option<Held<'_>>, StoreError> {
        let lock = self.of(shard);
        let Some(mut gate) = lock.enter() else {
            return Ok(None);
        };
        for _ in 0..TRIES {
            let (file, which) = match &mut gate.file {
                Some(file) => file,
                none => none.insert(open(folder, shard)?),
            };
            let locked = flock(&*file, FlockOperation::NonBlockingLockExclusive);
            match locked.and_then(|()| folder.is_of(&shard.lock(), which)) {
                Ok(true) => {
                    return Ok(Some(Held {
                        gate,
                        shard,
                        _call: Call(&lock.free),
                    }));
                }
                // Somebody has removed it, and others lock the one that was made again.
                Ok(false) => gate.file = None,
                Err(Errno::WOULDBLOCK | Errno::INTR) => thread::yield_now(),
                Err(error) => {
                    gate.file = None;
                    return Err(refused("locking a file of the file store", error));
                }
            }
        }
        gate.tried = Some(Instant::now());
        Ok(None)
    }

    /// Does `work` alone in `shard` if it can be had at once or nearly so; `None` if not. For threads that may wait.
    pub(crate) fn briefly<T>(
        &self,
        folder: &Folder,
        shard: Shard,
        work: impl FnOnce(&Held<'_>) -> T,
    ) -> Result<Option<T>, StoreError> {
        for _ in 0..BRIEF.as_micros() / PAUSE.as_micros() {
            if let Some(held) = self.hold(folder, shard)? {
                return Ok(Some(work(&held)));
            }
            thread::sleep(PAUSE);
        }
        Ok(None)
    }

    fn of(&self, shard: Shard) -> &Lock {
        &self.0[usize::from(shard.0)]
    }
}

impl Lock {
    fn enter(&self) -> Option<MutexGuard<'_, Gate>> {
        match self.gate.try_lock() {
            Ok(gate) => Some(gate),
            // What it guards is whole whenever somebody panics.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Whether nobody has the shard or has just set out to have it; the caller then has.
    fn try_next(&self) -> bool {
        let Some(mut gate) = self.enter() else {
            return false;
        };
        let is_next = gate.tried.is_none_or(|tried| tried.elapsed() >= REST);
        if is_next {
            gate.tried = Some(Instant::now());
        }
        is_next
    }
}

impl Held<'_> {
    pub(crate) fn shard(&self) -> Shard {
        self.shard
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gate.tried = None;
        if let Some((file, _)) = &self.gate.file {
            // Fails for no file that could be locked.
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

fn open(folder: &Folder, shard: Shard) -> Result<(OwnedFd, Stat), StoreError> {
    let name = shard.lock();
    let opened = folder.open_file(&name, OFlags::RDWR);
    let opened = opened.and_then(|file| fstat(&file).map(|which| (file, which)));
    opened.map_err(|error| match error {
        Errno::NOENT => missing(&name),
        error => refused(&format!("opening {name} to lock it"), error),
    })
}
