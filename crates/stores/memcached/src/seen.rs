//! What was last seen of sessions: a guess that saves a swap the look before it.
//!
//! memcached swaps by its own number, the `cas`, and a caller knows versions. Whoever has loaded a session and now
//! replaces or touches it finds its `cas` here, and needs one round trip. If the guess is wrong the swap fails, and the
//! session is looked at; so nothing that is noted here is ever an answer.

use std::collections::HashMap;
use std::mem::{replace, take};
use std::sync::{Mutex, MutexGuard, PoisonError};

use fasthttpsession_core::{Handle, Record};

/// A record as a server held it.
pub(crate) struct Current {
    pub(crate) cas: u64,
    pub(crate) record: Record,
}

/// What was last seen, for as long as there is room: 16 MiB, or about 60 000 small sessions.
#[derive(Default)]
pub(crate) struct Seen([Mutex<Shard>; SHARDS]);

const SHARDS: usize = 16;

/// What is noted until the old half of a shard is forgotten, in bytes. A shard has two halves.
const HALF_SHARD: usize = (16 << 20) / SHARDS / 2;

/// About as much as a record takes here without its body and its texts.
const ENTRY: usize = 256;

#[derive(Default)]
struct Shard {
    young: HashMap<Handle, Current>,
    old: HashMap<Handle, Current>,
    /// What has been noted in `young`, also what is gone since.
    bytes: usize,
}

impl Seen {
    /// Notes what was seen of `handle`, unless something newer is noted. What is too large is forgotten.
    pub(crate) fn note(&self, handle: Handle, current: Current) {
        let no_more = self.shard(handle).note(handle, current);
        // Outside of the lock, for it may be in no cache any more.
        drop(no_more);
    }

    /// What was last seen of `handle`, which is then no longer noted.
    pub(crate) fn take(&self, handle: Handle) -> Option<Current> {
        self.shard(handle).take(handle)
    }

    fn shard(&self, handle: Handle) -> MutexGuard<'_, Shard> {
        let place = usize::from(handle.as_bytes()[0]) % SHARDS;
        // Whatever panicked left nothing that is ever believed.
        self.0[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn take(&mut self, handle: Handle) -> Option<Current> {
        self.young
            .remove(&handle)
            .or_else(|| self.old.remove(&handle))
    }

    /// Returns what is not noted, or no longer.
    fn note(&mut self, handle: Handle, current: Current) -> Option<Current> {
        if let Some(known) = self.young.get_mut(&handle)
            && current.size() <= known.size()
        {
            // Where it is. This is how it goes as long as the session is only read.
            if known.is_newer_than(&current) {
                return Some(current);
            }
            return Some(replace(known, current));
        }
        match self.take(handle) {
            Some(known) if known.is_newer_than(&current) => {
                self.insert(handle, known);
                Some(current)
            }
            known => {
                self.insert(handle, current);
                known
            }
        }
    }

    fn insert(&mut self, handle: Handle, current: Current) {
        let size = current.size();
        if size > HALF_SHARD {
            return;
        }
        self.bytes += size;
        if self.bytes > HALF_SHARD {
            self.old = take(&mut self.young);
            self.bytes = size;
        }
        self.young.insert(handle, current);
    }
}

impl Current {
    fn size(&self) -> usize {
        let header = &self.record.header;
        let principal = header
            .principal
            .as_ref()
            .map_or(0, |text| text.as_str().len());
        let label = header.label.as_ref().map_or(0, |text| text.as_str().len());
        ENTRY + self.record.body.len() + principal + label
    }

    fn is_newer_than(&self, other: &Self) -> bool {
        self.record.header.version > other.record.header.version
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fasthttpsession_core::{Header, Label, Principal, Timestamp};

    use super::*;

    fn current(version: u64, body: usize) -> Current {
        let header = Header {
            version,
            created_at: Timestamp::from_millis(1),
            idle_deadline: Timestamp::MAX,
            absolute_deadline: Timestamp::MAX,
            principal: None,
            label: None,
        };
        let body = Bytes::from(vec![0; body]);
        Current {
            cas: version,
            record: Record { header, body },
        }
    }

    fn handle(number: u128) -> Handle {
        Handle::from_bytes(number.to_le_bytes())
    }

    #[test]
    fn the_newest_version_is_what_was_last_seen() {
        let seen = Seen::default();
        for version in [1, 3, 2] {
            seen.note(handle(1), current(version, 0));
        }
        assert_eq!(seen.take(handle(1)).map(|current| current.cas), Some(3));
        assert!(seen.take(handle(1)).is_none());
    }

    #[test]
    fn what_is_noted_takes_bounded_memory_and_the_newest_stays() {
        let seen = Seen::default();
        let body = 10_000;
        for number in 0..10_000 {
            seen.note(handle(number), current(1, body));
            assert!(seen.take(handle(number)).is_some());
            seen.note(handle(number), current(1, body));
        }
        let kept = (0..10_000).filter(|number| seen.take(handle(*number)).is_some());
        let bytes = kept.count() * body;
        assert!((4 << 20..16 << 20).contains(&bytes), "{bytes}");
    }

    #[test]
    fn whose_a_session_is_and_its_label_count() {
        let seen = Seen::default();
        let text = "x".repeat(255);
        for number in 0..100_000 {
            let mut current = current(1, 0);
            let header = &mut current.record.header;
            header.principal = Some(Principal::new(&text).expect("it is short enough"));
            header.label = Some(Label::new(&text).expect("it is short enough"));
            seen.note(handle(number), current);
        }
        let kept = (0..100_000).filter(|number| seen.take(handle(*number)).is_some());
        let bytes = kept.count() * 2 * text.len();
        assert!((4 << 20..16 << 20).contains(&bytes), "{bytes}");
    }

    #[test]
    fn what_is_too_large_is_forgotten() {
        let seen = Seen::default();
        seen.note(handle(1), current(1, 0));
        seen.note(handle(1), current(2, HALF_SHARD));
        assert!(seen.take(handle(1)).is_none());
    }
}
