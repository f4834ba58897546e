//! Scan and count: everything that lives throughout is found, while others come and go.

use std::collections::BTreeMap;

use fasthttpsession_core::{Cursor, Handle, Record, Store, StoreErrorKind, Timestamp};

use super::capabilities::{lacks_count, lacks_scan};
use super::failure::{Failure, Outcome, ensure};
use super::sample::{self, HOUR};
use super::subject::Subject;
use super::tasks::task_rng;

/// Pages of any size, taken together, hold every session with its record as it is, those with the first and the last
/// handle there can be among them, and the scan ends. A limit of 0 counts as 1.
pub async fn a_scan_finds_every_session<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().scan {
        return lacks_scan(subject).await;
    }
    let mut expected = BTreeMap::new();
    let limits = [0, 1, 7, 40, 1000, usize::MAX];
    scans(subject, &expected, limits).await?;
    for _ in 0..40 {
        let record = sample::record(subject.now());
        expected.insert(subject.create(&record).await?, record);
    }
    for byte in [0, 0xff] {
        let handle = Handle::from_bytes([byte; Handle::BYTES]);
        let record = sample::record(subject.now());
        subject.create_at(handle, &record).await?;
        expected.insert(handle, record);
    }
    scans(subject, &expected, limits).await
}

/// A page is about as long as was asked for, however many sessions there are, and the pages hold all of them, which are
/// over a megabyte.
pub async fn a_page_is_bounded<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().scan {
        return lacks_scan(subject).await;
    }
    let mut expected = BTreeMap::new();
    for _ in 0..300 {
        let record = subject.enlarged(sample::record(subject.now()));
        expected.insert(subject.create(&record).await?, record);
    }
    let page = subject.store().scan(None, 10, subject.now()).await?;
    let length = page.sessions.len();
    ensure!(
        length <= 100,
        "of 300 sessions a page that should have about 10 had {length}"
    );
    scans(subject, &expected, [10, 1000]).await
}

/// A scan goes on behind what has expired: a page of nothing else is not the end.
pub async fn a_scan_passes_over_the_expired<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().scan {
        return lacks_scan(subject).await;
    }
    let (now, later) = (subject.now(), subject.now().after(HOUR));
    let mut expected = BTreeMap::new();
    for number in 0..60 {
        let lives = number % 6 == 5;
        let deadline = if lives { later.after(HOUR) } else { later };
        let record = sample::record_until(deadline, now);
        let handle = subject.create(&record).await?;
        expected.extend(lives.then_some((handle, record)));
    }
    for limit in [1, 7, 1000] {
        let found = scan_all(subject.store(), limit, later).await?;
        let count = found.len();
        ensure!(
            found == expected,
            "a scan in pages of {limit} found {count} sessions, not the 10 among 50 that have expired"
        );
    }
    Ok(())
}

/// A scan finds every session that lives throughout, as it is by then, although between its pages others begin and
/// end, the one at which the last page ended among them, and those that live are replaced and touched.
pub async fn a_scan_misses_nothing_that_lives_throughout<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    if !subject.store().capabilities().scan {
        return lacks_scan(subject).await;
    }
    for limit in [1, 3, 10] {
        let mut crowd = Crowd::gather(subject).await?;
        let mut found = Vec::new();
        let mut next = None;
        loop {
            let page = subject
                .store()
                .scan(next.as_ref(), limit, subject.now())
                .await?;
            crowd.recognises(&page.sessions)?;
            let shown: Vec<_> = page
                .sessions
                .into_iter()
                .map(|(handle, _)| handle)
                .collect();
            crowd.stir(subject, &shown).await?;
            found.extend(shown);
            next = page.next;
            if next.is_none() {
                break;
            }
            ensure!(
                found.len() < 10_000,
                "a scan of some 80 sessions does not end"
            );
        }
        let missed = crowd
            .staying
            .keys()
            .filter(|handle| !found.contains(handle))
            .count();
        ensure!(
            missed == 0,
            "a scan in pages of {limit} missed {missed} of 40 sessions that lived throughout"
        );
        crowd.leave(subject).await?;
    }
    Ok(())
}

/// A cursor that the store did not make is an error of kind `Internal`, and nothing was done.
pub async fn a_cursor_of_another_store_is_refused<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().scan {
        return lacks_scan(subject).await;
    }
    subject.create(&sample::record(subject.now())).await?;
    for foreign in ["", "another store", "a cursor that another store made"] {
        let cursor = Cursor(foreign.as_bytes().into());
        let store = subject.store();
        let Err(error) = store.scan(Some(&cursor), 10, subject.now()).await else {
            return Err(Failure::new(format!(
                "a scan went on at {foreign:?}, which is no cursor of this store"
            )));
        };
        let kind = error.kind();
        ensure!(
            kind == StoreErrorKind::Internal && !error.may_have_applied(),
            "a scan from a cursor of another store answered {kind:?}, it should be an error of kind Internal that was not \
             applied: {error}"
        );
    }
    Ok(())
}

/// The count is the number of live sessions, also if they are over a megabyte: creations, deletions and deadlines show at
/// once, replacements don't.
pub async fn a_count_counts_the_live<S: Store>(subject: &Subject<S>) -> Outcome {
    if !subject.store().capabilities().count {
        return lacks_count(subject).await;
    }
    let now = subject.now();
    counts(subject, 0, now).await?;
    let record = sample::record(now);
    let deleted = subject.create(&record).await?;
    let kept = subject
        .create(&sample::record_until(now.after(2 * HOUR), now))
        .await?;
    subject.create(&record).await?;
    subject.store().create(kept, &record, now).await?;
    subject
        .store()
        .replace(deleted, 1, &sample::successor(&record), now)
        .await?;
    counts(subject, 3, now).await?;
    subject.store().delete(deleted, now).await?;
    subject.store().delete(deleted, now).await?;
    counts(subject, 2, now).await?;
    counts(subject, 1, now.after(HOUR)).await?;
    counts(subject, 0, now.after(2 * HOUR)).await?;
    let later = now.after(2 * HOUR);
    for _ in 0..300 {
        let long = sample::record_until(later.after(HOUR), now);
        subject.create(&subject.enlarged(long)).await?;
    }
    counts(subject, 300, later).await
}

/// Everything that a scan in pages of about `limit` finds; a session that is found twice counts once.
pub(crate) async fn scan_all<S: Store>(
    store: &S,
    limit: usize,
    now: Timestamp,
) -> Result<BTreeMap<Handle, Record>, Failure> {
    let mut found = BTreeMap::new();
    let mut next: Option<Cursor> = None;
    for _ in 0..10_000 {
        let page = store.scan(next.as_ref(), limit, now).await?;
        found.extend(page.sessions);
        let Some(cursor) = page.next else {
            return Ok(found);
        };
        next = Some(cursor);
    }
    Err(Failure::new("a scan did not end after 10 000 pages"))
}

/// 40 sessions that stay, and others that come and go around them.
struct Crowd {
    staying: BTreeMap<Handle, Record>,
    passing: Vec<Handle>,
    rng: fastrand::Rng,
}

impl Crowd {
    async fn gather<S: Store>(subject: &Subject<S>) -> Result<Self, Failure> {
        let mut crowd = Self {
            staying: BTreeMap::new(),
            passing: Vec::new(),
            rng: task_rng(subject.seed(), 0),
        };
        for _ in 0..40 {
            let record = sample::record(subject.now());
            crowd.staying.insert(subject.create(&record).await?, record);
            crowd
                .passing
                .push(subject.create(&sample::record(subject.now())).await?);
        }
        Ok(crowd)
    }

    /// The last passing one of those that were `shown` goes, for the cursor may name it, and any other; one comes; one
    /// that stays is replaced and touched.
    async fn stir<S: Store>(&mut self, subject: &Subject<S>, shown: &[Handle]) -> Outcome {
        let (store, now) = (subject.store(), subject.now());
        let place = |shown| self.passing.iter().position(|passing| passing == shown);
        if let Some(last) = shown.iter().rev().find_map(place) {
            store.delete(self.passing.swap_remove(last), now).await?;
        }
        if !self.passing.is_empty() {
            let any = self.rng.usize(..self.passing.len());
            store.delete(self.passing.swap_remove(any), now).await?;
        }
        if self.passing.len() > 10 {
            self.passing
                .push(subject.create(&sample::record(now)).await?);
        }
        let chosen = self.rng.usize(..self.staying.len());
        let (handle, record) = self
            .staying
            .iter_mut()
            .nth(chosen)
            .expect("chosen among them");
        let next = sample::successor(record);
        store
            .replace(*handle, record.header.version, &next, now)
            .await?;
        let deadline = next.header.idle_deadline.after(HOUR / 60);
        store
            .touch(*handle, next.header.version, deadline, now)
            .await?;
        *record = sample::touched(&next, deadline);
        Ok(())
    }

    /// Those that stay are shown as they are now.
    fn recognises(&self, page: &[(Handle, Record)]) -> Outcome {
        for (handle, record) in page {
            let staying = self.staying.get(handle);
            ensure!(
                staying.is_none_or(|staying| staying == record),
                "a scan showed {}",
                sample::instead_of(Some(record), staying)
            );
        }
        Ok(())
    }

    async fn leave<S: Store>(self, subject: &Subject<S>) -> Outcome {
        for handle in self.staying.keys().chain(&self.passing) {
            subject.store().delete(*handle, subject.now()).await?;
        }
        Ok(())
    }
}

/// Every client, whatever the limit, finds exactly these.
async fn scans<S: Store>(
    subject: &Subject<S>,
    expected: &BTreeMap<Handle, Record>,
    limits: impl IntoIterator<Item = usize>,
) -> Outcome {
    for limit in limits {
        for store in subject.clients() {
            let found = scan_all(&**store, limit, subject.now()).await?;
            let (count, want) = (found.len(), expected.len());
            let difference = sample::first_difference(&found, expected).unwrap_or_default();
            ensure!(
                &found == expected,
                "a scan in pages of {limit} found {count} sessions where there are {want}: {difference}"
            );
        }
    }
    Ok(())
}

async fn counts<S: Store>(subject: &Subject<S>, want: u64, now: Timestamp) -> Outcome {
    for store in subject.clients() {
        let count = store.count(now).await?;
        ensure!(
            count == want,
            "count answered {count} where {want} sessions live"
        );
    }
    Ok(())
}
