//! How a token goes over the wire: as it is, signed, encrypted, or wrapped by the application's own functions.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::{Zeroize, Zeroizing};

use super::{Handle, Token};
use crate::codec::BoxError;
use crate::error::Error;
use crate::keys::{Key, Keys, NONCE_BYTES, TAG_BYTES};
use crate::random::Generator;
use crate::transport::Way;
use crate::wire::short_len;

/// How tokens go over the wire.
///
/// A token is `handle.secret`, 45 characters, and needs no wrapping to be safe: who does not know the 128 random bits of
/// its secret opens nothing.
///
/// | codec | adds | a forged or changed token | with 45 characters and a key id of 7 |
/// | --- | --- | --- | --- |
/// | [`plain`](Self::plain), the default | nothing | is looked up at the store, where its hash matches none | 45 |
/// | [`signed`](Self::signed) | HMAC-SHA-256 | never reaches the store | 97 |
/// | [`encrypted`](Self::encrypted) | XChaCha20-Poly1305 | the same, and clients don't learn the handle | 104 |
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
    Signed(Keys),
    Encrypted(Keys),
    Functions(Arc<Functions>),
}

struct Functions {
    encode: Box<EncodeToken>,
    decode: Box<DecodeToken>,
}

type EncodeToken = dyn Fn(&str) -> Result<String, BoxError> + Send + Sync;
type DecodeToken = dyn Fn(&str) -> Option<String> + Send + Sync;

impl TokenCodec {
    /// The most bytes that the application's own function may make of a token, or gets to undo.
    pub const MAX_BYTES: usize = 1024;

    /// The token as it is.
    pub fn plain() -> Self {
        Self(Kind::Plain)
    }

    /// `handle.secret.key-id.signature`, signed by the first of `keys` and checked with the one that is named: forged
    /// tokens cost no look-up at the store.
    pub fn signed(keys: &Keys) -> Self {
        Self(Kind::Signed(keys.clone()))
    }

    /// `key-id.encrypted`, encrypted by the first of `keys` and decrypted with the one that is named. As
    /// [`signed`](Self::signed), and clients don't learn their handle, nor whether two tokens are of one session.
    pub fn encrypted(keys: &Keys) -> Self {
        Self(Kind::Encrypted(keys.clone()))
    }

    /// A pair of functions of the application's own, for instance to go on with what a former system wrapped its cookies
    /// in.
    ///
    /// `encode` gets a token (45 to 87 characters of `A-Za-z0-9-_.`) and makes 1 to [1024](Self::MAX_BYTES) characters of
    /// `A-Za-z0-9-._~+/=` of it; an error, or another text, is [`Error::EncodeToken`], and the response an error response.
    ///
    /// `decode` undoes it. It gets whatever clients send, of the same length and characters, and returns the token, or
    /// `None` for what `encode` did not make.
    pub fn functions<E: Into<Box<dyn StdError + Send + Sync>>>(
        encode: impl Fn(&str) -> Result<String, E> + Send + Sync + 'static,
        decode: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::Functions(Arc::new(Functions {
            encode: Box::new(move |token| encode(token).map_err(Into::into)),
            decode: Box::new(decode),
        })))
    }
}

impl fmt::Debug for TokenCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Plain => f.write_str("Plain"),
            Kind::Signed(keys) => f.debug_tuple("Signed").field(keys).finish(),
            Kind::Encrypted(keys) => f.debug_tuple("Encrypted").field(keys).finish(),
            Kind::Functions(_) => f.write_str("Functions"),
        }
    }
}

impl TokenCodec {
    /// A key id, a dot, and base64url of a nonce, the longest token and a tag.
    const MAX_ENCRYPTED: usize =
        Key::MAX_ID_BYTES + 1 + (NONCE_BYTES + Token::MAX_BYTES + TAG_BYTES).div_ceil(3) * 4;
    /// The longest token, a dot, a key id, a dot, and base64url of 32 bytes.
    const MAX_SIGNED: usize = Token::MAX_TEXT_BYTES + 1 + Key::MAX_ID_BYTES + 1 + 43;

    #[inline]
    fn max_text_bytes(&self) -> usize {
        match &self.0 {
            Kind::Plain => Token::MAX_TEXT_BYTES,
            Kind::Signed(_) => Self::MAX_SIGNED,
            Kind::Encrypted(_) => Self::MAX_ENCRYPTED,
            Kind::Functions(_) => Self::MAX_BYTES,
        }
    }

    /// Whether `text` could be a token, at a glance: most requests never look closer.
    #[inline]
    fn may_be(&self, text: &[u8]) -> bool {
        let dot_at = |at: usize| text.get(at) == Some(&b'.');
        text.len() <= self.max_text_bytes()
            && match &self.0 {
                Kind::Plain | Kind::Signed(_) => dot_at(Handle::TEXT_BYTES),
                Kind::Encrypted(_) => (1..=Key::MAX_ID_BYTES).any(dot_at),
                Kind::Functions(_) => !text.is_empty() && text.iter().copied().all(is_wire_char),
            }
    }

    #[inline]
    fn decode(&self, text: &[u8]) -> Option<Token> {
        match &self.0 {
            Kind::Plain => Token::parse(text),
            _ if !self.may_be(text) => None,
            Kind::Signed(keys) => verify(keys, text),
            Kind::Encrypted(keys) => decrypt(keys, text),
            Kind::Functions(functions) => {
                let token = Zeroizing::new((functions.decode)(std::str::from_utf8(text).ok()?)?);
                Token::parse(token.as_bytes())
            }
        }
    }

    fn encode(&self, token: &Token, generator: &Generator) -> Result<String, Error> {
        match &self.0 {
            Kind::Plain => Ok(token.expose()),
            Kind::Signed(keys) => Ok(sign(keys, token)),
            Kind::Encrypted(keys) => encrypt(keys, token, generator),
            Kind::Functions(functions) => functions.encode(token),
        }
    }
}

impl Functions {
    fn encode(&self, token: &Token) -> Result<String, Error> {
        let failed = |source: BoxError| Error::EncodeToken {
            source: source.into(),
        };
        let text = (self.encode)(&Zeroizing::new(token.expose())).map_err(failed)?;
        if (1..=TokenCodec::MAX_BYTES).contains(&text.len()) && text.bytes().all(is_wire_char) {
            Ok(text)
        } else {
            Err(failed(Unsendable.into()))
        }
    }
}

/// A text that can't be sent everywhere. Not shown: it may hold a token.
#[derive(Debug, thiserror::Error)]
#[error("its function made a text that is not 1 to 1024 characters of A-Za-z0-9-._~+/=")]
struct Unsendable;

/// What a cookie, a header and `Bearer` (RFC 6750, section 2.1) can carry.
fn is_wire_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

fn sign(keys: &Keys, token: &Token) -> String {
    let key = keys.first();
    let mut text = token.expose();
    text.reserve_exact(2 + key.id().len() + 43);
    text.push('.');
    text.push_str(key.id());
    let signature = key.token_signing.sign(text.as_bytes());
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut text);
    text
}

fn verify(keys: &Keys, text: &[u8]) -> Option<Token> {
    let (signed, signature) = split_at_last_dot(text)?;
    let (token, id) = split_at_last_dot(signed)?;
    let signature = super::decode_exact(signature)?;
    keys.named(id)?.token_signing.verify(signed, &signature)?;
    Token::parse(token)
}

fn encrypt(keys: &Keys, token: &Token, generator: &Generator) -> Result<String, Error> {
    let key = keys.first();
    let mut nonce = [0; NONCE_BYTES];
    generator.fill(&mut nonce)?;
    let mut bytes = Vec::with_capacity(NONCE_BYTES + Token::MAX_BYTES + TAG_BYTES);
    bytes.extend_from_slice(&nonce);
    token.write_to(&mut bytes);
    let tag = key
        .token_encryption
        .seal(&nonce, key.id().as_bytes(), &mut bytes[NONCE_BYTES..]);
    bytes.extend_from_slice(&tag);
    Ok(format!("{}.{}", key.id(), URL_SAFE_NO_PAD.encode(&bytes)))
}

fn decrypt(keys: &Keys, text: &[u8]) -> Option<Token> {
    let (id, sealed) = split_at_last_dot(text)?;
    let key = keys.named(id)?;
    let mut bytes = Zeroizing::new([0; NONCE_BYTES + Token::MAX_BYTES + TAG_BYTES]);
    let len = URL_SAFE_NO_PAD.decode_slice(sealed, &mut *bytes).ok()?;
    let (nonce, sealed) = bytes[..len].split_first_chunk_mut()?;
    let (token, tag) = sealed.split_last_chunk_mut()?;
    key.token_encryption.open(nonce, id, token, tag)?;
    Token::from_bytes(token)
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
