//! Expiry: at its deadline a record is absent to every operation, purged or not.

use std::time::Duration;

use fasthttpsession_core::{
    Clock, Created, Deleted, Handle, Header, Principal, Record, Replaced, Store, SystemClock,
    Timestamp, Touched,
};

use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR, just_before};
use super::subject::Subject;
use super::{capabilities, tasks};

/// How long records live whose end is waited for.
const BRIEF: Duration = Duration::from_secs(3);
/// Less than the unit in which some servers are told how long a record lives.
const BLINK: Duration = Duration::from_millis(900);

/// From its idle deadline on a record is absent to every operation; a millisecond before it is not.
pub async fn at_its_idle_deadline_a_record_is_absent<S: Store>(subject: &Subject<S>) -> Outcome {
    absent_at_deadline(subject, ends_idle).await
}

/// From its absolute deadline on a record is absent to every operation, however late its idle deadline.
pub async fn at_its_absolute_deadline_a_record_is_absent<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    absent_at_deadline(subject, ends_absolutely).await
}

/// At either deadline a record is no longer listed for its principal, scanned or counted; a millisecond before it is.
pub async fn an_expired_record_is_listed_nowhere<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let principal = sample::principal();
    let stays = sample::record_until(now.after(3 * HOUR), now);
    subject.create(&stays).await?;
    for (hours, ends) in [(1, ends_idle as Ends), (2, ends_absolutely)] {
        let mut record = ends(now.after(hours * HOUR), now);
        record.header.principal = Some(principal.clone());
        subject.create(&record).await?;
    }
    for (hours, listed) in [(1, 2), (2, 1)] {
        let deadline = now.after(hours * HOUR);
        capabilities::lists(
            subject,
            &principal,
            listed,
            listed + 1,
            just_before(deadline),
        )
        .await?;
        capabilities::lists(subject, &principal, listed - 1, listed, deadline).await?;
    }
    Ok(())
}

/// A touched record lives, and is listed, until its new deadline.
pub async fn a_touched_record_lives_until_its_new_deadline<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let (now, deadline) = (subject.now(), subject.now().after(2 * HOUR));
    let principal = sample::principal();
    let record = sample::record_of(&principal, now);
    let handle = subject.create(&record).await?;
    subject.store().touch(handle, 1, deadline, now).await?;
    subject
        .holds_at(
            handle,
            Some(&sample::touched(&record, deadline)),
            just_before(deadline),
        )
        .await?;
    capabilities::lists(subject, &principal, 1, 1, just_before(deadline)).await?;
    capabilities::lists(subject, &principal, 0, 0, deadline).await?;
    subject.holds_at(handle, None, deadline).await
}

/// A replaced record lives, and is listed, until its new deadline: a later or an earlier one than before, idle or
/// absolute.
pub async fn a_replaced_record_lives_until_its_new_deadline<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let (now, deadline) = (subject.now(), subject.now().after(2 * HOUR));
    let principal = sample::principal();
    for ends in [ends_idle as Ends, ends_absolutely] {
        for before in [1, 3] {
            let mut record = ends(now.after(before * HOUR), now);
            record.header.principal = Some(principal.clone());
            let mut next = sample::successor(&record);
            next.header = Header {
                version: 2,
                principal: Some(principal.clone()),
                ..ends(deadline, now).header
            };
            let handle = subject.create(&record).await?;
            subject.store().replace(handle, 1, &next, now).await?;
            subject
                .holds_at(handle, Some(&next), just_before(deadline))
                .await?;
            capabilities::lists(subject, &principal, 1, 1, just_before(deadline)).await?;
            capabilities::lists(subject, &principal, 0, 0, deadline).await?;
            subject.holds_at(handle, None, deadline).await?;
            subject.store().delete(handle, now).await?;
        }
    }
    Ok(())
}

/// No touch carries a record past its absolute deadline.
pub async fn a_touch_never_passes_the_absolute_deadline<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, deadline) = (subject.now(), subject.now().after(2 * HOUR));
    let mut record = sample::record(now);
    record.header.absolute_deadline = deadline;
    let handle = subject.create(&record).await?;
    subject
        .store()
        .touch(handle, 1, now.after(9 * HOUR), now)
        .await?;
    let found = subject.store().load(handle, just_before(deadline)).await?;
    ensure!(
        found.is_some(),
        "a touched record was gone before its absolute deadline"
    );
    subject.holds_at(handle, None, deadline).await
}

/// A record that is past its deadline already when it is written is absent; writing it is no error.
pub async fn a_record_written_too_late_is_absent<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, later) = (subject.now(), subject.now().after(HOUR));
    let handle = sample::handle();
    subject
        .store()
        .create(handle, &sample::record_until(now, now), now)
        .await?;
    subject.holds_nothing(handle).await?;
    let record = sample::record_until(now.after(2 * HOUR), now);
    let handle = subject.create(&record).await?;
    let mut next = sample::successor(&record);
    next.header.idle_deadline = later;
    subject.store().replace(handle, 1, &next, later).await?;
    subject.holds_at(handle, None, later).await
}

/// A record may live for a year and more, and as long as numbers go.
pub async fn a_record_may_live_for_years<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    let spans = [
        31 * 24 * HOUR,
        400 * 24 * HOUR,
        100 * 366 * 24 * HOUR,
        Duration::from_secs(1 << 50),
    ];
    for span in spans {
        let record = sample::record_until(now.after(span), now);
        let handle = subject.create(&record).await?;
        subject.holds(handle, &record).await?;
        let next = sample::successor(&record);
        subject.store().replace(handle, 1, &next, now).await?;
        let longer = record.header.idle_deadline.after(HOUR);
        subject.store().touch(handle, 2, longer, now).await?;
        subject
            .holds(handle, &sample::touched(&next, longer))
            .await?;
    }
    Ok(())
}

/// Where the server removes records by its own clock, that clock follows every touch and replacement: a record whose
/// deadline was moved later outlives one whose deadline was not, and so does its place in lists. It follows no call that
/// was refused, and less than a second is a time to live as well.
pub async fn the_server_clock_follows_the_deadline<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.has_server_clock()? {
        return Ok(());
    }
    let principal = sample::principal();
    let refusing = refusing_ones(subject, &principal).await?;
    // Not when the check began: it may have taken long to connect.
    let now = SystemClock.now();
    let end = now.after(BRIEF);
    let moved = moved_ones(subject, &principal, end, now).await?;
    refuse(subject, &refusing, end, now).await?;
    let blink = sample::record_until(now.after(BLINK), now);
    let blink = create(subject, &blink, now).await?;
    let left = create(subject, &sample::record_until(end, now), now).await?;
    tasks::within(
        BRIEF + subject.patience_each(),
        "the server's own expiry",
        async {
            while subject.store().load(left, now).await?.is_some() {
                tokio::task::yield_now().await;
            }
            Outcome::Ok(())
        },
    )
    .await??;
    for (handle, record) in moved.iter().chain(&refusing) {
        subject.holds_at(*handle, Some(record), now).await?;
    }
    subject.holds_at(blink, None, now).await?;
    capabilities::lists(subject, &principal, 5, 5, now).await
}

/// Three records of `principal` that live for an hour.
async fn refusing_ones<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
) -> Result<Vec<(Handle, Record)>, Failure> {
    let mut records = Vec::new();
    for _ in 0..3 {
        let record = sample::record_of(principal, subject.now());
        records.push((subject.create(&record).await?, record));
    }
    Ok(records)
}

/// What would end three `records` at `end`, if it were not refused: a creation, a replacement of another version, a
/// touch.
async fn refuse<S: Store>(
    subject: &Subject<S>,
    records: &[(Handle, Record)],
    end: Timestamp,
    now: Timestamp,
) -> Outcome {
    let (store, brief) = (subject.store(), sample::record_until(end, now));
    let mut late = brief.clone();
    late.header.version = 8;
    let created = store.create(records[0].0, &brief, now).await?;
    let replaced = store.replace(records[1].0, 7, &late, now).await?;
    let touched = store.touch(records[2].0, 1, end, now).await?;
    let conflict = Replaced::Conflict(records[1].1.clone());
    ensure!(
        created == Created::Exists && replaced == conflict && touched == Touched::Touched,
        "of three live records one was created over, one of version 1 replaced as version 7 and one touched to an earlier \
         deadline: {created:?}, {replaced:?}, {touched:?}"
    );
    Ok(())
}

/// Two records of `principal` that would be over at `end`, if one had not been touched, and the other replaced, until an
/// hour from `now`.
async fn moved_ones<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
    end: Timestamp,
    now: Timestamp,
) -> Result<[(Handle, Record); 2], Failure> {
    let (store, later) = (subject.store(), now.after(HOUR));
    let mut brief = sample::record_until(end, now);
    brief.header.principal = Some(principal.clone());
    let longer = sample::touched(&brief, later);
    let next = sample::successor(&longer);
    let touched = create(subject, &brief, now).await?;
    let touch = store.touch(touched, 1, later, now).await?;
    let replaced = create(subject, &brief, now).await?;
    let replacement = store.replace(replaced, 1, &next, now).await?;
    ensure!(
        touch == Touched::Touched && replacement == Replaced::Replaced,
        "of two records that had just been created for {BRIEF:?} one was touched, the other replaced: {touch:?}, \
         {replacement:?}"
    );
    Ok([(touched, longer), (replaced, next)])
}

/// Writes `record` under a fresh handle at `now`.
async fn create<S: Store>(
    subject: &Subject<S>,
    record: &Record,
    now: Timestamp,
) -> Result<Handle, Failure> {
    let handle = sample::handle();
    let created = subject.store().create(handle, record, now).await?;
    ensure!(
        created == Created::Created,
        "a creation under a fresh handle answered {created:?}"
    );
    Ok(handle)
}

type Ends = fn(Timestamp, Timestamp) -> Record;

fn ends_idle(deadline: Timestamp, now: Timestamp) -> Record {
    sample::record_until(deadline, now)
}

fn ends_absolutely(deadline: Timestamp, now: Timestamp) -> Record {
    let mut record = sample::record_until(deadline.after(HOUR), now);
    record.header.absolute_deadline = deadline;
    record
}

/// The deadline is between two seconds, which some servers count in.
async fn absent_at_deadline<S: Store>(subject: &Subject<S>, ends: Ends) -> Outcome {
    let second = subject.now().after(HOUR).as_millis() / 1000;
    let deadline = Timestamp::from_millis(second * 1000 + 500);
    let record = ends(deadline, subject.now());
    is_there_to_all(subject, &record, just_before(deadline)).await?;
    is_absent_to_all(subject, &record, deadline).await
}

/// Every operation finds the `record` that lives at `now`.
async fn is_there_to_all<S: Store>(
    subject: &Subject<S>,
    record: &Record,
    now: Timestamp,
) -> Outcome {
    let (store, handle) = (subject.store(), subject.create(record).await?);
    subject.holds_at(handle, Some(record), now).await?;
    let (idle_deadline, next) = (record.header.idle_deadline, sample::successor(record));
    let created = store.create(handle, &next, now).await?;
    ensure!(
        created == Created::Exists,
        "a millisecond before its deadline a creation over a record answered {created:?}"
    );
    let conflict = store.replace(handle, 2, &next, now).await?;
    ensure!(
        conflict == Replaced::Conflict(record.clone()),
        "a millisecond before its deadline a replacement of another version answered {conflict:?}"
    );
    let touched = store.touch(handle, 1, idle_deadline, now).await?;
    ensure!(
        touched == Touched::Touched,
        "a millisecond before its deadline a touch of a record answered {touched:?}"
    );
    let replaced = store.replace(handle, 1, &next, now).await?;
    ensure!(
        replaced == Replaced::Replaced,
        "a millisecond before its deadline a replacement of a record answered {replaced:?}"
    );
    let deleted = store.delete(handle, now).await?;
    ensure!(
        deleted == Deleted::Deleted,
        "a millisecond before its deadline a deletion of a record answered {deleted:?}"
    );
    Ok(())
}

/// One record per operation, because an operation may remove what it finds expired.
async fn is_absent_to_all<S: Store>(
    subject: &Subject<S>,
    record: &Record,
    now: Timestamp,
) -> Outcome {
    let store = subject.store();
    let handle = subject.create(record).await?;
    subject.holds_at(handle, None, now).await?;

    let handle = subject.create(record).await?;
    let next = Record {
        header: sample::record(now).header,
        ..record.clone()
    };
    for expected in [1, 2] {
        let answer = store.replace(handle, expected, &next, now).await?;
        ensure!(
            answer == Replaced::Gone,
            "a replacement of an expired record answered {answer:?}"
        );
    }
    subject.holds_at(handle, None, now).await?;

    let handle = subject.create(record).await?;
    let answer = store.touch(handle, 1, now.after(HOUR), now).await?;
    ensure!(
        answer == Touched::Gone,
        "a touch of an expired record answered {answer:?}"
    );
    subject.holds_at(handle, None, now).await?;

    let handle = subject.create(record).await?;
    let answer = store.delete(handle, now).await?;
    ensure!(
        answer == Deleted::Gone,
        "a deletion of an expired record answered {answer:?}"
    );

    let (handle, fresh) = (subject.create(record).await?, sample::record(now));
    let answer = store.create(handle, &fresh, now).await?;
    ensure!(
        answer == Created::Created,
        "a creation over an expired record answered {answer:?}"
    );
    subject.holds_at(handle, Some(&fresh), now).await
}
