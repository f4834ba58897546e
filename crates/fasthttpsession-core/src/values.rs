//! The values of a session: the encoded bytes that were read, and what was changed since. A value is decoded when it is
//! asked for; one that is not touched goes back byte for byte.

mod merged;
mod region;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub(crate) use region::{Malformed, Region};

use crate::codec::{Format, fits_a_map, has_large_integer};
use crate::error::Error;
use crate::key::ValueKey;
use crate::limits::{Limits, MAX_KEY_BYTES};
use merged::Merged;

/// The values of a session, sorted by key.
#[derive(Clone)]
pub struct Values {
    read: Region,
    /// Sorted by key; `None` stands for a removal.
    changed: Vec<(Arc<str>, Option<Encoded>)>,
    /// How often they were written to.
    writes: u32,
    size: Size,
    rules: Rules,
}

/// A value as it stands in a record.
#[derive(Clone, PartialEq)]
pub(crate) struct Encoded {
    pub(crate) format: Format,
    pub(crate) bytes: Bytes,
}

/// How many values there are, and how many bytes they take.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

/// How values are written and how many there may be.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) format: Format,
    pub(crate) limits: Limits,
}

/// Reading and writing.
impl Values {
    /// The value of `key`; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Decode`] when there is one of another type.
    pub fn get<T: DeserializeOwned>(&self, key: impl ValueKey<T>) -> Result<Option<T>, Error> {
        let key = key.name();
        self.find(key)
            .map(|(format, bytes)| decode(key, format, bytes))
            .transpose()
    }

    /// Sets `key` (1 to 255 bytes) to `value`. In [JSON](crate::Codec::json), NaN and infinities become `null`, which
    /// can't be read as a number.
    ///
    /// # Errors
    /// [`Error::Encode`], [`Error::InvalidKey`], and [`Error::TooLarge`] or [`Error::TooManyValues`] past the
    /// [`Limits`](crate::Limits); the values are then as before.
    pub fn set<T: Serialize + ?Sized>(
        &mut self,
        key: impl ValueKey<T>,
        value: &T,
    ) -> Result<(), Error> {
        let key = key.name();
        let encoded = self.rules.encode(key, value)?;
        self.put(key, encoded)
    }

    /// Takes the value of `key` out; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Decode`] when there is one of another type; it stays where it is.
    pub fn take<T: DeserializeOwned>(&mut self, key: impl ValueKey<T>) -> Result<Option<T>, Error> {
        let value = self.get(&key)?;
        self.remove(key.name());
        Ok(value)
    }

    /// Removes `key`; whether it was there.
    pub fn remove(&mut self, key: impl AsRef<str>) -> bool {
        let key = key.as_ref();
        let Some((_, value)) = self.find(key) else {
            return false;
        };
        let bytes = region::entry_bytes(key.len(), value.len());
        self.size.bytes -= bytes;
        self.size.count -= 1;
        self.write(key, None);
        true
    }

    /// Whether `key` has a value.
    pub fn contains(&self, key: impl AsRef<str>) -> bool {
        self.find(key.as_ref()).is_some()
    }

    /// All keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.merged().map(|entry| entry.name())
    }

    /// All values with their keys, sorted by key, each decoded as `T`. `serde_json::Value` takes what JSON can express,
    /// which the bytes that `MessagePack` and CBOR may hold are not.
    ///
    /// # Errors
    /// [`Error::Decode`] for the first that is of another type.
    pub fn entries<T: DeserializeOwned>(&self) -> Result<Vec<(String, T)>, Error> {
        self.merged()
            .map(|entry| {
                let key = entry.name();
                Ok((key.to_owned(), decode(key, entry.format, entry.value)?))
            })
            .collect()
    }

    /// Removes every value.
    pub fn clear(&mut self) {
        let writes = self.writes.wrapping_add(1);
        *self = Self {
            writes,
            ..self.none()
        };
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.size.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.size.count == 0
    }
}

/// Between requests and records.
impl Values {
    pub(crate) fn empty(rules: Rules) -> Self {
        Self::from_region(Region::default(), rules)
    }

    /// None of them, by the same rules.
    pub(crate) fn none(&self) -> Self {
        Self::empty(self.rules)
    }

    pub(crate) fn from_region(read: Region, rules: Rules) -> Self {
        let size = Size {
            count: read.count(),
            bytes: read.as_bytes().len(),
        };
        Self {
            read,
            changed: Vec::new(),
            writes: 0,
            size,
            rules,
        }
    }

    /// A value as [`set`](Self::set) would write it.
    pub(crate) fn encode<T: Serialize>(
        &self,
        key: impl ValueKey<T>,
        value: &T,
    ) -> Result<Encoded, Error> {
        self.rules.encode(key.name(), value)
    }

    pub(crate) fn put(
        &mut self,
        key: impl AsRef<str> + Into<Arc<str>>,
        value: Encoded,
    ) -> Result<(), Error> {
        check_key(key.as_ref())?;
        let size = self.size_with(key.as_ref(), &value);
        self.rules.limits.check_growth(self.size, size)?;
        self.place_sized(key, value, size);
        Ok(())
    }

    /// [`put`](Self::put) without a look at the limits.
    pub(crate) fn place(&mut self, key: impl AsRef<str> + Into<Arc<str>>, value: Encoded) {
        let size = self.size_with(key.as_ref(), &value);
        self.place_sized(key, value, size);
    }

    fn place_sized(&mut self, key: impl AsRef<str> + Into<Arc<str>>, value: Encoded, size: Size) {
        self.size = size;
        self.write(key, Some(value));
    }

    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// Whether the values, which had the size `before`, still fit the limits.
    pub(crate) fn check_growth(&self, before: Size) -> Result<(), Error> {
        self.rules.limits.check_growth(before, self.size)
    }

    fn size_with(&self, key: &str, value: &Encoded) -> Size {
        let (old_count, old_bytes) = self.find(key).map_or((0, 0), |(_, old)| {
            (1, region::entry_bytes(key.len(), old.len()))
        });
        let new_bytes = region::entry_bytes(key.len(), value.bytes.len());
        Size {
            count: self.size.count + 1 - old_count,
            bytes: self.size.bytes - old_bytes + new_bytes,
        }
    }

    /// The value of `key` as it stands in the record.
    pub(crate) fn encoded(&self, key: &str) -> Option<Encoded> {
        match self.position(key) {
            Ok(at) => self.changed[at].1.clone(),
            Err(_) => self.read.encoded(key),
        }
    }

    /// Whether `value` is what [`encoded`](Self::encoded) would return, without sharing the bytes.
    pub(crate) fn holds(&self, key: &str, value: Option<&Encoded>) -> bool {
        self.find(key) == value.map(|value| (value.format, &value.bytes[..]))
    }

    /// Whether nothing was written to them since they were a clone of `other`: not whether they are equal, for who writes
    /// what is there already has it there only if that is committed.
    pub(crate) fn is_clone_of(&self, other: &Self) -> bool {
        self.writes == other.writes
            && self.read.is_clone_of(&other.read)
            && self.changed == other.changed
    }

    /// Has `closure` change the values. It may put others in their place, which brought rules of their own.
    pub(crate) fn change(
        &mut self,
        closure: impl FnOnce(&mut Self) -> bool,
    ) -> Result<bool, Error> {
        let (rules, before) = (self.rules, self.size);
        let kept = closure(self);
        self.rules = rules;
        if kept {
            self.check_growth(before)?;
        }
        Ok(kept)
    }

    /// All values as one map for a codec.
    ///
    /// # Errors
    /// [`Error::Decode`] for the first that JSON can't express, that would lose digits in it, or that is nested too deep
    /// for most that read the map.
    pub(crate) fn to_map(&self) -> Result<Map<String, Value>, Error> {
        self.merged()
            .map(|entry| {
                let key = entry.name();
                if entry.format == Format::Json && has_large_integer(entry.value) {
                    return Err(unfit_for_a_map(
                        key,
                        "it has an integer of more than 64 bits",
                    ));
                }
                let value = decode(key, entry.format, entry.value)?;
                if !fits_a_map(&value) {
                    return Err(unfit_for_a_map(key, "it is nested more than 126 deep"));
                }
                Ok((key.to_owned(), value))
            })
            .collect()
    }

    /// How many bytes [`write_to`](Self::write_to) writes.
    pub(crate) fn encoded_len(&self) -> usize {
        self.size.bytes
    }

    /// Writes all values as a [`Region`]. What lies between two changes is copied as it is.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        let mut unchanged = self.read.iter();
        for (key, value) in &self.changed {
            out.extend_from_slice(unchanged.take_before(key));
            if let Some(Encoded { format, bytes }) = value {
                region::write_entry(out, key.as_bytes(), *format, bytes);
            }
        }
        out.extend_from_slice(unchanged.rest());
    }

    fn merged(&self) -> Merged<'_> {
        Merged::new(self.read.iter(), &self.changed)
    }

    fn find(&self, key: &str) -> Option<(Format, &[u8])> {
        match self.position(key) {
            Ok(at) => self.changed[at]
                .1
                .as_ref()
                .map(|value| (value.format, &value.bytes[..])),
            Err(_) => self.read.find(key),
        }
    }

    fn position(&self, key: &str) -> Result<usize, usize> {
        self.changed
            .binary_search_by(|(changed, _)| (**changed).cmp(key))
    }

    fn write(&mut self, key: impl AsRef<str> + Into<Arc<str>>, value: Option<Encoded>) {
        self.writes = self.writes.wrapping_add(1);
        match self.position(key.as_ref()) {
            Ok(at) => self.changed[at].1 = value,
            Err(at) => {
                // Most requests write one value, and a vector would begin with room for four.
                if self.changed.capacity() == 0 {
                    self.changed.reserve_exact(1);
                }
                self.changed.insert(at, (key.into(), value));
            }
        }
    }
}

impl Rules {
    pub(crate) fn encode<T: Serialize + ?Sized>(
        self,
        key: &str,
        value: &T,
    ) -> Result<Encoded, Error> {
        let bytes = self.format.encode(&value).map_err(|source| Error::Encode {
            key: key.into(),
            source: source.into(),
        })?;
        Ok(Encoded {
            format: self.format,
            bytes,
        })
    }

    /// The same without limits, for what is in a record already.
    pub(crate) fn unlimited(self) -> Self {
        let limits = Limits {
            record_bytes: usize::MAX,
            values: usize::MAX,
            ..self.limits
        };
        Self { limits, ..self }
    }
}

impl fmt::Debug for Values {
    /// The keys only: values may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.keys()).finish()
    }
}

pub(crate) fn decode<T: DeserializeOwned>(
    key: &str,
    format: Format,
    bytes: &[u8],
) -> Result<T, Error> {
    format.decode(bytes).map_err(|source| Error::Decode {
        key: key.into(),
        expected: std::any::type_name::<T>(),
        source: source.into(),
    })
}

fn unfit_for_a_map(key: &str, why: &'static str) -> Error {
    Error::Decode {
        key: key.into(),
        expected: "a value of a map codec",
        source: Box::<dyn StdError + Send + Sync>::from(why).into(),
    }
}

pub(crate) fn check_key(key: &str) -> Result<(), Error> {
    if (1..=MAX_KEY_BYTES).contains(&key.len()) {
        Ok(())
    } else {
        Err(Error::InvalidKey { bytes: key.len() })
    }
}
