//! Who may write: one at a time in each shard. Within the process tasks wait in a queue, without a thread; between
//! processes a file is locked, which the operating system unlocks when its process ends, however it ends.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fasthttpsession_core::StoreError;
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::refused;
use crate::folder::Folder;
use crate::names::{SHARDS, Shard};

/// How often a thread asks again for a lock that another process has, before it lets other tasks have the thread. What
/// is done under a lock takes some ten microseconds.
const TRIES: usize = 4;
/// How long a thread that reads or purges waits for a shard that somebody writes to.
const BRIEF: Duration = Duration::from_millis(20);
const REST: Duration = Duration::from_micros(200);

/// The locks of all shards. The file of each is opened when it is first needed, and stays open.
pub(crate) struct Locks(Box<[Arc<Mutex<LockFile>>]>);

type LockFile = Option<OwnedFd>;

/// The only one of this process that may write in a shard.
pub(crate) struct Gate {
    file: OwnedMutexGuard<LockFile>,
    shard: Shard,
}

/// The only one of all processes that may write in a shard, until it is dropped.
pub(crate) struct Held {
    gate: Gate,
}

/// What asking for the lock of a shard came to.
pub(crate) enum Turn {
    Held(Held),
    /// Another process has it.
    Busy(Gate),
}

impl Locks {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Arc::default()).collect())
    }

    /// Waits until no other task of this process writes in `shard`.
    pub(crate) async fn enter(&self, shard: Shard) -> Gate {
        let file = Arc::clone(self.of(shard)).lock_owned().await;
        Gate { file, shard }
    }

    /// [`enter`](Self::enter) without waiting; `None` if another task writes in `shard`.
    pub(crate) fn enter_now(&self, shard: Shard) -> Option<Gate> {
        let file = Arc::clone(self.of(shard)).try_lock_owned().ok()?;
        Some(Gate { file, shard })
    }

    /// Does `work` alone in `shard` if it can be had at once or nearly so; `None` if not. For threads that may wait.
    pub(crate) fn briefly<T>(
        &self,
        folder: &Folder,
        shard: Shard,
        work: impl FnOnce(&Held) -> T,
    ) -> Result<Option<T>, StoreError> {
        for _ in 0..BRIEF.as_micros() / REST.as_micros() {
            if let Some(gate) = self.enter_now(shard)
                && let Turn::Held(held) = gate.hold(folder)?
            {
                return Ok(Some(work(&held)));
            }
            thread::sleep(REST);
        }
        Ok(None)
    }

    fn of(&self, shard: Shard) -> &Arc<Mutex<LockFile>> {
        &self.0[usize::from(shard.0)]
    }
}

impl Gate {
    /// Locks the shard, unless another process has it.
    pub(crate) fn hold(mut self, folder: &Folder) -> Result<Turn, StoreError> {
        let file = match &mut *self.file {
            Some(file) => file,
            none => none.insert(open(folder, self.shard)?),
        };
        for _ in 0..TRIES {
            match flock(&*file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Turn::Held(Held { gate: self })),
                Err(Errno::WOULDBLOCK | Errno::INTR) => thread::yield_now(),
                Err(error) => return Err(refused("locking a file of the file store", error)),
            }
        }
        Ok(Turn::Busy(self))
    }
}

impl Held {
    pub(crate) fn shard(&self) -> Shard {
        self.gate.shard
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(file) = &*self.gate.file {
            // Fails for no file that could be locked.
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}

fn open(folder: &Folder, shard: Shard) -> Result<OwnedFd, StoreError> {
    folder
        .open_file(&shard.lock(), OFlags::RDWR)
        .map_err(|error| refused(&format!("opening {} to lock it", shard.lock()), error))
}
