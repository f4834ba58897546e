//! The closure of an update writes to no session: whatever it writes would be written as often as it runs.

use std::cell::Cell;

thread_local! {
    /// Whether such a closure runs on this thread.
    static RUNS: Cell<bool> = const { Cell::new(false) };
}

/// Calls the closure of an update.
pub(super) fn run<R>(closure: impl FnOnce() -> R) -> R {
    let _before = Before(RUNS.replace(true));
    closure()
}

/// Whether it is such a closure that asks.
pub(super) fn runs() -> bool {
    RUNS.get()
}

/// What is so again, when a closure has ended or panicked.
struct Before(bool);

impl Drop for Before {
    fn drop(&mut self) {
        RUNS.set(self.0);
    }
}
