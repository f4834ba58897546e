//! What can be set: how many sessions there may be, and what happens then.

use fasthttpsession_core::{StoreError, StoreErrorKind};

use crate::store::MemoryStore;

/// Settings of a [`MemoryStore`], from a program or from a URL.
///
/// ```
/// use fasthttpsession_memory::{MemoryConfig, MemoryStore, WhenFull};
///
/// let config = MemoryStore::builder().capacity(100_000).when_full(WhenFull::EvictAnonymous);
/// let same = MemoryConfig::from_url("memory:?capacity=100000&when_full=evict_anonymous")?;
/// assert_eq!(config, same);
/// let store = config.build();
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Reads `memory:?setting=value&…`; the settings are [`capacity`](Self::capacity) and
    /// [`when_full`](Self::when_full), which is `refuse` or `evict_anonymous`. What can't be read is an error of kind
    /// [`Misconfigured`](StoreErrorKind::Misconfigured).
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let (place, settings) = url.split_once('?').unwrap_or((url, ""));
        if place != "memory:" {
            return Err(misconfigured(
                "the URL of the memory store is memory: and its settings behind a `?`",
            ));
        }
        let (mut capacity, mut when_full) = (None, None);
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            let is_first = match name {
                "capacity" => capacity.replace(capacity_of(value)?).is_none(),
                "when_full" => when_full.replace(when_full_of(value)?).is_none(),
                _ => return Err(wrong("it is none of capacity, when_full")),
            };
            if !is_first {
                return Err(wrong(&format!("{name}: it is there twice")));
            }
        }
        let default = Self::default();
        Ok(Self {
            capacity: capacity.unwrap_or(default.capacity),
            when_full: when_full.unwrap_or(default.when_full),
        })
    }

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

fn capacity_of(value: &str) -> Result<usize, StoreError> {
    let number = value.parse().ok();
    let number = number.filter(|sessions| *sessions <= MemoryConfig::MAX_CAPACITY);
    number.ok_or_else(|| {
        let most = MemoryConfig::MAX_CAPACITY;
        wrong(&format!("capacity: it is a number from 0 to {most}"))
    })
}

fn when_full_of(value: &str) -> Result<WhenFull, StoreError> {
    match value {
        "refuse" => Ok(WhenFull::Refuse),
        "evict_anonymous" => Ok(WhenFull::EvictAnonymous),
        _ => Err(wrong("when_full: it is one of refuse, evict_anonymous")),
    }
}

fn wrong(what: &str) -> StoreError {
    misconfigured(format!(
        "a setting in the URL of the memory store is wrong: {what}"
    ))
}

fn misconfigured(sentence: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_what_a_program_says() {
        for (url, config) in [
            ("memory:", MemoryConfig::default()),
            ("memory:?", MemoryConfig::default()),
            (
                "memory:?when_full=refuse&capacity=0",
                MemoryConfig::default().capacity(0),
            ),
            (
                "memory:?when_full=evict_anonymous",
                MemoryConfig::default().when_full(WhenFull::EvictAnonymous),
            ),
        ] {
            assert_eq!(MemoryConfig::from_url(url).expect(url), config);
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_by_a_sentence() {
        for (url, sentence) in [
            (
                "memory:x",
                "the URL of the memory store is memory: and its settings behind a `?`",
            ),
            (
                "memory:?capacity=-1",
                "a setting in the URL of the memory store is wrong: capacity: it is a number from 0 to 1073741824",
            ),
            (
                "memory:?capacity=1073741825",
                "a setting in the URL of the memory store is wrong: capacity: it is a number from 0 to 1073741824",
            ),
            (
                "memory:?when_full",
                "a setting in the URL of the memory store is wrong: when_full: it is one of refuse, evict_anonymous",
            ),
            (
                "memory:?capacity=1&capacity=2",
                "a setting in the URL of the memory store is wrong: capacity: it is there twice",
            ),
            (
                "memory:?migrate=true",
                "a setting in the URL of the memory store is wrong: it is none of capacity, when_full",
            ),
        ] {
            let error = MemoryConfig::from_url(url).expect_err(url);
            assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
            assert_eq!(error.to_string(), sentence);
        }
    }
}
