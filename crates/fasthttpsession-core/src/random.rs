//! Random bytes: all of them from the operating system, and in secrets more from the application if it wants.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::csrf::Seed;
use crate::error::Error;
use crate::time::Timestamp;
use crate::token::{Handle, Secret, Token};

/// Makes tokens, sign-in ids and names of commits.
pub(crate) struct Generator {
    system: Box<Fill>,
    added: Option<Box<dyn Fn() -> Vec<u8> + Send + Sync>>,
    next_number: AtomicU64,
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
        // Names of commits need to differ, not to be secret. Should the generator fail now, it is left to the time that they do.
        let _ = system(&mut start);
        Self {
            system,
            added,
            next_number: AtomicU64::new(u64::from_le_bytes(start)),
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

    /// The name of one commit, made `now`. Counting on from a random start is as unique as drawing anew, and costs no system
    /// call. Processes that were made of one, by a fork or from a snapshot, count alike: the time sets them apart.
    pub(crate) fn commit(&self, now: Timestamp) -> u64 {
        self.number().wrapping_add(scatter(now.as_millis()))
    }

    /// Some number, for pauses.
    pub(crate) fn jitter(&self) -> u64 {
        scatter(self.number())
    }

    fn number(&self) -> u64 {
        self.next_number.fetch_add(1, Ordering::Relaxed)
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

/// Spreads consecutive numbers over all of them (the finalizer of `SplitMix64`, Steele, Lea and Flood, 2014).
fn scatter(number: u64) -> u64 {
    let z = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As by a fork, or from a snapshot.
    #[test]
    fn processes_that_were_made_of_one_name_their_commits_apart() {
        let [one, other] = [(); 2].map(|()| Generator::new(Some(Box::new(|_| Ok(()))), None));
        let names = |of: &Generator, at| {
            let named = (0..100_u64).map(|n| of.commit(Timestamp::from_millis(at + n % 10)));
            named.collect::<Vec<_>>()
        };
        let mut all = [names(&one, 1_000), names(&other, 2_000)].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 200);
    }

    #[test]
    fn numbers_that_follow_each_other_are_spread() {
        let pauses: std::collections::HashSet<_> =
            (0..1_000).map(|n| scatter(n) % 64_000).collect();
        assert!(pauses.len() > 950, "{}", pauses.len());
        let low = (0..1_000).filter(|n| scatter(*n) % 64_000 < 32_000).count();
        assert!((400..600).contains(&low), "{low}");
    }
}
