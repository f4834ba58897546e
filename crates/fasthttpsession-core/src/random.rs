//! Random bytes: all of them from the operating system, and in secrets more from the application if it wants.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::csrf::Seed;
use crate::error::Error;
use crate::token::{Handle, Secret, Token};

/// Makes tokens, sign-in ids and names of commits.
pub(crate) struct Generator {
    system: Box<Fill>,
    added: Option<Box<dyn Fn() -> Vec<u8> + Send + Sync>>,
    next_commit: AtomicU64,
}

/// Fills the whole slice, or fails: a short read is an error.
pub(crate) type Fill = dyn Fn(&mut [u8]) -> Result<(), Box<str>> + Send + Sync;

impl Generator {
    pub(crate) fn new(
        system: Option<Box<Fill>>,
        added: Option<Box<dyn Fn() -> Vec<u8> + Send + Sync>>,
    ) -> Self {
        let system = system.unwrap_or_else(|| Box::new(fill_from_system));
        let mut start = [0; 8];
        // Names of commits need to differ, not to be secret. Should the generator fail now, it will say so where it matters.
        let _ = system(&mut start);
        Self {
            system,
            added,
            next_commit: AtomicU64::new(u64::from_le_bytes(start)),
        }
    }

    /// A fresh handle with a fresh secret.
    pub(crate) fn token(&self) -> Result<Token, Error> {
        let mut bytes = [0; Handle::BYTES + Secret::SYSTEM_BYTES];
        self.fill(&mut bytes)?;
        let (handle, secret) = bytes.split_at(Handle::BYTES);
        let handle = Handle::from_bytes(handle.try_into().expect("split at that length"));
        Ok(Token::new(
            handle,
            self.secret_of(secret.try_into().expect("the rest has that length")),
        ))
    }

    /// A fresh secret for a session that exists.
    pub(crate) fn token_for(&self, handle: Handle) -> Result<Token, Error> {
        let mut bytes = [0; Secret::SYSTEM_BYTES];
        self.fill(&mut bytes)?;
        Ok(Token::new(handle, self.secret_of(bytes)))
    }

    /// What a CSRF token is masked with.
    pub(crate) fn mask(&self) -> Result<[u8; Seed::BYTES], Error> {
        let mut mask = [0; Seed::BYTES];
        self.fill(&mut mask)?;
        Ok(mask)
    }

    /// A fresh sign-in id; never 0, which stands for "not signed in".
    pub(crate) fn sign_in(&self) -> Result<u64, Error> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes).max(1))
    }

    /// The name of one commit. Counting on from a random start is as unique as drawing anew, and costs no system call.
    pub(crate) fn commit(&self) -> u64 {
        self.next_commit.fetch_add(1, Ordering::Relaxed)
    }

    fn secret_of(&self, system: [u8; Secret::SYSTEM_BYTES]) -> Secret {
        let added = self.added.as_ref().map(|added| added()).unwrap_or_default();
        Secret::new(system, &added)
    }

    pub(crate) fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        (self.system)(bytes).map_err(|reason| Error::Random { reason })
    }
}

fn fill_from_system(bytes: &mut [u8]) -> Result<(), Box<str>> {
    getrandom::fill(bytes).map_err(|error| error.to_string().into())
}
