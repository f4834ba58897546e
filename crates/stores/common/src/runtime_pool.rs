//! A pool of connections for programs with several runtimes: each uses its own, and a bound holds for all.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::PerRuntime;

/// How long a connection that is more than are to stay open lies unused, at least; at most twice as long.
const SURPLUS: Duration = Duration::from_secs(10);
/// Where all that may be open are, a runtime that has none opens one in place of another's that has lain for so long. It
/// uses one that was in use since: opening takes longer than going by way of another runtime.
const FORSAKEN: Duration = Duration::from_secs(60);

/// Connections: at most so many are open, whatever runtimes use them.
///
/// A call goes over a connection of the runtime that makes it, the one used last, for reasons that
/// [`PerRuntime`](crate::PerRuntime) gives. If it has none that is unused, it opens one; if there may be no more, it uses
/// one that another runtime opened.
pub struct RuntimePool<C> {
    shared: Arc<Shared<C>>,
    runtimes: PerRuntime<Runtime>,
}

struct Shared<C> {
    most: usize,
    /// How many stay open that nobody uses.
    idle: usize,
    /// One for each connection that may be in use.
    turns: Arc<Semaphore>,
    lying: Mutex<Lying<C>>,
}

struct Lying<C> {
    /// How many are open or being opened, in use or not.
    open: usize,
    /// Those used last lie last.
    unused: Vec<Unused<C>>,
}

struct Unused<C> {
    connection: C,
    home: Weak<Runtime>,
    since: Instant,
}

/// A runtime that uses the pool, as long as it is there.
struct Runtime {
    closing: Option<JoinHandle<()>>,
}

/// A connection in use. Dropped, it is closed, for who knows what is still to come on it.
pub struct Pooled<C> {
    connection: Option<C>,
    home: Weak<Runtime>,
    place: Place<C>,
}

/// Room for a connection, in use.
struct Place<C> {
    shared: Arc<Shared<C>>,
    /// Whether a connection leaves it free.
    is_left: bool,
    _turn: OwnedSemaphorePermit,
}

impl<C: Send + 'static> RuntimePool<C> {
    /// At most `most` connections, at least 1, of which `idle` stay open that nobody uses.
    pub fn new(most: usize, idle: usize) -> Self {
        let most = most.clamp(1, Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared {
            most,
            idle,
            turns: Arc::new(Semaphore::new(most)),
            lying: Mutex::new(Lying {
                open: 0,
                unused: Vec::new(),
            }),
        });
        let closing = Arc::downgrade(&shared);
        Self {
            runtimes: PerRuntime::new(move || Runtime {
                closing: (idle < most).then(|| tokio::spawn(close_surplus(closing.clone()))),
            }),
            shared,
        }
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.shared.most
    }

    /// A connection that is `usable` still, or one that `open` opens; after a wait if all are in use.
    ///
    /// # Errors
    /// What `open` fails with.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn get<E>(
        &self,
        usable: impl Fn(&C) -> bool,
        open: impl Future<Output = Result<C, E>>,
    ) -> Result<Pooled<C>, E> {
        let turn = Arc::clone(&self.shared.turns).acquire_owned().await;
        let here = self.runtimes.get();
        let (found, closed) = self.shared.take(&here, usable);
        let place = Place {
            shared: Arc::clone(&self.shared),
            is_left: true,
            _turn: turn.expect("nobody closes it"),
        };
        drop(closed);
        let (connection, home) = match found {
            Some(unused) => (unused.connection, unused.home),
            None => (open.await?, Arc::downgrade(&here)),
        };
        Ok(Pooled {
            connection: Some(connection),
            home,
            place,
        })
    }
}

impl<C> Shared<C> {
    /// One that lies unused, or none and room for another; and those that are to be closed.
    fn take(
        &self,
        here: &Arc<Runtime>,
        usable: impl Fn(&C) -> bool,
    ) -> (Option<Unused<C>>, Vec<Unused<C>>) {
        let mut lying = self.lock();
        let is_own = |unused: &Unused<C>| {
            Weak::as_ptr(&unused.home) == Arc::as_ptr(here) && usable(&unused.connection)
        };
        if let Some(last) = lying.unused.iter().rposition(is_own) {
            return (Some(lying.unused.remove(last)), Vec::new());
        }
        let is_lost =
            |unused: &mut Unused<C>| unused.home.strong_count() == 0 || !usable(&unused.connection);
        let mut closed: Vec<_> = lying.unused.extract_if(.., is_lost).collect();
        if lying.open - closed.len() == self.most {
            let first = lying.unused.first();
            if first.is_some_and(|first| first.since.elapsed() >= FORSAKEN) {
                closed.push(lying.unused.remove(0));
            } else if let Some(last) = lying.unused.pop() {
                lying.open -= closed.len();
                return (Some(last), closed);
            }
        }
        lying.open = lying.open + 1 - closed.len();
        (None, closed)
    }

    /// Those that have lain for long and are more than are to stay open.
    fn surplus(&self) -> Vec<Unused<C>> {
        let mut lying = self.lock();
        let long_unused = lying.unused.iter();
        let long_unused = long_unused.take_while(|unused| unused.since.elapsed() >= SURPLUS);
        let surplus = lying.unused.len().saturating_sub(self.idle);
        let surplus = surplus.min(long_unused.count());
        lying.open -= surplus;
        lying.unused.drain(..surplus).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Lying<C>> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.lying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what is too much, as long as the pool is there.
async fn close_surplus<C>(pool: Weak<Shared<C>>) {
    loop {
        sleep(SURPLUS).await;
        let Some(pool) = pool.upgrade() else { return };
        drop(pool.surplus());
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(closing) = &self.closing {
            closing.abort();
        }
    }
}

impl<C> Pooled<C> {
    /// Leaves it to others. It waits for no answer.
    pub fn give_back(mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        self.place.is_left = false;
        self.place.shared.lock().unused.push(Unused {
            connection,
            home: self.home.clone(),
            since: Instant::now(),
        });
    }
}

impl<C> Deref for Pooled<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("it is there until it goes")
    }
}

impl<C> DerefMut for Pooled<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("it is there until it goes")
    }
}

impl<C> Drop for Place<C> {
    fn drop(&mut self) {
        if self.is_left {
            self.shared.lock().open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::{pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use tokio::runtime;
    use tokio::task::yield_now;
    use tokio::time::advance;

    use super::*;

    /// A pool of numbers, and how many of them are there.
    struct Numbers {
        pool: RuntimePool<Number>,
        last: AtomicUsize,
        open: Arc<AtomicUsize>,
    }

    struct Number {
        name: usize,
        open: Arc<AtomicUsize>,
        broken: bool,
    }

    impl Numbers {
        fn new(most: usize, idle: usize) -> Self {
            Self {
                pool: RuntimePool::new(most, idle),
                last: AtomicUsize::new(0),
                open: Arc::default(),
            }
        }

        async fn get(&self) -> Pooled<Number> {
            let got = self.pool.get(|number| !number.broken, async {
                Ok::<_, Infallible>(self.next())
            });
            got.await.expect("opening does not fail")
        }

        fn next(&self) -> Number {
            self.open.fetch_add(1, Ordering::SeqCst);
            Number {
                name: self.last.fetch_add(1, Ordering::SeqCst) + 1,
                open: Arc::clone(&self.open),
                broken: false,
            }
        }

        /// Uses one for a moment, and says which.
        async fn used(&self) -> usize {
            let got = self.get().await;
            let name = got.name;
            got.give_back();
            name
        }

        /// Uses so many at once.
        async fn use_at_once(&self, count: usize) {
            let mut all = Vec::new();
            for _ in 0..count {
                all.push(self.get().await);
            }
            all.into_iter().for_each(Pooled::give_back);
        }

        fn open(&self) -> usize {
            self.open.load(Ordering::SeqCst)
        }
    }

    impl Drop for Number {
        fn drop(&mut self) {
            self.open.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn runtime() -> runtime::Runtime {
        let runtime = runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime starts")
    }

    #[tokio::test]
    async fn the_one_used_last_is_used_next() {
        let numbers = Numbers::new(3, 3);
        let [first, second] = [numbers.get().await, numbers.get().await];
        second.give_back();
        first.give_back();
        assert_eq!(numbers.used().await, 1);
        assert_eq!(numbers.used().await, 1);
        assert_eq!(numbers.open(), 2);
    }

    #[tokio::test]
    async fn no_more_are_open_than_may_be() {
        let numbers = Numbers::new(2, 2);
        let [first, second] = [numbers.get().await, numbers.get().await];
        assert!(numbers.get().now_or_never().is_none());
        second.give_back();
        assert_eq!(numbers.used().await, 2);
        drop(first);
        assert_eq!(numbers.open(), 1);
        numbers.use_at_once(2).await;
        assert_eq!(numbers.open(), 2);
    }

    #[tokio::test]
    async fn room_that_nothing_came_of_is_left_to_others() {
        let numbers = Numbers::new(1, 1);
        let failed = numbers.pool.get(|_| true, ready(Err("it is down")));
        assert_eq!(failed.await.err(), Some("it is down"));
        let given_up = numbers.pool.get(|_| true, pending::<Result<_, ()>>());
        assert!(given_up.now_or_never().is_none());
        assert_eq!(numbers.used().await, 1);
    }

    #[tokio::test]
    async fn what_is_of_no_use_any_more_is_closed() {
        let numbers = Numbers::new(1, 1);
        let mut broken = numbers.get().await;
        broken.broken = true;
        broken.give_back();
        assert_eq!(numbers.used().await, 2);
        assert_eq!(numbers.open(), 1);
    }

    #[test]
    fn each_runtime_uses_its_own_as_long_as_there_may_be_more() {
        let numbers = Numbers::new(2, 2);
        let [first, second, third] = [runtime(), runtime(), runtime()];
        assert_eq!(first.block_on(numbers.used()), 1);
        assert_eq!(second.block_on(numbers.used()), 2);
        assert_eq!(first.block_on(numbers.used()), 1);
        // The one used last, whose runtime is awake; and it is at home there still.
        assert_eq!(third.block_on(numbers.used()), 1);
        assert_eq!(second.block_on(numbers.used()), 2);
        assert_eq!(first.block_on(numbers.used()), 1);
        assert_eq!(numbers.open(), 2);
    }

    #[test]
    fn what_a_runtime_has_opened_is_of_no_use_when_it_has_ended() {
        let numbers = Numbers::new(2, 2);
        let [first, second] = [runtime(), runtime()];
        first.block_on(numbers.use_at_once(2));
        let taken = first.block_on(numbers.get());
        drop(first);
        taken.give_back();
        second.block_on(numbers.use_at_once(2));
        assert_eq!(numbers.last.load(Ordering::SeqCst), 4);
        assert_eq!(numbers.open(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_another_runtime_has_forsaken_makes_room() {
        let numbers = Numbers::new(1, 1);
        let other = runtime();
        std::thread::scope(|threads| {
            threads.spawn(|| assert_eq!(other.block_on(numbers.used()), 1));
        });
        assert_eq!(numbers.used().await, 1);
        advance(FORSAKEN).await;
        assert_eq!(numbers.used().await, 2);
        assert_eq!(numbers.open(), 1);
        other.shutdown_background();
    }

    #[tokio::test(start_paused = true)]
    async fn of_those_that_lie_unused_the_last_stay_open() {
        let numbers = Numbers::new(4, 2);
        numbers.use_at_once(4).await;
        yield_now().await;
        assert_eq!(numbers.open(), 4);
        advance(SURPLUS / 2).await;
        assert_eq!(numbers.used().await, 4);
        advance(SURPLUS / 2).await;
        yield_now().await;
        assert_eq!(numbers.open(), 2);
        numbers.use_at_once(2).await;
        assert_eq!(numbers.last.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn nothing_outlives_the_pool() {
        let numbers = Numbers::new(2, 1);
        let taken = numbers.get().await;
        numbers.used().await;
        let Numbers { pool, open, .. } = numbers;
        drop(pool);
        taken.give_back();
        assert_eq!(open.load(Ordering::SeqCst), 0);
        let tasks = || runtime::Handle::current().metrics().num_alive_tasks();
        while tasks() > 0 {
            yield_now().await;
        }
    }
}
