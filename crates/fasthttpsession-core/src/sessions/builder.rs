//! Everything that can be set about [`Sessions`], each with its default and the reason for it.

use std::time::Duration;

use crate::codec::Codec;
use crate::cookie::Cookie;
use crate::error::BuildError;
use crate::lifetimes::Lifetimes;
use crate::limits::Limits;
use crate::sessions::Sessions;
use crate::time::Clock;

/// Builds [`Sessions`]. Made by [`Sessions::builder`].
#[must_use]
pub struct SessionsBuilder(());

impl SessionsBuilder {
    /// How long sessions live. Default [`Lifetimes::aal2`]: 1 hour idle, 24 hours absolute.
    pub fn lifetimes(self, lifetimes: Lifetimes) -> Self { todo!() }

    /// The cookie that carries the token. Default [`Cookie::default`]: `__Host-id`, Secure, `HttpOnly`, Lax, until the
    /// browser closes.
    pub fn cookie(self, cookie: Cookie) -> Self { todo!() }

    /// How values are written from now on. Default [`Codec::json`]. The built-in ones are always readable.
    pub fn codec(self, codec: Codec) -> Self { todo!() }

    /// A codec that records may have been written with: needed for map codecs only.
    pub fn also_read(self, codec: Codec) -> Self { todo!() }

    /// Bounds on size and patience. Default [`Limits::default`].
    pub fn limits(self, limits: Limits) -> Self { todo!() }

    /// What part of the idle lifetime must have passed before a request that only reads extends it, in percent, at most
    /// 50. Default 5: a session may end that much early, never late, and reading costs one write per that time.
    pub fn touch_after_percent(self, percent: u8) -> Self { todo!() }

    /// Renews the secret about once a period, in two steps, so that neither a lost response nor parallel requests
    /// sign anyone out. Default off.
    pub fn renew_every(self, period: Duration) -> Self { todo!() }

    /// How long the old secret still opens the session after the renewed one was first presented. Default 30 s.
    pub fn renew_grace(self, grace: Duration) -> Self { todo!() }

    /// The clock. Default the system's.
    pub fn clock(self, clock: impl Clock) -> Self { todo!() }

    /// A generator of the application's own whose output (at most 32 bytes are used) is added to the 128 bits of
    /// the system's in each secret, never in their place.
    pub fn add_randomness(self, generator: impl Fn() -> Vec<u8> + Send + Sync + 'static) -> Self { todo!() }

    /// Replaces the system's generator, to test collisions and a generator that fails.
    #[cfg(feature = "testing")]
    pub fn system_generator_for_tests(
        self,
        generator: impl Fn(&mut [u8]) -> Result<(), Box<str>> + Send + Sync + 'static,
    ) -> Self { todo!() }

    /// The manager, or the first thing that is wrong with the settings.
    pub fn build(self) -> Result<Sessions, BuildError> { todo!() }
}
