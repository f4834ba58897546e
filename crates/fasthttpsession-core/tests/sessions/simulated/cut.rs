//! A future that is given up after so many polls, wherever it stands then.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// What `future` returns, or `None` if it takes more than `polls`; without `polls`, it has as many as it takes.
pub(crate) async fn cut<T>(polls: Option<u32>, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if let Poll::Ready(value) = future.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        let Some(left) = &mut left else {
            return Poll::Pending;
        };
        if *left == 0 {
            return Poll::Ready(None);
        }
        *left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
