//! Random traffic from a seed: many tasks on few sessions, each call noted with its place in time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{
    Created, Deleted, Handle, Record, Replaced, Store, StoreError, Timestamp, Touched,
};
use tokio::task::yield_now;

use super::failure::{Failure, ensure};
use super::history::{Answer, Call, Entry, Live};
use super::sample;
use super::tasks::{at_once, polled, task_rng};

/// What traffic to make.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Where its random numbers begin.
    pub seed: u64,
    /// How many sessions the tasks share.
    pub sessions: usize,
    /// How many tasks call at once.
    pub tasks: usize,
    /// How many calls each task makes.
    pub calls: usize,
    /// Whether some calls are dropped before their answer.
    pub drops: bool,
    /// Whether the time that calls are told moves on, so that records expire; if the store can purge, it does.
    pub ages: bool,
    /// The time at the beginning.
    pub start: Timestamp,
}

/// What the traffic brought.
pub struct Recorded {
    /// The calls of each session, to be looked at by [`history::check`](super::history::check).
    pub histories: Vec<Vec<Entry>>,
    /// Calls that failed. One that may have been applied is in its history as a call without answer.
    pub errors: Vec<StoreError>,
    traffic: Traffic,
    street: Arc<Street>,
}

impl Traffic {
    /// Makes the traffic; task `n` uses client `n`, in turn. Fails at once if a record comes back that nobody wrote.
    pub async fn run<S: Store>(self, clients: &[Arc<S>]) -> Result<Recorded, Failure> {
        let street = Arc::new(Street::open(&self));
        let logs = at_once(self.tasks, |task| {
            let caller = Caller::new(
                self,
                task,
                Arc::clone(&clients[task % clients.len()]),
                &street,
            );
            caller.run()
        });
        let mut recorded = Recorded {
            histories: vec![Vec::new(); self.sessions],
            errors: Vec::new(),
            traffic: self,
            street: Arc::clone(&street),
        };
        for log in logs.await {
            recorded.add(log?);
        }
        Ok(recorded)
    }
}

impl Recorded {
    /// Has each client load every session once more, after all that was recorded.
    pub(crate) async fn look_again<S: Store>(&mut self, clients: &[Arc<S>]) -> Result<(), Failure> {
        for (task, client) in clients.iter().enumerate() {
            let client = Arc::clone(client);
            let mut caller = Caller::new(self.traffic, task, client, &self.street);
            for session in 0..self.traffic.sessions {
                let now = self.street.now();
                caller.make(Deed::Load, session, now, usize::MAX).await?;
            }
            self.add(caller.log);
        }
        Ok(())
    }

    fn add(&mut self, log: Log) {
        self.errors.extend(log.errors);
        for (session, entry) in log.entries {
            self.histories[session].push(entry);
        }
    }
}

/// What the tasks of one run share.
struct Street {
    handles: Vec<Handle>,
    start: Timestamp,
    /// Orders calls and answers of all tasks.
    ticket: AtomicU64,
    /// Hours since `start`: a server's own clock does not catch up with them, however far away it is.
    hours: AtomicU64,
    /// Numbers the bodies.
    bodies: AtomicU64,
}

impl Street {
    fn open(traffic: &Traffic) -> Self {
        Self {
            handles: (0..traffic.sessions).map(|_| sample::handle()).collect(),
            start: traffic.start,
            ticket: AtomicU64::new(1),
            hours: AtomicU64::new(0),
            bodies: AtomicU64::new(1),
        }
    }

    fn ticket(&self) -> u64 {
        self.ticket.fetch_add(1, Ordering::SeqCst)
    }

    fn now(&self) -> Timestamp {
        self.start.after(hours(self.hours.load(Ordering::SeqCst)))
    }
}

/// One task of the traffic.
struct Caller<S> {
    traffic: Traffic,
    task: usize,
    store: Arc<S>,
    street: Arc<Street>,
    rng: fastrand::Rng,
    /// The version this task last saw of each session.
    versions: Vec<u64>,
    log: Log,
}

#[derive(Default)]
struct Log {
    entries: Vec<(usize, Entry)>,
    errors: Vec<StoreError>,
}

impl<S: Store> Caller<S> {
    fn new(traffic: Traffic, task: usize, store: Arc<S>, street: &Arc<Street>) -> Self {
        Self {
            traffic,
            task,
            store,
            street: Arc::clone(street),
            rng: task_rng(traffic.seed, task),
            versions: vec![1; traffic.sessions],
            log: Log::default(),
        }
    }

    async fn run(mut self) -> Result<Log, Failure> {
        for _ in 0..self.traffic.calls {
            for _ in 0..self.rng.usize(..3) {
                yield_now().await;
            }
            self.age();
            if self.traffic.ages && self.store.capabilities().purge && self.rng.u8(..8) == 0 {
                self.store.purge(2, self.street.now()).await?;
            }
            let session = self.rng.usize(..self.traffic.sessions);
            self.call(session).await?;
        }
        Ok(self.log)
    }

    fn age(&mut self) {
        if self.traffic.ages && self.rng.u8(..4) == 0 {
            self.street.hours.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn call(&mut self, session: usize) -> Result<(), Failure> {
        let now = self.street.now();
        let deed = self.choose(session, now);
        let polls = self.patience();
        self.make(deed, session, now, polls).await
    }

    /// Makes a call, polls it so often at most, and notes what came of it.
    async fn make(
        &mut self,
        deed: Deed,
        session: usize,
        now: Timestamp,
        polls: usize,
    ) -> Result<(), Failure> {
        let called = self.street.ticket();
        let answer = polled(
            deed.perform(&*self.store, self.street.handles[session], now),
            polls,
        )
        .await;
        let answered = self.street.ticket();
        let mut entry = Entry {
            task: self.task,
            called,
            answered: Some(answered),
            now,
            latest: self.street.now(),
            call: deed.call(),
            answer: Answer::None,
        };
        match answer {
            Some(Ok(found)) => entry.answer = self.understand(session, found)?,
            Some(Err(error)) => {
                let without_effect = !error.may_have_applied();
                self.log.errors.push(error);
                if without_effect {
                    return Ok(());
                }
                entry.unanswered();
            }
            None => entry.unanswered(),
        }
        if entry.answered.is_some() || entry.call != Call::Load {
            self.log.entries.push((session, entry));
        }
        Ok(())
    }

    /// After how many polls the call is dropped.
    fn patience(&mut self) -> usize {
        let impatient = self.traffic.drops && self.rng.u8(..4) == 0;
        if impatient {
            self.rng.usize(1..6)
        } else {
            usize::MAX
        }
    }

    fn choose(&mut self, session: usize, now: Timestamp) -> Deed {
        let version = self.versions[session];
        match self.rng.u8(..100) {
            0..25 => Deed::Load,
            25..40 => Deed::Create(self.record(1, now)),
            40..75 => {
                // Now and then a version that was never seen, or was seen long ago.
                let expected = if self.rng.u8(..8) == 0 {
                    self.rng.u64(..4)
                } else {
                    version
                };
                Deed::Replace(expected, self.record(expected + 1, now))
            }
            75..90 => {
                let version = if self.rng.u8(..8) == 0 {
                    version + 1
                } else {
                    version
                };
                Deed::Touch(version, now.after(hours(self.rng.u64(1..20))))
            }
            _ => Deed::Delete,
        }
    }

    /// A record all of whose parts but version and deadlines follow from the number in its body.
    fn record(&mut self, version: u64, now: Timestamp) -> Record {
        let number = self.street.bodies.fetch_add(1, Ordering::Relaxed);
        let mut record = self.street.written(number);
        record.header.version = version;
        record.header.idle_deadline = now.after(hours(self.rng.u64(2..12)));
        record.header.absolute_deadline = now.after(hours(self.rng.u64(8..30)));
        record
    }

    fn understand(&mut self, session: usize, found: Found) -> Result<Answer, Failure> {
        Ok(match found {
            Found::Plain(answer) => answer,
            Found::Loaded(None) => Answer::Loaded(None),
            Found::Loaded(Some(record)) => Answer::Loaded(Some(self.recognise(session, &record)?)),
            Found::Conflict(record) => Answer::Conflict(self.recognise(session, &record)?),
        })
    }

    /// Notes the version; fails if the record's parts were not written together. Whether they were never, or parts of
    /// two records were mixed, can't be told.
    fn recognise(&mut self, session: usize, record: &Record) -> Result<Live, Failure> {
        let text = std::str::from_utf8(&record.body).ok();
        let number = text.and_then(|text| text.trim_end_matches('.').parse().ok());
        let mut whole = self.street.written(number.unwrap_or_default());
        whole.header.version = record.header.version;
        whole.header.idle_deadline = record.header.idle_deadline;
        whole.header.absolute_deadline = record.header.absolute_deadline;
        ensure!(
            &whole == record,
            "a record came back that nobody wrote: {}",
            sample::instead_of(Some(record), Some(&whole))
        );
        self.versions[session] = record.header.version;
        Ok(record.into())
    }
}

impl Street {
    fn written(&self, number: u64) -> Record {
        let mut record = sample::record(self.start.after(Duration::from_millis(number)));
        let length = usize::try_from(number % 50).expect("less than 50");
        record.body = Bytes::from(format!("{number}{}", ".".repeat(length)));
        record.header.principal =
            (number % 5 > 1).then(|| sample::principal_named(&format!("user {}", number % 5)));
        record.header.label =
            (number % 7 > 3).then(|| sample::label_named(&format!("label {number}")));
        record
    }
}

impl Entry {
    fn unanswered(&mut self) {
        self.answered = None;
        self.latest = Timestamp::from_millis(u64::MAX);
    }
}

/// A call with all that it writes.
enum Deed {
    Load,
    Create(Record),
    Replace(u64, Record),
    Touch(u64, Timestamp),
    Delete,
}

/// An answer before its records were recognised.
enum Found {
    Plain(Answer),
    Loaded(Option<Record>),
    Conflict(Record),
}

impl Deed {
    async fn perform<S: Store>(
        &self,
        store: &S,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Found, StoreError> {
        Ok(match self {
            Self::Load => Found::Loaded(store.load(handle, now).await?),
            Self::Create(record) => Found::Plain(store.create(handle, record, now).await?.into()),
            Self::Replace(expected, record) => {
                match store.replace(handle, *expected, record, now).await? {
                    Replaced::Replaced => Found::Plain(Answer::Replaced),
                    Replaced::Conflict(current) => Found::Conflict(current),
                    Replaced::Gone => Found::Plain(Answer::Gone),
                }
            }
            Self::Touch(version, deadline) => {
                Found::Plain(store.touch(handle, *version, *deadline, now).await?.into())
            }
            Self::Delete => Found::Plain(store.delete(handle, now).await?.into()),
        })
    }

    fn call(&self) -> Call {
        match self {
            Self::Load => Call::Load,
            Self::Create(record) => Call::Create(record.into()),
            Self::Replace(expected, record) => Call::Replace {
                expected: *expected,
                with: record.into(),
            },
            Self::Touch(version, idle_deadline) => Call::Touch {
                version: *version,
                idle_deadline: *idle_deadline,
            },
            Self::Delete => Call::Delete,
        }
    }
}

impl From<Created> for Answer {
    fn from(created: Created) -> Self {
        match created {
            Created::Created => Self::Created,
            Created::Exists => Self::Exists,
        }
    }
}

impl From<Touched> for Answer {
    fn from(touched: Touched) -> Self {
        match touched {
            Touched::Touched => Self::Touched,
            Touched::Gone => Self::Gone,
        }
    }
}

impl From<Deleted> for Answer {
    fn from(deleted: Deleted) -> Self {
        match deleted {
            Deleted::Deleted => Self::Deleted,
            Deleted::Gone => Self::Gone,
        }
    }
}

fn hours(count: u64) -> Duration {
    Duration::from_secs(3600 * count)
}
