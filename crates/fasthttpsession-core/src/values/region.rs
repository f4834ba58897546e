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
        let (mut count, mut last) = (0, &[][..]);
        while !entries.reader.is_empty() {
            let entry = entries.read().ok_or(Malformed)?;
            // Every key is longer than none, so this refuses an empty first key too.
            if entry.key <= last || !is_utf8(entry.key) {
                return Err(Malformed);
            }
            last = entry.key;
            count += 1;
        }
        Ok(Self { bytes, count })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
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
        let entry = self.iter().find(|entry| entry.key >= key.as_bytes())?;
        (entry.key == key.as_bytes()).then_some((entry.format, entry.value))
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

/// Nearly every key is ASCII, which is cheaper to see.
fn is_utf8(key: &[u8]) -> bool {
    key.is_ascii() || std::str::from_utf8(key).is_ok()
}

/// How many bytes an entry takes.
pub(crate) fn entry_bytes(key: usize, value: usize) -> usize {
    2 + key + wire::varint_bytes(value as u64) + value
}

/// Appends an entry. The key is at most 255 bytes long.
pub(crate) fn write_entry(out: &mut Vec<u8>, key: &str, format: Format, value: &[u8]) {
    out.push(wire::short_len(key.len()));
    out.extend_from_slice(key.as_bytes());
    out.push(format as u8);
    wire::write_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}
