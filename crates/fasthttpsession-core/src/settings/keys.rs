//! The ring of keys that settings name: where it is read from, and which settings need it.

use crate::error::BuildError;
use crate::keys::{Keys, KeysError};

/// The keys, if the settings name any.
pub(super) struct Ring(Option<Keys>);

impl Ring {
    /// Keys that nothing uses are refused: whoever gave them believes that something is signed or encrypted.
    pub(super) fn read(
        file: Option<&str>,
        variable: Option<&str>,
        are_used: bool,
    ) -> Result<Self, BuildError> {
        const UNUSED: &str =
            "nothing uses the keys: set token_codec or encrypt_records, or leave them out";
        match (file, variable) {
            (None, None) => Ok(Self(None)),
            (Some(_), Some(_)) => {
                refuse("keys_file", "it goes without keys_env: one place has them")
            }
            (Some(_), None) if !are_used => refuse("keys_file", UNUSED),
            (None, Some(_)) if !are_used => refuse("keys_env", UNUSED),
            (Some(file), None) => Self::of("keys_file", Keys::from_file(file)),
            (None, Some(variable)) => Self::of("keys_env", Keys::from_env(variable)),
        }
    }

    fn of(name: &'static str, keys: Result<Keys, KeysError>) -> Result<Self, BuildError> {
        keys.map(|keys| Self(Some(keys)))
            .map_err(|reason| BuildError::Keys { name, reason })
    }

    /// The keys, for the setting `name`.
    pub(super) fn needed_by(&self, name: &'static str) -> Result<&Keys, BuildError> {
        let none = BuildError::Setting {
            name,
            reason: "it needs keys: set keys_file or keys_env",
        };
        self.0.as_ref().ok_or(none)
    }
}

fn refuse<T>(name: &'static str, reason: &'static str) -> Result<T, BuildError> {
    Err(BuildError::Setting { name, reason })
}
