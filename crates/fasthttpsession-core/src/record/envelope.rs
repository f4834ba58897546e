//! Version 1 of a record's body. It describes itself, so that codecs may change under live traffic.
//!
//! | bytes | meaning |
//! | --- | --- |
//! | 1 | envelope version, 1 |
//! | 1 | protection: 0, none (others are kept free for encryption) |
//! | 8 | sign-in id; 0 before sign-in |
//! | 8 | the moment from which the absolute lifetime runs (creation, sign-in or re-authentication) |
//! | 1 or 17 | 0, or 1 and the session's own idle and absolute lifetimes |
//! | 40 + … | the secrets: hash and moment of the current one; number of offers, then each; number of retiring ones, then each |
//! | 1 + 8 each | the last commits |
//! | 1 | layout of the values: 0, one by one; 1, a whole map, with the length and name of its codec |
//! | rest | the values: entries as in [`region`](crate::values), or what the map codec made of them |
//!
//! Numbers are little-endian, moments and lifetimes in milliseconds.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::commits::Commits;
use super::secrets::Secrets;
use super::{Header, Record};
use crate::codec::{Codecs, MapCodec};
use crate::error::{Error, Unreadable};
use crate::lifetimes::Lifetimes;
use crate::time::{Timestamp, whole_millis};
use crate::token::Handle;
use crate::values::{Malformed, Region, Rules, Values};
use crate::wire::{self, Reader};

const VERSION: u8 = 1;
const UNPROTECTED: u8 = 0;
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
    /// From when the absolute lifetime runs.
    pub(crate) since: Timestamp,
    /// The session's own lifetimes; otherwise the manager's count.
    pub(crate) lifetimes: Option<Lifetimes>,
    pub(crate) secrets: Secrets,
    pub(crate) commits: Commits,
}

/// Takes `record` apart. Costs one pass over its keys; values are not looked at.
pub(crate) fn open(
    handle: Handle,
    record: Record,
    codecs: &Codecs,
    rules: Rules,
) -> Result<Stored, Error> {
    let Record { header, body } = record;
    read_body(&body, codecs, rules)
        .map(|(control, values)| Stored {
            header,
            control,
            values,
        })
        .map_err(|reason| Error::Unreadable { handle, reason })
}

/// Puts `stored` together again.
pub(crate) fn seal(stored: &Stored, codecs: &Codecs) -> Result<Record, Error> {
    let mut body = Vec::with_capacity(stored.control.encoded_len() + stored.values.encoded_len());
    body.extend_from_slice(&[VERSION, UNPROTECTED]);
    stored.control.write_to(&mut body);
    match codecs.map_to_write() {
        None => {
            body.push(ONE_BY_ONE);
            stored.values.write_to(&mut body);
        }
        Some(codec) => write_map(codec, &stored.values, &mut body)?,
    }
    Ok(Record {
        header: stored.header.clone(),
        body: body.into(),
    })
}

fn read_body(body: &Bytes, codecs: &Codecs, rules: Rules) -> Result<(Control, Values), Unreadable> {
    let mut reader = Reader::new(body);
    let malformed = |at| move || Unreadable::Malformed { at };
    match reader.byte().ok_or_else(malformed("the version"))? {
        VERSION => {}
        found => return Err(Unreadable::Version { found }),
    }
    if reader.byte() != Some(UNPROTECTED) {
        return Err(malformed("the protection")());
    }
    let control = Control::read_from(&mut reader).ok_or_else(malformed("the control part"))?;
    let values = match reader.byte() {
        Some(ONE_BY_ONE) => body.slice_ref(reader.rest()),
        Some(WHOLE_MAP) => read_map(&mut reader, codecs, rules)?,
        _ => return Err(malformed("the layout of the values")()),
    };
    let region = Region::parse(values).map_err(|Malformed| malformed("the values")())?;
    Ok((control, Values::from_region(region, rules)))
}

impl Control {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sign_in.to_le_bytes());
        out.extend_from_slice(&self.since.as_millis().to_le_bytes());
        write_lifetimes(self.lifetimes, out);
        self.secrets.write_to(out);
        self.commits.write_to(out);
    }

    fn read_from(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            sign_in: reader.fixed()?,
            since: Timestamp::from_millis(reader.fixed()?),
            lifetimes: read_lifetimes(reader)?,
            secrets: Secrets::read_from(reader)?,
            commits: Commits::read_from(reader)?,
        })
    }

    /// How many bytes stand before values that are written one by one. Exact, so that the body needs no second
    /// allocation.
    fn encoded_len(&self) -> usize {
        let lifetimes = if self.lifetimes.is_some() { 17 } else { 1 };
        3 + 16 + lifetimes + self.secrets.encoded_len() + self.commits.encoded_len()
    }
}

fn write_lifetimes(lifetimes: Option<Lifetimes>, out: &mut Vec<u8>) {
    out.push(u8::from(lifetimes.is_some()));
    if let Some(Lifetimes { idle, absolute }) = lifetimes {
        out.extend_from_slice(&whole_millis(idle).to_le_bytes());
        out.extend_from_slice(&whole_millis(absolute).to_le_bytes());
    }
}

/// `None` for malformed bytes, `Some(None)` for a session without lifetimes of its own.
#[allow(clippy::option_option, reason = "the outer one is for `?`")]
fn read_lifetimes(reader: &mut Reader<'_>) -> Option<Option<Lifetimes>> {
    match reader.byte()? {
        0 => Some(None),
        1 => {
            let idle = Duration::from_millis(reader.fixed()?);
            let lifetimes = Lifetimes {
                idle,
                absolute: Duration::from_millis(reader.fixed()?),
            };
            lifetimes.are_possible().then_some(Some(lifetimes))
        }
        _ => None,
    }
}

fn write_map(codec: &MapCodec, values: &Values, out: &mut Vec<u8>) -> Result<(), Error> {
    let map: Map<String, Value> = values.entries::<Value>()?.into_iter().collect();
    let bytes = (codec.encode)(&map).map_err(|source| Error::EncodeMap {
        name: codec.name.clone(),
        source: source.into(),
    })?;
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
