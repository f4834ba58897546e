//! The runtime that a store works in.

use std::panic::{UnwindSafe, catch_unwind};
use std::time::Duration;

use fasthttpsession_core::StoreError;
use tokio::runtime;
use tokio::time::sleep;

use crate::error::misconfigured;

/// An error of kind [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) outside of a tokio runtime,
/// where its timers and threads would panic, and in one that was built without timers.
pub fn in_runtime(store: &str) -> Result<(), StoreError> {
    if runtime::Handle::try_current().is_err() {
        return Err(misconfigured(format!(
            "the {store} store is opened and used inside a tokio runtime, and this was outside of one"
        )));
    }
    has(store, "timers", || drop(sleep(Duration::ZERO)))
}

/// As [`in_runtime`], for a store that makes connections: an error also in a runtime that was built without I/O, where they
/// would panic.
pub fn in_runtime_with_io(store: &str) -> Result<(), StoreError> {
    in_runtime(store)?;
    // One that leads nowhere. Whether the system has room for it is not asked.
    #[cfg(unix)]
    has(store, "I/O", || drop(tokio::net::UnixDatagram::unbound()))?;
    Ok(())
}

/// There is no way to ask but to make one. Where that panics, it is told to whoever hears of panics.
fn has(store: &str, what: &str, make: impl FnOnce() + UnwindSafe) -> Result<(), StoreError> {
    catch_unwind(make).map_err(|_| {
        misconfigured(format!(
            "the {store} store needs {what}, and this tokio runtime was built without: its builder has `enable_all`"
        ))
    })
}
