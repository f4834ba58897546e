//! Running things at once, cutting them short, and not waiting for ever.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Barrier;
use tokio::task::{JoinSet, yield_now};

use super::failure::{Failure, Outcome};

/// Runs `count` tasks that start together; answers what they answered, in the order of their ends.
pub(crate) async fn at_once<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (start, work) = (Arc::clone(&start), task(number));
        tasks.spawn(async move {
            start.wait().await;
            work.await
        });
    }
    tasks.join_all().await
}

/// [`at_once`] for tasks that may fail: the first failure, if any.
pub(crate) async fn all_at_once<F>(count: usize, task: impl Fn(usize) -> F) -> Outcome
where
    F: Future<Output = Outcome> + Send + 'static,
{
    at_once(count, task).await.into_iter().collect()
}

/// Polls `future` at most `polls` times, then drops it; `None` if it had not finished by then.
pub(crate) async fn polled<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// What `future` answers, unless it takes longer than `limit`: then nothing answers any more.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    future: impl Future<Output = T>,
) -> Result<T, Failure> {
    let answer = tokio::time::timeout(limit, future).await;
    answer.map_err(|_| Failure::new(format!("{what} did not answer within {limit:?}")))
}

/// Where a task lets others go first, decided by a seeded generator.
pub(crate) struct Jitter(fastrand::Rng);

impl Jitter {
    pub(crate) fn new(seed: u64, task: usize) -> Self {
        Self(task_rng(seed, task))
    }

    /// Lets other tasks go first, 0 to 3 times.
    pub(crate) async fn pause(&mut self) {
        for _ in 0..self.0.usize(..4) {
            yield_now().await;
        }
    }
}

/// The random numbers of one task of a run.
pub(crate) fn task_rng(seed: u64, task: usize) -> fastrand::Rng {
    fastrand::Rng::with_seed(
        seed.wrapping_add(task as u64 + 1)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15),
    )
}
