//! The pool under several runtimes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_util::FutureExt as _;
use tokio::runtime::Builder;
use tokio::sync::{Notify, oneshot};
use tokio::task::yield_now;
use tokio::time::advance;

use super::*;

/// Longer than anything takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

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
        let turn = self.pool.turn().await;
        match self.pool.take(turn, |number| !number.broken).await {
            Taken::Unused(number) => number,
            Taken::Room(room) => room.fill(self.next()),
        }
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

fn runtime() -> tokio::runtime::Runtime {
    let runtime = Builder::new_current_thread().enable_time().build();
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
    let room = numbers.pool.take(numbers.pool.turn().await, |_| true);
    let room = room.await;
    assert!(numbers.pool.turn().now_or_never().is_none());
    drop(room);
    assert_eq!(numbers.used().await, 1);
}

#[tokio::test]
async fn what_is_of_no_use_any_more_is_closed() {
    let numbers = Numbers::new(1, 1);
    let mut broken = numbers.get().await;
    broken.broken = true;
    broken.give_back();
    assert_eq!(numbers.used().await, 2);
    let turn = numbers.get().await.close();
    assert_eq!(numbers.open(), 0);
    let room = numbers.pool.take(turn, |_| true).await;
    assert!(matches!(room, Taken::Room(_)));
}

#[tokio::test(start_paused = true)]
async fn it_says_how_long_it_was_unused() {
    let numbers = Numbers::new(1, 1);
    numbers.used().await;
    advance(Duration::from_secs(1)).await;
    let used = numbers.get().await;
    assert_eq!(used.unused_for(), Duration::from_secs(1));
}

#[test]
fn each_runtime_uses_its_own_as_long_as_there_may_be_more() {
    let numbers = Numbers::new(2, 2);
    let [first, second] = [runtime(), runtime()];
    assert_eq!(first.block_on(numbers.used()), 1);
    assert_eq!(second.block_on(numbers.used()), 2);
    assert_eq!(first.block_on(numbers.used()), 1);
    assert_eq!(second.block_on(numbers.used()), 2);
    assert_eq!(numbers.open(), 2);
}

#[test]
fn one_of_a_runtime_that_runs_is_used_by_others_and_stays_its_own() {
    let numbers = Numbers::new(1, 1);
    let threads = Builder::new_multi_thread().worker_threads(1).build();
    let threads = threads.expect("a runtime starts");
    let (alone, others) = (runtime(), [runtime(), runtime()]);
    let done = Notify::new();
    thread::scope(|scope| {
        // It uses one, and runs on until the others have used it, too.
        let (used, was_used) = oneshot::channel();
        scope.spawn(|| {
            alone.block_on(async {
                used.send(numbers.used().await).expect("somebody waits");
                done.notified().await;
            });
        });
        assert_eq!(was_used.blocking_recv(), Ok(1));
        for other in &others {
            assert_eq!(other.block_on(numbers.used()), 1);
        }
        done.notify_one();
    });
    assert_eq!(alone.block_on(numbers.used()), 1);
    drop(alone);
    assert_eq!(threads.block_on(numbers.used()), 2);
    assert_eq!(others[0].block_on(numbers.used()), 2);
}

#[test]
fn one_of_a_runtime_that_does_not_run_makes_room() {
    let numbers = Numbers::new(2, 2);
    let [first, second] = [runtime(), runtime()];
    first.block_on(numbers.use_at_once(2));
    assert_eq!(second.block_on(numbers.used()), 3);
    assert_eq!(numbers.open(), 2);
    assert_eq!(first.block_on(numbers.used()), 1);
    assert_eq!(second.block_on(numbers.used()), 3);
}

/// Has a task of `runtime` wait for a number, and stops running it then.
fn waiting(numbers: &Arc<Numbers>, runtime: &tokio::runtime::Runtime) -> JoinHandle<usize> {
    let numbers = Arc::clone(numbers);
    let waiting = runtime.spawn(async move { numbers.used().await });
    runtime.block_on(yield_now());
    waiting
}

#[test]
fn a_turn_that_comes_to_a_runtime_that_does_not_run_goes_to_others() {
    let numbers = Arc::new(Numbers::new(1, 1));
    let [first, second] = [runtime(), runtime()];
    let got = first.block_on(numbers.get());
    let waiting = waiting(&numbers, &second);
    got.give_back();
    let used = first.block_on(async { timeout(PATIENCE, numbers.used()).await });
    assert_eq!(used, Ok(1));
    // It has kept its place for when it runs again.
    let used = second.block_on(async { timeout(PATIENCE, waiting).await });
    assert!(matches!(used, Ok(Ok(2))), "{used:?}");
}

#[test]
fn who_waits_behind_a_runtime_that_does_not_run_has_its_turn() {
    let numbers = Arc::new(Numbers::new(1, 1));
    let [first, second] = [runtime(), runtime()];
    let got = first.block_on(numbers.get());
    let _waiting = [waiting(&numbers, &second), waiting(&numbers, &second)];
    let behind = waiting(&numbers, &first);
    got.give_back();
    let used = first.block_on(async { timeout(PATIENCE, behind).await });
    assert!(matches!(used, Ok(Ok(1))), "{used:?}");
}

#[test]
fn what_a_runtime_has_opened_is_of_no_use_when_it_has_ended() {
    let numbers = Numbers::new(2, 2);
    let [first, second] = [runtime(), runtime()];
    first.block_on(numbers.use_at_once(2));
    let taken = first.block_on(numbers.get());
    drop(first);
    assert_eq!(numbers.open(), 1);
    taken.give_back();
    assert_eq!(numbers.open(), 0);
    second.block_on(numbers.use_at_once(2));
    assert_eq!(numbers.last.load(Ordering::SeqCst), 4);
    assert_eq!(numbers.open(), 2);
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
