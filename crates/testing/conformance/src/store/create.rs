//! Creation: a record comes back as it was written, and nobody's record is taken over.

use bytes::Bytes;
use fasthttpsession_core::{Created, Handle, Record, Store, Timestamp};

use super::failure::{Outcome, ensure};
use super::sample::{self, HOUR};
use super::subject::Subject;
use super::tasks::{all_at_once, at_once};

/// Body and header come back byte for byte: an empty body, every byte value, line ends, no principal and the longest
/// one.
pub async fn a_record_is_loaded_as_it_was_written<S: Store>(subject: &Subject<S>) -> Outcome {
    for record in unusual_records(subject.now()) {
        let handle = subject.create(&record).await?;
        subject.holds(handle, &record).await?;
    }
    Ok(())
}

/// A handle under which nothing was written holds nothing.
pub async fn an_unknown_handle_holds_nothing<S: Store>(subject: &Subject<S>) -> Outcome {
    subject.create(&sample::record(subject.now())).await?;
    subject.holds_nothing(sample::handle()).await
}

/// Handles that differ in a bit, or whose texts differ in case only, are different sessions; so are those that begin
/// alike, those made of zeros, of ones and of line ends, and two that differ behind a zero.
pub async fn similar_handles_are_different_sessions<S: Store>(subject: &Subject<S>) -> Outcome {
    let mut written = Vec::new();
    for handle in similar_handles() {
        let record = sample::record(subject.now());
        subject.create_at(handle, &record).await?;
        written.push((handle, record));
    }
    for (handle, record) in &written {
        subject.holds(*handle, record).await?;
    }
    Ok(())
}

/// A creation over a live record answers that it exists, and changes nothing.
pub async fn a_creation_over_a_live_record_changes_nothing<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let (first, second) = (sample::record(subject.now()), sample::record(subject.now()));
    let handle = subject.create(&first).await?;
    for client in subject.clients() {
        let answer = client.create(handle, &second, subject.now()).await?;
        ensure!(
            answer == Created::Exists,
            "a creation over a live record answered {answer:?}"
        );
        subject.holds(handle, &first).await?;
    }
    Ok(())
}

/// A creation over an expired record succeeds, and nothing of the old one is left.
pub async fn a_creation_over_an_expired_record_succeeds<S: Store>(subject: &Subject<S>) -> Outcome {
    let later = subject.now().after(HOUR);
    let handle = subject
        .create(&sample::record_until(later, subject.now()))
        .await?;
    let fresh = sample::record(later);
    let answer = subject.store().create(handle, &fresh, later).await?;
    ensure!(
        answer == Created::Created,
        "a creation over an expired record answered {answer:?}"
    );
    subject.holds_at(handle, Some(&fresh), later).await
}

/// Of many creations of one handle at once exactly one is told that it created, and its record is the one there.
pub async fn of_many_creations_at_once_one_wins<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    for _ in 0..subject.round_count() {
        let handle = sample::handle();
        let answers = at_once(subject.task_count(), |task| {
            let (store, record) = (subject.client(task), sample::record(now));
            async move {
                store
                    .create(handle, &record, now)
                    .await
                    .map(|answer| (answer, record))
            }
        });
        let answers = answers.await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let winners: Vec<&Record> = answers
            .iter()
            .filter(|(answer, _)| *answer == Created::Created)
            .map(|(_, record)| record)
            .collect();
        ensure!(
            winners.len() == 1,
            "{} creations of one handle were told that they created",
            winners.len()
        );
        subject.holds(handle, winners[0]).await?;
    }
    Ok(())
}

/// Tasks that work on sessions of their own never see anything of each other.
pub async fn sessions_at_once_keep_to_themselves<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, rounds) = (subject.now(), subject.round_count());
    all_at_once(subject.task_count(), |task| {
        let (store, handle, mut record) =
            (subject.client(task), sample::handle(), sample::record(now));
        async move {
            store.create(handle, &record, now).await?;
            for _ in 0..rounds {
                let next = sample::successor(&record);
                store
                    .replace(handle, record.header.version, &next, now)
                    .await?;
                record = next;
                let found = store.load(handle, now).await?;
                ensure!(
                    found.as_ref() == Some(&record),
                    "a session nobody else uses held {}",
                    sample::instead_of(found.as_ref(), Some(&record))
                );
            }
            Ok(())
        }
    })
    .await
}

/// What one client wrote, another one loads, replaces, touches and deletes at once, and the first sees it.
pub async fn a_second_client_works_on_the_same_records<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.has_second()? {
        return Ok(());
    }
    let (first, second, now) = (subject.client(0), subject.client(1), subject.now());
    let record = sample::record(now);
    let handle = subject.create(&record).await?;
    subject.holds(handle, &record).await?;
    let next = sample::successor(&record);
    second.replace(handle, 1, &next, now).await?;
    subject.holds(handle, &next).await?;
    first.touch(handle, 2, now.after(2 * HOUR), now).await?;
    subject
        .holds(handle, &sample::touched(&next, now.after(2 * HOUR)))
        .await?;
    second.delete(handle, now).await?;
    subject.holds_nothing(handle).await
}

fn unusual_records(now: Timestamp) -> Vec<Record> {
    let bodies = [
        Bytes::new(),
        Bytes::from_static(b"\0"),
        Bytes::from_static(b"\r\nEND\r\n$-1\r\n"),
        Bytes::from_static(&[0xff; 3]),
        (0..=u8::MAX).cycle().take(4096).collect(),
    ];
    let mut records: Vec<Record> = bodies
        .into_iter()
        .map(|body| Record {
            body,
            ..sample::record(now)
        })
        .collect();
    records.extend([
        sample::fullest_record(now),
        eternal_record(now),
        ancient_record(now),
    ]);
    records
}

/// The largest numbers a header may have: no store keeps more than a signed 64-bit integer.
fn eternal_record(now: Timestamp) -> Record {
    let last = Timestamp::from_millis(i64::MAX as u64);
    let mut record = sample::record(now);
    record.header.version = i64::MAX as u64;
    record.header.created_at = last;
    record.header.idle_deadline = last;
    record.header.absolute_deadline = last;
    record
}

fn ancient_record(now: Timestamp) -> Record {
    let mut record = sample::record(now);
    record.header.created_at = Timestamp::from_millis(0);
    record
}

fn similar_handles() -> Vec<Handle> {
    let base = *sample::handle().as_bytes();
    let mut behind_zero = [0; 16];
    behind_zero[1] = 1;
    let mut all = vec![
        base,
        [0; 16],
        behind_zero,
        [0xff; 16],
        [b'\n'; 16],
        [b' '; 16],
    ];
    all.extend((0..128).map(|bit| {
        let mut flipped = base;
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    }));
    // "AAAA…", "aaaa…" and "Aaaa…" in base64url.
    all.push([
        0x69, 0xa6, 0x9a, 0x69, 0xa6, 0x9a, 0x69, 0xa6, 0x9a, 0x69, 0xa6, 0x9a, 0x69, 0xa6, 0x9a,
        0x40,
    ]);
    all.push([
        0x01, 0xa6, 0x9a, 0x69, 0xa6, 0x9a, 0x69, 0xa6, 0x9a, 0x69, 0xa6, 0x9a, 0x69, 0xa6, 0x9a,
        0x40,
    ]);
    all.into_iter().map(Handle::from_bytes).collect()
}
