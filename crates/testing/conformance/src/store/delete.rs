//! Deletion: it is final, whatever else was under way.

use std::sync::Arc;

use fasthttpsession_core::{Created, Deleted, Handle, Record, Replaced, Store, Timestamp, Touched};
use tokio::task::yield_now;

use super::failure::{Outcome, ensure};
use super::sample::{self, HOUR};
use super::subject::Subject;
use super::tasks::{Jitter, at_once};

/// A deletion removes the record whatever its version; a second one finds nothing.
pub async fn a_deletion_removes_the_record<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let record = sample::record(now);
    let handle = subject.create(&record).await?;
    subject
        .store()
        .replace(handle, 1, &sample::successor(&record), now)
        .await?;
    for want in [Deleted::Deleted, Deleted::Gone, Deleted::Gone] {
        let answer = subject.store().delete(handle, now).await?;
        ensure!(
            answer == want,
            "a deletion answered {answer:?} where {want:?} was due"
        );
        subject.holds_nothing(handle).await?;
    }
    Ok(())
}

/// A deletion of a handle that never held anything answers that it is gone.
pub async fn a_deletion_of_nothing_is_gone<S: Store>(subject: &Subject<S>) -> Outcome {
    let answer = subject
        .store()
        .delete(sample::handle(), subject.now())
        .await?;
    ensure!(
        answer == Deleted::Gone,
        "a deletion of nothing answered {answer:?}"
    );
    Ok(())
}

/// Of many deletions at once exactly one is told that it deleted.
pub async fn of_many_deletions_at_once_one_deletes<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    for _ in 0..subject.round_count() {
        let handle = subject.create(&sample::record(now)).await?;
        let answers = at_once(subject.task_count(), |task| {
            let store = subject.client(task);
            async move { store.delete(handle, now).await }
        });
        let answers = answers.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let deleted = answers
            .iter()
            .filter(|answer| **answer == Deleted::Deleted)
            .count();
        ensure!(
            deleted == 1,
            "{deleted} deletions of one record were told that they deleted it"
        );
        subject.holds_nothing(handle).await?;
    }
    Ok(())
}

/// After a deletion has answered, nothing that was under way brings the record back: no creation that had answered
/// before, no replacement and no touch.
pub async fn a_deleted_session_stays_deleted<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, seed) = (subject.now(), subject.seed());
    for round in 0..subject.round_count() {
        let record = sample::record(now);
        let handle = subject.create(&record).await?;
        let answers = at_once(subject.task_count(), |task| {
            let (store, record) = (subject.client(task), record.clone());
            let jitter = Jitter::new(seed.wrapping_add(round as u64), task);
            worker(store, handle, record, now, task, jitter)
        });
        answers.await.into_iter().collect::<Outcome>()?;
        stays_empty(subject, handle).await?;
    }
    Ok(())
}

/// After a deletion the handle is free: a creation under it succeeds and holds nothing of the old record.
pub async fn a_deleted_handle_can_be_created_anew<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let handle = subject
        .create(&sample::record_of(&sample::principal(), now))
        .await?;
    subject.store().delete(handle, now).await?;
    let fresh = sample::record(now);
    let answer = subject.store().create(handle, &fresh, now).await?;
    ensure!(
        answer == Created::Created,
        "a creation after a deletion answered {answer:?}"
    );
    subject.holds(handle, &fresh).await
}

/// Task 0 deletes; the others replace and touch until they are told that the record is gone.
async fn worker<S: Store>(
    store: Arc<S>,
    handle: Handle,
    record: Record,
    now: Timestamp,
    task: usize,
    mut jitter: Jitter,
) -> Outcome {
    jitter.pause().await;
    match task {
        0 => {
            let answer = store.delete(handle, now).await?;
            ensure!(
                answer == Deleted::Deleted,
                "the only deletion of a live record answered {answer:?}"
            );
            let found = store.load(handle, now).await?;
            ensure!(
                found.is_none(),
                "right after its deletion a session held {}",
                sample::describe(found.as_ref())
            );
            Ok(())
        }
        task if task % 2 == 0 => keep_touching(&store, handle, now, &mut jitter).await,
        _ => keep_replacing(&store, handle, record, now, &mut jitter).await,
    }
}

async fn keep_replacing<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    mut record: Record,
    now: Timestamp,
    jitter: &mut Jitter,
) -> Outcome {
    loop {
        let next = sample::successor(&record);
        match store
            .replace(handle, record.header.version, &next, now)
            .await?
        {
            Replaced::Replaced => record = next,
            Replaced::Conflict(current) => record = current,
            Replaced::Gone => return Ok(()),
        }
        jitter.pause().await;
        yield_now().await;
    }
}

async fn keep_touching<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    now: Timestamp,
    jitter: &mut Jitter,
) -> Outcome {
    loop {
        let version = store
            .load(handle, now)
            .await?
            .map_or(1, |record| record.header.version);
        if store
            .touch(handle, version, now.after(2 * HOUR), now)
            .await?
            == Touched::Gone
        {
            return Ok(());
        }
        jitter.pause().await;
        yield_now().await;
    }
}

/// Looks many times, with others going first, because what comes late comes after the answer.
async fn stays_empty<S: Store>(subject: &Subject<S>, handle: Handle) -> Outcome {
    for _ in 0..16 {
        subject.holds_nothing(handle).await?;
        yield_now().await;
    }
    Ok(())
}
