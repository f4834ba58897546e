//! What bounds a session's size and a commit's patience.

use crate::error::Error;
use crate::values::Size;

/// Bounds, each with a default. What exceeds one is a typed [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "settings",
    derive(serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Limits {
    pub(crate) record_bytes: usize,
    pub(crate) values: usize,
    pub(crate) retries: u32,
    pub(crate) resends: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes: 64 * 1024,
            values: 1024,
            retries: 128,
            resends: 3,
        }
    }
}

impl Limits {
    /// The most bytes that a session's encoded values may take, keys included; 256 to 2^30. Default 65 536.
    #[must_use]
    pub fn record_bytes(mut self, bytes: usize) -> Self {
        self.record_bytes = bytes;
        self
    }

    /// The most values that a session may have. Default 1 024.
    #[must_use]
    pub fn values(mut self, count: usize) -> Self {
        self.values = count;
        self
    }

    /// How often a commit that met a conflict is tried again, and how many more fresh handles are tried for a new session,
    /// but at most 7 of them. Default 128, with pauses of at most 8 ms before every other one.
    #[must_use]
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = count;
        self
    }

    /// How often an operation without answer is sent again: a write, to learn what became of it; a read only if its
    /// connection was cut. Default 3.
    #[must_use]
    pub fn resends(mut self, count: u32) -> Self {
        self.resends = count;
        self
    }
}

impl Limits {
    /// Refuses values that have grown past a limit. What a former, larger limit let in may stay or shrink.
    pub(crate) fn check_growth(&self, from: Size, to: Size) -> Result<(), Error> {
        if to.bytes > self.record_bytes && to.bytes > from.bytes {
            return Err(Error::TooLarge {
                bytes: to.bytes,
                limit: self.record_bytes,
            });
        }
        if to.count > self.values && to.count > from.count {
            return Err(Error::TooManyValues { limit: self.values });
        }
        Ok(())
    }
}

/// The longest key, in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 255;
