//! How many records there may be, and how many there are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts records up to a capacity.
pub(crate) struct Room {
    capacity: usize,
    taken: AtomicUsize,
}

/// Room for one record; given back when dropped.
pub(crate) struct Place<'a>(&'a Room);

impl Room {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            taken: AtomicUsize::new(0),
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Records there are, expired ones included as long as they are not purged.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Room for one more record; `None` at capacity.
    pub(crate) fn take(&self) -> Option<Place<'_>> {
        let more = |taken| (taken < self.capacity).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Place(self))
    }

    /// The room of a record that was just removed.
    pub(crate) fn place_of_removed(&self) -> Place<'_> {
        Place(self)
    }

    /// Gives back the room of records that were removed.
    pub(crate) fn give_back(&self, records: usize) {
        self.taken.fetch_sub(records, Ordering::Relaxed);
    }
}

impl Place<'_> {
    /// A record was put there.
    pub(crate) fn fill(self) {
        std::mem::forget(self);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.give_back(1);
    }
}
