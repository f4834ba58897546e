//! How values become bytes: one of the built-in formats for each value, or a pair of the application's own functions
//! over the whole map.

mod depth;
mod json;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use smallvec::SmallVec;

pub(crate) use depth::fits_a_map;
pub(crate) use json::has_large_integer;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// How values are written. Each value keeps the format it was written in until it is written again, so a record
/// stays readable after the codec was changed: by programs that have the feature of both formats. Before one begins to
/// write `MessagePack` or CBOR, all that share its store have `messagepack` or `cbor`.
#[derive(Clone)]
pub struct Codec(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Each(Format),
    Map(Arc<MapCodec>),
}

impl Codec {
    /// JSON. The default: everything can read it. What is nested more than 127 deep is refused.
    ///
    /// **It has no NaN and no infinity**: they are
    /// written as `null`, which is read as an `Option` but not as a number.
    pub fn json() -> Self {
        Self(Kind::Each(Format::Json))
    }

    /// `MessagePack` with field names, so that a struct may gain fields. What is nested more than 127 deep is refused.
    #[cfg(feature = "messagepack")]
    pub fn message_pack() -> Self {
        Self(Kind::Each(Format::MessagePack))
    }

    /// CBOR (RFC 8949). What is nested more than 127 deep is refused.
    #[cfg(feature = "cbor")]
    pub fn cbor() -> Self {
        Self(Kind::Each(Format::Cbor))
    }

    /// A pair of functions over the whole map of values, which have to be what JSON can express: what another codec wrote
    /// before is read as such, and a commit to a session that has something else in it (bytes, keys that are no strings,
    /// integers of more than 64 bits) fails with [`Error::Decode`](crate::Error::Decode). `name` (1 to 64 bytes) is written
    /// into each record, so that it finds its function again; a process that was not given the codec of that name can't
    /// read the record.
    ///
    /// The map is nested 127 deep at most, as deep as `serde_json` reads, so a value 126: a commit to a session that has a
    /// deeper one fails with [`Error::Decode`](crate::Error::Decode), too. [`Limits`](crate::Limits) count the values as
    /// JSON, and not what `encode` makes of them; more than 1 GiB is [`Error::TooLarge`](crate::Error::TooLarge).
    pub fn map<E: Into<Box<dyn StdError + Send + Sync>>>(
        name: &str,
        encode: impl Fn(&Map<String, Value>) -> Result<Vec<u8>, E> + Send + Sync + 'static,
        decode: impl Fn(&[u8]) -> Result<Map<String, Value>, E> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::Map(Arc::new(MapCodec {
            name: name.into(),
            encode: Box::new(move |map| encode(map).map_err(Into::into)),
            decode: Box::new(move |bytes| decode(bytes).map_err(Into::into)),
        })))
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Each(format) => format.fmt(f),
            Kind::Map(codec) => f.write_str(&codec.name),
        }
    }
}

/// A named pair of functions over the whole map.
pub(crate) struct MapCodec {
    pub(crate) name: Box<str>,
    pub(crate) encode: Box<EncodeMap>,
    pub(crate) decode: Box<DecodeMap>,
}

type EncodeMap = dyn Fn(&Map<String, Value>) -> Result<Vec<u8>, BoxError> + Send + Sync;
type DecodeMap = dyn Fn(&[u8]) -> Result<Map<String, Value>, BoxError> + Send + Sync;

/// The format of one value. The numbers stand in records and never change their meaning; the names stand in settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json = 1,
    MessagePack = 2,
    Cbor = 3,
}

impl Format {
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Json),
            2 => Some(Self::MessagePack),
            3 => Some(Self::Cbor),
            _ => None,
        }
    }

    /// Whether this program was built with it.
    pub(crate) fn is_on(self) -> bool {
        match self {
            Self::Json => true,
            Self::MessagePack => cfg!(feature = "messagepack"),
            Self::Cbor => cfg!(feature = "cbor"),
        }
    }

    pub(crate) fn encode<T: Serialize>(self, value: &T) -> Result<Bytes, BoxError> {
        // Most values are small, and get one allocation of their size.
        let mut out = SmallVec::<[u8; 128]>::new();
        match self {
            Self::Json => json::write(&mut out, value)?,
            #[cfg(feature = "messagepack")]
            Self::MessagePack => {
                rmp_serde::encode::write_named(&mut out, value)?;
                depth::of_message_pack(&out)?;
            }
            #[cfg(feature = "cbor")]
            Self::Cbor => {
                ciborium::into_writer(value, &mut out)?;
                depth::of_cbor(&out)?;
            }
            #[cfg(not(all(feature = "messagepack", feature = "cbor")))]
            off => return Err(FormatOff(off).into()),
        }
        Ok(Bytes::copy_from_slice(&out))
    }

    pub(crate) fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, BoxError> {
        match self {
            Self::Json => Ok(serde_json::from_slice(bytes).map_err(Misfit::of)?),
            #[cfg(feature = "messagepack")]
            Self::MessagePack => Ok(rmp_serde::from_slice(bytes).map_err(Misfit::of)?),
            #[cfg(feature = "cbor")]
            Self::Cbor => Ok(ciborium::from_reader(bytes).map_err(|error| match error {
                ciborium::de::Error::Semantic(_, said) => Misfit::of(said),
                _ => Misfit::Form,
            })?),
            #[cfg(not(all(feature = "messagepack", feature = "cbor")))]
            off => Err(FormatOff(off).into()),
        }
    }
}

/// Why a value can't be decoded: of what serde says, the part that names the type alone. The rest quotes the value, which
/// is not to be printed, whatever it looks like.
#[derive(Debug, thiserror::Error)]
enum Misfit {
    #[error("it has no field {0:?}")]
    Missing(Box<str>),
    #[error("it has another form")]
    Form,
}

impl Misfit {
    fn of(error: impl fmt::Display) -> Self {
        let said = error.to_string();
        let rest = said.strip_prefix("missing field `");
        let field = rest.and_then(|rest| rest.split_once('`'));
        field.map_or(Self::Form, |(field, _)| Self::Missing(field.into()))
    }
}

/// A value is in a format that was not compiled in.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is in {0:?}, which this program was built without: turn on the feature `{feature}`",
    feature = format!("{_0:?}").to_lowercase()
)]
#[cfg(not(all(feature = "messagepack", feature = "cbor")))]
struct FormatOff(Format);

/// Every codec that a manager knows: the one it writes with, and map codecs that it also reads.
pub(crate) struct Codecs {
    write: Codec,
    read: Vec<Arc<MapCodec>>,
}

impl Codecs {
    pub(crate) fn new(write: Codec, also_read: &[Codec]) -> Self {
        let read = [&write]
            .into_iter()
            .chain(also_read)
            .filter_map(Codec::as_map)
            .cloned()
            .collect();
        Self { write, read }
    }

    /// The format in which a value is kept while a request holds it.
    pub(crate) fn format(&self) -> Format {
        match self.write.0 {
            Kind::Each(format) => format,
            Kind::Map(_) => Format::Json,
        }
    }

    /// The map codec to write with, if that is what was chosen.
    pub(crate) fn map_to_write(&self) -> Option<&MapCodec> {
        self.write.as_map().map(Arc::as_ref)
    }

    pub(crate) fn map_named(&self, name: &str) -> Option<&MapCodec> {
        self.read
            .iter()
            .find(|codec| &*codec.name == name)
            .map(Arc::as_ref)
    }
}

impl Codec {
    pub(crate) fn as_map(&self) -> Option<&Arc<MapCodec>> {
        match &self.0 {
            Kind::Map(codec) => Some(codec),
            Kind::Each(_) => None,
        }
    }
}
