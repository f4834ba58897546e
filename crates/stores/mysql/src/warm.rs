//! Connections that were in use a moment ago. A pool looks whether a connection is alive before it gives it out, and takes
//! it back by way of a task of its own; for one that is in use all the time, that would cost more than a read does.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::time::sleep;

/// What nobody wants for this long is dropped, which gives a connection back to its pool; for twice as long at most.
const MOMENT: Duration = Duration::from_millis(50);

/// What was in use a moment ago, and may be used again without a question. Clones are the same.
pub(crate) struct Warm<T>(Arc<Mutex<Lying<T>>>);

struct Lying<T> {
    /// In the order in which they came.
    all: Vec<T>,
    /// How many of them, from the first, nobody has wanted since the last look.
    unwanted: usize,
    /// Whether a task looks.
    watched: bool,
}

impl<T: Send + 'static> Warm<T> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Lying {
            all: Vec::new(),
            unwanted: 0,
            watched: false,
        })))
    }

    /// The one that came last.
    pub(crate) fn take(&self) -> Option<T> {
        let mut lying = lock(&self.0);
        let last = lying.all.pop();
        lying.unwanted = lying.unwanted.min(lying.all.len());
        last
    }

    /// Keeps `used` for a moment. Needs a tokio runtime.
    pub(crate) fn put(&self, used: T) {
        let mut lying = lock(&self.0);
        lying.all.push(used);
        let watched = mem::replace(&mut lying.watched, true);
        drop(lying);
        // Not under the lock: a runtime that is ending drops the task at once, which takes it.
        if !watched {
            tokio::spawn(Watch(Arc::downgrade(&self.0)).run());
        }
    }
}

impl<T> Clone for Warm<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// The task that drops what nobody wants. It ends when nothing is left. If its runtime ends before, it takes all with it.
struct Watch<T>(Weak<Mutex<Lying<T>>>);

impl<T> Watch<T> {
    async fn run(mut self) {
        while self.look() {
            sleep(MOMENT).await;
        }
    }

    /// Drops what has been unwanted since the last look, and says whether something is left.
    fn look(&mut self) -> bool {
        let Some(warm) = self.0.upgrade() else {
            return false;
        };
        let mut lying = lock(&warm);
        let unwanted = lying.unwanted;
        let dropped: Vec<_> = lying.all.drain(..unwanted).collect();
        lying.unwanted = lying.all.len();
        lying.watched = !lying.all.is_empty();
        let watched = lying.watched;
        if !watched {
            self.0 = Weak::new();
        }
        drop(lying);
        drop(dropped);
        watched
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        if let Some(warm) = self.0.upgrade() {
            let mut lying = lock(&warm);
            let all = mem::take(&mut lying.all);
            (lying.unwanted, lying.watched) = (0, false);
            drop(lying);
            drop(all);
        }
    }
}

fn lock<T>(warm: &Mutex<Lying<T>>) -> MutexGuard<'_, Lying<T>> {
    // Nothing that runs under this lock can panic half-way through a change.
    warm.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    /// Things that count their clones.
    fn thing() -> Arc<()> {
        Arc::new(())
    }

    fn are_there(thing: &Arc<()>) -> usize {
        Arc::strong_count(thing) - 1
    }

    /// Until the task has looked that was to look a moment from now.
    async fn a_moment() {
        sleep(MOMENT + Duration::from_millis(1)).await;
    }

    #[tokio::test]
    async fn the_last_comes_first() {
        let warm = Warm::new();
        assert_eq!(warm.take(), None);
        warm.put(1);
        warm.put(2);
        assert_eq!(warm.take(), Some(2));
        assert_eq!(warm.take(), Some(1));
        assert_eq!(warm.take(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_wants_goes_after_a_moment_and_what_is_used_stays() {
        let (warm, [used, unused]) = (Warm::new(), [thing(), thing()]);
        warm.put(Arc::clone(&unused));
        warm.put(Arc::clone(&used));
        tokio::task::yield_now().await;
        for _ in 0..3 {
            let taken = warm.take().expect("it was used a moment ago");
            assert!(Arc::ptr_eq(&taken, &used));
            warm.put(taken);
            a_moment().await;
        }
        assert_eq!((are_there(&unused), are_there(&used)), (0, 1));
        a_moment().await;
        a_moment().await;
        assert_eq!(are_there(&used), 0);
        // And so again, with another task.
        warm.put(Arc::clone(&used));
        a_moment().await;
        a_moment().await;
        assert_eq!(are_there(&used), 0);
    }

    #[tokio::test]
    async fn whoever_drops_it_drops_all() {
        let (warm, thing) = (Warm::new(), thing());
        warm.put(Arc::clone(&thing));
        tokio::task::yield_now().await;
        drop(warm);
        assert_eq!(are_there(&thing), 0);
    }

    #[test]
    fn nothing_outlives_the_runtime_that_looked_after_it() {
        let (warm, thing) = (Warm::new(), thing());
        let runtime = || Builder::new_current_thread().enable_time().build();
        for _ in 0..2 {
            let runtime = runtime().expect("a runtime starts");
            runtime.block_on(async {
                warm.put(Arc::clone(&thing));
                tokio::task::yield_now().await;
            });
            assert_eq!(are_there(&thing), 1);
            drop(runtime);
            assert_eq!(are_there(&thing), 0);
        }
    }

    /// Puts one back when it is dropped.
    struct Late(Warm<Arc<()>>, Arc<()>);

    impl Drop for Late {
        fn drop(&mut self) {
            self.0.put(Arc::clone(&self.1));
        }
    }

    #[test]
    fn who_puts_one_back_while_the_runtime_ends_leaves_nothing() {
        let thing = thing();
        let late = Late(Warm::new(), Arc::clone(&thing));
        let runtime = Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a runtime starts");
        runtime.spawn(async move {
            let _late = late;
            std::future::pending::<()>().await;
        });
        runtime.block_on(tokio::task::yield_now());
        drop(runtime);
        assert_eq!(are_there(&thing), 0);
    }
}
