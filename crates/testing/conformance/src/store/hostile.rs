//! Hostile bytes: what is no record is an error, never an empty session, and stays as it is; nothing else suffers.

use std::collections::BTreeMap;
use std::fmt::Debug;

use fasthttpsession_core::{
    Deleted, Handle, Principal, Record, Store, StoreError, StoreErrorKind, Timestamp,
};

use super::capabilities::{lacks_purge, lacks_scan};
use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR};
use super::shown::is_silent_of;
use super::subject::{Raw, Subject};

/// Bytes that are no record, and that no error may show.
const DAMAGE: &[u8] = TEXT.as_bytes();
const TEXT: &str = "damaged-and-not-a-record";

/// Bytes under a handle that are no record, or a record cut short: a load, a creation, a replacement and a touch answer
/// `Corrupt`, which does not show them, and the bytes stay. A deletion removes them, or answers `Corrupt` as well.
pub async fn bytes_that_are_no_record_are_an_error_and_stay<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let Some(raw) = subject.raw_access()? else {
        return Ok(());
    };
    let mut hostile = vec![
        Vec::new(),
        vec![0],
        DAMAGE.to_vec(),
        [b"\xff", DAMAGE].concat(),
        vec![0; 64],
        vec![0xff; 4096],
        b"{\"version\":1}".to_vec(),
        format!("{{\"version\":\"{TEXT}\"}}").into_bytes(),
    ];
    hostile.extend(cut_short(subject, raw).await?);
    for bytes in hostile {
        let handle = sample::handle();
        (raw.plant)(handle, bytes.clone()).await;
        is_corrupt(subject, handle, &bytes).await?;
        stays(raw, handle, &bytes, "operations on them").await?;
        goes_by_deletion(subject, raw, handle, &bytes).await?;
    }
    Ok(())
}

/// A record that was damaged hides no other: a list and a scan come upon it and answer `Corrupt`, or have all the
/// others. Once it is deleted, they have them.
pub async fn bytes_that_are_no_record_hide_no_neighbours<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let Some(raw) = subject.raw_access()? else {
        return Ok(());
    };
    let can = subject.store().capabilities();
    if !can.sessions_of && !can.scan && !can.count {
        return lacks_scan(subject).await;
    }
    let (principal, now) = (sample::principal(), subject.now());
    let (mut damaged, mut whole) = (Vec::new(), BTreeMap::new());
    for number in 0..24 {
        let record = sample::record_of(&principal, now);
        let handle = subject.create(&record).await?;
        if number % 8 == 4 {
            damage(raw, handle).await?;
            damaged.push(handle);
        } else {
            whole.insert(handle, record);
        }
    }
    let count = damaged.len();
    let beside = format!("beside {count} damaged records");
    lists_others(subject, &principal, &whole, count, &beside).await?;
    for handle in damaged {
        let answer = subject.store().delete(handle, now).await;
        if !matches!(answer, Ok(Deleted::Deleted)) {
            return corrupt("a deletion", DAMAGE, answer);
        }
    }
    let after = format!("after the deletion of {count} damaged records");
    lists_others(subject, &principal, &whole, 0, &after).await
}

/// A purge removes all that has expired beside bytes that are no record, and leaves these where they are: however late
/// it is, if nothing else was ever written there, and until a deadline has passed that the store keeps beside what was
/// a record.
pub async fn a_purge_passes_bytes_that_are_no_record<S: Store>(subject: &Subject<S>) -> Outcome {
    let Some(raw) = subject.raw_access()? else {
        return Ok(());
    };
    let (store, now, later) = (subject.store(), subject.now(), subject.now().after(HOUR));
    if !store.capabilities().purge {
        return lacks_purge(subject).await;
    }
    let (never_written, mut damaged, mut expired) = (sample::handle(), Vec::new(), Vec::new());
    for _ in 0..6 {
        let record = sample::record_until(later, now);
        damaged.push(subject.create(&record).await?);
        expired.push(subject.create(&record).await?);
    }
    for handle in damaged.iter().chain([&never_written]) {
        damage(raw, *handle).await?;
    }
    let early = store.purge(100, now).await?;
    ensure!(early == 0, "where none was due, a purge removed {early}");
    for handle in &damaged {
        stays(raw, *handle, DAMAGE, "a purge before its deadline").await?;
    }
    let removed = purge_by_two(store, later).await?;
    for handle in expired {
        subject.holds_at(handle, None, now).await?;
    }
    let purged = 6 + went(raw, &damaged).await?;
    ensure!(
        removed == purged,
        "purges removed {purged}, damaged records among them, and answered {removed} in all"
    );
    store.purge(100, now.after(100 * 366 * 24 * HOUR)).await?;
    went(raw, &damaged).await?;
    stays(raw, never_written, DAMAGE, "purges").await
}

/// How many purges of at most two removed, up to the first that found fewer.
async fn purge_by_two(store: &impl Store, now: Timestamp) -> Result<u64, Failure> {
    let mut removed = 0;
    loop {
        let some = store.purge(2, now).await?;
        ensure!(some <= 2, "a purge of at most 2 removed {some}");
        removed += some;
        // Twelve are all there were.
        if some < 2 || removed > 12 {
            return Ok(removed);
        }
    }
}

/// How many of the damaged are no longer there. What is, is as it was.
async fn went(raw: &Raw, damaged: &[Handle]) -> Result<u64, Failure> {
    let mut gone = 0;
    for handle in damaged {
        if (raw.read)(*handle).await.is_none() {
            gone += 1;
        } else {
            stays(raw, *handle, DAMAGE, "purges").await?;
        }
    }
    Ok(gone)
}

async fn damage(raw: &Raw, handle: Handle) -> Outcome {
    (raw.plant)(handle, DAMAGE.to_vec()).await;
    let planted = (raw.read)(handle).await;
    ensure!(
        planted.as_deref() == Some(DAMAGE),
        "the hook that plants bytes does not put them in place of a record"
    );
    Ok(())
}

/// Lists, scans and counts are right about those that are `whole`, or `Corrupt` as long as some are `damaged`, which
/// may be counted. `when` says where that is so.
async fn lists_others<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
    whole: &BTreeMap<Handle, Record>,
    damaged: usize,
    when: &str,
) -> Outcome {
    let (can, now) = (subject.store().capabilities(), subject.now());
    for store in subject.clients() {
        if can.sessions_of {
            let listed = store.sessions_of(principal, now).await;
            let listed = listed.map(|sessions| sessions.into_iter().collect());
            has_others("a list", listed, whole, damaged, when)?;
        }
        if can.scan {
            has_others("a scan", scanned(&**store, now).await, whole, damaged, when)?;
        }
        if can.count {
            match store.count(now).await {
                Err(error) if damaged > 0 => corrupt("a count", DAMAGE, Err::<u64, _>(error))?,
                answer => {
                    let (count, most) = (answer?, whole.len() + damaged);
                    ensure!(
                        (whole.len() as u64..=most as u64).contains(&count),
                        "{when} there are {}, count answered {count}",
                        whole.len()
                    );
                }
            }
        }
    }
    Ok(())
}

fn has_others(
    what: &str,
    answer: Result<BTreeMap<Handle, Record>, StoreError>,
    whole: &BTreeMap<Handle, Record>,
    damaged: usize,
    when: &str,
) -> Outcome {
    match answer {
        Err(error) if damaged > 0 => corrupt(what, DAMAGE, Err::<(), _>(error)),
        answer => {
            let (found, want) = (answer?, whole.len());
            let count = found.len();
            ensure!(
                &found == whole,
                "{when} {what} had {count} sessions, not the {want} there are"
            );
            Ok(())
        }
    }
}

async fn scanned<S: Store>(
    store: &S,
    now: Timestamp,
) -> Result<BTreeMap<Handle, Record>, StoreError> {
    let (mut found, mut next) = (BTreeMap::new(), None);
    loop {
        let page = store.scan(next.as_ref(), 5, now).await?;
        found.extend(page.sessions);
        next = page.next;
        if next.is_none() {
            return Ok(found);
        }
    }
}

async fn is_corrupt<S: Store>(subject: &Subject<S>, handle: Handle, bytes: &[u8]) -> Outcome {
    let (store, now) = (subject.store(), subject.now());
    let record = sample::record(now);
    let next = sample::successor(&record);
    let later = record.header.absolute_deadline;
    corrupt("a load", bytes, store.load(handle, now).await)?;
    corrupt(
        "a creation",
        bytes,
        store.create(handle, &record, now).await,
    )?;
    let replaced = store.replace(handle, 1, &next, now).await;
    corrupt("a replacement", bytes, replaced)?;
    corrupt("a touch", bytes, store.touch(handle, 1, later, now).await)?;
    corrupt("a later load", bytes, store.load(handle, now).await)
}

fn corrupt<T: Debug>(what: &str, bytes: &[u8], answer: Result<T, StoreError>) -> Outcome {
    let shown = bytes.escape_ascii();
    match answer {
        Err(error) if error.kind() == StoreErrorKind::Corrupt => is_silent_of(TEXT, &error),
        Err(error) => Err(Failure::new(format!(
            "{what} over \"{shown}\" answered {:?}: {error}",
            error.kind()
        ))),
        Ok(answer) => Err(Failure::new(format!(
            "{what} over \"{shown}\" answered {answer:?}"
        ))),
    }
}

async fn stays(raw: &Raw, handle: Handle, bytes: &[u8], whatever: &str) -> Outcome {
    let left = (raw.read)(handle).await;
    let shown = bytes.escape_ascii();
    ensure!(
        left.as_deref() == Some(bytes),
        "the bytes \"{shown}\" were changed by {whatever}"
    );
    Ok(())
}

/// What says that it deleted has.
async fn goes_by_deletion<S: Store>(
    subject: &Subject<S>,
    raw: &Raw,
    handle: Handle,
    bytes: &[u8],
) -> Outcome {
    let answer = subject.store().delete(handle, subject.now()).await;
    if !matches!(answer, Ok(Deleted::Deleted)) {
        corrupt("a deletion", bytes, answer)?;
        return stays(raw, handle, bytes, "a deletion that failed").await;
    }
    let left = (raw.read)(handle).await;
    let shown = bytes.escape_ascii();
    ensure!(
        left.is_none(),
        "the bytes \"{shown}\" outlived their deletion"
    );
    subject.holds_nothing(handle).await
}

/// The first byte, a quarter and all but the last byte of a record with an empty body, as the store itself writes it.
async fn cut_short<S: Store>(subject: &Subject<S>, raw: &Raw) -> Result<Vec<Vec<u8>>, Failure> {
    let record = Record {
        body: bytes::Bytes::new(),
        ..sample::record(subject.now())
    };
    let handle = subject.create(&record).await?;
    let Some(whole) = (raw.read)(handle).await else {
        return Err(Failure::new(
            "the hook that reads bytes finds nothing where the store wrote a record",
        ));
    };
    Ok([1, whole.len() / 4, whole.len() - 1]
        .map(|length| whole[..length].to_vec())
        .into())
}
