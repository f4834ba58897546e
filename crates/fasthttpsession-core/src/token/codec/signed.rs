//! Tokens that are signed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{TokenCodec, Wrapping, has_dot_at, split_at_last_dot};
use crate::error::Error;
use crate::keys::{Key, Keys};
use crate::random::Generator;
use crate::token::{Handle, Token, decode_exact};

impl TokenCodec {
    /// `handle.secret.key-id.signature`, signed by the first of `keys` and checked with the one that is named: forged
    /// tokens cost no look-up at the store.
    pub fn signed(keys: &Keys) -> Self {
        Self::wrapped(Signed(keys.clone()))
    }
}

#[derive(Debug)]
struct Signed(Keys);

/// A signature in base64url.
const SIGNATURE_TEXT_BYTES: usize = 43;

impl Wrapping for Signed {
    fn max_text_bytes(&self) -> usize {
        Token::MAX_TEXT_BYTES + 1 + Key::MAX_ID_BYTES + 1 + SIGNATURE_TEXT_BYTES
    }

    fn may_be(&self, text: &[u8]) -> bool {
        has_dot_at(text, Handle::TEXT_BYTES)
    }

    fn decode(&self, text: &[u8]) -> Option<Token> {
        let (signed, signature) = split_at_last_dot(text)?;
        let (token, id) = split_at_last_dot(signed)?;
        let signature = decode_exact(signature)?;
        let key = self.0.named(id)?;
        key.token_signing.verify(signed, &signature)?;
        Token::parse(token)
    }

    fn encode(&self, token: &Token, _: &Generator) -> Result<String, Error> {
        let key = self.0.first();
        let mut text = token.expose();
        text.reserve_exact(2 + key.id().len() + SIGNATURE_TEXT_BYTES);
        text.push('.');
        text.push_str(key.id());
        let signature = key.token_signing.sign(text.as_bytes());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(text)
    }
}
