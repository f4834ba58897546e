//! How long to leave a server alone that could not be reached.

use std::time::Duration;

/// The longest pause after the first attempt that failed; each further one doubles it.
const FIRST: Duration = Duration::from_millis(50);

/// The longest of all.
const LONGEST: Duration = Duration::from_secs(1);

/// The pause before the next attempt, when so many had failed before the last one: between half of 50 ms and 50 ms after the
/// first, then twice as long each time, at most 1 s. At random, so that not all clients of a server that is back come at once.
pub fn pause(failures: u32) -> Duration {
    let longest = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_differ() {
        for (failures, millis) in [(0, 50), (1, 100), (4, 800), (5, 1_000), (u32::MAX, 1_000)] {
            let longest = Duration::from_millis(millis);
            let pauses: HashSet<_> = (0..100).map(|_| pause(failures)).collect();
            assert!(pauses.len() > 50, "{pauses:?}");
            let (least, most) = (pauses.iter().min(), pauses.iter().max());
            assert!(
                least >= Some(&(longest / 2)) && most <= Some(&longest),
                "{pauses:?}"
            );
            assert!(most > Some(&longest.mul_f64(0.8)), "{pauses:?}");
        }
    }
}
