//! What can be set: how many sessions there may be, and what happens then.

use crate::store::MemoryStore;

/// Settings of a [`MemoryStore`].
///
/// ```
/// use fasthttpsession_memory::{MemoryStore, WhenFull};
///
/// let store = MemoryStore::builder().capacity(100_000).when_full(WhenFull::EvictAnonymous).build();
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MemoryConfig {
    pub(crate) capacity: usize,
    pub(crate) when_full: WhenFull,
}

/// What a store at its capacity does with a new session, once no expired one is left to make room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// Refuses it with an error of kind [`Full`](fasthttpsession_core::StoreErrorKind::Full). The default, because no
    /// one loses a session that they have.
    #[default]
    Refuse,
    /// Ends the session without a principal that would expire soonest, to within 2 % of the time it has left. While
    /// all are signed in, new ones are refused.
    EvictAnonymous,
}

impl MemoryConfig {
    /// The most that [`capacity`](Self::capacity) can be: 2³⁰.
    pub const MAX_CAPACITY: usize = 1 << 30;

    /// How many sessions there may be at once, from 0 to [`MAX_CAPACITY`](Self::MAX_CAPACITY); more counts as that
    /// many. Default: 10 million, about 4.5 GB of sessions with 200 bytes of values each. Expired sessions count
    /// until they are purged, but never stand in the way of a new one.
    pub fn capacity(mut self, sessions: usize) -> Self {
        self.capacity = sessions.min(Self::MAX_CAPACITY);
        self
    }

    /// What happens to a new session at capacity. Default: [`WhenFull::Refuse`].
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// An empty store with these settings.
    pub fn build(self) -> MemoryStore {
        MemoryStore::with_config(&self)
    }
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            capacity: 10_000_000,
            when_full: WhenFull::default(),
        }
    }
}
