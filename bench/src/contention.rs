//! Many writers on one session, through `Sessions` and without HTTP: how many of their changes are committed a second, what
//! that takes of the store, and how long the slowest waits.

mod counted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use contestants::Store;
use fasthttpsession::{Sessions, connect};
use serde::Serialize;

use crate::backend::Backend;
use crate::records::{COUNTER, with_session, with_tables};
use crate::two_threads;
use counted::Counted;

/// What one number of writers did.
#[derive(Clone, Debug, Serialize)]
pub struct Contention {
    /// On which store.
    pub store: Store,
    /// How many wrote at once.
    pub writers: u64,
    /// Requests that were answered, a second.
    pub per_second: f64,
    /// Calls of the store for each of them.
    pub calls_per_commit: f64,
    /// What the slowest request took, in ms.
    pub longest_ms: f64,
    /// Acknowledged and not there afterwards.
    pub lost: u64,
    /// There beyond what was acknowledged. Each may hide one that is lost.
    pub doubled: u64,
}

const WRITERS: [u64; 4] = [1, 4, 16, 64];

/// Each number of writers for as long as `turn`.
pub fn measure(backend: &Backend, turn: Duration) -> Result<Vec<Contention>> {
    eprintln!("{}: many writers on one session", backend.store.title());
    two_threads::run(on_store(backend, turn))
}

async fn on_store(backend: &Backend, turn: Duration) -> Result<Vec<Contention>> {
    let store = connect(&with_tables(&backend.place())).await?;
    let calls = Arc::new(AtomicU64::new(0));
    let sessions = Sessions::new(Counted::new(store, calls.clone()));
    let mut all = Vec::new();
    for writers in WRITERS {
        all.push(with(backend.store, &sessions, &calls, writers, turn).await?);
    }
    Ok(all)
}

async fn with(
    store: Store,
    sessions: &Sessions,
    calls: &AtomicU64,
    writers: u64,
    turn: Duration,
) -> Result<Contention> {
    let cookie = with_session(sessions).await?;
    let (began, called) = (Instant::now(), calls.load(Ordering::Relaxed));
    let tasks: Vec<_> = (0..writers)
        .map(|_| tokio::spawn(write(sessions.clone(), cookie.clone(), began + turn)))
        .collect();
    let (mut done, mut longest) = (0, Duration::ZERO);
    for task in tasks {
        let (of_task, longest_of_task) = task.await.context("a writer panicked")??;
        done += of_task;
        longest = longest.max(longest_of_task);
    }
    let took = began.elapsed().as_secs_f64();
    let called = calls.load(Ordering::Relaxed) - called;
    let kept = count(sessions, &cookie).await?;
    #[allow(clippy::cast_precision_loss, reason = "some millions")]
    let (commits, called) = (done as f64, called as f64);
    Ok(Contention {
        store,
        writers,
        per_second: commits / took,
        calls_per_commit: called / commits,
        longest_ms: longest.as_secs_f64() * 1e3,
        lost: done.saturating_sub(kept),
        doubled: kept.saturating_sub(done),
    })
}

/// Requests that add one, until `end`: how many were acknowledged, and what the longest took.
async fn write(sessions: Sessions, cookie: String, end: Instant) -> Result<(u64, Duration)> {
    let (mut done, mut longest) = (0, Duration::ZERO);
    while Instant::now() < end {
        let began = Instant::now();
        let exchange = sessions.begin([("cookie", cookie.as_str())], None);
        let session = exchange.session().await?;
        session.update(COUNTER, |count: &mut u64| *count += 1)?;
        exchange.finish().await?;
        done += 1;
        longest = longest.max(began.elapsed());
        // Memory answers at once, and would keep the other writers of the thread from starting.
        tokio::task::yield_now().await;
    }
    Ok((done, longest))
}

async fn count(sessions: &Sessions, cookie: &str) -> Result<u64> {
    let exchange = sessions.begin([("cookie", cookie)], None);
    let session = exchange.session().await?;
    Ok(session.get::<u64>(COUNTER)?.unwrap_or_default())
}
