//! Tokens that the application's own functions wrap.

use std::error::Error as StdError;
use std::fmt;

use zeroize::Zeroizing;

use super::{TokenCodec, Wrapping};
use crate::codec::BoxError;
use crate::error::Error;
use crate::random::Generator;
use crate::token::Token;

impl TokenCodec {
    /// The most bytes that the application's own function may make of a token, or gets to undo.
    pub const MAX_BYTES: usize = 1024;

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
        Self::wrapped(Functions {
            encode: Box::new(move |token| encode(token).map_err(Into::into)),
            decode: Box::new(decode),
        })
    }
}

struct Functions {
    encode: Box<EncodeToken>,
    decode: Box<DecodeToken>,
}

type EncodeToken = dyn Fn(&str) -> Result<String, BoxError> + Send + Sync;
type DecodeToken = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Wrapping for Functions {
    fn max_text_bytes(&self) -> usize {
        TokenCodec::MAX_BYTES
    }

    fn may_be(&self, text: &[u8]) -> bool {
        !text.is_empty() && text.iter().copied().all(is_wire_char)
    }

    fn decode(&self, text: &[u8]) -> Option<Token> {
        let token = Zeroizing::new((self.decode)(std::str::from_utf8(text).ok()?)?);
        Token::parse(token.as_bytes())
    }

    fn encode(&self, token: &Token, _: &Generator) -> Result<String, Error> {
        let failed = |source: BoxError| Error::EncodeToken {
            source: source.into(),
        };
        let text = (self.encode)(&Zeroizing::new(token.expose())).map_err(failed)?;
        if text.len() <= TokenCodec::MAX_BYTES && self.may_be(text.as_bytes()) {
            Ok(text)
        } else {
            Err(failed(Unsendable.into()))
        }
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Functions")
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
