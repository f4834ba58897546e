//! Moments and the clock that tells them. Every deadline of a session is a [`Timestamp`]; nothing else in this
//! crate asks the operating system for the time.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since the Unix epoch (UTC); at most [`Timestamp::MAX`], which every store can keep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The last moment there is: `i64::MAX` milliseconds after the Unix epoch.
    pub const MAX: Self = Self(i64::MAX.cast_unsigned());

    /// The moment `millis` milliseconds after the Unix epoch, or [`MAX`](Self::MAX) if that is earlier.
    pub const fn from_millis(millis: u64) -> Self {
        if millis < Self::MAX.0 {
            Self(millis)
        } else {
            Self::MAX
        }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This moment moved later by `span`, or [`MAX`](Self::MAX) if that is earlier.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(whole_millis(span)))
    }

    /// How long it is from `earlier` to this moment; zero if `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Tells the time. [`SystemClock`] is the one in use unless a builder is given another.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(whole_millis(since_epoch))
    }
}

/// A clock that stands still until a test moves it. Clones share one time.
///
/// ```
/// use std::time::Duration;
/// use fasthttpsession_core::{Clock, ManualClock, Timestamp};
///
/// let clock = ManualClock::at(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now().as_millis(), 2_000);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicU64::new(start.0)))
    }

    /// A clock that shows the present moment, and then stands still.
    pub fn starting_now() -> Self {
        Self::at(SystemClock.now())
    }

    /// Moves the time forward by `span`, to [`Timestamp::MAX`] at most.
    pub fn advance(&self, span: Duration) {
        let later = |now| Some(Timestamp(now).after(span).0);
        // It always says what comes next, so this can't fail.
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, later);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) fn whole_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stops_at_the_last_moment_and_never_goes_back() {
        let clock = ManualClock::at(Timestamp::from_millis(1_000));
        for span in [Duration::MAX, Duration::from_millis(1), Duration::MAX] {
            clock.advance(span);
            assert_eq!(clock.now(), Timestamp::MAX);
        }
    }
}
