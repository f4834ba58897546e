//! What the client carries: `handle.secret`. The handle names the record; the secret proves possession and is kept
//! only as a hash. How it goes over the wire stands in `token/codec.rs`.

pub(crate) mod codec;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use thiserror::Error;
use zeroize::Zeroize;

use crate::wire;

/// The public half of a token: the name of the record, for as long as the session lives. It opens nothing, so it may
/// be logged, listed and shown; its text is 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle([u8; Handle::BYTES]);

impl Handle {
    /// How many bytes a handle has.
    pub const BYTES: usize = 16;
    /// How many characters its text has.
    pub const TEXT_BYTES: usize = 22;

    /// The handle with these bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; Self::TEXT_BYTES];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        let written = written.expect("a handle has so many characters");
        f.write_str(std::str::from_utf8(&text[..written]).expect("base64url is ASCII"))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Handle {
    type Err = InvalidHandle;

    /// Reads the 22 characters that `Display` writes, and no other spelling.
    fn from_str(text: &str) -> Result<Self, InvalidHandle> {
        decode_exact(text.as_bytes())
            .map(Self)
            .ok_or(InvalidHandle(()))
    }
}

impl Serialize for Handle {
    /// As its text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Handle {
    /// From its text, as a form or a path has it.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// A text that is not a handle.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("a handle is 22 characters of base64url without padding")]
pub struct InvalidHandle(());

/// The private half of a token. Wiped from memory when dropped.
#[derive(Clone)]
pub(crate) struct Secret {
    bytes: [u8; Secret::MAX_BYTES],
    len: u8,
}

impl Secret {
    /// How many bytes come from the operating system's generator.
    pub(crate) const SYSTEM_BYTES: usize = 16;
    /// How many bytes an application's own generator may add.
    pub(crate) const MAX_ADDED_BYTES: usize = 32;
    const MAX_BYTES: usize = Self::SYSTEM_BYTES + Self::MAX_ADDED_BYTES;

    /// `system` followed by at most [`Self::MAX_ADDED_BYTES`] of `added`.
    pub(crate) fn new(system: [u8; Self::SYSTEM_BYTES], added: &[u8]) -> Self {
        let added = &added[..added.len().min(Self::MAX_ADDED_BYTES)];
        let mut bytes = [0; Self::MAX_BYTES];
        bytes[..Self::SYSTEM_BYTES].copy_from_slice(&system);
        bytes[Self::SYSTEM_BYTES..][..added.len()].copy_from_slice(added);
        Self {
            bytes,
            len: wire::short_len(Self::SYSTEM_BYTES + added.len()),
        }
    }

    fn decode(text: &[u8]) -> Option<Self> {
        let mut secret = Self {
            bytes: [0; Self::MAX_BYTES],
            len: 0,
        };
        let len = URL_SAFE_NO_PAD.decode_slice(text, &mut secret.bytes).ok()?;
        secret.len = u8::try_from(len).ok()?;
        (len >= Self::SYSTEM_BYTES).then_some(secret)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // What lies behind was never written.
        self.bytes[..usize::from(self.len)].zeroize();
    }
}

/// What a record keeps of a secret: SHA-256 over a fixed prefix, the handle and the secret. As the secret has at least
/// 128 random bits, a slow password hash would add nothing.
#[derive(Clone, Copy)]
pub(crate) struct SecretHash([u8; SecretHash::BYTES]);

impl SecretHash {
    pub(crate) const BYTES: usize = 32;

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub(crate) fn matches(&self, other: &Self) -> Choice {
        // By words: a fourth of the barriers that comparing by bytes takes.
        let (ours, theirs) = (words(&self.0), words(&other.0));
        (0..ours.len()).fold(Choice::from(1), |same, at| {
            same & ours[at].ct_eq(&theirs[at])
        })
    }
}

/// What the client carries. Its text is `handle.secret`, both base64url without padding: 45 characters, up to 87 with
/// a generator that adds to the secret.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) handle: Handle,
    secret: Secret,
}

impl Token {
    /// The longest text that is looked at.
    pub(crate) const MAX_TEXT_BYTES: usize = Handle::TEXT_BYTES + 1 + 64;

    pub(crate) fn new(handle: Handle, secret: Secret) -> Self {
        Self { handle, secret }
    }

    /// Reads a token from what a client sent; `None` for anything that is not one.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > Self::MAX_TEXT_BYTES || *text.get(Handle::TEXT_BYTES)? != b'.' {
            return None;
        }
        let handle = Handle(decode_exact(&text[..Handle::TEXT_BYTES])?);
        Some(Self {
            handle,
            secret: Secret::decode(&text[Handle::TEXT_BYTES + 1..])?,
        })
    }

    /// The text that goes to the client: the only place where a secret is written out.
    pub(crate) fn expose(&self) -> String {
        let mut text = String::with_capacity(Self::MAX_TEXT_BYTES);
        URL_SAFE_NO_PAD.encode_string(self.handle.0, &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(self.secret.as_bytes(), &mut text);
        text
    }

    /// What the record keeps of this token's secret.
    pub(crate) fn hash(&self) -> SecretHash {
        let mut hasher = Sha256::new();
        hasher.update(b"fasthttpsession/1");
        hasher.update(self.handle.0);
        hasher.update(self.secret.as_bytes());
        SecretHash(hasher.finalize().into())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}.…)", self.handle)
    }
}

fn words(hash: &[u8; SecretHash::BYTES]) -> [u64; SecretHash::BYTES / 8] {
    let mut words = [0; SecretHash::BYTES / 8];
    for (word, bytes) in words.iter_mut().zip(hash.chunks_exact(8)) {
        *word = u64::from_le_bytes(bytes.try_into().expect("chunks of eight"));
    }
    words
}

fn decode_exact<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (written == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(added: &[u8]) -> Token {
        let handle = Handle::from_bytes(*b"sixteen bytes ok");
        Token::new(handle, Secret::new([0xa5; 16], added))
    }

    #[test]
    fn tokens_come_back() {
        for added in [0, 1, 2, 3, 31, 32, 40] {
            let token = token(&vec![7; added]);
            let text = token.expose();
            assert!(text.len() <= Token::MAX_TEXT_BYTES);
            let read = Token::parse(text.as_bytes()).unwrap();
            assert!(bool::from(read.hash().matches(&token.hash())));
            assert_eq!(read.handle, token.handle);
        }
        assert_eq!(token(&[]).expose().len(), 45);
        assert_eq!(token(&[0; 32]).expose().len(), 87);
    }

    #[test]
    fn each_token_has_one_spelling() {
        let text = token(&[]).expose();
        let mut spellings = 0;
        for at in 0..text.len() {
            for byte in 0..=u8::MAX {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                let Some(read) = Token::parse(&bytes) else {
                    continue;
                };
                let same = read.handle == token(&[]).handle
                    && bool::from(read.hash().matches(&token(&[]).hash()));
                spellings += usize::from(same);
            }
        }
        assert_eq!(spellings, text.len(), "itself, once at each place");
    }

    #[test]
    fn a_handle_stands_in_documents_as_its_text() {
        let handle = Handle::from_bytes([7; 16]);
        let text = serde_json::to_string(&handle).unwrap();
        assert_eq!(text, format!("\"{handle}\""));
        assert_eq!(serde_json::from_str::<Handle>(&text).unwrap(), handle);
        for wrong in ["\"\"", "7", "\"========================\""] {
            serde_json::from_str::<Handle>(wrong).unwrap_err();
        }
    }

    #[test]
    fn what_is_too_short_or_too_long_is_no_token() {
        let text = token(&[0; 32]).expose();
        for len in 0..45 {
            assert!(Token::parse(&text.as_bytes()[..len]).is_none(), "{len}");
        }
        assert!(Token::parse(format!("{text}AAAA").as_bytes()).is_none());
        assert!(Token::parse("A".repeat(100_000).as_bytes()).is_none());
    }

    #[test]
    fn the_same_secret_of_another_session_has_another_hash() {
        let other = Token::new(Handle::from_bytes([0; 16]), token(&[]).secret.clone());
        assert!(!bool::from(other.hash().matches(&token(&[]).hash())));
    }

    #[test]
    fn debug_shows_the_handle_only() {
        let token = token(&[]);
        let shown = format!("{token:?}");
        assert_eq!(shown, format!("Token({}.…)", token.handle));
    }

    #[test]
    fn handles_come_back_in_one_spelling() {
        let handle = token(&[]).handle;
        assert_eq!(handle.to_string().parse(), Ok(handle));
        let text = handle.to_string();
        for bad in [
            &text[1..],
            &format!("{text}A"),
            &format!("{text}=="),
            "",
            &"/".repeat(22),
        ] {
            assert!(bad.parse::<Handle>().is_err(), "{bad}");
        }
    }
}
