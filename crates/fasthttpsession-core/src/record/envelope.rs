//! Version 1 of a record's body. It describes itself, so that codecs may change under live traffic.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | envelope version, 1 |
//! | 1 | protection: 0, none; 1, what follows is encrypted as in [`protection`](super::protection) |
//! | 8 | sign-in id; 0 before sign-in |
//! | 16 | what CSRF tokens are made of |
//! | 1 or 17 | 0, or 1 and the credential stamp |
//! | 8 | the moment from which the absolute lifetime runs (creation, sign-in or re-authentication) |
//! | 1 or 17 | 0, or 1 and the session's own idle and absolute lifetimes |
//! | 40 + … | the secrets: hash and moment of the current one; number of offers, then each; number of retiring ones, then each |
//! | 1 + 8 each | the last commits |
//! | 1 | layout of the values: 0, one by one; 1, a whole map, with the length and name of its codec |
//! | rest | the values: entries as in [`region`](crate::values), or what the map codec made of them |
//!
//! Numbers are little-endian, moments and lifetimes in milliseconds.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};

use super::commits::Commits;
use super::secrets::Secrets;
use super::{Header, Record};
use crate::codec::{Codecs, MapCodec};
use crate::csrf::Seed;
use crate::error::{Error, Unreadable};
use crate::lifetimes::Lifetimes;
use crate::sessions::Manager;
use crate::stamp::Stamp;
use crate::time::{Timestamp, whole_millis};
use crate::token::Handle;
use crate::values::{Malformed, Region, Rules, Values};
use crate::wire::{self, Reader};

pub(super) const VERSION: u8 = 1;
const UNPROTECTED: u8 = 0;
pub(super) const ENCRYPTED: u8 = 1;
/// Version and protection.
const HEAD_BYTES: usize = 2;
const ONE_BY_ONE: u8 = 0;
const WHOLE_MAP: u8 = 1;

/// A record, taken apart.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) header: Header,
    pub(crate) control: Control,
    pub(crate) values: Values,
}

/// What a record's body says beside the values.
#[derive(Clone)]
pub(crate) struct Control {
    /// New at each sign-in; 0 before the first.
    pub(crate) sign_in: u64,
    /// New at each sign-in too.
    pub(crate) csrf: Seed,
    /// What the sign-in depended on, if the application noted it.
    pub(crate) stamp: Option<Stamp>,
    /// From when the absolute lifetime runs.
    pub(crate) since: Timestamp,
    /// The session's own lifetimes; otherwise the manager's count.
    pub(crate) lifetimes: Option<Lifetimes>,
    pub(crate) secrets: Secrets,
    pub(crate) commits: Commits,
}

impl Manager {
    /// Takes `record` apart. Costs one pass over its keys; values are not looked at. Shared at once, for it is large and
    /// goes through many hands.
    pub(crate) fn take_apart(&self, handle: Handle, record: Record) -> Result<Arc<Stored>, Error> {
        let Record { header, body } = record;
        let unreadable = |reason| Error::Unreadable { handle, reason };
        let malformed = |at| move || unreadable(Unreadable::Malformed { at });
        let opened = self.decrypt(handle, &header, &body).map_err(unreadable)?;
        let (mut contents, at) = match opened {
            Some(opened) => (opened, 0),
            None => (body, HEAD_BYTES),
        };
        let mut reader = Reader::new(&contents[at..]);
        let control = Control::read_from(&mut reader).ok_or_else(malformed("the control part"))?;
        let values = match reader.byte() {
            // What is left of it, and not a second handle to it, which would cost an allocation.
            Some(ONE_BY_ONE) => {
                let rest = reader.rest().len();
                contents.advance(contents.len() - rest);
                contents
            }
            Some(WHOLE_MAP) => {
                read_map(&mut reader, &self.codecs, self.rules()).map_err(unreadable)?
            }
            _ => return Err(malformed("the layout of the values")()),
        };
        let region = Region::parse(values).map_err(|Malformed| malformed("the values")())?;
        Ok(Arc::new(Stored {
            header,
            control,
            values: Values::from_region(region, self.rules()),
        }))
    }

    /// Puts `stored` together again.
    pub(crate) fn put_together(&self, handle: Handle, stored: &Stored) -> Result<Record, Error> {
        Ok(Record {
            header: stored.header.clone(),
            body: self.body(handle, stored)?.into(),
        })
    }

    /// A body that anybody can read.
    pub(super) fn unencrypted_body(&self, stored: &Stored) -> Result<Vec<u8>, Error> {
        let mut body = Vec::with_capacity(stored.body_len());
        body.extend_from_slice(&[VERSION, UNPROTECTED]);
        self.write_contents(stored, &mut body)?;
        Ok(body)
    }

    /// Writes what stands behind the head, and what is encrypted if anything is.
    pub(super) fn write_contents(&self, stored: &Stored, body: &mut Vec<u8>) -> Result<(), Error> {
        stored.control.write_to(body);
        match self.codecs.map_to_write() {
            None => {
                body.push(ONE_BY_ONE);
                stored.values.write_to(body);
                Ok(())
            }
            Some(codec) => write_map(codec, &stored.values, body),
        }
    }

    /// What stands behind the head of a body that is encrypted; `None` if it is not, and may be read as it is.
    fn decrypt(
        &self,
        handle: Handle,
        header: &Header,
        body: &Bytes,
    ) -> Result<Option<Bytes>, Unreadable> {
        match **body {
            [VERSION, UNPROTECTED, ..] if self.protection.takes_unencrypted() => Ok(None),
            [VERSION, UNPROTECTED, ..] => Err(Unreadable::Unencrypted),
            [VERSION, ENCRYPTED, ref sealed @ ..] => {
                let head = [VERSION, ENCRYPTED];
                let opened = self.protection.open(handle, header, head, sealed)?;
                Ok(Some(opened))
            }
            [VERSION, ..] => Err(Unreadable::Malformed {
                at: "the protection",
            }),
            [found, ..] => Err(Unreadable::Version { found }),
            [] => Err(Unreadable::Malformed { at: "the version" }),
        }
    }
}

impl Stored {
    /// How many bytes an unencrypted body has, if its values are written one by one.
    pub(super) fn body_len(&self) -> usize {
        self.control.encoded_len() + self.values.encoded_len()
    }
}

impl Control {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sign_in.to_le_bytes());
        out.extend_from_slice(self.csrf.as_bytes());
        out.push(u8::from(self.stamp.is_some()));
        out.extend(self.stamp.iter().flat_map(Stamp::as_bytes));
        out.extend_from_slice(&self.since.as_millis().to_le_bytes());
        write_lifetimes(self.lifetimes, out);
        self.secrets.write_to(out);
        self.commits.write_to(out);
    }

    fn read_from(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            sign_in: reader.fixed()?,
            csrf: Seed::from_bytes(reader.array()?),
            stamp: read_optional(reader, |reader| reader.array().map(Stamp::from_bytes))?,
            since: Timestamp::from_millis(reader.fixed()?),
            lifetimes: read_optional(reader, read_lifetimes)?,
            secrets: Secrets::read_from(reader)?,
            commits: Commits::read_from(reader)?,
        })
    }

    /// How many bytes stand before values that are written one by one. Exact, so that the body needs no second
    /// allocation.
    fn encoded_len(&self) -> usize {
        let lifetimes = if self.lifetimes.is_some() { 17 } else { 1 };
        let stamp = if self.stamp.is_some() { 17 } else { 1 };
        3 + 16
            + Seed::BYTES
            + stamp
            + lifetimes
            + self.secrets.encoded_len()
            + self.commits.encoded_len()
    }
}

fn write_lifetimes(lifetimes: Option<Lifetimes>, out: &mut Vec<u8>) {
    out.push(u8::from(lifetimes.is_some()));
    if let Some(Lifetimes { idle, absolute }) = lifetimes {
        out.extend_from_slice(&whole_millis(idle).to_le_bytes());
        out.extend_from_slice(&whole_millis(absolute).to_le_bytes());
    }
}

/// What `read` reads, if it is there: `None` for malformed bytes, `Some(None)` for what a session lacks.
#[allow(clippy::option_option, reason = "the outer one is for `?`")]
fn read_optional<T>(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match reader.byte()? {
        0 => Some(None),
        1 => read(reader).map(Some),
        _ => None,
    }
}

fn read_lifetimes(reader: &mut Reader<'_>) -> Option<Lifetimes> {
    let lifetimes = Lifetimes {
        idle: Duration::from_millis(reader.fixed()?),
        absolute: Duration::from_millis(reader.fixed()?),
    };
    lifetimes.are_possible().then_some(lifetimes)
}

fn write_map(codec: &MapCodec, values: &Values, out: &mut Vec<u8>) -> Result<(), Error> {
    let map = values.to_map()?;
    let bytes = (codec.encode)(&map).map_err(|source| Error::EncodeMap {
        name: codec.name.clone(),
        source: source.into(),
    })?;
    if bytes.len() > Record::MAX_VALUES_BYTES {
        return Err(Error::TooLarge {
            bytes: bytes.len(),
            limit: Record::MAX_VALUES_BYTES,
        });
    }
    out.push(WHOLE_MAP);
    out.push(wire::short_len(codec.name.len()));
    out.extend_from_slice(codec.name.as_bytes());
    out.extend_from_slice(&bytes);
    Ok(())
}

/// What the map codec named in the record makes of its bytes, as the bytes of a region.
fn read_map(reader: &mut Reader<'_>, codecs: &Codecs, rules: Rules) -> Result<Bytes, Unreadable> {
    let name = reader
        .byte()
        .and_then(|len| reader.take(usize::from(len)))
        .and_then(|name| std::str::from_utf8(name).ok())
        .ok_or(Unreadable::Malformed {
            at: "the name of the codec",
        })?;
    let codec = codecs
        .map_named(name)
        .ok_or_else(|| Unreadable::UnknownCodec { name: name.into() })?;
    let failed = |source| Unreadable::Codec {
        name: codec.name.clone(),
        source,
    };
    let map = (codec.decode)(reader.rest()).map_err(|source| failed(source.into()))?;
    let mut values = Values::empty(rules.unlimited());
    for (key, value) in &map {
        values
            .set(key.as_str(), value)
            .map_err(|error| failed(std::sync::Arc::new(error)))?;
    }
    let mut bytes = Vec::with_capacity(values.encoded_len());
    values.write_to(&mut bytes);
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_there_nor_missing_is_malformed() {
        fn byte(reader: &mut Reader<'_>) -> Option<u8> {
            reader.byte()
        }
        for flag in 0..=u8::MAX {
            let bytes = [flag, 7];
            let read = read_optional(&mut Reader::new(&bytes), byte);
            let expected = match flag {
                0 => Some(None),
                1 => Some(Some(7)),
                _ => None,
            };
            assert_eq!(read, expected, "{flag}");
        }
    }
}
