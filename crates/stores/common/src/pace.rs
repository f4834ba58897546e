//! How quick a disk has been of late.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Tells whether work that may touch a disk can be done at once, on a thread of the runtime: handing it to another thread
/// and back takes longer than the work itself, as long as what it needs is in memory.
///
/// Each piece of work that was slow makes up for 32 that were quick. Once more than one in 32 has been slow, it is for
/// threads that may wait, which go on noting, until it has been quick again for a while.
#[derive(Default)]
pub struct Pace(AtomicU32);

impl Pace {
    /// What takes this long or longer did more than look into memory.
    const SLOW: Duration = Duration::from_millis(2);
    /// What a slow piece adds; a quick one takes off 1.
    const STRIKE: u32 = 32;
    /// So many quick pieces make good for any number of slow ones.
    const MOST: u32 = 8 * Self::STRIKE;

    /// Whether work is for a thread that may wait.
    pub fn is_slow(&self) -> bool {
        self.0.load(Ordering::Relaxed) > Self::STRIKE
    }

    /// Takes in how long a piece of work took. One that another thread overtakes may be lost; the next ones make up for it.
    pub fn note(&self, took: Duration) {
        let strikes = self.0.load(Ordering::Relaxed);
        let next = if took < Self::SLOW {
            strikes.saturating_sub(1)
        } else {
            Self::MOST.min(strikes + Self::STRIKE)
        };
        if next != strikes {
            self.0.store(next, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_slow_piece_among_quick_ones_changes_nothing() {
        let pace = Pace::default();
        for _ in 0..10 {
            pace.note(Pace::SLOW);
            assert!(!pace.is_slow());
            (0..Pace::STRIKE).for_each(|_| pace.note(Duration::ZERO));
        }
    }

    #[test]
    fn slow_work_leaves_the_runtime_until_it_is_quick_again() {
        let pace = Pace::default();
        (0..1000).for_each(|_| pace.note(Pace::SLOW));
        assert!(pace.is_slow());
        (0..Pace::MOST).for_each(|_| pace.note(Duration::ZERO));
        assert!(!pace.is_slow());
    }
}
