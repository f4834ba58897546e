//! Everything that can be set about [`Sessions`], each with its default and the reason for it.

#[cfg(feature = "encryption")]
mod encryption;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "encryption")]
use self::encryption::Encryption;
use super::{Manager, Renewal, Sessions};
use crate::codec::{Codec, Codecs};
use crate::commit::Lanes;
use crate::cookie::Cookie;
use crate::error::BuildError;
use crate::events::Listeners;
use crate::lifetimes::{Lifetimes, TouchAfter};
use crate::limits::Limits;
use crate::random::{Fill, Generator};
use crate::record::Record;
use crate::store::AnyStore;
use crate::time::{Clock, SystemClock, whole_millis};
use crate::token::codec::{TokenCodec, TokenCodecs};
use crate::transport::{Transport, Transports};

/// Builds [`Sessions`]. Made by [`Sessions::builder`].
#[must_use = "nothing is built before `build`"]
pub struct SessionsBuilder {
    store: AnyStore,
    lifetimes: Lifetimes,
    cookie: Cookie,
    transports: Vec<Transport>,
    token_codec: TokenCodec,
    also_accept: Vec<TokenCodec>,
    codec: Codec,
    also_read: Vec<Codec>,
    #[cfg(feature = "encryption")]
    encryption: Encryption,
    limits: Limits,
    touch_after_percent: u8,
    renewal: Renewal,
    clock: Box<dyn Clock>,
    added: Option<Box<dyn Fn() -> Vec<u8> + Send + Sync>>,
    system: Option<Box<Fill>>,
    lanes: Lanes,
}

impl SessionsBuilder {
    pub(crate) const TOUCH_AFTER_PERCENT: u8 = 5;
    pub(crate) const RENEW_GRACE: Duration = Duration::from_secs(30);
    const LEAST_RENEW_GRACE: Duration = Duration::from_secs(1);

    pub(super) fn new(store: AnyStore) -> Self {
        Self {
            store,
            lifetimes: Lifetimes::default(),
            cookie: Cookie::default(),
            transports: vec![Transport::cookie()],
            token_codec: TokenCodec::plain(),
            also_accept: Vec::new(),
            codec: Codec::json(),
            also_read: Vec::new(),
            #[cfg(feature = "encryption")]
            encryption: Encryption::default(),
            limits: Limits::default(),
            touch_after_percent: Self::TOUCH_AFTER_PERCENT,
            renewal: Renewal {
                every: None,
                grace: Self::RENEW_GRACE,
            },
            clock: Box::new(SystemClock),
            added: None,
            system: None,
            lanes: Lanes::new(),
        }
    }

    /// How long sessions live. Default [`Lifetimes::aal2`]: 1 hour idle, 24 hours absolute.
    pub fn lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// The cookie that carries the token. Default [`Cookie::default`]: `__Host-id`, `Secure`, `HttpOnly`, Lax, until
    /// the browser closes unless the session is [remembered](Lifetimes::remember).
    pub fn cookie(mut self, cookie: Cookie) -> Self {
        self.cookie = cookie;
        self
    }

    /// Where tokens travel, and in which order they are looked for; a new session goes out by the first. At most one
    /// cookie, one header (or bearer) and one query parameter. Default [`Transport::cookie`] alone.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.transports = transports.into_iter().collect();
        self
    }

    /// How tokens go over the wire from now on. Default [`TokenCodec::plain`]. No other is accepted, but for those given
    /// to [`also_accept`](Self::also_accept).
    pub fn token_codec(mut self, codec: TokenCodec) -> Self {
        self.token_codec = codec;
        self
    }

    /// A form of tokens that is taken beside the one that is written, while it is being introduced or retired: see
    /// [`TokenCodec`]. Default none. With [`TokenCodec::plain`] here, the signature of signed tokens protects nothing.
    pub fn also_accept(mut self, codec: TokenCodec) -> Self {
        self.also_accept.push(codec);
        self
    }

    /// How values are written from now on. Default [`Codec::json`]. What another built-in one wrote is read all the
    /// same, by programs that have its feature (`messagepack`, `cbor`): deploy that everywhere before you switch.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// A codec that records may have been written with: needed for map codecs only. Default none.
    pub fn also_read(mut self, codec: Codec) -> Self {
        self.also_read.push(codec);
        self
    }

    /// Bounds on size and patience. Default [`Limits::default`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What part of the idle lifetime must have passed before a request extends it, in percent, at most 50.
    /// Default 5: a session may end that much early, never late; reading costs one write per that time, and the store's
    /// index of deadlines changes once per that time, however often values are written. With persistent cookies, a commit
    /// that no response follows changes it too, and [`renew_every`](Self::renew_every) may let a session end earlier.
    pub fn touch_after_percent(mut self, percent: u8) -> Self {
        self.touch_after_percent = percent;
        self
    }

    /// Renews the secret about once a period, in two steps, so that neither a lost response nor parallel requests
    /// sign anyone out. Longer than the grace. Default off. It does not find out that a token was copied: two clients that
    /// use one at the same pace are both renewed.
    ///
    /// With a persistent [`Cookie`], a renewal waits until responses that dated the cookie shortly before have arrived: for a
    /// grace, but no longer than the part of the session's idle lifetime that
    /// [`touch_after_percent`](Self::touch_after_percent) says, or 5 % of it if that is longer. By default that is a grace
    /// from ten minutes of idle lifetime on. A request that takes longer than this wait, and whose response arrives after the
    /// new secret was presented, may bring back the old one, which signs the browser out once that has run out. Nothing is
    /// extended during the wait: a session may end earlier by as long.
    pub fn renew_every(mut self, period: Duration) -> Self {
        self.renewal.every = Some(period);
        self
    }

    /// How long the old secret still opens the session after the renewed one was first presented, and the least time between
    /// two that are offered. Default 30 s: longer than requests that were sent at the same time take, which may sign the browser
    /// out otherwise. At least 1 s. With a persistent [`Cookie`] also the longest that a renewal waits:
    /// see [`renew_every`](Self::renew_every).
    pub fn renew_grace(mut self, grace: Duration) -> Self {
        self.renewal.grace = grace;
        self
    }

    /// The clock. Default the system's. What purges stores in the background goes by that one: with a clock of your own that
    /// lies behind it, turn that off (`purge_every_ms=0`), and call [`Store::purge`](crate::Store::purge).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// A generator of the application's own whose output (at most 32 bytes are used) is added to the 128 bits of
    /// the system's in each secret, never in their place. Default none.
    pub fn add_randomness(
        mut self,
        generator: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        self.added = Some(Box::new(generator));
        self
    }

    /// Replaces the system's generator, to test collisions and a generator that fails.
    #[cfg(feature = "testing")]
    pub fn system_generator_for_tests(
        mut self,
        generator: impl Fn(&mut [u8]) -> Result<(), Box<str>> + Send + Sync + 'static,
    ) -> Self {
        self.system = Some(Box::new(generator));
        self
    }

    /// For how long a commit of another request is waited for before it is passed over, in place of five seconds; a request
    /// waits twelve times as long for one of its own.
    #[cfg(feature = "testing")]
    pub fn patience_for_tests(mut self, patience: Duration) -> Self {
        self.lanes = Lanes::with_patience(patience);
        self
    }

    /// The manager.
    ///
    /// # Errors
    /// The first thing that is wrong with the settings.
    pub fn build(self) -> Result<Sessions, BuildError> {
        self.check_times()?;
        self.check_limits()?;
        self.check_codecs()?;
        let token_codecs = TokenCodecs::new(self.token_codec, self.also_accept);
        let transports = Transports::new(self.transports, &self.cookie, token_codecs)?;
        Ok(Sessions(Arc::new(Manager {
            store: self.store,
            lifetimes: self.lifetimes,
            transports,
            codecs: Codecs::new(self.codec, &self.also_read),
            #[cfg(feature = "encryption")]
            protection: self.encryption.protection()?,
            #[cfg(not(feature = "encryption"))]
            protection: crate::record::protection::Protection::None,
            limits: self.limits,
            touch_after: TouchAfter::percent(self.touch_after_percent),
            renewal: self.renewal,
            clock: self.clock,
            generator: Generator::new(self.system, self.added),
            lanes: Arc::new(self.lanes),
            listeners: Listeners::default(),
        })))
    }

    fn check_times(&self) -> Result<(), BuildError> {
        let Lifetimes { idle, absolute } = self.lifetimes;
        let Renewal { every, grace } = self.renewal;
        if !self.lifetimes.are_possible() {
            return Err(BuildError::Lifetimes {
                idle_ms: whole_millis(idle),
                absolute_ms: whole_millis(absolute),
            });
        }
        if self.touch_after_percent > 50 {
            return Err(BuildError::TouchAfter {
                percent: self.touch_after_percent,
            });
        }
        if grace < Self::LEAST_RENEW_GRACE {
            return Err(BuildError::RenewGrace {
                grace_ms: whole_millis(grace),
                least_ms: whole_millis(Self::LEAST_RENEW_GRACE),
            });
        }
        match every {
            Some(every) if every <= grace => Err(BuildError::Renewal {
                every_ms: whole_millis(every),
                grace_ms: whole_millis(grace),
            }),
            _ => Ok(()),
        }
    }

    fn check_limits(&self) -> Result<(), BuildError> {
        let least = |what, value: usize, least| {
            if value < least {
                Err(BuildError::Limit { what, least })
            } else {
                Ok(())
            }
        };
        let what = "record_bytes";
        least(what, self.limits.record_bytes, 256)?;
        if self.limits.record_bytes > Record::MAX_VALUES_BYTES {
            let most = Record::MAX_VALUES_BYTES;
            return Err(BuildError::LimitTooHigh { what, most });
        }
        least("values", self.limits.values, 1)
    }

    fn check_codecs(&self) -> Result<(), BuildError> {
        let mut names: Vec<_> = [&self.codec]
            .into_iter()
            .chain(&self.also_read)
            .filter_map(|codec| Some(&*codec.as_map()?.name))
            .collect();
        names.sort_unstable();
        let unusable = names.iter().find(|name| !(1..=64).contains(&name.len()));
        let twice = names
            .windows(2)
            .find(|pair| pair[0] == pair[1])
            .map(|pair| &pair[0]);
        match unusable.or(twice) {
            Some(name) => Err(BuildError::Codec {
                name: (*name).to_owned(),
            }),
            None => Ok(()),
        }
    }
}
