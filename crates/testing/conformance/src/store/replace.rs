//! Replacement: a compare-and-swap on the version that loses nothing and counts nothing twice.

use std::sync::Arc;

use bytes::Bytes;
use fasthttpsession_core::{Handle, Record, Replaced, Store, Timestamp};

use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR};
use super::subject::Subject;
use super::tasks::{Jitter, all_at_once, at_once};

/// A replacement writes all of the new record: version, deadlines (earlier ones too), principal, label, body.
pub async fn a_replacement_writes_the_whole_record<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let mut record = sample::record(now);
    let handle = subject.create(&record).await?;
    for change in [sign_in, shorten, lengthen, sign_out] {
        let mut next = sample::successor(&record);
        change(&mut next, now);
        let answer = subject
            .store()
            .replace(handle, record.header.version, &next, now)
            .await?;
        ensure!(
            answer == Replaced::Replaced,
            "a replacement of the current version answered {answer:?}"
        );
        subject.holds(handle, &next).await?;
        record = next;
    }
    Ok(())
}

/// A replacement of an older, a newer or an unheard-of version writes nothing and answers with the record as it is
/// now, touches included.
pub async fn a_conflict_answers_with_the_current_record<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let first = sample::record(now);
    let handle = subject.create(&first).await?;
    let second = sample::successor(&first);
    subject.store().replace(handle, 1, &second, now).await?;
    subject
        .store()
        .touch(handle, 2, now.after(2 * HOUR), now)
        .await?;
    let current = sample::touched(&second, now.after(2 * HOUR));
    for expected in [0, 1, 3, 4, 2 + (1 << 32), i64::MAX as u64 - 1] {
        let mut late = sample::record(now);
        late.header.version = expected + 1;
        for client in subject.clients() {
            let answer = client.replace(handle, expected, &late, now).await?;
            let call = format!("version 2 is current; a replacement of version {expected}");
            is_conflict(&call, answer, &current)?;
            subject.holds(handle, &current).await?;
        }
    }
    Ok(())
}

/// A replacement of a record that never was, or was deleted, is gone and writes nothing.
pub async fn a_replacement_creates_nothing<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let deleted = subject.create(&sample::record(now)).await?;
    subject.store().delete(deleted, now).await?;
    for handle in [sample::handle(), deleted] {
        for expected in [0, 1] {
            let mut record = sample::record(now);
            record.header.version = expected + 1;
            let answer = subject
                .store()
                .replace(handle, expected, &record, now)
                .await?;
            ensure!(
                answer == Replaced::Gone,
                "a replacement of nothing answered {answer:?}"
            );
            subject.holds_nothing(handle).await?;
        }
    }
    Ok(())
}

/// Versions and deadlines are compared exactly up to the largest signed 64-bit integer, where a floating-point number
/// no longer tells neighbours apart.
pub async fn large_numbers_are_told_apart<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, last) = (subject.now(), i64::MAX as u64);
    let mut record = sample::record(now);
    record.header.version = last - 1;
    record.header.idle_deadline = Timestamp::from_millis(last - 1);
    record.header.absolute_deadline = Timestamp::from_millis(last);
    let handle = subject.create(&record).await?;
    let answer = subject
        .store()
        .replace(handle, last - 2, &record, now)
        .await?;
    ensure!(
        matches!(answer, Replaced::Conflict(_)),
        "version {} passed for {}",
        last - 1,
        last - 2
    );
    subject
        .store()
        .touch(handle, last - 1, Timestamp::from_millis(last - 2), now)
        .await?;
    subject.holds(handle, &record).await?;
    let next = sample::successor(&record);
    let answer = subject
        .store()
        .replace(handle, last - 1, &next, now)
        .await?;
    ensure!(
        answer == Replaced::Replaced,
        "a replacement of version {} answered {answer:?}",
        last - 1
    );
    subject.holds(handle, &next).await
}

/// N increments by many tasks add N, and no task meets more conflicts than there are commits of others.
pub async fn increments_at_once_all_count<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, rounds, seed) = (subject.now(), subject.round_count(), subject.seed());
    let total = subject.task_count() * rounds;
    let handle = subject.create(&counter(now)).await?;
    all_at_once(subject.task_count(), |task| {
        let store = subject.client(task);
        async move {
            let mut jitter = Jitter::new(seed, task);
            increment_often(&store, handle, rounds, total, now, &mut jitter).await
        }
    })
    .await?;
    counted(subject, handle, total).await
}

/// A swap that is sent again, because its answer was lost, lands once: it then conflicts with itself, one after the
/// other and all at once.
pub async fn a_repeated_replacement_lands_once<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let record = sample::record(now);
    let handle = subject.create(&record).await?;
    let next = sample::successor(&record);
    subject.store().replace(handle, 1, &next, now).await?;
    let again = subject.store().replace(handle, 1, &next, now).await?;
    is_conflict("the same swap again", again, &next)?;
    let last = sample::successor(&next);
    let answers = at_once(subject.task_count(), |task| {
        let (store, last) = (subject.client(task), last.clone());
        async move { store.replace(handle, 2, &last, now).await }
    });
    let answers = answers.await.into_iter().collect::<Result<Vec<_>, _>>()?;
    let landed = answers
        .iter()
        .filter(|answer| **answer == Replaced::Replaced)
        .count();
    ensure!(landed == 1, "of identical swaps at once {landed} landed");
    subject.holds(handle, &last).await
}

/// Of many replacements of one version at once exactly one lands, and the others are handed its record.
pub async fn of_many_replacements_at_once_one_wins<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    for _ in 0..subject.round_count() {
        let record = sample::record(now);
        let handle = subject.create(&record).await?;
        let answers = at_once(subject.task_count(), |task| {
            let (store, next) = (subject.client(task), sample::successor(&record));
            async move {
                store
                    .replace(handle, 1, &next, now)
                    .await
                    .map(|answer| (answer, next))
            }
        });
        let answers = answers.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut winners = answers
            .iter()
            .filter(|(answer, _)| *answer == Replaced::Replaced);
        let (Some((_, winner)), None) = (winners.next(), winners.next()) else {
            return Err(Failure::new(
                "of several swaps of one version not exactly one landed",
            ));
        };
        let told = Replaced::Conflict(winner.clone());
        let fair = answers
            .iter()
            .all(|(answer, _)| *answer == Replaced::Replaced || *answer == told);
        ensure!(fair, "a swap that lost was not handed the record that won");
        subject.holds(handle, winner).await?;
    }
    Ok(())
}

/// A new record that counts from 0.
pub(crate) fn counter(now: Timestamp) -> Record {
    Record {
        body: Bytes::from_static(b"0"),
        ..sample::record(now)
    }
}

/// The counter says `total`, in its body and in its version.
pub(crate) async fn counted<S: Store>(
    subject: &Subject<S>,
    handle: Handle,
    total: usize,
) -> Outcome {
    let found = subject.store().load(handle, subject.now()).await?;
    let Some(record) = found else {
        return Err(Failure::new("the counter is gone"));
    };
    let (count, version) = (count_of(&record)?, record.header.version);
    ensure!(
        count == total as u64,
        "{total} increments were acknowledged, the counter says {count}"
    );
    ensure!(
        version == total as u64 + 1,
        "after {total} replacements the version is {version}"
    );
    Ok(())
}

/// Adds one, `times` times. `commits` is how many increments all tasks make.
pub(crate) async fn increment_often<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    times: usize,
    commits: usize,
    now: Timestamp,
    jitter: &mut Jitter,
) -> Outcome {
    for _ in 0..times {
        increment(store, handle, commits, now, jitter).await?;
    }
    Ok(())
}

/// Adds one as a session does: load, swap, and on conflict swap what came back. A conflict is owed to a commit of
/// another task, so there can't be more conflicts than commits.
async fn increment<S: Store>(
    store: &Arc<S>,
    handle: Handle,
    commits: usize,
    now: Timestamp,
    jitter: &mut Jitter,
) -> Outcome {
    let loaded = store.load(handle, now).await?;
    let mut current = loaded.ok_or_else(|| Failure::new("the counter is gone"))?;
    for _ in 0..=commits {
        jitter.pause().await;
        match store
            .replace(handle, current.header.version, &incremented(&current)?, now)
            .await?
        {
            Replaced::Replaced => return Ok(()),
            Replaced::Conflict(record) => current = record,
            Replaced::Gone => return Err(Failure::new("the counter is gone")),
        }
    }
    Err(Failure::new(
        "a swap met more conflicts than there were commits: conflicts don't show the current record",
    ))
}

/// `call` was answered that there is another version, and shown `current`.
fn is_conflict(call: &str, answer: Replaced, current: &Record) -> Outcome {
    let Replaced::Conflict(shown) = answer else {
        return Err(Failure::new(format!("{call} answered {answer:?}")));
    };
    ensure!(
        shown == *current,
        "{call} met a conflict with {}",
        sample::instead_of(Some(&shown), Some(current))
    );
    Ok(())
}

fn incremented(record: &Record) -> Result<Record, Failure> {
    let mut next = record.clone();
    next.header.version += 1;
    next.body = (count_of(record)? + 1).to_string().into();
    Ok(next)
}

fn count_of(record: &Record) -> Result<u64, Failure> {
    let count = std::str::from_utf8(&record.body)
        .ok()
        .and_then(|text| text.parse().ok());
    count.ok_or_else(|| {
        Failure::new(format!(
            "the counter held {}",
            sample::describe(Some(record))
        ))
    })
}

fn sign_in(record: &mut Record, now: Timestamp) {
    record.header.principal = Some(sample::principal());
    record.header.label = Some(sample::label_named("a telephone"));
    record.header.absolute_deadline = now.after(48 * HOUR);
}

fn shorten(record: &mut Record, now: Timestamp) {
    record.header.idle_deadline = now.after(HOUR / 2);
    record.header.absolute_deadline = now.after(HOUR);
}

fn lengthen(record: &mut Record, now: Timestamp) {
    record.header.idle_deadline = now.after(3 * HOUR);
    record.header.absolute_deadline = now.after(72 * HOUR);
}

fn sign_out(record: &mut Record, _: Timestamp) {
    record.header.principal = None;
    record.header.label = None;
}
