//! Trying again what another writer thwarted.

use std::future::Future;
use std::time::Duration;

use fasthttpsession_core::StoreError;
use tokio::time::sleep;

/// How often to try: more often than writers who come again at once are in the way of, with rests, and not without end, for
/// a server may answer so each time.
const TRIES: u32 = 16;
/// The longest that the first rest may be; each further one may be twice as long.
const FIRST_REST: Duration = Duration::from_millis(1);
const LONGEST_REST: Duration = Duration::from_millis(64);

/// Makes attempts until one has an answer. `None` is one that another writer thwarted, who so got through: the next one
/// follows after a rest of random length, so that the two don't meet again.
///
/// # Errors
/// What an attempt fails with, and what `contended` makes when 16 attempts had no answer.
pub async fn settle<T, F>(
    mut attempt: impl FnMut() -> F,
    contended: impl FnOnce() -> StoreError,
) -> Result<T, StoreError>
where
    F: Future<Output = Result<Option<T>, StoreError>>,
{
    let mut longest = FIRST_REST;
    for _ in 1..TRIES {
        if let Some(answer) = attempt().await? {
            return Ok(answer);
        }
        // Boxed, for it is rarely made, and would have its room in the future of every operation.
        Box::pin(sleep(longest.mul_f64(fastrand::f64()))).await;
        longest = LONGEST_REST.min(longest * 2);
    }
    attempt().await?.ok_or_else(contended)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use fasthttpsession_core::StoreErrorKind;
    use tokio::time::Instant;

    use super::*;

    /// Settles what has an answer at this try, and counts the tries.
    async fn answered_at(number: u32) -> (u32, Result<&'static str, StoreError>) {
        let tries = Cell::new(0);
        let attempt = async || {
            tries.set(tries.get() + 1);
            Ok((tries.get() == number).then_some("an answer"))
        };
        let contended = || StoreError::new(StoreErrorKind::Unavailable, "always thwarted");
        let answer = settle(attempt, contended).await;
        (tries.get(), answer)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_costs_no_rest() {
        let start = Instant::now();
        let (tries, answer) = answered_at(1).await;
        assert_eq!((tries, answer.expect("an answer")), (1, "an answer"));
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_thwarted_is_tried_again_after_rests() {
        let start = Instant::now();
        let (tries, answer) = answered_at(TRIES).await;
        assert_eq!((tries, answer.expect("an answer")), (TRIES, "an answer"));
        let rests = start.elapsed();
        assert!(
            !rests.is_zero() && rests < LONGEST_REST * TRIES,
            "{rests:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_always_thwarted_is_an_error() {
        let (tries, answer) = answered_at(TRIES + 1).await;
        assert_eq!(tries, TRIES);
        let error = answer.expect_err("it never settles");
        assert_eq!(error.to_string(), "always thwarted");
    }

    #[tokio::test]
    async fn an_error_ends_it() {
        let attempt = async || {
            let error = StoreError::new(StoreErrorKind::Full, "the disk is full");
            Err::<Option<()>, _>(error)
        };
        let settled = settle(attempt, || unreachable!("it is tried once")).await;
        assert_eq!(settled.expect_err("it failed").kind(), StoreErrorKind::Full);
    }
}
