//! The sessions of a principal: exactly those that live, from the answer that bound them until they end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fasthttpsession_core::{Handle, Principal, Record, Store, Timestamp};
use tokio::task::yield_now;

use super::capabilities::lacks_sessions_of;
use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR, principal_named};
use super::subject::Subject;
use super::tasks::{Jitter, all_at_once};

/// How many sessions are many: more than a page of a thousand.
const MANY: usize = 1_100;
/// How many more there are that end while the others are listed.
const PASSING: usize = 200;
/// How many tasks create them.
const CREATORS: usize = 32;

/// A principal's sessions are listed with their records as they are now, and nobody else's: names that differ in
/// case, in an accent or in how it is written, by a space at the end, or of which one begins the other, are different
/// principals.
pub async fn a_principal_is_listed_its_own_sessions<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let now = subject.now();
    let mut expected = Vec::new();
    for principal in similar_principals() {
        let mut sessions = BTreeMap::new();
        for _ in 0..2 {
            let record = sample::record_of(&principal, now);
            sessions.insert(subject.create(&record).await?, record);
        }
        expected.push((principal, sessions));
    }
    subject.create(&sample::record(now)).await?;
    for (principal, sessions) in &expected {
        lists(subject, principal, sessions, now).await?;
    }
    lists(subject, &sample::principal(), &BTreeMap::new(), now).await
}

/// Of a principal that has many sessions, of megabytes in all, all are listed, each once; and all that stay while others
/// end.
pub async fn many_sessions_of_a_principal_are_all_listed<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let (principal, now) = (sample::principal(), subject.now());
    let mut sessions: BTreeMap<_, _> = (0..MANY + PASSING)
        .map(|_| sample::record_of(&principal, now))
        .map(|record| (sample::handle(), subject.enlarged(record)))
        .collect();
    let all: Arc<[_]> = sessions.clone().into_iter().collect();
    all_at_once(CREATORS, |task| {
        let (store, all) = (subject.client(task), Arc::clone(&all));
        async move {
            for (handle, record) in all.iter().skip(task).step_by(CREATORS) {
                store.create(*handle, record, now).await?;
            }
            Ok(())
        }
    })
    .await?;
    lists(subject, &principal, &sessions, now).await?;
    // Handles are random: those that end are anywhere among the others.
    let passing: Vec<_> = sessions.keys().copied().step_by(6).take(PASSING).collect();
    sessions.retain(|handle, _| passing.binary_search(handle).is_err());
    lists_those_that_stay(subject, &principal, &sessions, passing, now).await?;
    lists(subject, &principal, &sessions, now).await
}

/// While the `passing` end, one after the other, each client lists all that are `staying`.
async fn lists_those_that_stay<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
    staying: &BTreeMap<Handle, Record>,
    passing: Vec<Handle>,
    now: Timestamp,
) -> Outcome {
    let (passing, staying) = (Arc::new(passing), Arc::new(staying.clone()));
    let ended = Arc::new(AtomicBool::new(false));
    let clients = subject.clients().len();
    all_at_once(clients + 1, |task| {
        let (store, principal) = (subject.client(task), principal.clone());
        let (passing, staying) = (Arc::clone(&passing), Arc::clone(&staying));
        let ended = Arc::clone(&ended);
        async move {
            if task == clients {
                for handle in &*passing {
                    store.delete(*handle, now).await?;
                    // A store that is never waited for would keep its thread from the other tasks.
                    yield_now().await;
                }
                ended.store(true, Ordering::SeqCst);
                return Ok(());
            }
            while !ended.load(Ordering::SeqCst) {
                let mut listed = store.sessions_of(&principal, now).await?;
                listed.retain(|(handle, _)| passing.binary_search(handle).is_err());
                are(listed, &staying, &principal)?;
                yield_now().await;
            }
            Ok(())
        }
    })
    .await
}

/// A session is listed for whom its last replacement bound it to, and for nobody else.
pub async fn a_sign_in_moves_a_session_to_its_principal<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let now = subject.now();
    let (alice, bob) = (sample::principal(), sample::principal());
    let mut record = sample::record(now);
    let handle = subject.create(&record).await?;
    for principal in [Some(&alice), Some(&alice), Some(&bob), None, Some(&alice)] {
        let mut next = sample::successor(&record);
        next.header.principal = principal.cloned();
        subject
            .store()
            .replace(handle, record.header.version, &next, now)
            .await?;
        record = next;
        for other in [&alice, &bob] {
            let theirs = principal == Some(other);
            let want = theirs.then(|| (handle, record.clone()));
            lists(subject, other, &want.into_iter().collect(), now).await?;
        }
    }
    Ok(())
}

/// What was refused binds nobody: a creation over a live record, a replacement of another version or of nothing.
pub async fn what_was_refused_binds_nobody<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let (store, now) = (subject.store(), subject.now());
    let (owner, other) = (sample::principal(), sample::principal());
    let (record, foreign) = (
        sample::record_of(&owner, now),
        sample::record_of(&other, now),
    );
    let handle = subject.create(&record).await?;
    let only = BTreeMap::from([(handle, record.clone())]);
    store.create(handle, &foreign, now).await?;
    lists(subject, &owner, &only, now).await?;
    lists(subject, &other, &BTreeMap::new(), now).await?;
    let mut late = sample::successor(&foreign);
    late.header.version = 8;
    store.replace(handle, 7, &late, now).await?;
    let deleted = subject.create(&record).await?;
    store.delete(deleted, now).await?;
    store.replace(deleted, 1, &late, now).await?;
    lists(subject, &owner, &only, now).await?;
    lists(subject, &other, &BTreeMap::new(), now).await
}

/// A touch shows in the list, and changes nothing else of it.
pub async fn a_listed_session_shows_its_touches<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let now = subject.now();
    let principal = sample::principal();
    let record = sample::record_of(&principal, now);
    let handle = subject.create(&record).await?;
    subject
        .store()
        .touch(handle, 1, now.after(2 * HOUR), now)
        .await?;
    let touched = sample::touched(&record, now.after(2 * HOUR));
    lists(
        subject,
        &principal,
        &BTreeMap::from([(handle, touched)]),
        now,
    )
    .await
}

/// A deleted session is listed no more, also when new sessions take its place; one created under a handle that another
/// principal's session had before is listed for its own principal alone.
pub async fn an_ended_session_is_listed_no_more<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let (now, later) = (subject.now(), subject.now().after(HOUR));
    let (before, after) = (sample::principal(), sample::principal());
    let deleted = subject.create(&sample::record_of(&before, now)).await?;
    let expiring = sample::record_of(&before, now);
    let expired = subject.create(&expiring).await?;
    subject.store().delete(deleted, now).await?;
    subject.create(&sample::record(now)).await?;
    lists(
        subject,
        &before,
        &BTreeMap::from([(expired, expiring)]),
        now,
    )
    .await?;
    let mut fresh = BTreeMap::new();
    for handle in [deleted, expired] {
        let record = sample::record_of(&after, later);
        subject.store().create(handle, &record, later).await?;
        fresh.insert(handle, record);
    }
    lists(subject, &before, &BTreeMap::new(), later).await?;
    lists(subject, &after, &fresh, later).await?;
    for handle in [deleted, expired] {
        subject.store().delete(handle, later).await?;
    }
    lists(subject, &after, &BTreeMap::new(), later).await
}

/// While many sessions of one principal begin, move away and end at once, each is listed from the answer that bound
/// it and no more from the answer that ended or moved it.
pub async fn a_session_is_listed_from_the_answer_that_bound_it<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    if !subject.store().capabilities().sessions_of {
        return lacks_sessions_of(subject).await;
    }
    let (now, rounds, seed) = (subject.now(), subject.round_count(), subject.seed());
    let principal = sample::principal();
    all_at_once(subject.task_count(), |task| {
        let (store, principal) = (subject.client(task), principal.clone());
        async move {
            let mut jitter = Jitter::new(seed, task);
            for _ in 0..rounds {
                come_and_go(&store, &principal, now, &mut jitter).await?;
            }
            Ok(())
        }
    })
    .await?;
    lists(subject, &principal, &BTreeMap::new(), now).await
}

async fn come_and_go<S: Store>(
    store: &Arc<S>,
    principal: &Principal,
    now: Timestamp,
    jitter: &mut Jitter,
) -> Outcome {
    let (handle, anonymous) = (sample::handle(), sample::record(now));
    store.create(handle, &anonymous, now).await?;
    let mut bound = sample::successor(&anonymous);
    bound.header.principal = Some(principal.clone());
    store.replace(handle, 1, &bound, now).await?;
    jitter.pause().await;
    is_listed(store, principal, handle, Some(&bound), now).await?;
    let mut moved = sample::successor(&bound);
    moved.header.principal = None;
    store.replace(handle, 2, &moved, now).await?;
    is_listed(store, principal, handle, None, now).await?;
    let mut back = sample::successor(&moved);
    back.header.principal = Some(principal.clone());
    store.replace(handle, 3, &back, now).await?;
    jitter.pause().await;
    is_listed(store, principal, handle, Some(&back), now).await?;
    store.delete(handle, now).await?;
    is_listed(store, principal, handle, None, now).await
}

async fn is_listed<S: Store>(
    store: &Arc<S>,
    principal: &Principal,
    handle: Handle,
    want: Option<&Record>,
    now: Timestamp,
) -> Outcome {
    let listed = store.sessions_of(principal, now).await?;
    let found = listed
        .iter()
        .find(|(other, _)| *other == handle)
        .map(|(_, record)| record);
    ensure!(
        found == want,
        "amid others, sessions_of listed {}",
        sample::instead_of(found, want)
    );
    Ok(())
}

/// Every client lists exactly these for `principal`, each once.
async fn lists<S: Store>(
    subject: &Subject<S>,
    principal: &Principal,
    want: &BTreeMap<Handle, Record>,
    now: Timestamp,
) -> Outcome {
    for client in subject.clients() {
        are(client.sessions_of(principal, now).await?, want, principal)?;
    }
    Ok(())
}

/// What was `listed` for `principal` is exactly these, each once.
fn are(
    listed: Vec<(Handle, Record)>,
    want: &BTreeMap<Handle, Record>,
    principal: &Principal,
) -> Outcome {
    let (count, found) = (listed.len(), listed.into_iter().collect::<BTreeMap<_, _>>());
    ensure!(count == found.len(), "sessions_of listed a session twice");
    if let Some(difference) = sample::first_difference(&found, want) {
        let due = want.len();
        return Err(Failure::new(format!(
            "sessions_of of {principal} listed {count} sessions where {due} were due: {difference}"
        )));
    }
    Ok(())
}

fn similar_principals() -> Vec<Principal> {
    let own = format!("{:016x}", fastrand::u64(..));
    let longest = "x".repeat(255 - own.len());
    let endings = [
        "", " ", "a", "A", "á", "a\u{301}", "a ", "ab", "a%", "a_", "a*", "a:b", "'", "\\", "ß",
        "ss", "語", &longest,
    ];
    endings
        .iter()
        .map(|ending| principal_named(&format!("{own}{ending}")))
        .collect()
}
