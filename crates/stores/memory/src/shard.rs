//! One part of the store: the entries whose handles fall to it, and their indexes. Synchronous; its owner locks it.
//!
//! What a method does under the lock is bounded: one entry, or as many steps as the caller says.

use std::sync::Arc;

use fasthttpsession_core::{Deleted, Handle, Principal, Record, Replaced, Timestamp, Touched};
use hashbrown::HashTable;

use crate::entry::Entry;
use crate::expiry::{Expiry, bucket_start};
use crate::key::{Key, Salt};
use crate::principals::{Location, Principals};
use crate::slab::{Id, Slab};

/// The entries whose handles fall to it.
pub(crate) struct Shard {
    number: u8,
    by_handle: HashTable<Id>,
    entries: Slab<Entry>,
    /// Filed apart, so that the one to evict is found without a search.
    anonymous: Expiry,
    signed_in: Expiry,
    principals: Arc<Principals>,
    salt: Salt,
}

/// What [`Shard::purge`] did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Purged {
    pub(crate) removed: usize,
    /// Nothing more is due in this shard.
    pub(crate) finished: bool,
}

/// What [`Shard::evict_anonymous`] did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Evicted {
    One,
    /// Nothing yet. What [`Shard::first_anonymous`] answers now.
    NotBefore(Timestamp),
    /// There is no entry without a principal.
    Nothing,
}

/// Bounds of what is done under one lock.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Entries removed or copied at most.
    pub(crate) entries: usize,
    /// Entries and free places looked at at most.
    pub(crate) steps: usize,
}

impl Shard {
    pub(crate) fn new(number: u8, principals: Arc<Principals>, salt: Salt) -> Self {
        Self {
            number,
            by_handle: HashTable::new(),
            entries: Slab::new(),
            anonymous: Expiry::new(),
            signed_in: Expiry::new(),
            principals,
            salt,
        }
    }

    /// How many entries there are, expired ones included as long as they are not purged.
    pub(crate) fn len(&self) -> usize {
        self.by_handle.len()
    }

    pub(crate) fn load(&self, key: Key, now: Timestamp) -> Option<Record> {
        self.find_live(key, now).map(|id| self.entries[id].record())
    }

    pub(crate) fn has_live(&self, key: Key, now: Timestamp) -> bool {
        self.find_live(key, now).is_some()
    }

    /// Adds an entry under a handle that has none.
    pub(crate) fn insert(&mut self, key: Key, entry: Entry, now: Timestamp) {
        let id = self.entries.insert(entry);
        let (entries, salt) = (&self.entries, self.salt);
        self.by_handle
            .insert_unique(key.hash, id, |&id| Key::new(entries[id].handle, salt).hash);
        self.bind(id);
        self.file(id, now);
    }

    /// Puts `new` in place of the record of this handle.
    pub(crate) fn replace(
        &mut self,
        key: Key,
        expected: u64,
        new: &Record,
        now: Timestamp,
    ) -> Replaced {
        let Some(id) = self.find_live(key, now) else {
            return Replaced::Gone;
        };
        let old = &self.entries[id];
        if old.version != expected {
            return Replaced::Conflict(old.record());
        }
        self.overwrite(id, new, now);
        Replaced::Replaced
    }

    /// Only ever moves the deadline later, so the entry stays filed where it is.
    pub(crate) fn touch(
        &mut self,
        key: Key,
        version: u64,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Touched {
        let Some(id) = self.find_live(key, now) else {
            return Touched::Gone;
        };
        let entry = &mut self.entries[id];
        if entry.version == version {
            entry.idle_deadline = entry.idle_deadline.max(deadline);
        }
        Touched::Touched
    }

    /// Removes the entry, if it is live.
    pub(crate) fn delete(&mut self, key: Key, now: Timestamp) -> Deleted {
        let Some(id) = self.find_live(key, now) else {
            return Deleted::Gone;
        };
        self.remove(id);
        Deleted::Deleted
    }

    /// Removes the entry, live or not, and answers whether there was one.
    pub(crate) fn discard(&mut self, key: Key) -> bool {
        self.find(key).map(|id| self.remove(id)).is_some()
    }

    /// Removes entries that are due, and files again those that are not but hang in a bucket that has started.
    pub(crate) fn purge(&mut self, bounds: Bounds, now: Timestamp) -> Purged {
        let mut removed = 0;
        for _ in 0..bounds.steps {
            let Some(id) = self.first_due(now) else {
                return Purged {
                    removed,
                    finished: true,
                };
            };
            if self.entries[id].is_live(now) {
                self.refile(id, now);
            } else if removed == bounds.entries {
                break;
            } else {
                self.remove(id);
                removed += 1;
            }
        }
        Purged {
            removed,
            finished: self.first_due(now).is_none(),
        }
    }

    /// No entry without a principal expires before this moment; `None` when there is none. Those that were used since
    /// they were filed may all expire much later.
    pub(crate) fn first_anonymous(&self) -> Option<Timestamp> {
        self.anonymous.first().map(|(start, _)| start)
    }

    /// Removes the entry without a principal that expires soonest, to within its bucket, if that has started by
    /// `until`. Looks at as many as `steps`, which it takes off, and files again those that have been used since they were
    /// filed.
    pub(crate) fn evict_anonymous(
        &mut self,
        until: Timestamp,
        steps: &mut usize,
        now: Timestamp,
    ) -> Evicted {
        while *steps > 0
            && let Some((start, id)) = self.anonymous.first().filter(|&(start, _)| start <= until)
        {
            *steps -= 1;
            if bucket_start(self.entries[id].expires_at(), now) <= start {
                self.remove(id);
                return Evicted::One;
            }
            self.refile(id, now);
        }
        self.first_anonymous()
            .map_or(Evicted::Nothing, Evicted::NotBefore)
    }

    /// The session at `id` if it lives and belongs to `principal`. The place may have changed hands.
    pub(crate) fn session_of(
        &self,
        principal: &str,
        id: Id,
        now: Timestamp,
    ) -> Option<(Handle, Record)> {
        let entry = self.entries.get(id)?;
        (entry.principal() == Some(principal) && entry.is_live(now))
            .then(|| (entry.handle, entry.record()))
    }

    /// Copies live sessions, from the place `from` on. Where to go on; `None` at the end. Entries keep their places, so
    /// none is missed.
    pub(crate) fn collect(
        &self,
        from: Id,
        bounds: Bounds,
        now: Timestamp,
        sessions: &mut Vec<(Handle, Record)>,
    ) -> Option<Id> {
        let full = sessions.len() + bounds.entries;
        let mut id = from;
        for _ in 0..bounds.steps {
            if sessions.len() == full || self.entries.is_past_end(id) {
                break;
            }
            let entry = self.entries.get(id).filter(|entry| entry.is_live(now));
            sessions.extend(entry.map(|entry| (entry.handle, entry.record())));
            id = id.following();
        }
        (!self.entries.is_past_end(id)).then_some(id)
    }

    fn find(&self, key: Key) -> Option<Id> {
        self.by_handle
            .find(key.hash, |&id| self.entries[id].handle == key.handle)
            .copied()
    }

    fn find_live(&self, key: Key, now: Timestamp) -> Option<Id> {
        self.find(key).filter(|&id| self.entries[id].is_live(now))
    }

    /// An entry whose bucket has started.
    fn first_due(&self, now: Timestamp) -> Option<Id> {
        let firsts = [self.anonymous.first(), self.signed_in.first()];
        firsts
            .into_iter()
            .flatten()
            .find(|&(start, _)| start <= now)
            .map(|(_, id)| id)
    }

    fn overwrite(&mut self, id: Id, new: &Record, now: Timestamp) {
        let old = &self.entries[id];
        let new_principal = new.header.principal.as_ref().map(Principal::as_str);
        let rebind = old.principal() != new_principal;
        let refile = old.is_signed_in() != new_principal.is_some()
            || new.header.expires_at() < old.expires_at();
        if refile {
            self.unfile(id);
        }
        if rebind {
            self.unbind(id);
        }
        self.entries[id].overwrite(new);
        if rebind {
            self.bind(id);
        }
        if refile {
            self.file(id, now);
        }
    }

    fn remove(&mut self, id: Id) {
        self.unbind(id);
        self.unfile(id);
        let hash = Key::new(self.entries[id].handle, self.salt).hash;
        let place = self.by_handle.find_entry(hash, |&other| other == id);
        place.ok().expect("every entry is in the table").remove();
        self.entries.remove(id);
    }

    fn refile(&mut self, id: Id, now: Timestamp) {
        self.unfile(id);
        self.file(id, now);
    }

    fn file(&mut self, id: Id, now: Timestamp) {
        let expiry = if self.entries[id].is_signed_in() {
            &mut self.signed_in
        } else {
            &mut self.anonymous
        };
        expiry.file(&mut self.entries, id, now);
    }

    fn unfile(&mut self, id: Id) {
        let expiry = if self.entries[id].is_signed_in() {
            &mut self.signed_in
        } else {
            &mut self.anonymous
        };
        expiry.unfile(&mut self.entries, id);
    }

    /// Lists the entry under its principal, if it has one.
    fn bind(&mut self, id: Id) {
        let entry = &mut self.entries[id];
        let location = Location::new(self.number, id);
        entry.node = entry
            .principal()
            .map(|principal| self.principals.add(principal, location));
    }

    fn unbind(&mut self, id: Id) {
        let entry = &mut self.entries[id];
        if let (Some(node), Some(principal)) = (entry.node, entry.principal()) {
            self.principals.remove(principal, node);
            entry.node = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use fasthttpsession_core::Header;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);
    const SECOND: Duration = Duration::from_secs(1);

    struct Sample {
        shard: Shard,
        salt: Salt,
    }

    impl Sample {
        fn new() -> Self {
            let salt = Salt::random();
            let shard = Shard::new(0, Arc::new(Principals::new()), salt);
            Self { shard, salt }
        }

        fn key(&self, number: u64) -> Key {
            let mut bytes = [0; Handle::BYTES];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            Key::new(Handle::from_bytes(bytes), self.salt)
        }

        fn insert(&mut self, number: u64, left: Duration) {
            let key = self.key(number);
            let principal = (number % 2 == 1).then_some("ann");
            self.shard
                .insert(key, Entry::new(key.handle, &record(left, principal)), START);
        }

        fn purge(&mut self, steps: usize, now: Timestamp) -> Purged {
            self.shard.purge(
                Bounds {
                    entries: usize::MAX,
                    steps,
                },
                now,
            )
        }
    }

    fn record(left: Duration, principal: Option<&str>) -> Record {
        let header = Header {
            version: 1,
            created_at: START,
            idle_deadline: START.after(left),
            absolute_deadline: START.after(24 * HOUR),
            principal: principal.map(|text| Principal::new(text).unwrap()),
            label: None,
        };
        Record {
            header,
            body: Bytes::from_static(b"body"),
        }
    }

    #[test]
    fn a_purge_looks_at_what_is_due_and_at_nothing_else() {
        let mut sample = Sample::new();
        (0..10_000).for_each(|number| sample.insert(number, HOUR));
        (10_000..10_010).for_each(|number| sample.insert(number, SECOND));
        assert_eq!(
            sample.purge(10, START.after(SECOND)),
            Purged {
                removed: 10,
                finished: true
            }
        );
        assert_eq!(
            sample.purge(0, START.after(HOUR / 2)),
            Purged {
                removed: 0,
                finished: true
            }
        );
        assert_eq!(sample.shard.len(), 10_000);
    }

    #[test]
    fn a_deadline_that_moved_earlier_is_found_without_a_search() {
        let mut sample = Sample::new();
        (0..10_000).for_each(|number| sample.insert(number, HOUR));
        let key = sample.key(78);
        let shorter = record(SECOND, None);
        assert_eq!(
            sample.shard.replace(key, 1, &shorter, START),
            Replaced::Replaced
        );
        assert_eq!(
            sample.purge(1, START.after(SECOND)),
            Purged {
                removed: 1,
                finished: true
            }
        );
        assert!(!sample.shard.discard(key));
    }

    #[test]
    fn a_touched_entry_is_looked_at_again_and_kept_until_its_new_deadline() {
        let mut sample = Sample::new();
        sample.insert(1, HOUR);
        let key = sample.key(1);
        sample.shard.touch(key, 1, START.after(2 * HOUR), START);
        assert_eq!(
            sample.purge(1, START.after(HOUR)),
            Purged {
                removed: 0,
                finished: true
            }
        );
        assert!(sample.shard.has_live(key, START.after(HOUR)));
        assert_eq!(
            sample.purge(1, START.after(2 * HOUR)),
            Purged {
                removed: 1,
                finished: true
            }
        );
    }

    #[test]
    fn an_eviction_takes_nothing_that_expires_later_than_what_was_found() {
        let mut sample = Sample::new();
        sample.insert(0, HOUR);
        sample.insert(2, 2 * HOUR);
        let found = sample.shard.first_anonymous().unwrap();
        // As another eviction would between the two locks.
        let key = sample.key(0);
        assert!(sample.shard.discard(key));
        let next = sample.shard.first_anonymous().unwrap();
        assert_eq!(
            sample.shard.evict_anonymous(found, &mut 16, START),
            Evicted::NotBefore(next)
        );
        assert_eq!(
            sample.shard.evict_anonymous(next, &mut 16, START),
            Evicted::One
        );
        assert_eq!(
            sample.shard.evict_anonymous(next, &mut 16, START),
            Evicted::Nothing
        );
    }

    #[test]
    fn an_untouched_entry_is_looked_at_a_few_times_in_its_life() {
        let mut sample = Sample::new();
        sample.insert(2, 24 * HOUR);
        let mut steps = 0;
        let mut now = START;
        while sample.shard.len() > 0 {
            now = sample
                .shard
                .anonymous
                .first()
                .map(|(start, _)| start)
                .unwrap()
                .max(now);
            sample.purge(1, now);
            steps += 1;
        }
        assert_eq!(now, START.after(24 * HOUR));
        assert!(steps <= 6, "{steps} steps");
    }

    #[test]
    fn a_place_that_changed_hands_is_not_listed_under_its_former_principal() {
        let mut sample = Sample::new();
        sample.insert(1, HOUR);
        let ann = Principal::new("ann").unwrap();
        let place = sample.shard.principals.locations(&ann)[0].id();
        assert!(sample.shard.session_of("ann", place, START).is_some());
        let key = sample.key(1);
        sample.shard.discard(key);
        assert!(sample.shard.session_of("ann", place, START).is_none());
        sample.insert(2, HOUR);
        assert!(sample.shard.entries.get(place).is_some());
        assert!(sample.shard.session_of("ann", place, START).is_none());
    }

    #[test]
    fn no_index_keeps_anything_of_what_was_removed() {
        let mut sample = Sample::new();
        (0..1_000).for_each(|number| sample.insert(number, Duration::from_secs(number % 50 + 1)));
        for number in (0..1_000).step_by(3) {
            let key = sample.key(number);
            assert!(sample.shard.discard(key));
        }
        assert!(sample.purge(usize::MAX, START.after(HOUR)).finished);
        assert_eq!(sample.shard.len(), 0);
        assert!(
            sample.shard.anonymous.first().is_none() && sample.shard.signed_in.first().is_none()
        );
        assert!(
            sample
                .shard
                .principals
                .locations(&Principal::new("ann").unwrap())
                .is_empty()
        );
    }
}
