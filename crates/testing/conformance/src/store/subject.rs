//! The store under test, and what it tells the suite about itself. What a backend lacks is said here, with the
//! reason, and shows in the output of the check that would have used it.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fasthttpsession_core::{Clock, Created, Handle, Record, Store, SystemClock, Timestamp};

use super::failure::{Failure, Outcome, ensure};
use super::patient::{Hung, Patient};
use super::sample;

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The store under test: freshly opened and empty, with what the suite must be told about it.
///
/// Four things are always said, in the positive or in the negative: [`second_client`](Self::second_client),
/// [`raw`](Self::raw), [`body_limit`](Self::body_limit) and the clock
/// ([`expires_by_server_clock`](Self::expires_by_server_clock)). A check that needs one of them and was not told
/// fails and says what to write.
pub struct Subject<S> {
    clients: Vec<Arc<Patient<S>>>,
    hung: Arc<Hung>,
    hint: OnceLock<&'static str>,
    second: Told<()>,
    raw: Told<Raw>,
    body_limit: Told<BodyLimit>,
    server_clock: Told<()>,
    started: Timestamp,
    seed: u64,
    tasks: usize,
    rounds: usize,
    patience: Duration,
    kept: Vec<Box<dyn Any + Send + Sync>>,
}

/// What the suite was told about an ability.
pub(crate) enum Told<T> {
    Unsaid,
    Has(T),
    Lacks(&'static str),
}

/// A body of `fits` bytes is kept, one of `refused` bytes is too large.
#[derive(Clone, Copy)]
pub(crate) struct BodyLimit {
    pub(crate) fits: usize,
    pub(crate) refused: usize,
}

/// With bodies of this size a few hundred records are more than a megabyte: a page, to backends that count bytes.
const LARGE: usize = 4096;

/// How to reach the bytes that the backend keeps under a handle.
pub(crate) struct Raw {
    pub(crate) plant: Box<dyn Fn(Handle, Vec<u8>) -> Task<()> + Send + Sync>,
    pub(crate) read: Box<dyn Fn(Handle) -> Task<Option<Vec<u8>>> + Send + Sync>,
}

impl<S: Store> Subject<S> {
    /// A store that was just opened and has no records, also none of another test.
    pub fn new(store: S) -> Self {
        let (patience, hung) = (Duration::from_secs(10), Arc::new(Hung::default()));
        Self {
            clients: vec![Arc::new(Patient::new(store, patience, &hung))],
            hung,
            hint: OnceLock::new(),
            second: Told::Unsaid,
            raw: Told::Unsaid,
            body_limit: Told::Unsaid,
            server_clock: Told::Unsaid,
            started: SystemClock.now(),
            seed: seed(),
            tasks: 8,
            rounds: 20,
            patience,
            kept: Vec::new(),
        }
    }

    /// Keeps `kept` until the check has ended: the folder that the store lies in, the server that it speaks to.
    #[must_use]
    pub fn keeping(mut self, kept: impl Any + Send + Sync) -> Self {
        self.kept.push(Box::new(kept));
        self
    }

    /// An independent client of the same data, as another process would have: its own connections, its own caches.
    #[must_use]
    pub fn second_client(mut self, store: S) -> Self {
        let client = Patient::new(store, self.patience, &self.hung);
        self.clients.push(Arc::new(client));
        self.second = Told::Has(());
        self
    }

    /// No second client can exist, and why.
    #[must_use]
    pub fn no_second_client(mut self, why: &'static str) -> Self {
        self.second = Told::Lacks(why);
        self
    }

    /// How to put bytes under a handle past the store, in place of its record if it has one, and how to read them back.
    #[must_use]
    pub fn raw<P, R>(
        mut self,
        plant: impl Fn(Handle, Vec<u8>) -> P + Send + Sync + 'static,
        read: impl Fn(Handle) -> R + Send + Sync + 'static,
    ) -> Self
    where
        P: Future<Output = ()> + Send + 'static,
        R: Future<Output = Option<Vec<u8>>> + Send + 'static,
    {
        self.raw = Told::Has(Raw {
            plant: Box::new(move |handle, bytes| Box::pin(plant(handle, bytes))),
            read: Box::new(move |handle| Box::pin(read(handle))),
        });
        self
    }

    /// Nobody can put bytes under a handle past the store, and why.
    #[must_use]
    pub fn no_raw(mut self, why: &'static str) -> Self {
        self.raw = Told::Lacks(why);
        self
    }

    /// A record whose body has `fits` bytes is kept, whatever its principal and label; one whose body has `refused` bytes is answered with
    /// [`TooLarge`](fasthttpsession_core::StoreErrorKind::TooLarge).
    #[must_use]
    pub fn body_limit(mut self, fits: usize, refused: usize) -> Self {
        self.body_limit = Told::Has(BodyLimit { fits, refused });
        self
    }

    /// The store refuses no record for its size, and why. A body of 1 MiB must be kept.
    #[must_use]
    pub fn no_body_limit(mut self, why: &'static str) -> Self {
        self.body_limit = Told::Lacks(why);
        self
    }

    /// The backend also removes records by its own clock. If it looks for them only now and then, say once a minute,
    /// [`patience`](Self::patience) must be longer than that. If nobody knows when it does, only that it is within days,
    /// say [`expires_when_told`](Self::expires_when_told), and have a test of your own see that the deadline which it goes
    /// by moves with each touch and replacement.
    #[must_use]
    pub fn expires_by_server_clock(mut self) -> Self {
        self.server_clock = Told::Has(());
        self
    }

    /// Only the `now` of an operation decides what has expired.
    #[must_use]
    pub fn expires_when_told(mut self) -> Self {
        self.server_clock = Told::Lacks("only the time that an operation is told decides");
        self
    }

    /// How many tasks work at once where a check is about concurrency; 8.
    #[must_use]
    pub fn tasks(mut self, tasks: usize) -> Self {
        self.tasks = tasks.max(2);
        self
    }

    /// How often each of those tasks repeats its work; 20.
    #[must_use]
    pub fn rounds(mut self, rounds: usize) -> Self {
        self.rounds = rounds.max(1);
        self
    }

    /// How long a single answer may take before it counts as never coming, which the check then says of the operation;
    /// 10 s. A whole check may take twelve times as long.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        // No check has any of them yet.
        for client in self.clients.iter_mut().filter_map(Arc::get_mut) {
            client.patience = patience;
        }
        self
    }

    /// Where the random numbers of this run begin: `CONFORMANCE_SEED`, else another one each time.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// What checks ask.
impl<S: Store> Subject<S> {
    pub(crate) fn store(&self) -> &Patient<S> {
        &self.clients[0]
    }

    /// The client that the task of this number uses: tasks alternate between the clients there are.
    pub(crate) fn client(&self, task: usize) -> Arc<Patient<S>> {
        Arc::clone(&self.clients[task % self.clients.len()])
    }

    pub(crate) fn clients(&self) -> &[Arc<Patient<S>>] {
        &self.clients
    }

    /// The moment the check began: near the real present, because some servers expire by their own clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.started
    }

    pub(crate) fn task_count(&self) -> usize {
        self.tasks
    }

    pub(crate) fn round_count(&self) -> usize {
        self.rounds
    }

    pub(crate) fn patience_each(&self) -> Duration {
        self.patience
    }

    /// Waits until a call of any client has not answered.
    pub(crate) async fn hung(&self) -> Failure {
        let mut hung = self.hung.subscribe();
        let told = hung.wait_for(Option::is_some).await;
        let told = told.expect("the subject keeps the sender");
        let told = told.clone().expect("it was waited for");
        match self.hint.get() {
            Some(hint) => Failure::new(format!("{told}: {hint}")),
            None => told,
        }
    }

    /// What a call of this check that does not answer is most likely due to.
    pub(crate) fn hint(&self, hint: &'static str) {
        let _ = self.hint.set(hint);
    }

    /// Whether there is a second client. Says in the output why not.
    pub(crate) fn has_second(&self) -> Result<bool, Failure> {
        let told = self.told(
            &self.second,
            "second_client(store) or .no_second_client(why)",
        );
        told.map(|second| second.is_some())
    }

    pub(crate) fn raw_access(&self) -> Result<Option<&Raw>, Failure> {
        self.told(&self.raw, "raw(plant, read) or .no_raw(why)")
    }

    pub(crate) fn limit(&self) -> Result<Option<&BodyLimit>, Failure> {
        self.told(
            &self.body_limit,
            "body_limit(fits, refused) or .no_body_limit(why)",
        )
    }

    /// `record` with a large body, as far as the store keeps it.
    pub(crate) fn enlarged(&self, record: Record) -> Record {
        let fits = match &self.body_limit {
            Told::Has(limit) => limit.fits,
            Told::Unsaid | Told::Lacks(_) => LARGE,
        };
        let body = sample::body_of(LARGE.min(fits));
        Record { body, ..record }
    }

    pub(crate) fn has_server_clock(&self) -> Result<bool, Failure> {
        let told = self.told(
            &self.server_clock,
            "expires_by_server_clock() or .expires_when_told()",
        );
        told.map(|clock| clock.is_some())
    }

    /// Says in the output of the check what was different for this store.
    pub(crate) fn note(&self, sentence: &str) {
        println!("{}: {sentence}", self.store().name());
    }

    fn told<'a, T>(&self, told: &'a Told<T>, how: &str) -> Result<Option<&'a T>, Failure> {
        match told {
            Told::Has(value) => Ok(Some(value)),
            Told::Lacks(why) => {
                self.note(&format!("lacks what this check needs, it says: {why}"));
                Ok(None)
            }
            Told::Unsaid => Err(Failure::new(format!(
                "the suite was not told: call Subject::{how}"
            ))),
        }
    }
}

/// What checks do again and again.
impl<S: Store> Subject<S> {
    /// Writes `record` under a fresh handle.
    pub(crate) async fn create(&self, record: &Record) -> Result<Handle, Failure> {
        let handle = sample::handle();
        self.create_at(handle, record).await?;
        Ok(handle)
    }

    pub(crate) async fn create_at(&self, handle: Handle, record: &Record) -> Outcome {
        let created = self.store().create(handle, record, self.now()).await?;
        ensure!(
            created == Created::Created,
            "a creation under a fresh handle answered {created:?}"
        );
        Ok(())
    }

    /// Every client loads exactly `record`.
    pub(crate) async fn holds(&self, handle: Handle, record: &Record) -> Outcome {
        self.holds_at(handle, Some(record), self.now()).await
    }

    /// Every client loads nothing.
    pub(crate) async fn holds_nothing(&self, handle: Handle) -> Outcome {
        self.holds_at(handle, None, self.now()).await
    }

    /// Every client, told that it is `now`, loads exactly this.
    pub(crate) async fn holds_at(
        &self,
        handle: Handle,
        want: Option<&Record>,
        now: Timestamp,
    ) -> Outcome {
        for client in &self.clients {
            let found = client.load(handle, now).await?;
            ensure!(
                found.as_ref() == want,
                "at {now:?} {handle} held {}",
                sample::instead_of(found.as_ref(), want)
            );
        }
        Ok(())
    }
}

fn seed() -> u64 {
    match std::env::var("CONFORMANCE_SEED") {
        Ok(text) => text.parse().expect("CONFORMANCE_SEED is a whole number"),
        Err(_) => fastrand::u64(..),
    }
}
