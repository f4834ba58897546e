//! Which entries expire when, so that finding the expired ones costs what has expired.
//!
//! Entries hang in buckets, and a bucket has a start. One rule: **an entry's bucket starts no later than the entry's
//! deadline.** So whatever is due hangs in a bucket that has started, and a deadline that moves later, as those of used
//! sessions do all the time, moves nothing: when the bucket starts, the entry is filed again, closer to its deadline.
//! Only a deadline that moves earlier is filed anew at once.
//!
//! A bucket is as wide as 1/64 of the time that was left when its entries were filed. An entry of an hour is therefore
//! looked at once in its last minute, then perhaps once in its last second, and there are few buckets. There is no wheel
//! that turns: nothing here remembers a time, and a clock that is set back does no harm.

use std::collections::BTreeMap;

use fasthttpsession_core::Timestamp;

use crate::entry::Entry;
use crate::slab::{Id, Slab};

/// Entries in the order in which they are to be looked at. The entries themselves lie in the slab given to each call,
/// always the same one.
pub(crate) struct Expiry {
    by_start: BTreeMap<Timestamp, Id>,
    buckets: Slab<Bucket>,
}

struct Bucket {
    start: Timestamp,
    /// The entry filed last; `None` only before the first one.
    first: Option<Id>,
}

/// The neighbours of an entry in its bucket.
#[derive(Clone, Copy, Default)]
pub(crate) struct Links {
    before: Before,
    after: Option<Id>,
}

impl Expiry {
    pub(crate) const fn new() -> Self {
        Self {
            by_start: BTreeMap::new(),
            buckets: Slab::new(),
        }
    }

    /// The start of the first bucket, and an entry in it.
    pub(crate) fn first(&self) -> Option<(Timestamp, Id)> {
        let (&start, &bucket) = self.by_start.first_key_value()?;
        let entry = self.buckets[bucket]
            .first
            .expect("an empty bucket is removed at once");
        Some((start, entry))
    }

    /// Files an entry that hangs in no bucket by its present deadline.
    pub(crate) fn file(&mut self, entries: &mut Slab<Entry>, id: Id, now: Timestamp) {
        let bucket = self.bucket(bucket_start(entries[id].expires_at(), now));
        let after = self.buckets[bucket].first.replace(id);
        entries[id].links = Links {
            before: Before::bucket(bucket),
            after,
        };
        if let Some(after) = after {
            entries[after].links.before = Before::entry(id);
        }
    }

    /// Takes an entry out of its bucket.
    pub(crate) fn unfile(&mut self, entries: &mut Slab<Entry>, id: Id) {
        let Links { before, after } = entries[id].links;
        if let Some(after) = after {
            entries[after].links.before = before;
        }
        match before.decode() {
            Place::Entry(entry) => entries[entry].links.after = after,
            Place::Bucket(bucket) => self.set_first(bucket, after),
        }
    }

    fn bucket(&mut self, start: Timestamp) -> Id {
        let buckets = &mut self.buckets;
        *self
            .by_start
            .entry(start)
            .or_insert_with(|| buckets.insert(Bucket { start, first: None }))
    }

    fn set_first(&mut self, bucket: Id, first: Option<Id>) {
        self.buckets[bucket].first = first;
        if first.is_none() {
            let Bucket { start, .. } = self.buckets.remove(bucket);
            self.by_start.remove(&start);
        }
    }
}

/// Where an entry with this deadline is filed: later than `now`, unless it is due.
pub(crate) fn bucket_start(deadline: Timestamp, now: Timestamp) -> Timestamp {
    let left = deadline.as_millis().saturating_sub(now.as_millis());
    let width_bits = left.checked_ilog2().unwrap_or(0).saturating_sub(6);
    Timestamp::from_millis(deadline.as_millis() >> width_bits << width_bits)
}

/// What an entry hangs on, in four bytes: the bucket if the highest bit is set, else another entry.
#[derive(Clone, Copy, Default)]
struct Before(u32);

enum Place {
    Bucket(Id),
    Entry(Id),
}

impl Before {
    const BUCKET: u32 = 1 << 31;

    fn bucket(id: Id) -> Self {
        Self(id.number() | Self::BUCKET)
    }

    fn entry(id: Id) -> Self {
        Self(id.number())
    }

    fn decode(self) -> Place {
        let id = Id::from_number(self.0 & !Self::BUCKET)
            .expect("an entry hangs in a bucket while it is in the slab");
        if self.0 & Self::BUCKET == 0 {
            Place::Entry(id)
        } else {
            Place::Bucket(id)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_starts_after_now_and_within_a_64th_before_the_deadline() {
        let now = 1_800_000_000_000;
        for left in (0..64)
            .map(|bits| 1 << bits)
            .chain([3, 65, 99, 3_599_999, u64::MAX - now])
        {
            let deadline = Timestamp::from_millis(u64::saturating_add(now, left));
            let start = bucket_start(deadline, Timestamp::from_millis(now)).as_millis();
            let deadline = deadline.as_millis();
            assert!(start > now && start <= deadline && deadline - start <= (deadline - now) / 64);
        }
    }

    #[test]
    fn what_is_due_is_filed_at_its_deadline() {
        let (deadline, now) = (Timestamp::from_millis(5), Timestamp::from_millis(9));
        assert_eq!(bucket_start(deadline, now), deadline);
    }
}
