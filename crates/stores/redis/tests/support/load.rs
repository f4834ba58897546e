//! Sessions under load, with a list of what was acknowledged: commits, and logouts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fasthttpsession_core::{
    Created, Handle, Record, Replaced, Store as _, StoreError, StoreErrorKind,
};
use fasthttpsession_redis::RedisStore;
use tokio::task::JoinHandle;

use super::sample;

/// How long a server may take to come back.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tasks that commit to sessions of their own, log out, and begin anew, until they are told to end.
pub(crate) struct Load {
    store: RedisStore,
    ending: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<Worker>>,
}

/// What was acknowledged, and what became of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) commits: u64,
    pub(crate) logouts: u64,
    /// Acknowledged commits that are not there any more.
    pub(crate) lost_commits: u64,
    /// Acknowledged logouts after which the session is there again.
    pub(crate) undone_logouts: u64,
    /// Commits that are there although nobody sent them, or twice.
    pub(crate) odd_commits: u64,
    /// The longest time that a task went without an answer that was no error.
    pub(crate) longest_gap: Duration,
    pub(crate) errors: BTreeMap<String, u64>,
}

/// One task.
struct Worker {
    /// How many versions a session of its has before it logs out.
    versions: u64,
    store: RedisStore,
    acknowledged: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    /// The session that lives, and its record as last acknowledged.
    session: Option<(Handle, Record)>,
    ended: Vec<Handle>,
    report: Report,
    last_answer: Instant,
}

impl Load {
    pub(crate) fn start(store: &RedisStore, tasks: usize) -> Self {
        let ending = Arc::default();
        let (acknowledged, failed) = (Arc::default(), Arc::default());
        // With the same number for all, they would go in step, and be without a session all at once.
        let tasks = (5..5 + tasks as u64)
            .map(|versions| {
                let worker = Worker::new(
                    versions,
                    store.clone(),
                    Arc::clone(&acknowledged),
                    Arc::clone(&failed),
                );
                tokio::spawn(worker.work(Arc::clone(&ending)))
            })
            .collect();
        Self {
            store: store.clone(),
            ending,
            acknowledged,
            failed,
            tasks,
        }
    }

    /// Waits until so many more commits were acknowledged.
    pub(crate) async fn goes_on(&self, commits: u64) {
        has_grown(&self.acknowledged, commits).await;
    }

    /// Waits until so many more calls were answered by an error.
    pub(crate) async fn fails(&self, calls: u64) {
        has_grown(&self.failed, calls).await;
    }

    /// Ends the load, and looks what is there of what was acknowledged.
    pub(crate) async fn end(self) -> Report {
        self.ending.store(true, Ordering::SeqCst);
        let mut whole = Report::default();
        for task in self.tasks {
            let worker = task.await.expect("no task panics");
            whole.add(worker.check(&self.store).await);
        }
        whole
    }
}

impl Worker {
    fn new(
        versions: u64,
        store: RedisStore,
        acknowledged: Arc<AtomicU64>,
        failed: Arc<AtomicU64>,
    ) -> Self {
        Self {
            versions,
            store,
            acknowledged,
            failed,
            session: None,
            ended: Vec::new(),
            report: Report::default(),
            last_answer: Instant::now(),
        }
    }

    async fn work(mut self, ending: Arc<AtomicBool>) -> Self {
        while !ending.load(Ordering::SeqCst) {
            match self.session.take() {
                None => self.begin().await,
                Some((handle, record)) if record.header.version >= self.versions => {
                    self.log_out(handle).await;
                }
                Some((handle, record)) => self.commit(handle, record).await,
            }
        }
        self
    }

    async fn begin(&mut self) {
        let (handle, record) = (sample::handle(), sample::record());
        let created = self.store.create(handle, &record, sample::now()).await;
        // One without an answer is abandoned for a fresh handle.
        if self.answered(created) == Some(Created::Created) {
            self.session = Some((handle, record));
        }
    }

    /// Sends the same swap until there is an answer, as `Sessions` does.
    async fn commit(&mut self, handle: Handle, record: Record) {
        let next = sample::next(&record);
        let (mut unsure, start) = (false, Instant::now());
        while start.elapsed() < PATIENCE {
            let version = record.header.version;
            let answer = self
                .store
                .replace(handle, version, &next, sample::now())
                .await;
            unsure |= answer.as_ref().is_err_and(StoreError::may_have_applied);
            match self.answered(answer) {
                None => {}
                Some(Replaced::Replaced) => return self.committed(handle, next),
                Some(Replaced::Conflict(current)) if current == next && unsure => {
                    return self.committed(handle, next);
                }
                Some(Replaced::Conflict(current))
                    if current.header.version > next.header.version =>
                {
                    self.report.odd_commits += 1;
                    return;
                }
                // A failover has lost what was acknowledged before.
                Some(Replaced::Conflict(current)) => {
                    self.report.lost_commits += version - current.header.version;
                    self.session = Some((handle, current));
                    return;
                }
                Some(Replaced::Gone) => {
                    self.report.lost_commits += version;
                    return;
                }
            }
        }
        panic!("a commit gets no answer any more");
    }

    async fn log_out(&mut self, handle: Handle) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let answer = self.store.delete(handle, sample::now()).await;
            if self.answered(answer).is_some() {
                self.report.logouts += 1;
                self.ended.push(handle);
                return;
            }
        }
        panic!("a logout gets no answer any more");
    }

    fn committed(&mut self, handle: Handle, record: Record) {
        self.report.commits += 1;
        self.acknowledged.fetch_add(1, Ordering::SeqCst);
        self.session = Some((handle, record));
    }

    fn answered<T>(&mut self, answer: Result<T, StoreError>) -> Option<T> {
        match answer {
            Ok(answer) => {
                self.report.longest_gap = self.report.longest_gap.max(self.last_answer.elapsed());
                self.last_answer = Instant::now();
                Some(answer)
            }
            Err(error) => {
                let kind = error.kind();
                let expected =
                    matches!(kind, StoreErrorKind::Unavailable | StoreErrorKind::Timeout);
                assert!(expected, "{kind:?}: {error}");
                self.failed.fetch_add(1, Ordering::SeqCst);
                *self.report.errors.entry(error.to_string()).or_default() += 1;
                None
            }
        }
    }

    /// What is there of what was acknowledged.
    async fn check(mut self, store: &RedisStore) -> Report {
        if let Some((handle, record)) = self.session.take() {
            let found = store
                .load(handle, sample::now())
                .await
                .expect("the servers are back");
            let version = found.map_or(0, |found| found.header.version);
            self.report.lost_commits += record.header.version.saturating_sub(version);
            self.report.odd_commits += version.saturating_sub(record.header.version);
        }
        for handle in &self.ended {
            let found = store
                .load(*handle, sample::now())
                .await
                .expect("the servers are back");
            self.report.undone_logouts += u64::from(found.is_some());
        }
        self.report
    }
}

async fn has_grown(count: &AtomicU64, by: u64) {
    let (start, before) = (Instant::now(), count.load(Ordering::SeqCst));
    while count.load(Ordering::SeqCst) < before + by {
        assert!(start.elapsed() < PATIENCE, "nothing of it happens any more");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Report {
    fn add(&mut self, other: Self) {
        self.commits += other.commits;
        self.logouts += other.logouts;
        self.lost_commits += other.lost_commits;
        self.undone_logouts += other.undone_logouts;
        self.odd_commits += other.odd_commits;
        self.longest_gap = self.longest_gap.max(other.longest_gap);
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
    }

    /// A line of the page's table.
    pub(crate) fn print(&self, what: &str) {
        println!(
            "| {what} | {} | {} | {} | {} | {:.1} s |",
            self.commits,
            self.lost_commits,
            self.logouts,
            self.undone_logouts,
            self.longest_gap.as_secs_f32()
        );
    }
}
