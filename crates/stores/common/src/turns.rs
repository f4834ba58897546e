//! Turns: so many at once, in the order in which they were asked for, and nobody waits for long for one who does not come.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// How long a runtime that runs may take to show it.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_millis(100);

/// The right to use one of so many connections or threads. Dropped, it comes to the next one.
///
/// Whoever keeps it across an await has a runtime that does not run keep it from everybody.
pub struct Turn(Arc<Turns>);

/// Those who have a turn, or wait for one.
pub struct Turns {
    /// The number of whoever asks next.
    next: AtomicU64,
    line: Mutex<Line>,
}

/// Who waits has a number, and those with smaller ones asked before.
struct Line {
    free: usize,
    waiting: BTreeMap<u64, Waker>,
    /// Those whose turn has come, and since when. They are woken, but may belong to a runtime that does not run, or to a
    /// task that has something else to do.
    called: BTreeMap<u64, Instant>,
}

/// The place of one who waits. Dropped, it is given up.
struct Place<'a> {
    turns: &'a Turns,
    number: u64,
}

impl Turns {
    /// At most so many at once, at least 1.
    pub fn new(free: usize) -> Self {
        let free = free.max(1);
        Self {
            next: AtomicU64::new(0),
            line: Mutex::new(Line {
                free,
                waiting: BTreeMap::new(),
                called: BTreeMap::new(),
            }),
        }
    }

    /// Waits for a turn. One that came to somebody who has not taken it for a while is anybody's, so everyone who waits
    /// looks for that now and then.
    pub async fn turn(self: &Arc<Self>) -> Turn {
        if let Some(turn) = self.turn_now() {
            return turn;
        }
        let place = Place {
            turns: self,
            number: self.next.fetch_add(1, Ordering::Relaxed),
        };
        while timeout(SIGN_OF_LIFE, poll_fn(|context| place.come(context)))
            .await
            .is_err()
        {}
        Turn(Arc::clone(self))
    }

    /// A turn, if one is to be had at once: whoever bounds the wait needs no timer then.
    pub fn turn_now(self: &Arc<Self>) -> Option<Turn> {
        let is_free = self.change(Line::any_free);
        is_free.then(|| Turn(Arc::clone(self)))
    }

    /// What comes back is dropped or woken outside of the lock, for it may do anything.
    fn change<T>(&self, change: impl FnOnce(&mut Line) -> T) -> T {
        // Nothing that runs under this lock can panic half-way through a change.
        change(&mut self.line.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Line {
    /// Whether it is the turn of this one, who waits if it is not; and its last waker.
    fn ask(&mut self, number: u64, waker: &Waker) -> (bool, Option<Waker>) {
        let last_waker = self.waiting.remove(&number);
        let is_its_turn = self.called.remove(&number).is_some() || self.any_free();
        if !is_its_turn {
            self.waiting.insert(number, waker.clone());
        }
        (is_its_turn, last_waker)
    }

    /// Takes one that is free, or has come to somebody who does not take it: who finds its place in the line when it looks
    /// again.
    fn any_free(&mut self) -> bool {
        if self.free > 0 {
            self.free -= 1;
            return true;
        }
        let mut called = self.called.iter();
        let forgotten = called.find(|(_, since)| since.elapsed() >= SIGN_OF_LIFE);
        let forgotten = forgotten.map(|(number, _)| *number);
        forgotten.is_some_and(|number| self.called.remove(&number).is_some())
    }

    /// Has it be the turn of whoever has waited for longest, who is to be woken.
    fn call(&mut self) -> Option<Waker> {
        let Some((number, waker)) = self.waiting.pop_first() else {
            self.free += 1;
            return None;
        };
        self.called.insert(number, Instant::now());
        Some(waker)
    }

    /// Forgets this one: with its waker, if it still waited, and that of the next one, if the turn had come to it.
    fn leave(&mut self, number: u64) -> (Option<Waker>, Option<Waker>) {
        let waited = self.waiting.remove(&number);
        let was_called = self.called.remove(&number).is_some();
        (waited, was_called.then(|| self.call()).flatten())
    }
}

impl Place<'_> {
    fn come(&self, context: &Context<'_>) -> Poll<()> {
        let ask = |line: &mut Line| line.ask(self.number, context.waker());
        match self.turns.change(ask) {
            (true, _) => Poll::Ready(()),
            (false, _) => Poll::Pending,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let (_, next) = self.turns.change(|line| line.leave(self.number));
        next.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = self.0.change(Line::call);
        next.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use tokio::task::yield_now;
    use tokio::time::advance;

    use super::*;

    fn turns(free: usize) -> Arc<Turns> {
        Arc::new(Turns::new(free))
    }

    #[tokio::test]
    async fn who_asked_first_is_first() {
        let turns = turns(1);
        let turn = turns.turn().await;
        let mut waiting = [(); 3].map(|()| Box::pin(turns.turn()));
        for waiting in &mut waiting {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(turn);
        let [first, second, third] = &mut waiting;
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_none());
        let turn = first.as_mut().now_or_never().expect("it is its turn");
        assert!(turns.turn().now_or_never().is_none());
        drop(turn);
        assert!(third.as_mut().now_or_never().is_none());
        assert!(second.as_mut().now_or_never().is_some());
        assert!(third.as_mut().now_or_never().is_some());
        assert!(turns.turn().now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_turn_to_the_next() {
        let turns = turns(1);
        let turn = turns.turn().await;
        let [mut first, mut second, mut third] = [(); 3].map(|()| Box::pin(turns.turn()));
        for waiting in [&mut first, &mut second, &mut third] {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(first);
        drop(turn);
        drop(second);
        assert!(third.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_come_is_passed_over_and_keeps_its_place() {
        let turns = turns(1);
        let turn = turns.turn().await;
        let mut absent = Box::pin(turns.turn());
        assert!(absent.as_mut().now_or_never().is_none());
        let waiting = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.turn().await }
        });
        yield_now().await;
        drop(turn);
        let turn = waiting.await.expect("it does not panic");
        let mut last = Box::pin(turns.turn());
        assert!(last.as_mut().now_or_never().is_none());
        assert!(absent.as_mut().now_or_never().is_none());
        drop(turn);
        assert!(last.as_mut().now_or_never().is_none());
        assert!(absent.as_mut().now_or_never().is_some());
        assert!(last.as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_took_is_at_once_that_of_one_who_comes_late() {
        let turns = turns(1);
        let turn = turns.turn().await;
        let mut absent = Box::pin(turns.turn());
        assert!(absent.as_mut().now_or_never().is_none());
        drop(turn);
        assert!(turns.turn().now_or_never().is_none());
        advance(SIGN_OF_LIFE).await;
        assert!(turns.turn().now_or_never().is_some());
        assert!(absent.as_mut().now_or_never().is_some());
    }
}
