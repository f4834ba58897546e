//! What stands in for encryption of records in a program that was built without it: nothing is encrypted, and what another
//! program encrypted is an error.

use bytes::Bytes;

use super::Header;
use super::envelope::Stored;
use crate::error::{Error, Unreadable};
use crate::sessions::Manager;
use crate::token::Handle;

/// Whether bodies are encrypted: there is but one way.
pub(crate) enum Protection {
    /// Neither written nor read encrypted.
    None,
}

impl Protection {
    pub(super) fn takes_unencrypted(&self) -> bool {
        match self {
            Self::None => true,
        }
    }

    /// An error: what is in an encrypted body can't be told.
    pub(super) fn open(
        &self,
        _: Handle,
        _: &Header,
        _: [u8; 2],
        _: &[u8],
    ) -> Result<Bytes, Unreadable> {
        match self {
            Self::None => Err(Unreadable::EncryptionOff),
        }
    }
}

impl Manager {
    /// The body of a record.
    pub(super) fn body(&self, _: Handle, stored: &Stored) -> Result<Vec<u8>, Error> {
        self.unencrypted_body(stored)
    }
}
