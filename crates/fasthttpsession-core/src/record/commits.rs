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
        let mut commits = Self::default();
        for _ in 0..len {
            commits.0.push(reader.fixed()?);
        }
        Some(commits)
    }

    /// How many bytes [`write_to`](Self::write_to) writes.
    pub(crate) fn encoded_len(&self) -> usize {
        1 + 8 * self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names 1 to `last`, each of the version of the same number.
    fn up_to(last: u64) -> Commits {
        let mut commits = Commits::default();
        (1..=last).for_each(|id| commits.push(id));
        commits
    }

    #[test]
    fn the_last_eight_are_named() {
        let commits = up_to(20);
        for id in 13..=20 {
            assert_eq!(commits.landed(id, id, 20), Landed::Yes);
        }
        for version in 13..=20 {
            assert_eq!(commits.landed(99, version, 20), Landed::No);
        }
        assert_eq!(commits.landed(12, 12, 20), Landed::Unknown);
        // A store that went back in time never had it.
        assert_eq!(commits.landed(99, 25, 20), Landed::No);
    }

    #[test]
    fn names_come_back_and_more_than_eight_are_malformed() {
        for last in 0..12 {
            let mut bytes = Vec::new();
            up_to(last).write_to(&mut bytes);
            assert_eq!(bytes.len(), up_to(last).encoded_len());
            let read = Commits::read_from(&mut Reader::new(&bytes)).unwrap();
            assert_eq!(read.0, up_to(last).0);
            assert!(Commits::read_from(&mut Reader::new(&bytes[..bytes.len() - 1])).is_none());
        }
        assert!(Commits::read_from(&mut Reader::new(&[9; 200])).is_none());
    }
}
