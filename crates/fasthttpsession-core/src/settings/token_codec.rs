//! A token codec by its name.

use super::encryption;
use super::keys::Ring;
use crate::error::BuildError;
use crate::token::codec::TokenCodec;

/// One that needs no functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenCodecName {
    Plain,
    Signed,
    Encrypted,
}

impl TokenCodecName {
    pub(super) fn needs_keys(self) -> bool {
        self != Self::Plain
    }

    /// The codec, for the setting `name`.
    pub(super) fn codec(self, name: &'static str, keys: &Ring) -> Result<TokenCodec, BuildError> {
        Ok(match self {
            Self::Plain => TokenCodec::plain(),
            Self::Signed => TokenCodec::signed(keys.needed_by(name)?),
            Self::Encrypted => encryption::token_codec(name, keys)?,
        })
    }
}
