//! A handle with its hash.

use std::hash::{BuildHasher, RandomState};

use fasthttpsession_core::Handle;

/// A handle and its keyed hash, computed once per operation.
///
/// Handles are random already, and only the server makes them. The hash is keyed with random bits of each store all the
/// same (`SipHash`), so that handles which somebody did choose (records copied from elsewhere) can't crowd into one
/// shard or one run of its table either. It takes a twentieth of a load.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) handle: Handle,
    pub(crate) hash: u64,
}

impl Key {
    pub(crate) fn new(handle: Handle, hasher: &RandomState) -> Self {
        Self {
            handle,
            hash: hasher.hash_one(handle.as_bytes()),
        }
    }

    /// Bits that choose among shards. The table uses the lowest bits and the seven highest, so these are others.
    pub(crate) fn shard_bits(self) -> usize {
        (self.hash >> 40) as usize
    }
}
