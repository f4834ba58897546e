//! A runtime on two threads for what is measured below HTTP, as a small server has.

use std::future::Future;
use std::thread;

use anyhow::Result;
use tokio::runtime;

/// How many threads run tasks.
pub const THREADS: usize = 2;

/// Runs `work` to its end, and then ends what it has started.
pub fn run<T: Send>(work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    // The caller's thread runs a runtime already, and may neither block on another nor end it.
    thread::scope(|scope| {
        let ran = scope.spawn(|| {
            runtime::Builder::new_multi_thread()
                .worker_threads(THREADS)
                .enable_all()
                .build()?
                .block_on(work)
        });
        ran.join().expect("measuring does not panic")
    })
}
