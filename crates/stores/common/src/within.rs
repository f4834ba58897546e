//! An end for every wait.

use std::future::Future;
use std::time::Duration;

use fasthttpsession_core::StoreError;
use futures_util::future::FutureExt as _;
use tokio::time::timeout;

/// The answer of `work`, or after `limit` what `late` makes.
///
/// Not an `async fn`: that would have room for `work` twice, and an operation's future is made anew for each request.
pub fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
    late: impl FnOnce() -> StoreError,
) -> impl Future<Output = Result<T, StoreError>> {
    timeout(limit, work).map(|answer| answer.unwrap_or_else(|_| Err(late())))
}
