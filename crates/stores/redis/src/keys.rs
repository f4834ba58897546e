//! Names of keys. They are made of the prefix, of handles and of principals, never of what a client sent.

use fasthttpsession_core::{Handle, Principal};
use fasthttpsession_store_common::record_key;

/// What comes between the prefix and the principal: a character that no handle has.
const INDEX: char = '@';

/// The names of all keys of a store.
#[derive(Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix }
    }

    /// The key of a record: the prefix and the handle's 22 characters.
    pub(crate) fn record(&self, handle: Handle) -> String {
        record_key(&self.prefix, handle)
    }

    /// The key of a principal's index.
    pub(crate) fn index(&self, principal: &Principal) -> String {
        format!("{}{INDEX}{principal}", self.prefix)
    }

    /// The handle of a record's key; `None` for any other key.
    pub(crate) fn handle(&self, key: &[u8]) -> Option<Handle> {
        let handle = key.strip_prefix(self.prefix.as_bytes())?;
        std::str::from_utf8(handle).ok()?.parse().ok()
    }

    /// A pattern that matches the key of every record, and few others.
    pub(crate) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.prefix.len() + Handle::TEXT_BYTES);
        for character in self.prefix.chars() {
            if "\\*?[]^-".contains(character) {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.extend(std::iter::repeat_n('?', Handle::TEXT_BYTES));
        pattern
    }
}

/// The slot that a cluster keeps `key` in.
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    crc16(hash_tag(key)) % SLOTS
}

/// How many slots every cluster has.
pub(crate) const SLOTS: u16 = 16_384;

/// What stands between the first `{` and the next `}`, unless that is nothing; else the whole key.
fn hash_tag(key: &[u8]) -> &[u8] {
    let inner = || {
        let open = key.iter().position(|byte| *byte == b'{')?;
        let after = &key[open + 1..];
        let close = after.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &after[..close])
    };
    inner().unwrap_or(key)
}

/// CRC-16/XMODEM, as the specification of Redis Cluster demands.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(slot_of(b"{user1000}.following"), slot_of(b"user1000"));
        assert_eq!(slot_of(b"foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS);
        assert_eq!(slot_of(b"foo{{bar}}zap"), crc16(b"{bar") % SLOTS);
        assert_eq!(slot_of(b"foo"), 12_182);
    }

    #[test]
    fn only_keys_of_records_have_handles() {
        let keys = Keys::new("s[*]:".to_owned());
        let handle = Handle::from_bytes([9; Handle::BYTES]);
        assert_eq!(keys.handle(keys.record(handle).as_bytes()), Some(handle));
        let principal = Principal::new(&"x".repeat(21)).expect("21 characters are fine");
        assert_eq!(keys.handle(keys.index(&principal).as_bytes()), None);
        assert_eq!(keys.handle(b"s[*]:short"), None);
        assert!(keys.pattern().starts_with(r"s\[\*\]:????"));
    }
}
