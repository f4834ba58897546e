//! The settings of encryption, which are refused by a program that was built without it.

use super::Settings;
use super::keys::Ring;
use crate::error::BuildError;
use crate::sessions::SessionsBuilder;
use crate::token::codec::TokenCodec;

#[cfg(feature = "encryption")]
impl Settings {
    /// Tells `builder` how records are encrypted.
    pub(super) fn encrypt(
        &self,
        mut builder: SessionsBuilder,
        keys: &Ring,
    ) -> Result<SessionsBuilder, BuildError> {
        if self.encrypt_records {
            builder = builder.encrypt_records(keys.needed_by("encrypt_records")?);
        }
        if self.also_read_encrypted {
            builder = builder.also_read_encrypted(keys.needed_by("also_read_encrypted")?);
        }
        if self.also_read_unencrypted {
            builder = builder.also_read_unencrypted();
        }
        Ok(builder)
    }
}

#[cfg(not(feature = "encryption"))]
impl Settings {
    /// Leaves `builder` as it is, unless a setting asks for more.
    pub(super) fn encrypt(
        &self,
        builder: SessionsBuilder,
        _: &Ring,
    ) -> Result<SessionsBuilder, BuildError> {
        for (name, is_on) in [
            ("encrypt_records", self.encrypt_records),
            ("also_read_encrypted", self.also_read_encrypted),
            ("also_read_unencrypted", self.also_read_unencrypted),
        ] {
            if is_on {
                return Err(off(name));
            }
        }
        Ok(builder)
    }
}

/// The codec of encrypted tokens, for the setting `name`.
#[cfg(feature = "encryption")]
pub(super) fn token_codec(name: &'static str, keys: &Ring) -> Result<TokenCodec, BuildError> {
    Ok(TokenCodec::encrypted(keys.needed_by(name)?))
}

#[cfg(not(feature = "encryption"))]
pub(super) fn token_codec(name: &'static str, _: &Ring) -> Result<TokenCodec, BuildError> {
    Err(off(name))
}

#[cfg(not(feature = "encryption"))]
fn off(name: &'static str) -> BuildError {
    BuildError::Setting {
        name,
        reason: "encryption was not compiled in; turn on the feature `encryption`",
    }
}
