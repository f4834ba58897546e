//! The settings of encryption of records.

use super::SessionsBuilder;
use crate::error::BuildError;
use crate::keys::Keys;
use crate::record::protection::Protection;

/// What the builder was told, in whatever order.
#[derive(Default)]
pub(super) struct Encryption {
    write: Option<Keys>,
    also_unencrypted: bool,
    also_encrypted: Option<Keys>,
}

impl SessionsBuilder {
    /// Encrypts what stores keep of a session (its values, the hashes of its secrets, its sign-in id) with the first of
    /// `keys`, and reads records that one of them encrypted, and no others. Default: nothing is encrypted.
    ///
    /// XChaCha20-Poly1305 with a random nonce. It also authenticates the session's handle, version, creation, absolute
    /// deadline, principal and label, which stores must be able to read and which therefore stay readable. So whoever can
    /// write to the database can't change any of them, nor put the contents of one session into another; such a record is
    /// [`Error::Unreadable`] with [`Unreadable::Changed`], and stays as it is.
    ///
    /// What a writer to the database can still do: delete records; bring a whole record back as it was before,
    /// and so a token that was replaced or signed out since; and move the *idle* deadline, which a touch must move
    /// without the rest of the record, up to the absolute one. Its length tells how much a session holds.
    ///
    /// A load costs 3 µs more for a session of 100 bytes and 46 for one of 60 000, a commit about as much again (with values
    /// on two busy cores), and the record has 41 bytes and the id of the key more:
    /// `cargo bench -p fasthttpsession-core --features encryption` measures it.
    ///
    /// # Under live traffic
    ///
    /// Each step is taken by one process after the other:
    ///
    /// ```
    /// # use fasthttpsession_core::{Keys, SessionsBuilder};
    /// # fn steps(builder: SessionsBuilder, keys: &Keys, step: u8) -> SessionsBuilder {
    /// match step {
    ///     // First, every process learns to read encrypted records;
    ///     1 => builder.also_read_encrypted(keys),
    ///     // then they write them;
    ///     2 => builder.encrypt_records(keys).also_read_unencrypted(),
    ///     // and when the last other record has run out, they read no other.
    ///     _ => builder.encrypt_records(keys),
    /// }
    /// # }
    /// ```
    ///
    /// A record is encrypted by its next commit; one that is only read stays as it is. So the last other record runs out
    /// with the longest absolute lifetime.
    ///
    /// [`Error::Unreadable`]: crate::Error::Unreadable
    /// [`Unreadable::Changed`]: crate::Unreadable::Changed
    pub fn encrypt_records(mut self, keys: &Keys) -> Self {
        self.encryption.write = Some(keys.clone());
        self
    }

    /// Also reads records that are not encrypted, while [`encrypt_records`](Self::encrypt_records) is being introduced.
    /// Until this is taken out again, whoever can write to the database can put a record of their own in place of an encrypted
    /// one.
    pub fn also_read_unencrypted(mut self) -> Self {
        self.encryption.also_unencrypted = true;
        self
    }

    /// Also reads records that are encrypted, and writes them unencrypted: the first step towards
    /// [`encrypt_records`](Self::encrypt_records), and the way back. Not together with it.
    pub fn also_read_encrypted(mut self, keys: &Keys) -> Self {
        self.encryption.also_encrypted = Some(keys.clone());
        self
    }
}

impl Encryption {
    /// What they come to.
    ///
    /// # Errors
    /// [`BuildError::Protection`] when they contradict each other.
    pub(super) fn protection(&self) -> Result<Protection, BuildError> {
        match (&self.write, &self.also_encrypted) {
            (Some(_), Some(_)) => Err(BuildError::Protection {
                reason: "also_read_encrypted goes without encrypt_records, whose keys read what they write",
            }),
            (None, _) if self.also_unencrypted => Err(BuildError::Protection {
                reason: "also_read_unencrypted goes with encrypt_records; without it they are read anyway",
            }),
            (Some(keys), None) => Ok(Protection::Encrypted {
                keys: keys.clone(),
                unencrypted_too: self.also_unencrypted,
            }),
            (None, Some(keys)) => Ok(Protection::Readable(keys.clone())),
            (None, None) => Ok(Protection::None),
        }
    }
}
