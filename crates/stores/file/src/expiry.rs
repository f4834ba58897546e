//! Purging: the index by time, slot by slot, the oldest first. An entry lies in the slot of its session's end or, if
//! the session was used since and somebody was killed, in an earlier one. So what has expired has an entry in a slot
//! that has begun, and nothing else is looked at.

use std::os::fd::OwnedFd;

use fasthttpsession_core::{Handle, StoreError, StoreErrorKind, Timestamp};
use rustix::fs::{Dir, FlockOperation, flock};
use rustix::io::Errno;

use crate::error::refused;
use crate::locks::Held;
use crate::names::{self, EXPIRY, Era, Shard, Slot};
use crate::records::Records;

/// How many entries are looked at before others may have the thread: some milliseconds.
const ENTRIES: usize = 128;

/// A slot that is being purged, by nobody else.
pub(crate) struct Walk {
    slot: Slot,
    entries: Dir,
    _alone: OwnedFd,
}

/// What a purge has done.
#[derive(Default)]
pub(crate) struct Purged {
    pub(crate) removed: usize,
    /// The first thing that it could not do.
    failed: Option<StoreError>,
}

/// What one step of a walk did.
pub(crate) struct Step {
    pub(crate) purged: Purged,
    /// Where to go on; `None` at the end of the slot.
    pub(crate) rest: Option<Walk>,
}

impl Purged {
    /// Notes an error: what can't be read or removed stays, and is in nobody's way.
    pub(crate) fn note<T>(&mut self, answer: Result<T, StoreError>) -> Option<T> {
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    pub(crate) fn add(&mut self, step: Self) {
        self.removed += step.removed;
        self.failed = self.failed.take().or(step.failed);
    }

    /// How many sessions it removed. If there are none, an error that it met.
    pub(crate) fn answer(self) -> Result<u64, StoreError> {
        match self.failed {
            Some(error) if self.removed == 0 => Err(error),
            _ => Ok(self.removed as u64),
        }
    }
}

impl Records {
    /// The eras that have begun, the oldest first.
    pub(crate) fn due_eras(&self, now: Timestamp) -> Result<Vec<Era>, StoreError> {
        let begun = |name: &[u8]| Era::parse(name).filter(|era| *era <= Slot::of(now).era());
        self.sorted(EXPIRY, begun)
    }

    /// The slots of `era` that have begun, the oldest first. Removes the folder of an era that is over and has none.
    pub(crate) fn due_slots(&self, era: Era, now: Timestamp) -> Result<Vec<Slot>, StoreError> {
        let begun = |name: &[u8]| era.parse_slot(name).filter(|slot| *slot <= Slot::of(now));
        let slots = self.sorted(&era.folder(), begun)?;
        if slots.is_empty() && era < Slot::of(now).era() {
            self.folder.remove_if_empty(&era.folder());
        }
        Ok(slots)
    }

    fn sorted<T: Ord>(
        &self,
        folder: &str,
        pick: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, StoreError> {
        match self.folder.list(folder, pick) {
            Ok(mut found) => {
                found.sort_unstable();
                Ok(found)
            }
            // The index by time itself is there from the beginning; what is in it comes and goes, or is not ours.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if folder != EXPIRY => Ok(Vec::new()),
            Err(error) => Err(refused(&format!("reading {folder}"), error)),
        }
    }

    /// Begins to purge `slot`; `None` if somebody else is at it, or if there is no such slot any more.
    pub(crate) fn walk(&self, slot: Slot) -> Result<Option<Walk>, StoreError> {
        let failed = |error| refused(&format!("reading {}", slot.folder()), error);
        let alone = match self.folder.open_folder(&slot.folder()) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        // Only so that two don't do the same work: where folders can't be locked they do, and do no harm.
        if flock(&alone, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
            return Ok(None);
        }
        let entries = Dir::read_from(&alone).map_err(failed)?;
        Ok(Some(Walk {
            slot,
            entries,
            _alone: alone,
        }))
    }

    /// Looks at some entries of the slot, and removes at most `limit` sessions.
    pub(crate) fn purge(&self, mut walk: Walk, limit: usize, now: Timestamp) -> Step {
        let mut purged = Purged::default();
        for _ in 0..ENTRIES {
            if purged.removed == limit {
                break;
            }
            let Some(entry) = walk.entries.next() else {
                self.tidy(walk.slot, now);
                return Step { purged, rest: None };
            };
            let entry =
                entry.map_err(|error| refused(&format!("reading {}", walk.slot.folder()), error));
            let handle = purged
                .note(entry)
                .and_then(|entry| names::parse_handle(entry.file_name().to_bytes()));
            if let Some(handle) = handle {
                let removed = purged.note(self.purge_entry(walk.slot, handle, now));
                purged.removed += usize::from(removed == Some(true));
            }
        }
        Step {
            purged,
            rest: Some(walk),
        }
    }

    /// Whether it removed a session. What somebody is writing to it leaves to the next purge.
    fn purge_entry(&self, slot: Slot, handle: Handle, now: Timestamp) -> Result<bool, StoreError> {
        let settled = self
            .locks
            .briefly(&self.folder, Shard::of(handle), |held| {
                self.settle(held, slot, handle, now)
            })?;
        settled.unwrap_or(Ok(false))
    }

    fn settle(
        &self,
        held: &Held<'_>,
        slot: Slot,
        handle: Handle,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let header = match self.header(held, handle) {
            // It stays, and is in nobody's way.
            Err(error) if error.kind() == StoreErrorKind::Corrupt => return Ok(false),
            other => other?,
        };
        let Some(header) = header else {
            self.forget_end(held, handle, slot);
            return Ok(false);
        };
        let ends = Slot::of(header.expires_at());
        let expired = !header.is_live(now);
        if expired {
            self.remove(held, handle, &header)?;
        } else if ends > slot {
            self.refile(held, handle, slot, ends)?;
        }
        if ends != slot {
            // Giving one of two links to the same file the name of the other removes neither.
            self.forget_end(held, handle, slot);
        }
        Ok(expired)
    }

    /// Removes the folder of a slot that is over, if it is empty.
    fn tidy(&self, slot: Slot, now: Timestamp) {
        if slot < Slot::of(now) {
            self.folder.remove_if_empty(&slot.folder());
        }
    }
}
