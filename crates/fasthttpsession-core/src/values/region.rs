//! Values as they stand in a record: entries of `key length (1 byte), key, format (1 byte), value length (LEB128),
//! value`, strictly sorted by key. Checked once, when it is read; from then on it is only searched.

use bytes::Bytes;

use super::Encoded;
use crate::codec::Format;
use crate::wire::{self, Reader};

/// Encoded values that are known to be well-formed.
#[derive(Clone, Default)]
pub(crate) struct Region {
    bytes: Bytes,
    count: usize,
}

/// One value in its place.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// UTF-8, which was checked.
    pub(crate) key: &'a [u8],
    pub(crate) format: Format,
    pub(crate) value: &'a [u8],
}

/// Bytes that are no region.
#[derive(Debug)]
pub(crate) struct Malformed;

impl Region {
    /// Takes `bytes` if they are a region. Costs one pass over the keys.
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let mut entries = Entries {
            reader: Reader::new(&bytes),
        };
        let (mut count, mut last) = (0, (0, &[][..]));
        while let [_, from_key @ ..] = entries.reader.rest() {
            let Entry { key, .. } = entries.read().ok_or(Malformed)?;
            let next = (head(from_key, key.len()), key);
            // Every key is longer than none, so this refuses an empty first key too.
            if next <= last || !is_utf8(next) {
                return Err(Malformed);
            }
            last = next;
            count += 1;
        }
        Ok(Self { bytes, count })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        std::ptr::eq(self.as_bytes(), other.as_bytes())
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn iter(&self) -> Entries<'_> {
        Entries {
            reader: Reader::new(&self.bytes),
        }
    }

    pub(crate) fn find(&self, key: &str) -> Option<(Format, &[u8])> {
        let key = key.as_bytes();
        // Keys that look alike mostly differ at their ends.
        let is_it = |entry: &Entry<'_>| {
            entry.key.len() == key.len() && entry.key.last() == key.last() && entry.key == key
        };
        let entry = self.iter().find(is_it)?;
        Some((entry.format, entry.value))
    }

    /// [`find`](Self::find), sharing the bytes instead of borrowing them.
    pub(crate) fn encoded(&self, key: &str) -> Option<Encoded> {
        let (format, value) = self.find(key)?;
        Some(Encoded {
            format,
            bytes: self.bytes.slice_ref(value),
        })
    }
}

/// The entries of a region, in order.
pub(crate) struct Entries<'a> {
    reader: Reader<'a>,
}

impl<'a> Entries<'a> {
    #[inline]
    fn read(&mut self) -> Option<Entry<'a>> {
        let key_len = self.reader.byte()?;
        let key = self.reader.take(usize::from(key_len))?;
        let format = Format::from_byte(self.reader.byte()?)?;
        let value_len = usize::try_from(self.reader.varint()?).ok()?;
        Some(Entry {
            key,
            format,
            value: self.reader.take(value_len)?,
        })
    }
}

impl<'a> Entries<'a> {
    /// The bytes of the entries before `key`; goes on behind it.
    pub(crate) fn take_before(&mut self, key: &str) -> &'a [u8] {
        let all = self.reader.rest();
        loop {
            let from_here = self.reader.rest();
            match self.read() {
                Some(entry) if entry.key < key.as_bytes() => continue,
                Some(entry) if entry.key == key.as_bytes() => {}
                _ => self.reader = Reader::new(from_here),
            }
            return &all[..all.len() - from_here.len()];
        }
    }

    /// The bytes of all that is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        self.read()
    }
}

impl<'a> Entry<'a> {
    /// The key as text.
    pub(crate) fn name(&self) -> &'a str {
        std::str::from_utf8(self.key).expect("keys are checked when a region is parsed")
    }
}

/// The first eight bytes of the key of length `len` at the beginning of `bytes`, as a number: keys with different heads
/// are in the order of these, which is cheaper to see than that of slices.
#[inline]
fn head(bytes: &[u8], len: usize) -> u64 {
    match bytes.first_chunk() {
        Some(chunk) if len >= chunk.len() => u64::from_be_bytes(*chunk),
        Some(chunk) => u64::from_be_bytes(*chunk) & !(u64::MAX >> (8 * len)),
        // Byte by byte, for so few of them a call that copies takes longer.
        None => {
            let behind = |head: u64, byte: &u8| head >> 8 | u64::from(*byte) << 56;
            bytes[..len].iter().rev().fold(0, behind)
        }
    }
}

/// Nearly every key is ASCII, which is cheaper to see.
#[inline]
fn is_utf8((head, key): (u64, &[u8])) -> bool {
    let rest = key.get(8..).unwrap_or_default();
    (head & 0x8080_8080_8080_8080 == 0 && rest.is_ascii()) || std::str::from_utf8(key).is_ok()
}

/// How many bytes an entry takes.
pub(crate) fn entry_bytes(key: usize, value: usize) -> usize {
    2 + key + wire::varint_bytes(value as u64) + value
}

/// Appends an entry. The key is at most 255 bytes long.
pub(crate) fn write_entry(out: &mut Vec<u8>, key: &[u8], format: Format, value: &[u8]) {
    out.push(wire::short_len(key.len()));
    out.extend_from_slice(key);
    out.push(format as u8);
    wire::write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing, or enough for the head of the last key to be read with what follows it.
    const VALUES: [&[u8]; 2] = [b"", b"longer than eight"];

    fn region(keys: &[&[u8]], value: &[u8]) -> Bytes {
        let mut bytes = Vec::new();
        for key in keys {
            write_entry(&mut bytes, key, Format::Json, value);
        }
        bytes.into()
    }

    #[test]
    fn keys_stand_in_strict_order_wherever_they_differ() {
        let keys = [
            "",
            "\0",
            "\0\0",
            "a",
            "a\0",
            "ab",
            "abcdefg",
            "abcdefg\0",
            "abcdefgh",
            "abcdefgh\0",
            "abcdefghi",
            "abcdefgi",
            "b",
            "é",
            "éééé",
            "ééééa",
            "ééééé",
        ];
        for one in keys {
            for other in keys {
                for value in VALUES {
                    let parsed = Region::parse(region(&[one.as_bytes(), other.as_bytes()], value));
                    let in_order = !one.is_empty() && one < other;
                    assert_eq!(parsed.is_ok(), in_order, "{one:?} {other:?}");
                    let Ok(region) = parsed else { continue };
                    for key in keys {
                        let found = region.find(key).map(|(_, value)| value);
                        let is_there = key == one || key == other;
                        assert_eq!(
                            found,
                            is_there.then_some(value),
                            "{one:?} {other:?} {key:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn keys_are_utf8() {
        let keys: [&[u8]; 4] = [
            b"\xff",
            b"abcdefg\xc3",
            b"abcdefgh\xff",
            b"abcdefghi\xc3\x28",
        ];
        for key in keys {
            for value in VALUES {
                assert!(Region::parse(region(&[key], value)).is_err(), "{key:?}");
            }
        }
    }
}
