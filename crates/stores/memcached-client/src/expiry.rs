//! When a server drops a value, in memcached's terms.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a server drops a value by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry(i32);

/// A longer span would be taken for a date: 30 days.
const LONGEST_SPAN: u64 = 60 * 60 * 24 * 30;

/// A server's clock moves once a second, and may lag behind by that much, and it counts whole seconds.
const SLACK: u64 = 2;

impl Expiry {
    /// Never, by itself.
    pub const NEVER: Self = Self(0);
    /// At once: whoever asks finds nothing.
    pub const AT_ONCE: Self = Self(-1);

    /// Once `span` has passed: not before, and at most four seconds later. A zero span counts as past:
    /// [`AT_ONCE`](Self::AT_ONCE).
    ///
    /// Over 30 days it is sent as a date, and so depends on the clocks of both machines; dates after January 2038,
    /// which memcached can't have, are [`NEVER`](Self::NEVER).
    pub fn after(span: Duration) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::after_from(span, now.as_secs())
    }

    fn after_from(span: Duration, now: u64) -> Self {
        if span.is_zero() {
            return Self::AT_ONCE;
        }
        let seconds = span
            .as_secs()
            .saturating_add(u64::from(span.subsec_nanos() > 0))
            .saturating_add(SLACK);
        let sent = if seconds <= LONGEST_SPAN {
            seconds
        } else {
            // One more for the part of a second that `now` lacks.
            now.saturating_add(seconds).saturating_add(1)
        };
        i32::try_from(sent).map_or(Self::NEVER, Self)
    }

    /// The number as it is sent.
    pub(crate) fn number(self) -> i32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const DAY: u64 = 24 * 60 * 60;

    fn number(millis: u64) -> i32 {
        Expiry::after_from(Duration::from_millis(millis), NOW).number()
    }

    #[test]
    fn spans_are_rounded_up_and_outlast_a_clock_that_lags() {
        assert_eq!([number(1), number(1_000), number(1_001)], [3, 3, 4]);
        assert_eq!(number(0), -1);
    }

    #[test]
    fn a_span_over_thirty_days_is_a_date() {
        let longest = 30 * DAY - SLACK;
        assert_eq!(number(longest * 1_000), 2_592_000);
        assert_eq!(number(longest * 1_000 + 1), 1_800_000_000 + 2_592_001 + 1);
        assert_eq!(number(31 * DAY * 1_000), 1_800_000_000 + 2_678_402 + 1);
    }

    #[test]
    fn what_lasts_longer_than_memcached_can_count_lasts_for_ever() {
        assert_eq!(number(20 * 366 * DAY * 1_000), Expiry::NEVER.number());
        assert_eq!(Expiry::after_from(Duration::MAX, u64::MAX), Expiry::NEVER);
    }
}
