//! Cancellation: a future may be dropped at any await point. The operation then happened or did not, nobody gets its
//! answer, and nothing stays locked. Each check drops a call after 0, 1, 2, … polls until one is enough to finish it.

use fasthttpsession_core::{
    Created, Deleted, Handle, Record, Replaced, Store, StoreError, Timestamp, Touched,
};

use super::capabilities::lacks_sessions_of;
use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR};
use super::subject::Subject;
use super::tasks::{all_at_once, polled, within};

/// More polls than an operation of any store takes.
const MOST_POLLS: usize = 500;

/// Whether the call was polled until it finished.
type Cut = Result<bool, Failure>;

/// A load that is dropped leaves nothing behind: later loads get their own records.
pub async fn a_dropped_load_leaves_nothing_behind<S: Store>(subject: &Subject<S>) -> Outcome {
    let record = sample::record(subject.now());
    let handle = subject.create(&record).await?;
    after_each_poll(subject, async |polls| {
        let answer = polled(subject.store().load(handle, subject.now()), polls).await;
        others_are_right(subject).await?;
        subject.holds(handle, &record).await?;
        Ok(answer.is_some())
    })
    .await
}

/// A creation that is dropped happened as a whole or not at all; the same again settles it, and the session is listed
/// for its principal.
pub async fn a_dropped_creation_happened_or_not<S: Store>(subject: &Subject<S>) -> Outcome {
    after_each_poll(subject, async |polls| {
        let (handle, principal) = (sample::handle(), sample::principal());
        let record = sample::record_of(&principal, subject.now());
        let answer = polled(
            subject.store().create(handle, &record, subject.now()),
            polls,
        )
        .await;
        others_are_right(subject).await?;
        holds_either(subject, handle, [None, Some(&record)]).await?;
        let again = subject.store().create(handle, &record, subject.now());
        let again: Created = answered("a creation after a dropped one", again).await?;
        ensure!(
            answer.is_none() || again == Created::Exists,
            "a creation had answered, another one created"
        );
        subject.holds(handle, &record).await?;
        is_listed(subject, handle, &record).await?;
        Ok(answer.is_some())
    })
    .await
}

/// A replacement that is dropped happened as a whole or not at all; the same again lands, or finds that it had, and
/// the session is listed for its new principal. So an index is never behind the record, whoever was cut off.
pub async fn a_dropped_replacement_happened_or_not<S: Store>(subject: &Subject<S>) -> Outcome {
    after_each_poll(subject, async |polls| {
        let before = sample::record(subject.now());
        let (handle, mut after) = (subject.create(&before).await?, sample::successor(&before));
        after.header.principal = Some(sample::principal());
        let answer = polled(
            subject.store().replace(handle, 1, &after, subject.now()),
            polls,
        )
        .await;
        others_are_right(subject).await?;
        holds_either(subject, handle, [Some(&before), Some(&after)]).await?;
        let again = subject.store().replace(handle, 1, &after, subject.now());
        let again = answered("a replacement after a dropped one", again).await?;
        let settled = again == Replaced::Replaced || again == Replaced::Conflict(after.clone());
        ensure!(settled, "the same replacement again answered {again:?}");
        subject.holds(handle, &after).await?;
        is_listed(subject, handle, &after).await?;
        Ok(answer.is_some())
    })
    .await
}

/// A touch that is dropped happened or not; the same again settles it.
pub async fn a_dropped_touch_happened_or_not<S: Store>(subject: &Subject<S>) -> Outcome {
    let deadline = subject.now().after(2 * HOUR);
    after_each_poll(subject, async |polls| {
        let before = sample::record(subject.now());
        let (handle, after) = (
            subject.create(&before).await?,
            sample::touched(&before, deadline),
        );
        let answer = polled(
            subject.store().touch(handle, 1, deadline, subject.now()),
            polls,
        )
        .await;
        others_are_right(subject).await?;
        holds_either(subject, handle, [Some(&before), Some(&after)]).await?;
        let again = subject.store().touch(handle, 1, deadline, subject.now());
        let again: Touched = answered("a touch after a dropped one", again).await?;
        ensure!(
            again == Touched::Touched,
            "a touch of a live record answered {again:?}"
        );
        subject.holds(handle, &after).await?;
        Ok(answer.is_some())
    })
    .await
}

/// A deletion that is dropped happened or not; the same again settles it.
pub async fn a_dropped_deletion_happened_or_not<S: Store>(subject: &Subject<S>) -> Outcome {
    after_each_poll(subject, async |polls| {
        let record = sample::record(subject.now());
        let handle = subject.create(&record).await?;
        let answer = polled(subject.store().delete(handle, subject.now()), polls).await;
        others_are_right(subject).await?;
        holds_either(subject, handle, [Some(&record), None]).await?;
        let again = subject.store().delete(handle, subject.now());
        let again = answered("a deletion after a dropped one", again).await?;
        ensure!(
            answer.is_none() || again == Deleted::Gone,
            "a deletion had answered, another one deleted"
        );
        subject.holds_nothing(handle).await?;
        Ok(answer.is_some())
    })
    .await
}

/// A list, a scan, a count, a purge or a check that is dropped leaves nothing behind.
pub async fn a_dropped_listing_leaves_nothing_behind<S: Store>(subject: &Subject<S>) -> Outcome {
    let (store, now) = (subject.store(), subject.now());
    let principal = sample::principal();
    let record = sample::record_of(&principal, now);
    let handle = subject.create(&record).await?;
    after_each_poll(subject, async |polls| {
        let mut finished = polled(store.sessions_of(&principal, now), polls)
            .await
            .is_some();
        finished &= polled(store.scan(None, 10, now), polls).await.is_some();
        finished &= polled(store.count(now), polls).await.is_some();
        finished &= polled(store.purge(10, now), polls).await.is_some();
        finished &= polled(store.check(), polls).await.is_some();
        others_are_right(subject).await?;
        subject.holds(handle, &record).await?;
        if store.capabilities().sessions_of {
            let listing = store.sessions_of(&principal, now);
            let listed = answered("a list after a dropped one", listing).await?;
            ensure!(
                listed == [(handle, record.clone())],
                "after a dropped listing a list was {listed:?}"
            );
        }
        Ok(finished)
    })
    .await
}

/// Far more calls than a pool has connections, all dropped in the middle, leave the store answering.
pub async fn many_dropped_calls_leave_the_store_answering<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    let now = subject.now();
    let record = sample::record(now);
    let handle = subject.create(&record).await?;
    for polls in 1..4 {
        all_at_once(64, |task| {
            let store = subject.client(task);
            async move {
                polled(store.load(handle, now), polls).await;
                polled(store.touch(handle, 1, now.after(HOUR / 2), now), polls).await;
                polled(store.replace(handle, 7, &sample::record(now), now), polls).await;
                polled(store.delete(sample::handle(), now), polls).await;
                Ok(())
            }
        })
        .await?;
        others_are_right(subject).await?;
        subject.holds(handle, &record).await?;
    }
    Ok(())
}

async fn after_each_poll<S: Store>(
    subject: &Subject<S>,
    cut: impl AsyncFn(usize) -> Cut,
) -> Outcome {
    for polls in 0..MOST_POLLS {
        let round = within(
            subject.patience_each() * 4,
            "the store, after a dropped call,",
            cut(polls),
        );
        if round.await?? {
            return Ok(());
        }
    }
    // Polls depend on timing where a server is; what was dropped so far was dropped everywhere.
    subject.note("never finished a call within the polls that a check drops it after");
    Ok(())
}

/// Calls on other sessions, several at once, get their own answers.
async fn others_are_right<S: Store>(subject: &Subject<S>) -> Outcome {
    let now = subject.now();
    all_at_once(4, |_| {
        // The client that dropped a call is the one whose connection may be upset.
        let (store, handle, record) = (subject.client(0), sample::handle(), sample::record(now));
        async move {
            let created = store.create(handle, &record, now).await?;
            ensure!(
                created == Created::Created,
                "after a dropped call a creation answered {created:?}"
            );
            finds(&*store, handle, Some(&record), now).await?;
            let next = sample::successor(&record);
            let replaced = store.replace(handle, 1, &next, now).await?;
            ensure!(
                replaced == Replaced::Replaced,
                "after a dropped call a swap answered {replaced:?}"
            );
            finds(&*store, handle, Some(&next), now).await?;
            let deleted = store.delete(handle, now).await?;
            ensure!(
                deleted == Deleted::Deleted,
                "after a dropped call a deletion answered {deleted:?}"
            );
            finds(&*store, handle, None, now).await
        }
    })
    .await
}

async fn finds<S: Store>(
    store: &S,
    handle: Handle,
    want: Option<&Record>,
    now: Timestamp,
) -> Outcome {
    let found = store.load(handle, now).await?;
    ensure!(
        found.as_ref() == want,
        "after a dropped call another session's load answered {}",
        sample::instead_of(found.as_ref(), want)
    );
    Ok(())
}

async fn holds_either<S: Store>(
    subject: &Subject<S>,
    handle: Handle,
    either: [Option<&Record>; 2],
) -> Outcome {
    let load = subject.store().load(handle, subject.now());
    let found = answered("a load after a dropped call", load).await?;
    let (got, [one, other]) = (
        sample::describe(found.as_ref()),
        either.map(sample::describe),
    );
    ensure!(
        either.contains(&found.as_ref()),
        "after a dropped call a session held {got}, neither {one} nor {other}"
    );
    Ok(())
}

/// The record, and it alone, is listed for its principal, if the store lists at all.
async fn is_listed<S: Store>(subject: &Subject<S>, handle: Handle, record: &Record) -> Outcome {
    let Some(principal) = record.header.principal.as_ref() else {
        return Ok(());
    };
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let listing = subject.store().sessions_of(principal, subject.now());
    let listed = answered("a list after a dropped call", listing).await?;
    let as_written = listed == [(handle, record.clone())];
    ensure!(
        as_written,
        "after a dropped call was settled, its principal was listed {listed:?}"
    );
    Ok(())
}

/// Says of what fails that it came after a dropped call.
async fn answered<T>(
    what: &str,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, Failure> {
    let answer = call.await;
    answer.map_err(|error| Failure::new(format!("{what} failed ({:?}): {error}", error.kind())))
}
