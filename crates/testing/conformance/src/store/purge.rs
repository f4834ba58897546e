//! Purge: what has expired goes, in bounded batches, and nothing else does.

use std::sync::Arc;

use fasthttpsession_core::{
    Created, Handle, Principal, Record, Replaced, Store, Timestamp, Touched,
};

use super::capabilities::{self, lacks_purge};
use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR, just_before};
use super::subject::Subject;
use super::tasks::{Jitter, all_at_once, at_once};

/// A purge removes the records past either deadline and no others: none a millisecond early, none whose deadline a
/// touch or a replacement moved later, and also those whose deadline a replacement moved earlier. What it removed is
/// no longer listed, scanned or counted either.
pub async fn a_purge_removes_what_has_expired_alone<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().purge {
        return lacks_purge(subject).await;
    }
    let (now, later) = (subject.now(), subject.now().after(2 * HOUR));
    let principal = sample::principal();
    let live = live_ones(subject, &principal, later).await?;
    let expired = expired_ones(subject, &principal, later).await?;
    let removed = subject.store().purge(100, just_before(later)).await?;
    ensure!(
        removed == 0,
        "a millisecond before the deadlines a purge removed {removed}"
    );
    for (handle, record) in live.iter().chain(&expired) {
        subject
            .holds_at(*handle, Some(record), just_before(later))
            .await?;
    }
    let removed = subject.store().purge(100, later).await?;
    ensure!(
        removed == 3,
        "3 of 6 records were past a deadline, a purge removed {removed}"
    );
    for (handle, record) in &live {
        subject.holds_at(*handle, Some(record), later).await?;
    }
    for (handle, _) in expired {
        // Told an earlier time, a store would still show what it only hides.
        subject.holds_at(handle, None, now).await?;
    }
    for now in [now, later] {
        capabilities::lists(subject, &principal, 3, 3, now).await?;
    }
    let removed = subject.store().purge(100, later).await?;
    ensure!(
        removed == 0,
        "a purge right after another removed {removed} more"
    );
    Ok(())
}

/// A purge also removes what ended before an earlier purge was made, and was written only afterwards: clocks differ.
pub async fn a_purge_removes_what_ended_before_the_last_one<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    if !subject.store().capabilities().purge {
        return lacks_purge(subject).await;
    }
    let (now, later) = (subject.now(), subject.now().after(2 * HOUR));
    let long = sample::record_until(later.after(HOUR), now);
    let shortened = subject.create(&long).await?;
    expiring(subject, 3, later).await?;
    purges(subject, 100, 3, later).await?;
    let mut handles = expiring(subject, 3, now.after(HOUR)).await?;
    let shorter = sample::touched(&sample::successor(&long), now.after(HOUR));
    subject.store().replace(shortened, 1, &shorter, now).await?;
    handles.push(shortened);
    purges(subject, 100, 4, later).await?;
    for handle in handles {
        subject.holds_at(handle, None, now).await?;
    }
    Ok(())
}

/// A purge removes at most as many as it was asked to, and fewer only when no more are due, however many live before and
/// among them.
pub async fn a_purge_is_bounded<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().purge {
        return lacks_purge(subject).await;
    }
    let later = subject.now().after(HOUR);
    let mut living = expiring(subject, 20, later.after(HOUR)).await?;
    let mut handles = Vec::new();
    for _ in 0..5 {
        handles.extend(expiring(subject, 5, later).await?);
        living.extend(expiring(subject, 2, later.after(HOUR)).await?);
    }
    for (limit, want) in [(0, 0), (1, 1), (10, 10), (10, 10), (10, 4), (10, 0)] {
        purges(subject, limit, want, later).await?;
    }
    handles.extend(expiring(subject, 5, later).await?);
    purges(subject, usize::MAX, 5, later).await?;
    for handle in handles {
        subject.holds_at(handle, None, subject.now()).await?;
    }
    for handle in living {
        lives(subject.store(), handle, later).await?;
    }
    Ok(())
}

/// Purges at once share the work: together they remove each expired record once.
pub async fn purges_at_once_share_the_work<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().purge {
        return lacks_purge(subject).await;
    }
    let later = subject.now().after(HOUR);
    for _ in 0..subject.round_count() {
        expiring(subject, 24, later).await?;
        let removed = at_once(subject.task_count().min(4), |task| {
            let store = subject.client(task);
            async move { purge_all(&store, later).await }
        });
        let removed = removed.await.into_iter().sum::<Result<u64, Failure>>()?;
        // One may see the last records in another's hands and stop; whoever comes next takes what is left.
        let removed = removed + purge_all(&subject.client(0), later).await?;
        ensure!(
            removed == 24,
            "of 24 expired records purges at once say they removed {removed}"
        );
    }
    Ok(())
}

/// A purge leaves alone what is created over an expired record, and what is replaced or touched, by a clock by which it
/// still lives, while the purge runs.
pub async fn a_purge_spares_what_is_written_meanwhile<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().purge {
        return lacks_purge(subject).await;
    }
    let (now, later, seed) = (subject.now(), subject.now().after(HOUR), subject.seed());
    let record = sample::record_until(later, now);
    for round in 0..subject.round_count() {
        let mut handles = Vec::new();
        for _ in 0..subject.task_count() {
            handles.push(subject.create(&record).await?);
        }
        let living = subject
            .create(&sample::record_until(later.after(HOUR), now))
            .await?;
        all_at_once(subject.task_count() + 2, |task| {
            let (store, record) = (subject.client(task), record.clone());
            let mut jitter = Jitter::new(seed.wrapping_add(round as u64), task);
            let handle = handles.get(task).copied();
            async move {
                jitter.pause().await;
                let Some(handle) = handle else {
                    return purge_all(&store, later).await.map(drop);
                };
                let written = match task % 3 {
                    0 => Some(recreate(&store, handle, later).await?),
                    1 => touch(&store, handle, &record, later, now).await?,
                    _ => replace(&store, handle, &record, later, now).await?,
                };
                match written {
                    Some(record) => stays(&store, handle, &record, later, &mut jitter).await,
                    None => Ok(()),
                }
            }
        })
        .await?;
        lives(subject.store(), living, later).await?;
    }
    Ok(())
}

async fn lives(store: &impl Store, handle: Handle, now: Timestamp) -> Outcome {
    let found = store.load(handle, now).await?;
    ensure!(found.is_some(), "a purge removed a live record");
    Ok(())
}

async fn purges<S: Store>(
    subject: &Subject<S>,
    limit: usize,
    want: u64,
    now: Timestamp,
) -> Outcome {
    let removed = subject.store().purge(limit, now).await?;
    ensure!(
        removed == want,
        "a purge of at most {limit} removed {removed}, {want} were due"
    );
    Ok(())
}

async fn live_ones<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
    later: Timestamp,
) -> Result<Vec<(Handle, Record)>, Failure> {
    let (store, now, end) = (subject.store(), subject.now(), later.after(HOUR));
    let plain = ending(principal, end, now);
    let record = ending(principal, later, now);
    let (touched, replaced) = (
        sample::touched(&record, end),
        sample::touched(&sample::successor(&record), end),
    );
    let handles = (
        subject.create(&plain).await?,
        subject.create(&record).await?,
        subject.create(&record).await?,
    );
    store.touch(handles.1, 1, end, now).await?;
    store.replace(handles.2, 1, &replaced, now).await?;
    Ok(vec![
        (handles.0, plain),
        (handles.1, touched),
        (handles.2, replaced),
    ])
}

async fn expired_ones<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
    later: Timestamp,
) -> Result<[(Handle, Record); 3], Failure> {
    let now = subject.now();
    let idle = ending(principal, later, now);
    let long = ending(principal, later.after(HOUR), now);
    let mut absolute = long.clone();
    absolute.header.absolute_deadline = later;
    let shortened = subject.create(&long).await?;
    let shorter = sample::touched(&sample::successor(&long), later);
    subject.store().replace(shortened, 1, &shorter, now).await?;
    Ok([
        (subject.create(&idle).await?, idle),
        (subject.create(&absolute).await?, absolute),
        (shortened, shorter),
    ])
}

/// A record of `principal` that is over at `deadline`, by idleness.
fn ending(principal: &Principal, deadline: Timestamp, now: Timestamp) -> Record {
    let mut record = sample::record_until(deadline, now);
    record.header.principal = Some(principal.clone());
    record
}

/// `count` records that are over at `later`.
async fn expiring<S: Store>(
    subject: &Subject<S>,
    count: usize,
    later: Timestamp,
) -> Result<Vec<Handle>, Failure> {
    let mut handles = Vec::new();
    for _ in 0..count {
        handles.push(
            subject
                .create(&sample::record_until(later, subject.now()))
                .await?,
        );
    }
    Ok(handles)
}

/// Purges in small batches until one is not full; answers how many records went.
async fn purge_all<S: Store>(store: &Arc<S>, now: Timestamp) -> Result<u64, Failure> {
    let mut total = 0;
    loop {
        let removed = store.purge(3, now).await?;
        ensure!(removed <= 3, "a purge of at most 3 removed {removed}");
        total += removed;
        if removed < 3 {
            return Ok(total);
        }
        tokio::task::yield_now().await;
    }
}

/// Creates over the expired record of `handle`; answers what.
async fn recreate<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    now: Timestamp,
) -> Result<Record, Failure> {
    let record = sample::record(now);
    let answer = store.create(handle, &record, now).await?;
    ensure!(
        answer == Created::Created,
        "a creation over an expired record answered {answer:?}"
    );
    Ok(record)
}

/// Touches the `record` that a purge may have removed before; answers what is there if it has not.
async fn touch<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    record: &Record,
    later: Timestamp,
    now: Timestamp,
) -> Result<Option<Record>, Failure> {
    let end = later.after(HOUR);
    let answer = store.touch(handle, 1, end, now).await?;
    Ok((answer == Touched::Touched).then(|| sample::touched(record, end)))
}

/// As [`touch`], by a replacement.
async fn replace<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    record: &Record,
    later: Timestamp,
    now: Timestamp,
) -> Result<Option<Record>, Failure> {
    let next = sample::touched(&sample::successor(record), later.after(HOUR));
    let answer = store.replace(handle, 1, &next, now).await?;
    Ok((answer == Replaced::Replaced).then_some(next))
}

/// What a task wrote is there, whenever it looks.
async fn stays<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    record: &Record,
    now: Timestamp,
    jitter: &mut Jitter,
) -> Outcome {
    for _ in 0..4 {
        jitter.pause().await;
        let found = store.load(handle, now).await?;
        ensure!(
            found.as_ref() == Some(record),
            "amid purges a session just written held {}",
            sample::instead_of(found.as_ref(), Some(record))
        );
    }
    Ok(())
}
