//! Lists of sessions: of a principal, and of all in the order of their handles.

use fasthttpsession_core::{Handle, Principal, Record, StoreError, Timestamp};
use fasthttpsession_store_common::misconfigured;
use rustix::io::Errno;

use crate::error::refused;
use crate::locks::Held;
use crate::names::{self, Owner, Shard};
use crate::records::Records;

/// How many records are read before others may have the thread: some milliseconds if they are in memory.
pub(crate) const RECORDS: usize = 256;

/// Some sessions of a shard.
pub(crate) struct Part {
    pub(crate) sessions: Vec<(Handle, Record)>,
    /// The last one that was looked at; `None` at the end of the shard.
    pub(crate) reached: Option<Handle>,
}

impl Records {
    /// The handles that are listed for `principal`, of sessions that are theirs, or were.
    pub(crate) fn listed(&self, principal: &Principal) -> Result<Vec<Handle>, StoreError> {
        let owner = Owner::of(principal);
        match self.folder.list(owner.folder(), |name| owner.parse(name)) {
            // Made when it is first needed.
            Err(Errno::NOENT) if self.has_principals()? => Ok(Vec::new()),
            other => other.map_err(|error| refused(&format!("reading {}", owner.folder()), error)),
        }
    }

    fn has_principals(&self) -> Result<bool, StoreError> {
        let found = self.folder.has(names::PRINCIPALS);
        found.map_err(|error| refused(&format!("looking for {}", names::PRINCIPALS), error))
    }

    /// The live sessions among `handles` that are of `principal`.
    pub(crate) fn sessions_of(
        &self,
        principal: &Principal,
        handles: &[Handle],
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let mut sessions = Vec::new();
        for &handle in handles {
            match self.load(handle)? {
                Some(record) if record.header.principal.as_ref() == Some(principal) => {
                    sessions.extend(record.is_live(now).then_some((handle, record)));
                }
                _ => self.remove_left_over(principal, handle)?,
            }
        }
        Ok(sessions)
    }

    /// Removes an entry if it is still left over when nobody is making a record for it. It may as well stay, if the shard
    /// can't be had.
    fn remove_left_over(&self, principal: &Principal, handle: Handle) -> Result<(), StoreError> {
        let remove = |held: &Held<'_>| {
            let header = self.header(held, handle)?;
            if header.is_none_or(|header| header.principal.as_ref() != Some(principal)) {
                let _ = self.folder.remove(&Owner::of(principal).entry(handle));
            }
            Ok(())
        };
        let removed = self.locks.briefly(&self.folder, Shard::of(handle), remove);
        removed.ok().flatten().unwrap_or(Ok(()))
    }

    /// At most `limit` live sessions of `shard` that follow `after`, in the order of their handles.
    pub(crate) fn part(
        &self,
        shard: Shard,
        after: Option<Handle>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Part, StoreError> {
        let mut handles = self.handles(shard)?;
        handles.retain(|handle| Some(*handle) > after);
        handles.sort_unstable();
        let mut sessions = Vec::new();
        for (looked_at, handle) in handles.into_iter().enumerate() {
            if let Some(record) = self.load(handle)?.filter(|record| record.is_live(now)) {
                sessions.push((handle, record));
            }
            if sessions.len() == limit || looked_at + 1 == RECORDS {
                return Ok(Part {
                    sessions,
                    reached: Some(handle),
                });
            }
        }
        Ok(Part {
            sessions,
            reached: None,
        })
    }

    /// The handles of a shard, in no order.
    pub(crate) fn handles(&self, shard: Shard) -> Result<Vec<Handle>, StoreError> {
        let of_shard =
            |name: &[u8]| names::parse_handle(name).filter(|handle| Shard::of(*handle) == shard);
        match self.folder.list(&shard.folder(), of_shard) {
            Err(Errno::NOENT) => Err(misconfigured(format!(
                "the folder {} of the file store was removed while the store is in use: restart the service once it \
                 is there again",
                shard.folder()
            ))),
            other => other.map_err(|error| refused(&format!("reading {}", shard.folder()), error)),
        }
    }

    /// How many of `handles` live.
    pub(crate) fn count(&self, handles: &[Handle], now: Timestamp) -> Result<u64, StoreError> {
        let mut live = 0;
        for &handle in handles {
            live += u64::from(self.load(handle)?.is_some_and(|record| record.is_live(now)));
        }
        Ok(live)
    }
}
