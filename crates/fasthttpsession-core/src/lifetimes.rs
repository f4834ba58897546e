//! How long sessions live: an idle and an absolute lifetime.

use std::time::Duration;

#[cfg(feature = "settings")]
use crate::settings::millis;
use crate::time::{Timestamp, whole_millis};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// How long a session lives. Both clocks run at once, whichever is first ends it; sign-in and re-authentication reset
/// both.
///
/// The default is [`Lifetimes::aal2`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "settings",
    derive(serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct Lifetimes {
    #[cfg_attr(
        feature = "settings",
        serde(rename = "idle_ms", deserialize_with = "millis")
    )]
    pub(crate) idle: Duration,
    #[cfg_attr(
        feature = "settings",
        serde(rename = "absolute_ms", deserialize_with = "millis")
    )]
    pub(crate) absolute: Duration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self::aal2()
    }
}

impl Lifetimes {
    /// `idle` without a request, or `absolute` after sign-in, ends a session. Each is at least a millisecond and
    /// `idle` is at most `absolute`; anything else is refused where the lifetimes are used.
    pub const fn new(idle: Duration, absolute: Duration) -> Self {
        Self { idle, absolute }
    }

    /// 1 hour idle, 24 hours absolute: NIST SP 800-63B-4, authentication assurance level 2.
    pub const fn aal2() -> Self {
        Self::new(Duration::from_secs(HOUR), Duration::from_secs(24 * HOUR))
    }

    /// 15 minutes idle, 12 hours absolute: NIST SP 800-63B-4, authentication assurance level 3.
    pub const fn aal3() -> Self {
        Self::new(
            Duration::from_secs(15 * MINUTE),
            Duration::from_secs(12 * HOUR),
        )
    }

    /// `days` of each, for "remember me". Usually set per session at sign-in, with
    /// [`Session::set_lifetimes`](crate::Session::set_lifetimes).
    ///
    /// A session that so gets a longer idle lifetime than [the others](crate::SessionsBuilder::lifetimes) is remembered:
    /// its cookie outlives the browser. Those of all others are gone when the browser closes, unless
    /// [`Cookie::persistent`](crate::Cookie::persistent) keeps them too.
    pub const fn remember(days: u16) -> Self {
        let span = Duration::from_secs(days as u64 * DAY);
        Self::new(span, span)
    }

    /// How long a session lives without a request.
    pub const fn idle(&self) -> Duration {
        self.idle
    }

    /// How long a session lives however much it is used.
    pub const fn absolute(&self) -> Duration {
        self.absolute
    }

    pub(crate) fn are_possible(&self) -> bool {
        whole_millis(self.idle) > 0 && self.idle <= self.absolute
    }
}

/// What part of the idle lifetime passes before moving its deadline is worth a write, or a cookie.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TouchAfter {
    percent: u8,
}

impl TouchAfter {
    pub(crate) const fn percent(percent: u8) -> Self {
        Self { percent }
    }

    /// Whether it is worth moving the deadline of a session that lives `idle` without a request.
    pub(crate) fn is_due(self, from: Timestamp, to: Timestamp, idle: Duration) -> bool {
        to > from && to.since(from) >= self.part(idle)
    }

    /// That part of `idle`.
    pub(crate) fn part(self, idle: Duration) -> Duration {
        idle / 100 * u32::from(self.percent)
    }
}
