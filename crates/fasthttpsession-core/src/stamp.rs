//! What a sign-in depended on, in a form that can be compared and not read: so that a session that was signed in to with an
//! old password is recognised once the password has changed.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::commit::Change;
use crate::error::Error;
use crate::session::Session;
use crate::session::state::State;

/// Credentials.
impl Session {
    /// Notes what this sign-in depended on: bytes that change when the user's password or second factor does, such as the
    /// stored password hash. Only a hash of them is kept, until the next sign-in. Called right after
    /// [`login`](Self::login), and after a change of password for the session in which it was made.
    ///
    /// ```
    /// # use fasthttpsession_core::{Error, Session};
    /// # struct User { name: String, password_hash: String }
    /// fn sign_in(session: &Session, user: &User) -> Result<(), Error> {
    ///     session.login(&user.name)?;
    ///     session.set_credential_stamp(&user.password_hash)
    /// }
    ///
    /// /// Where the application has loaded the session's user.
    /// fn still_counts(session: &Session, user: &User) -> bool {
    ///     session.has_credential_stamp(&user.password_hash)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::Finished`].
    pub fn set_credential_stamp(&self, credential: impl AsRef<[u8]>) -> Result<(), Error> {
        let stamp = Stamp::of(credential.as_ref());
        self.state().writable()?.log(Change::Stamp(stamp));
        Ok(())
    }

    /// Whether the session was signed in to under this `credential`, as [noted](Self::set_credential_stamp) then. `false`
    /// when nothing was noted: such a session can't be told from one under an old password.
    pub fn has_credential_stamp(&self, credential: impl AsRef<[u8]>) -> bool {
        let noted = self.state().stamp();
        noted.is_some_and(|noted| noted.matches(&Stamp::of(credential.as_ref())))
    }
}

/// A hash of a credential: SHA-256 over a fixed prefix and its bytes, cut to 128 bits.
#[derive(Clone, Copy)]
pub(crate) struct Stamp([u8; Stamp::BYTES]);

impl Stamp {
    pub(crate) const BYTES: usize = 16;

    fn of(credential: &[u8]) -> Self {
        let mut hash = Sha256::new_with_prefix("fasthttpsession credential stamp 1");
        hash.update(credential);
        let mut stamp = [0; Self::BYTES];
        stamp.copy_from_slice(&hash.finalize()[..Self::BYTES]);
        Self(stamp)
    }

    pub(crate) const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl State {
    /// What was noted last and not by an earlier sign-in.
    fn stamp(&self) -> Option<Stamp> {
        let logged = self.changes.iter().rev().find_map(|change| match change {
            Change::Stamp(stamp) => Some(Some(*stamp)),
            Change::Login { .. } => Some(None),
            _ => None,
        });
        logged.unwrap_or_else(|| self.base.as_ref()?.stored.control.stamp)
    }
}
