//! How a token goes over the wire: as it is, or wrapped in one of the ways that stand in files of their own.

#[cfg(feature = "encryption")]
mod encrypted;
mod functions;
mod signed;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroize;

use super::{Handle, Token};
use crate::error::Error;
use crate::random::Generator;
use crate::transport::Way;
use crate::wire::short_len;

/// How tokens go over the wire.
///
/// A token is `handle.secret`, 45 characters, and needs no wrapping to be safe: whoever does not know the 128 random bits of
/// its secret opens nothing.
///
/// | codec | adds | a forged or changed token | with 45 characters and a key id of 7 |
/// | --- | --- | --- | --- |
/// | [`plain`](Self::plain), the default | nothing | is looked up at the store, where its hash matches none | 45 |
/// | [`signed`](Self::signed) | HMAC-SHA-256 | never reaches the store | 97 |
/// | `encrypted`, with the feature `encryption` | XChaCha20-Poly1305 | the same, and clients don't learn the handle | 104 |
/// | [`functions`](Self::functions) | what the application wants | as it decides | up to 1024 |
///
/// Whatever is wrong with a token, it is an unknown one: the request is that of a visitor, never an error.
///
/// # Changing it under live traffic
///
/// What a process writes and what it takes are two settings, so that every step is taken by one process after the other,
/// and nobody is signed out:
///
/// ```
/// # use fasthttpsession_core::{BuildError, Keys, SessionsBuilder, TokenCodec};
/// # fn steps(builder: SessionsBuilder, keys: &Keys, step: u8) -> SessionsBuilder {
/// match step {
///     // From plain to signed. First, every process learns to read the new form;
///     1 => builder.token_codec(TokenCodec::plain()).also_accept(TokenCodec::signed(keys)),
///     // then they write it;
///     2 => builder.token_codec(TokenCodec::signed(keys)).also_accept(TokenCodec::plain()),
///     // and when the last plain token has run out, they take no other.
///     _ => builder.token_codec(TokenCodec::signed(keys)),
/// }
/// # }
/// ```
///
/// **The signature protects from the third step on.** As long as plain tokens are accepted, a forged one needs no signature
/// and reaches the store as before.
///
/// A client's token is written anew when the session is created, gets a new secret, or its persistent cookie a new date.
/// So the last old token runs out with the longest absolute lifetime, [`SessionsBuilder::renew_every`] moves active
/// sessions over within its period, and dropping the old codec earlier signs out who still has an old token.
///
/// [`SessionsBuilder::renew_every`]: crate::SessionsBuilder::renew_every
#[derive(Clone)]
pub struct TokenCodec(Kind);

#[derive(Clone)]
enum Kind {
    Plain,
    Wrapped(Arc<dyn Wrapping>),
}

impl TokenCodec {
    /// The token as it is.
    pub fn plain() -> Self {
        Self(Kind::Plain)
    }

    fn wrapped(wrapping: impl Wrapping) -> Self {
        Self(Kind::Wrapped(Arc::new(wrapping)))
    }
}

impl fmt::Debug for TokenCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Plain => f.write_str("Plain"),
            Kind::Wrapped(wrapping) => wrapping.fmt(f),
        }
    }
}

/// One way to wrap a token. `Debug` shows the ids of its keys, and no key.
trait Wrapping: fmt::Debug + Send + Sync + 'static {
    /// The longest text that it makes.
    fn max_text_bytes(&self) -> usize;

    /// Whether `text`, which is not longer than that, could be of its making, at a glance: most requests never look closer.
    fn may_be(&self, text: &[u8]) -> bool;

    /// The token in a text that may be one; `None` if it is not one after all.
    fn decode(&self, text: &[u8]) -> Option<Token>;

    /// The text that goes to the client.
    fn encode(&self, token: &Token, generator: &Generator) -> Result<String, Error>;
}

impl TokenCodec {
    #[inline]
    fn max_text_bytes(&self) -> usize {
        match &self.0 {
            Kind::Plain => Token::MAX_TEXT_BYTES,
            Kind::Wrapped(wrapping) => wrapping.max_text_bytes(),
        }
    }

    #[inline]
    fn may_be(&self, text: &[u8]) -> bool {
        text.len() <= self.max_text_bytes()
            && match &self.0 {
                Kind::Plain => has_dot_at(text, Handle::TEXT_BYTES),
                Kind::Wrapped(wrapping) => wrapping.may_be(text),
            }
    }

    #[inline]
    fn decode(&self, text: &[u8]) -> Option<Token> {
        match &self.0 {
            Kind::Plain => Token::parse(text),
            Kind::Wrapped(wrapping) => self.may_be(text).then(|| wrapping.decode(text))?,
        }
    }

    fn encode(&self, token: &Token, generator: &Generator) -> Result<String, Error> {
        match &self.0 {
            Kind::Plain => Ok(token.expose()),
            Kind::Wrapped(wrapping) => wrapping.encode(token, generator),
        }
    }
}

fn has_dot_at(text: &[u8], at: usize) -> bool {
    text.get(at) == Some(&b'.')
}

fn split_at_last_dot(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|byte| *byte == b'.')?;
    Some((&text[..at], &text[at + 1..]))
}

/// The codec that a manager writes with, and those that it also takes.
pub(crate) struct TokenCodecs {
    write: TokenCodec,
    also: Vec<TokenCodec>,
}

impl TokenCodecs {
    pub(crate) fn new(write: TokenCodec, also: Vec<TokenCodec>) -> Self {
        Self { write, also }
    }

    /// The longest text that is written.
    pub(crate) fn max_text_bytes(&self) -> usize {
        self.write.max_text_bytes()
    }

    /// Whether `text` could be a token.
    #[inline]
    pub(crate) fn may_be(&self, text: &[u8]) -> bool {
        let may_be = |codec: &TokenCodec| codec.may_be(text);
        may_be(&self.write) || self.also.iter().any(may_be)
    }

    /// The token; `None` if it is not one after all.
    #[inline]
    pub(crate) fn decode(&self, text: &TokenText) -> Option<Token> {
        let decode = |codec: &TokenCodec| codec.decode(text.bytes());
        decode(&self.write).or_else(|| self.also.iter().find_map(decode))
    }

    /// The text that goes to the client.
    pub(crate) fn encode(&self, token: &Token, generator: &Generator) -> Result<String, Error> {
        self.write.encode(token, generator)
    }
}

/// What a client sent, if it looks like a token. It is read only when the session is asked for: most routes never do.
/// Wiped from memory when dropped.
pub(crate) struct TokenText {
    bytes: TextBytes,
    pub(crate) way: Way,
}

/// Plain tokens, which most are, need no allocation.
enum TextBytes {
    Short([u8; Token::MAX_TEXT_BYTES], u8),
    Long(Box<[u8]>),
}

impl TokenText {
    #[inline]
    pub(crate) fn new(text: &[u8], way: Way) -> Self {
        let bytes = if text.len() <= Token::MAX_TEXT_BYTES {
            let mut bytes = [0; Token::MAX_TEXT_BYTES];
            bytes[..text.len()].copy_from_slice(text);
            TextBytes::Short(bytes, short_len(text.len()))
        } else {
            TextBytes::Long(text.into())
        };
        Self { bytes, way }
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            TextBytes::Short(bytes, len) => &bytes[..usize::from(*len)],
            TextBytes::Long(bytes) => bytes,
        }
    }
}

impl Drop for TokenText {
    fn drop(&mut self) {
        match &mut self.bytes {
            TextBytes::Short(bytes, len) => bytes[..usize::from(*len)].zeroize(),
            TextBytes::Long(bytes) => bytes.zeroize(),
        }
    }
}
