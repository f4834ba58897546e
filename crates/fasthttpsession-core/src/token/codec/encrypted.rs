//! Tokens that are encrypted.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{TokenCodec, Wrapping, has_dot_at, split_at_last_dot};
use crate::error::Error;
use crate::keys::{Cipher, Key, Keys};
use crate::random::Generator;
use crate::token::{Handle, Secret, Token};

impl TokenCodec {
    /// `key-id.encrypted`, encrypted by the first of `keys` and decrypted with the one that is named. As
    /// [`signed`](Self::signed), and clients don't learn their handle, nor whether two tokens are of one session.
    pub fn encrypted(keys: &Keys) -> Self {
        Self::wrapped(Encrypted(keys.clone()))
    }
}

#[derive(Debug)]
struct Encrypted(Keys);

impl Encrypted {
    /// A nonce, the longest token and a tag.
    const MAX_BYTES: usize = Cipher::NONCE_BYTES + Token::MAX_BYTES + Cipher::TAG_BYTES;
}

impl Wrapping for Encrypted {
    fn max_text_bytes(&self) -> usize {
        Key::MAX_ID_BYTES + 1 + Self::MAX_BYTES.div_ceil(3) * 4
    }

    fn may_be(&self, text: &[u8]) -> bool {
        (1..=Key::MAX_ID_BYTES).any(|at| has_dot_at(text, at))
    }

    fn decode(&self, text: &[u8]) -> Option<Token> {
        let (id, sealed) = split_at_last_dot(text)?;
        let key = self.0.named(id)?;
        let mut bytes = Zeroizing::new([0; Self::MAX_BYTES]);
        let len = URL_SAFE_NO_PAD.decode_slice(sealed, &mut *bytes).ok()?;
        let (nonce, sealed) = bytes[..len].split_first_chunk_mut()?;
        let (token, tag) = sealed.split_last_chunk_mut()?;
        key.token_encryption.open(nonce, id, token, tag)?;
        Token::from_bytes(token)
    }

    fn encode(&self, token: &Token, generator: &Generator) -> Result<String, Error> {
        let key = self.0.first();
        let id = key.id();
        let mut nonce = [0; Cipher::NONCE_BYTES];
        generator.fill(&mut nonce)?;
        let mut bytes = Vec::with_capacity(Self::MAX_BYTES);
        bytes.extend_from_slice(&nonce);
        token.write_to(&mut bytes);
        let text = &mut bytes[Cipher::NONCE_BYTES..];
        let tag = key.token_encryption.seal(&nonce, id.as_bytes(), text);
        bytes.extend_from_slice(&tag);
        Ok(format!("{id}.{}", URL_SAFE_NO_PAD.encode(&bytes)))
    }
}

impl Token {
    /// The most bytes that handle and secret have together.
    const MAX_BYTES: usize = Handle::BYTES + Secret::MAX_BYTES;

    /// Reads what [`write_to`](Self::write_to) wrote.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (handle, secret) = bytes.split_first_chunk()?;
        let (system, added) = secret.split_first_chunk()?;
        let is_secret = added.len() <= Secret::MAX_ADDED_BYTES;
        is_secret.then(|| Self::new(Handle::from_bytes(*handle), Secret::new(*system, added)))
    }

    /// Handle and secret without an encoding.
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.handle.as_bytes());
        out.extend_from_slice(self.secret.as_bytes());
    }
}
