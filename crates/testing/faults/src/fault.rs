//! What can be done to bytes.

use std::time::Duration;

/// What happens to bytes that go in one direction, on all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They are passed on as they come.
    None,
    /// Each piece is passed on so much later. A piece is what came at once, at most 16 KiB.
    Delay(Duration),
    /// They are passed on at most so many at a time, at least one.
    Split(usize),
    /// They wait in the proxy until there is another fault, or none. A new connection is accepted, and nothing is said.
    Hang,
    /// They are thrown away. The connection stays open, and in this direction silent for good; that the other end has
    /// closed it is passed on when there is no fault any more.
    Swallow,
    /// Each connection is closed after so many more bytes; with 0, at once.
    Cut(usize),
    /// As [`Cut`](Self::Cut), but both ends are told that the connection was reset.
    Reset(usize),
    /// Each piece has a fault of its own, or none.
    AtRandom(Odds),
}

/// How many of a thousand pieces have which fault. Together at most a thousand; the rest is passed on.
///
/// ```
/// use fasthttpsession_faults::{Fault, Odds};
///
/// let fault = Fault::AtRandom(Odds { swallow: 10, ..Odds::NONE });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odds {
    /// Comes up to 20 ms later.
    pub delay: u16,
    /// Is split into pieces of 1 to 16 bytes.
    pub split: u16,
    /// Is swallowed, and all after it.
    pub swallow: u16,
    /// Is passed on in part, and the connection is closed.
    pub cut: u16,
    /// Is passed on in part, and the connection is reset.
    pub reset: u16,
}

impl Odds {
    /// All goes well.
    pub const NONE: Self = Self {
        delay: 0,
        split: 0,
        swallow: 0,
        cut: 0,
        reset: 0,
    };

    /// The fault of a piece of so many bytes.
    pub(crate) fn draw(self, random: &mut fastrand::Rng, bytes: usize) -> Fault {
        let mut drawn = random.u16(..1_000);
        let mut is = |odds: u16| {
            let hit = drawn < odds;
            drawn = if hit { u16::MAX } else { drawn - odds };
            hit
        };
        if is(self.delay) {
            Fault::Delay(Duration::from_micros(random.u64(..20_000)))
        } else if is(self.split) {
            Fault::Split(random.usize(1..=16))
        } else if is(self.swallow) {
            Fault::Swallow
        } else if is(self.cut) {
            Fault::Cut(random.usize(..=bytes))
        } else if is(self.reset) {
            Fault::Reset(random.usize(..=bytes))
        } else {
            Fault::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_drawn_as_often_as_their_odds_say() {
        let odds = Odds {
            delay: 100,
            split: 200,
            swallow: 50,
            cut: 150,
            reset: 250,
        };
        let mut random = fastrand::Rng::with_seed(1);
        let drawn: Vec<Fault> = (0..100_000).map(|_| odds.draw(&mut random, 9)).collect();
        let share = |is: fn(&Fault) -> bool| drawn.iter().filter(|fault| is(fault)).count() / 100;
        assert!((95..105).contains(&share(|fault| matches!(fault, Fault::Delay(_)))));
        assert!((190..210).contains(&share(|fault| matches!(fault, Fault::Split(1..=16)))));
        assert!((45..55).contains(&share(|fault| *fault == Fault::Swallow)));
        assert!((140..160).contains(&share(|fault| matches!(fault, Fault::Cut(0..=9)))));
        assert!((240..260).contains(&share(|fault| matches!(fault, Fault::Reset(0..=9)))));
        assert!((240..260).contains(&share(|fault| *fault == Fault::None)));
    }
}
