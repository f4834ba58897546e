//! Values that keep their place: a list of chunks, so that growing copies nothing and an id stays good until its value
//! is removed. Places are used again.

use std::num::NonZeroU32;
use std::ops::{Index, IndexMut};

/// How many values a chunk holds. The first chunk grows to that size, so that small slabs stay small.
const CHUNK: usize = 1024;

/// Values of one type, each under an [`Id`].
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    /// The free places, each naming the next.
    free: Option<Id>,
}

/// The place of a value. `Option<Id>` takes four bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Id(NonZeroU32);

enum Slot<T> {
    Used(T),
    Free(Option<Id>),
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            free: None,
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> Id {
        let Some(id) = self.free else {
            return self.push(value);
        };
        let slot = self.slot_mut(id);
        if let Slot::Free(next) = *slot {
            *slot = Slot::Used(value);
            self.free = next;
        }
        id
    }

    pub(crate) fn remove(&mut self, id: Id) -> T {
        let free = self.free;
        match std::mem::replace(self.slot_mut(id), Slot::Free(free)) {
            Slot::Used(value) => {
                self.free = Some(id);
                value
            }
            Slot::Free(_) => no_value(),
        }
    }

    /// The value at `id`, if that place is in use.
    pub(crate) fn get(&self, id: Id) -> Option<&T> {
        match self.chunks.get(id.chunk())?.get(id.offset())? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// Whether `id` lies beyond every place that was ever used.
    pub(crate) fn is_past_end(&self, id: Id) -> bool {
        self.chunks
            .get(id.chunk())
            .is_none_or(|chunk| id.offset() >= chunk.len())
    }

    fn push(&mut self, value: T) -> Id {
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let before = (self.chunks.len() - 1) * CHUNK;
        let chunk = self
            .chunks
            .last_mut()
            .expect("a chunk with room was just made sure of");
        chunk.push(Slot::Used(value));
        Id::at(before + chunk.len() - 1)
    }

    fn slot_mut(&mut self, id: Id) -> &mut Slot<T> {
        &mut self.chunks[id.chunk()][id.offset()]
    }
}

impl<T> Index<Id> for Slab<T> {
    type Output = T;

    fn index(&self, id: Id) -> &T {
        match &self.chunks[id.chunk()][id.offset()] {
            Slot::Used(value) => value,
            Slot::Free(_) => no_value(),
        }
    }
}

impl<T> IndexMut<Id> for Slab<T> {
    fn index_mut(&mut self, id: Id) -> &mut T {
        match self.slot_mut(id) {
            Slot::Used(value) => value,
            Slot::Free(_) => no_value(),
        }
    }
}

impl Id {
    /// The first place of a slab.
    pub(crate) const FIRST: Self = Self(NonZeroU32::MIN);
    /// Ids have 31 bits; the highest is free for whoever packs them.
    const LIMIT: u32 = 1 << 31;

    /// The id with this number, which [`number`](Self::number) answered.
    pub(crate) fn from_number(number: u32) -> Option<Self> {
        NonZeroU32::new(number)
            .filter(|number| number.get() < Self::LIMIT)
            .map(Self)
    }

    pub(crate) fn number(self) -> u32 {
        self.0.get()
    }

    /// The place after this one.
    pub(crate) fn following(self) -> Self {
        Self::at(self.index() + 1)
    }

    fn at(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok();
        number
            .and_then(Self::from_number)
            .expect("a slab has fewer than 2^31 places")
    }

    fn index(self) -> usize {
        self.number() as usize - 1
    }

    fn chunk(self) -> usize {
        self.index() / CHUNK
    }

    fn offset(self) -> usize {
        self.index() % CHUNK
    }
}

#[cold]
fn no_value() -> ! {
    unreachable!("an id is kept only while its value is in the slab")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_good_while_the_slab_grows_and_freed_places_are_used_again() {
        let mut slab = Slab::new();
        let ids: Vec<Id> = (0..3 * CHUNK).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.remove(ids[5]), 5);
        assert!(slab.get(ids[5]).is_none());
        assert!(slab.insert(7) == ids[5]);
        assert!(
            ids.iter()
                .enumerate()
                .all(|(value, &id)| value == 5 || slab[id] == value)
        );
        assert!(!slab.is_past_end(ids[3 * CHUNK - 1]));
        assert!(slab.is_past_end(ids[3 * CHUNK - 1].following()));
    }
}
