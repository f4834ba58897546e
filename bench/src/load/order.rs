//! Which session is asked for next: the same order for everyone.

use std::sync::Arc;

/// Draws before they repeat; more than requests in a turn.
const DRAWS: usize = 1 << 18;

/// An order over so many sessions.
#[derive(Clone)]
pub struct Order {
    sessions: usize,
    /// Empty where they take turns.
    drawn: Arc<[u32]>,
}

impl Order {
    /// One after another.
    pub fn in_turn(sessions: usize) -> Self {
        Self {
            sessions,
            drawn: Arc::default(),
        }
    }

    /// As visitors come: the session of rank n in proportion to 1/n, which of 100 000 gives the first a twelfth of all
    /// requests and the first thousand six tenths.
    pub fn skewed(sessions: usize) -> Self {
        let sums = sums_of_weights(sessions);
        let mut random = Random(0);
        let total = sums.last().copied().unwrap_or_default();
        let draw = |_| rank(&sums, total * random.below_one());
        Self {
            sessions,
            drawn: (0..DRAWS).map(draw).collect(),
        }
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// Which is asked for by this request.
    pub fn session(&self, request: usize) -> usize {
        match self.drawn.get(request % DRAWS) {
            Some(session) => *session as usize,
            None => request % self.sessions,
        }
    }
}

/// For each rank the weights up to and with it.
fn sums_of_weights(sessions: usize) -> Vec<f64> {
    let ranks = (1..).take(sessions).map(|rank: u32| 1.0 / f64::from(rank));
    let sum = |sum: &mut f64, weight| {
        *sum += weight;
        Some(*sum)
    };
    ranks.scan(0.0, sum).collect()
}

fn rank(sums: &[f64], drawn: f64) -> u32 {
    let rank = sums.partition_point(|sum| *sum <= drawn);
    u32::try_from(rank.min(sums.len() - 1)).expect("there are fewer sessions")
}

/// Splitmix64: the same numbers in each run.
struct Random(u64);

impl Random {
    /// 0 or more, and less than 1.
    fn below_one(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let high = u32::try_from((mixed ^ (mixed >> 31)) >> 32).expect("half of it fits");
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_session_is_asked_for_half_as_often_as_the_first() {
        let order = Order::skewed(1000);
        let asked = |wanted| (0..DRAWS).filter(|n| order.session(*n) == wanted).count();
        let (first, second) = (asked(0), asked(1));
        assert!(first.abs_diff(2 * second) < first / 20, "{first} {second}");
    }

    #[test]
    fn in_turn_every_session_is_asked_for_alike() {
        let order = Order::in_turn(3);
        let asked: Vec<_> = (0..7).map(|request| order.session(request)).collect();
        assert_eq!(asked, [0, 1, 2, 0, 1, 2, 0]);
    }
}
