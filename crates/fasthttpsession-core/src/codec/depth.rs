//! How deep a value may be nested. What is deeper would use up the stack of whoever reads it, so formats have limits for
//! reading. One for writing, the same for all, keeps what is written far from them.

#[cfg(any(feature = "messagepack", feature = "cbor"))]
use serde::de::IgnoredAny;
use serde_json::Value;

/// As deep as `serde_json` reads.
pub(super) const MAX: u8 = 127;

#[derive(Debug, thiserror::Error)]
#[error("it is nested more than {MAX} deep")]
pub(super) struct TooDeep;

/// Whether a map of values, which is a level itself, can be read with this one in it.
pub(crate) fn fits_a_map(value: &Value) -> bool {
    fits(value, MAX - 1)
}

fn fits(value: &Value, levels: u8) -> bool {
    let within = |value| levels > 0 && fits(value, levels - 1);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(within),
        Value::Object(fields) => levels > 0 && fields.values().all(within),
        _ => true,
    }
}

#[cfg(feature = "messagepack")]
pub(super) fn of_message_pack(bytes: &[u8]) -> Result<(), TooDeep> {
    use rmp_serde::decode::Error;
    use serde::Deserialize as _;

    if cannot_be_deeper(bytes) {
        return Ok(());
    }
    let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
    // It counts what is inside of the innermost one, too.
    reader.set_max_depth(usize::from(MAX) + 1);
    match IgnoredAny::deserialize(&mut reader) {
        Err(Error::DepthLimitExceeded) => Err(TooDeep),
        _ => Ok(()),
    }
}

#[cfg(feature = "cbor")]
pub(super) fn of_cbor(bytes: &[u8]) -> Result<(), TooDeep> {
    use ciborium::de::{Error, from_reader_with_recursion_limit};

    if cannot_be_deeper(bytes) {
        return Ok(());
    }
    match from_reader_with_recursion_limit::<IgnoredAny, _>(bytes, MAX.into()) {
        Err(Error::RecursionLimitExceeded) => Err(TooDeep),
        _ => Ok(()),
    }
}

/// Each array or map takes a byte.
#[cfg(any(feature = "messagepack", feature = "cbor"))]
fn cannot_be_deeper(bytes: &[u8]) -> bool {
    bytes.len() <= usize::from(MAX)
}
