//! The last few commits of a record by name, so that a commit whose answer was lost can be found again.

use crate::wire::Reader;

/// The name of one commit: unique among all processes that share a store, as far as 64 random bits go.
pub(crate) type CommitId = u64;

const NAME_BYTES: usize = size_of::<CommitId>();

/// The newest commits of a record, the newest last.
#[derive(Clone)]
pub(crate) struct Commits {
    /// Their names as they stand in the record, eight bytes each, the lowest first.
    names: [u8; Commits::KEPT * NAME_BYTES],
    count: u8,
}

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
        if usize::from(self.count) == Self::KEPT {
            self.names.copy_within(NAME_BYTES.., 0);
            self.count -= 1;
        }
        let at = self.names().len();
        self.names[at..][..NAME_BYTES].copy_from_slice(&id.to_le_bytes());
        self.count += 1;
    }

    /// Whether the commit `id`, which would have made version `version`, is in the record that has these commits and is
    /// now at version `current`.
    pub(crate) fn landed(&self, id: CommitId, version: u64, current: u64) -> Landed {
        let mut names = self.names().chunks_exact(NAME_BYTES);
        if names.any(|name| name == id.to_le_bytes()) {
            Landed::Yes
        } else if current.saturating_sub(version) < Self::KEPT as u64 {
            Landed::No
        } else {
            Landed::Unknown
        }
    }

    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        out.push(self.count);
        out.extend_from_slice(self.names());
    }

    pub(crate) fn read_from(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.byte()?;
        let mut commits = Self {
            count,
            ..Self::default()
        };
        let read = reader.take(usize::from(count) * NAME_BYTES)?;
        commits.names.get_mut(..read.len())?.copy_from_slice(read);
        Some(commits)
    }

    /// How many bytes [`write_to`](Self::write_to) writes.
    pub(crate) fn encoded_len(&self) -> usize {
        1 + self.names().len()
    }

    fn names(&self) -> &[u8] {
        &self.names[..usize::from(self.count) * NAME_BYTES]
    }
}

impl Default for Commits {
    /// None.
    fn default() -> Self {
        Self {
            names: [0; Self::KEPT * NAME_BYTES],
            count: 0,
        }
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
            assert_eq!(read.names(), up_to(last).names());
            assert!(Commits::read_from(&mut Reader::new(&bytes[..bytes.len() - 1])).is_none());
        }
        assert!(Commits::read_from(&mut Reader::new(&[9; 200])).is_none());
    }
}
