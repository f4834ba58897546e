//! The text that keys are written in: entries of `id:key`. Nothing of it gets into an error.

use std::path::Path;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::{Key, KeysError};

type Bytes = Zeroizing<[u8; Key::BYTES]>;

pub(super) fn parse(text: &str) -> Result<Vec<Key>, KeysError> {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let entries = lines
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let mut keys: Vec<Key> = Vec::new();
    for (at, entry) in entries.enumerate() {
        let refuse = |reason| KeysError::Entry {
            entry: at + 1,
            reason,
        };
        let key = parse_entry(entry).map_err(refuse)?;
        if keys.iter().any(|other| other.id == key.id) {
            return Err(refuse("an earlier one has the same id"));
        }
        keys.push(key);
    }
    if keys.is_empty() {
        return Err(KeysError::Empty);
    }
    Ok(keys)
}

/// Whether `name`, which should be that of a file or a variable, may be the keys themselves, also mistyped ones.
pub(crate) fn may_be_keys(name: &str) -> bool {
    /// The base64 of a key, less what may have been left out.
    const LONG: usize = 40;
    let looks_like_keys = name.contains([':', '=']) || name.len() >= LONG;
    looks_like_keys && !Path::new(name).is_absolute() || from_base64(name.as_bytes()).is_some()
}

fn parse_entry(entry: &str) -> Result<Key, &'static str> {
    let (id, text) = entry.split_once(':').ok_or("it is not id:key")?;
    let (id, text) = (id.trim_end(), text.trim_start().as_bytes());
    if !Key::is_id(id.as_bytes()) {
        return Err("an id is 1 to 32 letters, digits, - or _");
    }
    let bytes = from_hex(text)
        .or_else(|| from_base64(text))
        .ok_or("a key is 32 bytes in hexadecimal or base64")?;
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err("a key is random, not the same byte again and again");
    }
    Ok(Key::derive(id, &bytes))
}

fn from_hex(text: &[u8]) -> Option<Bytes> {
    let text: &[u8; 2 * Key::BYTES] = text.try_into().ok()?;
    let mut bytes = Bytes::default();
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = hex_digit(digits[0])? << 4 | hex_digit(digits[1])?;
    }
    Some(bytes)
}

fn from_base64(text: &[u8]) -> Option<Bytes> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    /// 32 bytes, padded.
    const LONGEST: usize = Key::BYTES.div_ceil(3) * 4;
    if text.len() > LONGEST {
        return None;
    }
    let mut url_safe = Zeroizing::new([0; LONGEST]);
    for (to, from) in url_safe.iter_mut().zip(text) {
        *to = match from {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
    }
    // The decoder wants room for what the length of the text announces.
    let mut decoded = Zeroizing::new([0; LONGEST]);
    let len = ENGINE
        .decode_slice(&url_safe[..text.len()], &mut *decoded)
        .ok()?;
    Some(Zeroizing::new(decoded[..len].try_into().ok()?))
}

/// The value of a hexadecimal digit.
fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}
