//! Limits: a large record is kept whole, one that is too large is refused whole.

use bytes::Bytes;
use fasthttpsession_core::{Record, Replaced, Store, StoreError, StoreErrorKind};

use super::failure::{Failure, Outcome, ensure};
use super::sample;
use super::shown::is_silent_of;
use super::subject::Subject;

/// What is kept if the store was not told a limit.
const ONE_MIB: usize = 1 << 20;
/// How a body begins that is too large.
const BEGINNING: &str = "a-body-that-is-too-large";

/// A body as large as the store says it keeps comes back whole, beside the longest principal and label: created,
/// replaced, handed back by a conflict.
pub async fn the_largest_body_is_kept<S: Store>(subject: &Subject<S>) -> Outcome {
    let size = subject.limit()?.map_or(ONE_MIB, |limit| limit.fits);
    let now = subject.now();
    let record = Record {
        body: noise(size),
        ..sample::fullest_record(now)
    };
    let handle = subject.create(&record).await?;
    subject.holds(handle, &record).await?;
    let next = Record {
        body: noise(size),
        ..sample::successor(&record)
    };
    subject.store().replace(handle, 1, &next, now).await?;
    subject.holds(handle, &next).await?;
    let answer = subject.store().replace(handle, 1, &record, now).await?;
    ensure!(
        answer == Replaced::Conflict(next),
        "a conflict did not hand back the large record that is there"
    );
    Ok(())
}

/// A record over the limit is refused as too large, certainly without effect: nothing is created, and the record
/// that it was to replace stays as it is. The error does not show it.
pub async fn a_record_over_the_limit_is_refused_whole<S: Store>(subject: &Subject<S>) -> Outcome {
    let Some(limit) = subject.limit()? else {
        return Ok(());
    };
    let (store, now) = (subject.store(), subject.now());
    let small = sample::record(now);
    let handle = subject.create(&small).await?;
    let rest = limit.refused.saturating_sub(BEGINNING.len());
    let large = Record {
        body: [BEGINNING.as_bytes(), &noise(rest)].concat().into(),
        ..sample::successor(&small)
    };
    too_large(store.replace(handle, 1, &large, now).await)?;
    subject.holds(handle, &small).await?;
    let empty = sample::handle();
    too_large(store.create(empty, &large, now).await)?;
    subject.holds_nothing(empty).await
}

fn too_large<T>(answer: Result<T, StoreError>) -> Outcome {
    let Err(error) = answer else {
        return Err(Failure::new("a record over the limit was taken"));
    };
    let kind = error.kind();
    ensure!(
        kind == StoreErrorKind::TooLarge,
        "a record over the limit was answered with {kind:?}: {error}"
    );
    ensure!(
        !error.may_have_applied(),
        "a record over the limit was refused as if it may have been written"
    );
    is_silent_of(BEGINNING, &error)
}

/// Bytes that don't compress.
fn noise(size: usize) -> Bytes {
    let mut bytes = vec![0; size];
    fastrand::fill(&mut bytes);
    bytes.into()
}
