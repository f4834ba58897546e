//! Programs with several tokio runtimes, such as servers that have one for each worker.

use std::sync::Arc;
use std::thread;

use fasthttpsession_core::{Handle, Replaced, Store, StoreError, Timestamp, Touched};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Barrier, oneshot};
use tokio::task::yield_now;

use super::failure::{Failure, Outcome, ensure};
use super::replace;
use super::sample::{self, HOUR};
use super::subject::Subject;
use super::tasks::{Jitter, all_at_once, at_once};

/// How many runtimes there are beside that of the check.
const RUNTIMES: usize = 4;
/// How often each uses a store: often enough that some come at the same time.
const CALLS: usize = 8;
/// Why a store may wait for a runtime that does not run.
const HINT: &str = "it may wait for a runtime that does not run. Have a client for each runtime (by the id of \
                    tokio::runtime::Handle::current()), or a runtime of the store's own";

/// Commits of several runtimes to one session all count.
pub async fn increments_of_several_runtimes_all_count<S: Store>(subject: &Subject<S>) -> Outcome {
    let (now, rounds, seed) = (subject.now(), subject.round_count(), subject.seed());
    let total = RUNTIMES * rounds;
    let handle = subject.create(&replace::counter(now)).await?;
    let clients: Vec<_> = (0..RUNTIMES).map(|number| subject.client(number)).collect();
    let add = move |number: usize| {
        let store = Arc::clone(&clients[number]);
        async move {
            let mut jitter = Jitter::new(seed, number);
            replace::increment_often(&store, handle, rounds, total, now, &mut jitter).await
        }
    };
    in_several_runtimes(RUNTIMES, add, async || {}).await?;
    replace::counted(subject, handle, total).await
}

/// A runtime that nobody runs at present, after calls that were all answered, holds up no calls of another one.
pub async fn a_runtime_that_does_not_run_holds_up_no_other<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    subject.hint(HINT);
    let (now, tasks) = (subject.now(), subject.task_count());
    let mut handles = Vec::new();
    for _ in 0..tasks {
        handles.push(subject.create(&sample::record(now)).await?);
    }
    let handles: Arc<[Handle]> = handles.into();
    let (store, all) = (subject.client(0), Arc::clone(&handles));
    let used = elsewhere(async move || {
        all_at_once(all.len(), |task| {
            let (store, handle) = (Arc::clone(&store), all[task]);
            async move { use_once(&*store, handle, now).await }
        })
        .await
    });
    let (outcome, _resting) = used.await.map_err(|_| panicked())?;
    outcome?;
    for _ in 0..subject.round_count() {
        let calls = at_once(2 * tasks, |task| {
            let (store, handle) = (subject.client(0), handles[task % tasks]);
            async move { store.load(handle, now).await }
        });
        let loaded = calls
            .await
            .into_iter()
            .collect::<Result<Vec<_>, StoreError>>()?;
        ensure!(
            loaded.iter().all(Option::is_some),
            "a session was gone that nobody had ended"
        );
    }
    Ok(())
}

/// A runtime that nobody runs any more, with calls under way, holds up no calls of another one on other sessions.
pub async fn a_runtime_that_stops_amid_calls_holds_up_no_other<S: Store>(
    subject: &Subject<S>,
) -> Outcome {
    subject.hint(HINT);
    let (now, tasks) = (subject.now(), subject.task_count());
    let mut handles = Vec::new();
    for _ in 0..2 * tasks {
        handles.push(subject.create(&sample::record(now)).await?);
    }
    let theirs: Arc<[Handle]> = handles.split_off(tasks).into();
    for turns in 0..subject.round_count() {
        let (store, theirs) = (subject.client(0), Arc::clone(&theirs));
        let stopped = elsewhere(async move || {
            // What it needs for a call is there before it makes many.
            store.load(theirs[0], now).await?;
            for &handle in &*theirs {
                let store = Arc::clone(&store);
                tokio::spawn(async move { replaced_once(&*store, handle, now).await });
            }
            // Each time it stops elsewhere.
            for _ in 0..turns {
                yield_now().await;
            }
            Ok::<_, Failure>(())
        });
        let (outcome, _resting) = stopped.await.map_err(|_| panicked())?;
        outcome?;
        all_at_once(tasks, |task| {
            let (store, handle) = (subject.client(0), handles[task]);
            async move { replaced_once(&*store, handle, now).await }
        })
        .await?;
    }
    Ok(())
}

/// Replaces a record that nobody else does.
async fn replaced_once<S: Store>(store: &S, handle: Handle, now: Timestamp) -> Outcome {
    let record = store.load(handle, now).await?;
    let record = record.ok_or_else(|| Failure::new("a session was gone that nobody had ended"))?;
    let (expected, next) = (record.header.version, sample::successor(&record));
    let replaced = store.replace(handle, expected, &next, now).await?;
    ensure!(
        replaced == Replaced::Replaced,
        "a replacement that nothing was in the way of answered {replaced:?}"
    );
    Ok(())
}

async fn use_once<S: Store>(store: &S, handle: Handle, now: Timestamp) -> Outcome {
    replaced_once(store, handle, now).await?;
    let touched = store.touch(handle, 2, now.after(2 * HOUR), now).await?;
    ensure!(
        touched == Touched::Touched,
        "a touch of a live record answered {touched:?}"
    );
    Ok(())
}

/// Uses `store` in so many runtimes at once, which have one thread each, and, when all are done and still run, calls
/// `then`: for what a store's own tests count.
///
/// # Errors
/// What a call on sessions of its own fails with.
pub async fn used_in_several_runtimes<S: Store + Clone, T>(
    store: &S,
    runtimes: usize,
    now: Timestamp,
    then: impl AsyncFnOnce() -> T,
) -> Result<T, Failure> {
    let store = store.clone();
    let work = move |_| {
        let store = store.clone();
        async move {
            for _ in 0..CALLS {
                let handle = sample::handle();
                store.create(handle, &sample::record(now), now).await?;
                use_once(&store, handle, now).await?;
            }
            Ok(())
        }
    };
    in_several_runtimes(runtimes, work, then).await
}

/// Runs `work` in so many runtimes, which are given their numbers from 0, and, when all are done and still run, `then`.
async fn in_several_runtimes<F, T>(
    runtimes: usize,
    work: impl Fn(usize) -> F + Send + Sync + 'static,
    then: impl AsyncFnOnce() -> T,
) -> Result<T, Failure>
where
    F: Future<Output = Outcome>,
{
    let (work, all_done) = (Arc::new(work), Arc::new(Barrier::new(runtimes + 1)));
    let running: Vec<_> = (0..runtimes)
        .map(|number| {
            let (work, all_done) = (Arc::clone(&work), Arc::clone(&all_done));
            elsewhere(async move || {
                let outcome = work(number).await;
                all_done.wait().await;
                all_done.wait().await;
                outcome
            })
        })
        .collect();
    all_done.wait().await;
    let answer = then().await;
    all_done.wait().await;
    for runtime in running {
        runtime.await.map_err(|_| panicked())?.0?;
    }
    Ok(answer)
}

/// Runs `work` in a runtime of one thread, and hands over both its outcome and the runtime, which then does not run. The
/// answer is an error if `work` panics.
///
/// # Panics
/// When the system starts no thread.
pub fn elsewhere<F: Future<Output: Send + 'static>>(
    work: impl FnOnce() -> F + Send + 'static,
) -> oneshot::Receiver<(F::Output, Resting)> {
    let (done, outcome) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = Resting(Some(runtime.expect("a runtime starts")));
        let outcome = runtime.run(work());
        // Nobody waits for it any more if the check has failed otherwise.
        let _ = done.send((outcome, runtime));
    });
    outcome
}

fn panicked() -> Failure {
    Failure::new("a call panicked in another runtime")
}

/// A runtime that nobody runs. Dropped, it ends.
pub struct Resting(Option<Runtime>);

impl Resting {
    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        let runtime = self.0.as_ref().expect("it is there until it is dropped");
        runtime.block_on(work)
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        // What runs in another runtime must not wait for its end.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
