//! The last few commits of a record by name, so that a commit whose answer was lost can be found again.

use smallvec::SmallVec;

use crate::wire::{self, Reader};

/// The name of one commit: unique among all processes that share a store, as far as 64 random bits go.
pub(crate) type CommitId = u64;

/// The newest commits of a record, the newest last.
#[derive(Clone, Default)]
pub(crate) struct Commits(SmallVec<[CommitId; Commits::KEPT]>);

/// Whether a commit is in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landed {
    Yes,
    No,
    /// So many others followed that its name would have been forgotten.
    Unknown,
}

impl Commits {
    pub(crate) const KEPT: usize = 8;

    pub(crate) fn push(&mut self, id: CommitId) {
        if self.0.len() == Self::KEPT {
            self.0.remove(0);
        }
        self.0.push(id);
    }

    /// Whether the commit `id`, which would have made version `version`, is in the record that has these commits and is
    /// now at version `current`.
    pub(crate) fn landed(&self, id: CommitId, version: u64, current: u64) -> Landed {
        if self.0.contains(&id) {
            Landed::Yes
        } else if current.saturating_sub(version) < Self::KEPT as u64 {
            Landed::No
        } else {
            Landed::Unknown
        }
    }

    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        out.push(wire::short_len(self.0.len()));
        for id in &self.0 {
            out.extend_from_slice(&id.to_le_bytes());
        }
    }

    pub(crate) fn read_from(reader: &mut Reader<'_>) -> Option<Self> {
        let len = usize::from(reader.byte()?);
        if len > Self::KEPT {
            return None;
        }
        (0..len)
            .map(|_| reader.fixed())
            .collect::<Option<_>>()
            .map(Self)
    }

    /// How many bytes [`write_to`](Self::write_to) writes.
    pub(crate) fn encoded_len(&self) -> usize {
        1 + 8 * self.0.len()
    }
}
