//! A handle with its hash.

use std::hash::{BuildHasher, RandomState};

use fasthttpsession_core::Handle;

/// A handle and its keyed hash, computed once per operation.
///
/// Handles are random already, and only the server makes them. The hash is keyed with random bits of each store all the
/// same, so that handles which somebody did choose (records copied from elsewhere) can't crowd into one shard or one run
/// of its table either.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) handle: Handle,
    pub(crate) hash: u64,
}

/// Random bits of one store, that make its hashes unlike those of any other.
#[derive(Clone, Copy)]
pub(crate) struct Salt([u64; 2]);

impl Salt {
    pub(crate) fn random() -> Self {
        let random = RandomState::new();
        Self([random.hash_one(0), random.hash_one(1)])
    }

    /// The handle's halves, each with its bits of the salt, multiplied, and the halves of the product once more, as in
    /// `wyhash` (Wang Yi, 2019): much less work than `SipHash`. One multiplication would not spread handles that are alike.
    fn hash(self, handle: Handle) -> u64 {
        let once = self.product(halves(u128::from_le_bytes(*handle.as_bytes())));
        let (low, high) = self.product(once);
        low ^ high
    }

    fn product(self, (low, high): (u64, u64)) -> (u64, u64) {
        let Self([one, other]) = self;
        halves(u128::from(low ^ one) * u128::from(high ^ other))
    }
}

#[allow(
    clippy::cast_possible_truncation,
    reason = "the other half is returned too"
)]
fn halves(number: u128) -> (u64, u64) {
    (number as u64, (number >> 64) as u64)
}

impl Key {
    pub(crate) fn new(handle: Handle, salt: Salt) -> Self {
        Self {
            handle,
            hash: salt.hash(handle),
        }
    }

    /// Bits that choose among shards. The table uses the lowest bits and the seven highest, so these are others.
    pub(crate) fn shard_bits(self) -> usize {
        (self.hash >> 40) as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Handles that differ in one of their halves alone, in its low bits or its high ones.
    fn alike() -> Vec<Handle> {
        let number = |at: u32| (0..4096_u128).map(move |number| number << at);
        [0, 52, 64, 116]
            .into_iter()
            .flat_map(number)
            .map(|number| Handle::from_bytes(number.to_le_bytes()))
            .collect()
    }

    #[test]
    fn handles_that_are_alike_are_spread_over_shards_and_tables() {
        let handles = alike();
        // What chooses the shard, where a table looks first, and what it compares then.
        let parts: [fn(Key) -> u64; 3] = [
            |key| key.shard_bits() as u64 % 256,
            |key| key.hash % 256,
            |key| key.hash >> 57,
        ];
        // A hash that does not spread them shows with some salts only.
        for salt in (0..200).map(|_| Salt::random()) {
            for (part, handles) in parts
                .into_iter()
                .flat_map(|part| handles.chunks(4096).map(move |some| (part, some)))
            {
                let mut counts = [0; 256];
                for handle in handles {
                    counts[usize::try_from(part(Key::new(*handle, salt))).unwrap()] += 1;
                }
                let most = counts.into_iter().max().unwrap();
                // On average 16, or 32 of the seven bits.
                assert!(most < 96, "{most}");
            }
        }
    }

    #[test]
    fn stores_have_hashes_of_their_own() {
        let handle = Handle::from_bytes([7; Handle::BYTES]);
        let hashes: HashSet<_> = (0..100)
            .map(|_| Key::new(handle, Salt::random()).hash)
            .collect();
        assert_eq!(hashes.len(), 100);
    }
}
