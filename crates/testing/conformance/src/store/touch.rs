//! Touch: the idle deadline moves later, and nothing else ever changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fasthttpsession_core::{Handle, Store, Timestamp, Touched};
use tokio::task::yield_now;

use super::failure::{Outcome, ensure};
use super::replace;
use super::sample::{self, HOUR, hours};
use super::subject::Subject;
use super::tasks::{Jitter, all_at_once};

/// A touch moves the idle deadline and leaves version, body and all the rest alone.
pub async fn a_touch_moves_the_idle_deadline_alone<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let mut record = sample::record_of(&sample::principal(), now);
    record.header.label = Some(sample::label_named("a laptop"));
    let handle = subject.create(&record).await?;
    for hours in 2..5 {
        let deadline = now.after(hours * HOUR);
        touch(subject, handle, 1, deadline).await?;
        subject
            .holds(handle, &sample::touched(&record, deadline))
            .await?;
    }
    Ok(())
}

/// A touch to an earlier deadline changes nothing.
pub async fn a_touch_never_shortens<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let record = sample::record(now);
    let handle = subject.create(&record).await?;
    for earlier in [now, now.after(HOUR / 2), record.header.idle_deadline] {
        touch(subject, handle, 1, earlier).await?;
        subject.holds(handle, &record).await?;
    }
    Ok(())
}

/// A touch of a version that is no longer, or not yet, the current one changes nothing.
pub async fn a_touch_of_another_version_does_nothing<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let first = sample::record(now);
    let handle = subject.create(&first).await?;
    let second = sample::successor(&first);
    subject.store().replace(handle, 1, &second, now).await?;
    for version in [0, 1, 3] {
        touch(subject, handle, version, now.after(2 * HOUR)).await?;
        subject.holds(handle, &second).await?;
    }
    Ok(())
}

/// A touch of a record that never was, or was deleted, is gone and writes nothing.
pub async fn a_touch_creates_nothing<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let deleted = subject.create(&sample::record(now)).await?;
    subject.store().delete(deleted, now).await?;
    for handle in [sample::handle(), deleted] {
        let answer = subject
            .store()
            .touch(handle, 1, now.after(2 * HOUR), now)
            .await?;
        ensure!(
            answer == Touched::Gone,
            "a touch of nothing answered {answer:?}"
        );
        subject.holds_nothing(handle).await?;
    }
    Ok(())
}

/// Touches amid commits lose none of them.
pub async fn touches_amid_commits_lose_nothing<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, rounds, seed, tasks) = (
        subject.now(),
        subject.round_count(),
        subject.seed(),
        subject.task_count(),
    );
    let total = tasks * rounds;
    let handle = subject.create(&replace::counter(now)).await?;
    let committing = Arc::new(AtomicUsize::new(tasks));
    all_at_once(tasks + 2, |task| {
        let (store, committing) = (subject.client(task), Arc::clone(&committing));
        async move {
            if task >= tasks {
                return touch_while(&store, handle, now, &committing).await;
            }
            let mut jitter = Jitter::new(seed, task);
            let outcome =
                replace::increment_often(&store, handle, rounds, total, now, &mut jitter).await;
            committing.fetch_sub(1, Ordering::SeqCst);
            outcome
        }
    })
    .await?;
    replace::counted(subject, handle, total).await
}

/// Touches of one version at once leave the latest of their deadlines.
pub async fn of_many_touches_at_once_the_latest_stays<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    for _ in 0..subject.round_count() {
        let record = sample::record(now);
        let handle = subject.create(&record).await?;
        all_at_once(subject.task_count(), |task| {
            let (store, deadline) = (subject.client(task), now.after(hours(task + 2)));
            async move { Ok(store.touch(handle, 1, deadline, now).await.map(drop)?) }
        })
        .await?;
        let latest = now.after(hours(subject.task_count() + 1));
        subject
            .holds(handle, &sample::touched(&record, latest))
            .await?;
    }
    Ok(())
}

async fn touch<S: Store>(
    subject: &Subject<S>,
    handle: Handle,
    version: u64,
    deadline: Timestamp,
) -> Outcome {
    let answer = subject
        .store()
        .touch(handle, version, deadline, subject.now())
        .await?;
    ensure!(
        answer == Touched::Touched,
        "a touch of a live record answered {answer:?}"
    );
    Ok(())
}

async fn touch_while<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    now: Timestamp,
    committing: &AtomicUsize,
) -> Outcome {
    let mut deadline = now.after(2 * HOUR);
    while committing.load(Ordering::SeqCst) > 0 {
        if let Some(record) = store.load(handle, now).await? {
            deadline = deadline.after(HOUR / 3600);
            store
                .touch(handle, record.header.version, deadline, now)
                .await?;
        }
        yield_now().await;
    }
    Ok(())
}
