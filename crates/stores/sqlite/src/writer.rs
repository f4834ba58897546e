//! The one thread that writes. It commits all calls that have queued up in one transaction, and answers them when the
//! commit has returned: the busier the store, the larger the groups, and the fewer commits a call costs. What was answered
//! together calls again at about the same time, so a group that is smaller than the last waits a moment for the rest, as
//! with PostgreSQL's `commit_delay`. A lone call after a lone call waits for nobody.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::in_runtime;
use rusqlite::Connection;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use crate::checkpoints::Checkpoints;
use crate::error::{abandoned, is_busy, is_of_disk, store_error, timed_out};
use crate::named::Named;
use crate::statements::{BEGIN, COMMIT, ROLLBACK, Statements};
use crate::writes::Write;

/// The most calls in a transaction, which bounds how long it takes.
const GROUP: usize = 1000;
/// How often a group that is smaller than the last lets threads run that are ready: where the processors are busy, those
/// are the callers; where they are not, it takes a microsecond.
const GIVE_WAY: usize = 4;
/// Groups of so many are worth waiting for. Fewer callers are soon answered, and would wait for the clock.
const CROWD: usize = 5;
/// How long such a group is waited for at most: some two commits, with the wake-ups that they cost.
const LINGER: Duration = Duration::from_micros(100);
/// How much longer than its limit a call waits for an answer: the writer knows whether a late call had an effect.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// How long to rest between attempts to get the lock that another process has. SQLite would rest longer each time, and
/// the other process be faster for ever.
const RETRY: Duration = Duration::from_millis(1);
/// How long groups follow each other without a gap in which another process could get the lock.
const STRETCH: Duration = Duration::from_millis(50);

/// Hands calls to the thread that writes. Dropped, it ends the thread, once all calls are answered.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    limit: usize,
    linger: Duration,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Call>>,
    /// How many calls the thread waits for, to be woken when they are there; 0 while it works.
    wanted: usize,
    /// No more calls are taken: the store was dropped, or the thread has ended.
    closed: bool,
}

impl Writer {
    /// Starts the thread. SQLite itself waits for no lock on `db` any more: the thread asks again, and so sees in time
    /// whose time is over.
    pub(crate) fn start(
        db: Connection,
        file: Arc<Named>,
        checkpoints: Checkpoints,
        sql: Arc<Statements>,
        limit: usize,
        patience: Duration,
    ) -> Result<Self, StoreError> {
        db.busy_timeout(Duration::ZERO)
            .map_err(|error| store_error("setting up the connection that writes", error))?;
        let shared = Arc::new(Shared::new(limit, LINGER));
        let thread = Thread {
            db,
            file,
            checkpoints,
            sql,
            shared: Arc::clone(&shared),
        };
        thread::Builder::new()
            .name("sqlite sessions".to_owned())
            .spawn(move || thread.run())
            .map_err(|error| abandoned("starting the thread that writes").with_source(error))?;
        Ok(Self { shared, patience })
    }

    /// Queues `write` and waits for its answer. If the caller gives up, a call that still waits is not made.
    pub(crate) async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        in_runtime("SQLite")?;
        let deadline = Instant::now() + self.patience;
        let (reply, answer) = oneshot::channel();
        self.shared.push(Box::new(Queued {
            write,
            deadline,
            outcome: None,
            reply,
        }))?;
        match timeout_at((deadline + GRACE).into(), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(abandoned(W::DOING)),
            Err(_) => Err(timed_out(W::DOING)),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.filled.notify_one();
    }
}

impl Shared {
    fn new(limit: usize, linger: Duration) -> Self {
        Self {
            queue: Mutex::default(),
            filled: Condvar::new(),
            limit: limit.max(1),
            linger,
        }
    }

    fn push(&self, call: Box<dyn Call>) -> Result<(), StoreError> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(abandoned("queueing a write").not_applied());
        }
        if queue.waiting.len() >= self.limit {
            return Err(too_many(self.limit));
        }
        queue.waiting.push_back(call);
        let must_wake = queue.wanted == queue.waiting.len();
        drop(queue);
        if must_wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Waits for calls, and a moment for as many as there were `last` time; takes those that are still wanted, and says
    /// whether it had none to begin with. `None` once the store has been dropped and nothing waits any more.
    fn take(&self, last: usize) -> Option<(Group, bool)> {
        let mut queue = self.lock();
        let was_idle = queue.waiting.is_empty();
        queue = self.await_first(queue);
        if queue.waiting.is_empty() {
            return None;
        }
        queue = self.await_more(queue, last);
        let count = GROUP.min(queue.waiting.len());
        let calls: Group = queue.waiting.drain(..count).collect();
        drop(queue);
        let wanted = calls.into_iter().filter(|call| call.is_wanted());
        Some((wanted.collect(), was_idle))
    }

    fn await_first<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        queue.wanted = 1;
        let waited = self.filled.wait_while(queue, |queue| queue.is_short());
        queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.wanted = 0;
        queue
    }

    fn await_more<'a>(
        &'a self,
        mut queue: MutexGuard<'a, Queue>,
        last: usize,
    ) -> MutexGuard<'a, Queue> {
        for _ in 0..GIVE_WAY {
            if queue.waiting.len() >= last {
                return queue;
            }
            drop(queue);
            thread::yield_now();
            queue = self.lock();
        }
        if last >= CROWD {
            queue.wanted = last;
            let waited = self
                .filled
                .wait_timeout_while(queue, self.linger, |queue| queue.is_short());
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
            queue.wanted = 0;
        }
        queue
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Whether the thread has reason to wait on.
    fn is_short(&self) -> bool {
        self.waiting.len() < self.wanted && !self.closed
    }
}

struct Thread {
    db: Connection,
    file: Arc<Named>,
    checkpoints: Checkpoints,
    sql: Arc<Statements>,
    shared: Arc<Shared>,
}

impl Thread {
    fn run(mut self) {
        let mut rested = Instant::now();
        let mut last = 0;
        while let Some((group, was_idle)) = self.shared.take(last) {
            last = group.len();
            if was_idle {
                rested = Instant::now();
            } else if rested.elapsed() > STRETCH {
                thread::sleep(2 * RETRY);
                rested = Instant::now();
            }
            self.serve(group);
            self.checkpoints.after_commit(&self.db);
        }
    }

    /// Commits a group and answers each of its calls. If one of them undoes the whole group, each is committed alone.
    fn serve(&self, group: Group) {
        // Nobody would find what is written to a file without a name.
        if let Err(error) = self.file.check() {
            return answer(group, Err(&error.not_applied()));
        }
        let group = match self.begin(group) {
            Ok(group) if group.is_empty() => return,
            Ok(group) => group,
            Err((group, error)) => return answer(group, Err(&error)),
        };
        match self.commit(group) {
            Ok(group) => answer(group, Ok(())),
            Err((group, error)) if error.may_have_applied() || group.len() == 1 => {
                answer(group, Err(&error));
            }
            Err((group, _)) => group.into_iter().for_each(|call| self.serve(vec![call])),
        }
    }

    /// Takes the write lock. Calls whose time is over before it is free are answered and leave the group; an empty group
    /// begins nothing.
    fn begin(&self, mut group: Group) -> Result<Group, Failed> {
        while !group.is_empty() {
            match self.execute(BEGIN) {
                Ok(()) => break,
                Err(error) if is_busy(&error) => {
                    group = answer_late(group, &store_error("beginning a write", error));
                    thread::sleep(RETRY);
                }
                Err(error) => {
                    let error = store_error("beginning a write", error).not_applied();
                    return Err((group, error));
                }
            }
        }
        Ok(group)
    }

    /// Runs every call, and commits.
    fn commit(&self, mut group: Group) -> Result<Group, Failed> {
        for at in 0..group.len() {
            let ran = group[at].run(&self.db, &self.sql);
            if self.db.is_autocommit() {
                let error = ran
                    .err()
                    .unwrap_or_else(|| abandoned("writing").not_applied());
                return Err((group, error));
            }
        }
        match self.execute(COMMIT) {
            Ok(()) => Ok(group),
            Err(error) => Err((group, self.undo(error))),
        }
    }

    /// What a commit that failed means. A transaction that is still there has certainly had no effect once it is rolled
    /// back. One that is not may be in the log as a whole if the disk failed: what comes after that, such as making the
    /// file larger that readers share, fails the commit too, and whoever opens the database after a kill reads the log.
    fn undo(&self, error: rusqlite::Error) -> StoreError {
        let (is_open, is_of_disk) = (!self.db.is_autocommit(), is_of_disk(&error));
        let error = store_error("committing", error);
        match self.execute(ROLLBACK) {
            Ok(()) if is_open => error.not_applied(),
            _ if !is_open && is_of_disk => error.maybe_applied(),
            _ => error,
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(drop)
    }
}

impl Drop for Thread {
    /// Also after a panic: whoever waits learns that no answer comes.
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.closed = true;
        queue.waiting.clear();
    }
}

type Group = Vec<Box<dyn Call>>;
type Failed = (Group, StoreError);

/// A queued call of any kind.
trait Call: Send {
    fn is_wanted(&self) -> bool;
    fn deadline(&self) -> Instant;
    /// Runs it and keeps its outcome; an error is handed out as well.
    fn run(&mut self, db: &Connection, sql: &Statements) -> Result<(), StoreError>;
    /// Answers the caller: with the outcome, if it was committed.
    fn answer(self: Box<Self>, committed: Result<(), &StoreError>);
}

struct Queued<W: Write> {
    write: W,
    deadline: Instant,
    outcome: Option<Result<W::Answer, StoreError>>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Call for Queued<W> {
    fn is_wanted(&self) -> bool {
        !self.reply.is_closed()
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn run(&mut self, db: &Connection, sql: &Statements) -> Result<(), StoreError> {
        let outcome = self.write.run(db, sql).map_err(StoreError::not_applied);
        let ran = outcome.as_ref().map(drop).map_err(Clone::clone);
        self.outcome = Some(outcome);
        ran
    }

    fn answer(self: Box<Self>, committed: Result<(), &StoreError>) {
        let answer = match (committed, self.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Ok(()), None) => Err(abandoned(W::DOING)),
            (Err(error), _) => Err(error.clone()),
        };
        // Whoever gave up wants no answer.
        let _ = self.reply.send(answer);
    }
}

fn answer(group: Group, committed: Result<(), &StoreError>) {
    for call in group {
        call.answer(committed);
    }
}

/// Answers the calls whose time is over; the others stay.
fn answer_late(group: Group, error: &StoreError) -> Group {
    let now = Instant::now();
    let (late, left): (Group, Group) = group.into_iter().partition(|call| call.deadline() <= now);
    answer(late, Err(&error.clone().not_applied()));
    left
}

fn too_many(limit: usize) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        format!("{limit} writes wait for the SQLite store already, which is as many as may"),
    )
    .not_applied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A call that does nothing, and is wanted.
    struct Nothing;

    impl Call for Nothing {
        fn is_wanted(&self) -> bool {
            true
        }

        fn deadline(&self) -> Instant {
            Instant::now()
        }

        fn run(&mut self, _: &Connection, _: &Statements) -> Result<(), StoreError> {
            Ok(())
        }

        fn answer(self: Box<Self>, _: Result<(), &StoreError>) {}
    }

    const LONG: Duration = Duration::from_secs(20);

    /// A queue in which `calls` wait, and that has groups wait so long for as many as there were last time.
    fn queue(calls: usize, linger: Duration) -> Shared {
        let shared = Shared::new(2 * GROUP, linger);
        push(&shared, calls);
        shared
    }

    fn push(shared: &Shared, calls: usize) {
        for _ in 0..calls {
            shared.push(Box::new(Nothing)).unwrap();
        }
    }

    fn taken(shared: &Shared, last: usize) -> usize {
        shared.take(last).expect("nobody closed it").0.len()
    }

    #[test]
    fn few_calls_wait_for_nobody() {
        let begun = Instant::now();
        for last in [0, 1, CROWD - 1] {
            assert_eq!(taken(&queue(1, LONG), last), 1, "after {last}");
        }
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn a_group_waits_until_it_is_as_large_as_the_last() {
        let shared = queue(1, LONG);
        thread::scope(|scope| {
            let group = scope.spawn(|| taken(&shared, CROWD));
            while shared.lock().wanted < CROWD {
                assert!(!group.is_finished(), "it waits for nobody");
                thread::yield_now();
            }
            push(&shared, CROWD - 1);
            assert_eq!(group.join().unwrap(), CROWD);
        });
    }

    #[test]
    fn a_writer_that_always_finds_calls_was_never_idle() {
        for last in [0, 2, CROWD] {
            let (_, was_idle) = queue(1, Duration::ZERO).take(last).unwrap();
            assert!(!was_idle, "after {last}");
        }
    }

    #[test]
    fn a_group_waits_no_longer_than_it_may() {
        assert_eq!(taken(&queue(2, Duration::from_millis(1)), CROWD), 2);
    }

    #[test]
    fn a_store_that_closes_waits_for_no_more_calls() {
        let begun = Instant::now();
        let shared = queue(2, LONG);
        shared.lock().closed = true;
        assert_eq!(taken(&shared, CROWD), 2);
        assert!(shared.take(2).is_none());
        assert!(begun.elapsed() < LONG);
    }

    #[test]
    fn a_group_has_a_largest_size_and_leaves_the_rest() {
        let shared = queue(GROUP + 1, LONG);
        assert_eq!(taken(&shared, 1), GROUP);
        assert_eq!(taken(&shared, 1), 1);
    }
}
