//! Capabilities: what a store says it can do it does, and what it lacks it answers with `Unsupported`.

use fasthttpsession_core::{Principal, Store, StoreError, StoreErrorKind, Timestamp};

use super::failure::{Failure, Outcome, ensure};
use super::sample;
use super::scan::scan_all;
use super::subject::Subject;

/// Each of `sessions_of`, `scan`, `count` and `purge` answers if the store says that it has it, and is `Unsupported`
/// if the store says that it lacks it.
pub async fn capabilities_are_as_declared<S: Store>(subject: &Subject<S>) -> Outcome {
    let (store, now, can) = (
        subject.store(),
        subject.now(),
        subject.store().capabilities(),
    );
    let listed = store.sessions_of(&sample::principal(), now).await;
    as_declared(subject, "sessions_of", can.sessions_of, listed)?;
    as_declared(subject, "scan", can.scan, store.scan(None, 10, now).await)?;
    as_declared(subject, "count", can.count, store.count(now).await)?;
    as_declared(subject, "purge", can.purge, store.purge(10, now).await)
}

/// A store that is up says so, and has a name for messages.
pub async fn a_store_that_is_up_says_so<S: Store>(subject: &Subject<S>) -> Outcome {
    for client in subject.clients() {
        client.check().await?;
        let name = client.name();
        let proper = !name.is_empty() && !name.contains(char::is_uppercase);
        ensure!(
            proper,
            "the store's name is \"{name}\", it should be a short lower-case word"
        );
    }
    Ok(())
}

/// At `now`, `of_principal` sessions are listed for `principal`, and `in_all` are scanned and counted: as far as the
/// store can do these.
pub(crate) async fn lists<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
    of_principal: usize,
    in_all: usize,
    now: Timestamp,
) -> Outcome {
    let can = subject.store().capabilities();
    for store in subject.clients() {
        if can.sessions_of {
            let listed = store.sessions_of(principal, now).await?;
            let live = listed.iter().all(|(_, record)| record.is_live(now));
            ensure!(live, "sessions_of listed a session past its deadline");
            let count = listed.len();
            ensure!(
                count == of_principal,
                "sessions_of listed {count} sessions, {of_principal} are live"
            );
        }
        if can.scan {
            let count = scan_all(&**store, 10, now).await?.len();
            ensure!(
                count == in_all,
                "a scan found {count} sessions, {in_all} are live"
            );
        }
        if can.count {
            let count = store.count(now).await?;
            ensure!(
                count == in_all as u64,
                "count answered {count}, {in_all} sessions are live"
            );
        }
    }
    Ok(())
}

fn as_declared<S: Store, T>(
    subject: &Subject<S>,
    what: &str,
    declared: bool,
    answer: Result<T, StoreError>,
) -> Outcome {
    match answer {
        Ok(_) if declared => Ok(()),
        Ok(_) => Err(Failure::new(format!(
            "the store says it lacks {what}, but {what} answers"
        ))),
        Err(error) if declared => Err(Failure::new(format!(
            "the store says it has {what}, but {what} answers: {error}"
        ))),
        Err(error) => lacking(subject, what, &error),
    }
}

fn lacking<S: Store>(subject: &Subject<S>, what: &str, error: &StoreError) -> Outcome {
    let kind = error.kind();
    ensure!(
        kind == StoreErrorKind::Unsupported,
        "{what}, which the store lacks, answered {kind:?}: {error}"
    );
    subject.note(&format!(
        "lacks {what}, and answers that this is unsupported"
    ));
    Ok(())
}

/// A check of something that the store lacks comes down to this: it answers that it is unsupported.
pub(crate) async fn lacks_sessions_of<S: Store>(subject: &Subject<S>) -> Outcome {
    as_declared(
        subject,
        "sessions_of",
        false,
        subject
            .store()
            .sessions_of(&sample::principal(), subject.now())
            .await,
    )
}

/// As [`lacks_sessions_of`], for `scan`.
pub(crate) async fn lacks_scan<S: Store>(subject: &Subject<S>) -> Outcome {
    as_declared(
        subject,
        "scan",
        false,
        subject.store().scan(None, 10, subject.now()).await,
    )
}

/// As [`lacks_sessions_of`], for `count`.
pub(crate) async fn lacks_count<S: Store>(subject: &Subject<S>) -> Outcome {
    as_declared(
        subject,
        "count",
        false,
        subject.store().count(subject.now()).await,
    )
}

/// As [`lacks_sessions_of`], for `purge`.
pub(crate) async fn lacks_purge<S: Store>(subject: &Subject<S>) -> Outcome {
    as_declared(
        subject,
        "purge",
        false,
        subject.store().purge(10, subject.now()).await,
    )
}
