//! Deletion: it is final, whatever else was under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fasthttpsession_core::{Created, Deleted, Handle, Record, Replaced, Store, Timestamp, Touched};
use tokio::task::yield_now;

use super::capabilities;
use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR, hours};
use super::subject::Subject;
use super::tasks::{Jitter, all_at_once, at_once};

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

/// Of many deletions at once exactly one is told that it deleted, and no other session is listed or counted less.
pub async fn of_many_deletions_at_once_one_deletes<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let principal = sample::principal();
    subject.create(&sample::record_of(&principal, now)).await?;
    for _ in 0..subject.round_count() {
        let record = sample::record_of(&principal, now);
        let handle = subject.create(&record).await?;
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
    capabilities::lists(subject, &principal, 1, 1, now).await
}

/// After a deletion has answered, nothing that was under way brings the record back: no creation that had answered
/// before, no replacement and no touch. Whoever calls after that answer is told that it is gone.
pub async fn a_deleted_session_stays_deleted<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, seed) = (subject.now(), subject.seed());
    for round in 0..subject.round_count() {
        let record = sample::record(now);
        let handle = subject.create(&record).await?;
        let deleted = Arc::new(AtomicBool::new(false));
        all_at_once(subject.task_count(), |task| {
            let jitter = Jitter::new(seed.wrapping_add(round as u64), task);
            let deleted = Arc::clone(&deleted);
            let worker = Worker {
                store: subject.client(task),
                handle,
                record: record.clone(),
                now,
                deleted,
                jitter,
            };
            worker.run(task)
        })
        .await?;
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

/// Whoever meets a handle that others delete and create anew all the time gets an answer, and no error: the calls that
/// a store needs for one answer may each find another record there.
pub async fn a_handle_deleted_and_created_over_and_over_answers_all<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let (now, seed, calls) = (subject.now(), subject.seed(), subject.round_count() * 8);
    let handle = sample::handle();
    all_at_once(subject.task_count(), |task| {
        let (store, mut jitter) = (subject.client(task), Jitter::new(seed, task));
        async move {
            for call in 0..calls {
                let record = sample::record(now);
                match (task + call) % 4 {
                    0 => drop(store.create(handle, &record, now).await?),
                    1 => drop(store.delete(handle, now).await?),
                    2 => {
                        let next = sample::successor(&record);
                        drop(store.replace(handle, 1, &next, now).await?);
                    }
                    _ => drop(
                        store
                            .touch(handle, 1, now.after(hours(call + 2)), now)
                            .await?,
                    ),
                }
                jitter.pause().await;
            }
            Ok(())
        }
    })
    .await
}

/// One of the tasks that meet at a record: task 0 deletes it, the others replace and touch it until it is gone.
struct Worker<S> {
    store: Arc<S>,
    handle: Handle,
    record: Record,
    now: Timestamp,
    /// Set once the deletion has answered.
    deleted: Arc<AtomicBool>,
    jitter: Jitter,
}

impl<S: Store> Worker<S> {
    async fn run(mut self, task: usize) -> Outcome {
        self.jitter.pause().await;
        if task == 0 {
            return self.delete().await;
        }
        loop {
            let late = self.deleted.load(Ordering::SeqCst);
            let gone = if task.is_multiple_of(2) {
                self.touch().await?
            } else {
                self.replace().await?
            };
            if gone {
                return Ok(());
            }
            ensure!(
                !late,
                "after its deletion had answered, a session was still there to replace or touch"
            );
            self.jitter.pause().await;
            yield_now().await;
        }
    }

    async fn delete(&self) -> Outcome {
        let answer = self.store.delete(self.handle, self.now).await;
        self.deleted.store(true, Ordering::SeqCst);
        let answer = answer?;
        ensure!(
            answer == Deleted::Deleted,
            "the only deletion of a live record answered {answer:?}"
        );
        let found = self.store.load(self.handle, self.now).await?;
        let text = sample::describe(found.as_ref());
        ensure!(
            found.is_none(),
            "right after its deletion a session held {text}"
        );
        Ok(())
    }

    /// Whether the record is gone.
    async fn replace(&mut self) -> Result<bool, Failure> {
        let next = sample::successor(&self.record);
        match self
            .store
            .replace(self.handle, self.record.header.version, &next, self.now)
            .await?
        {
            Replaced::Replaced => self.record = next,
            Replaced::Conflict(current) => self.record = current,
            Replaced::Gone => return Ok(true),
        }
        Ok(false)
    }

    /// Whether the record is gone.
    async fn touch(&mut self) -> Result<bool, Failure> {
        let found = self.store.load(self.handle, self.now).await?;
        let version = found.map_or(1, |record| record.header.version);
        let touched = self
            .store
            .touch(self.handle, version, self.now.after(2 * HOUR), self.now)
            .await?;
        Ok(touched == Touched::Gone)
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
