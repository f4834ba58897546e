//! The runtime that a store works in.

use std::panic::catch_unwind;
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
    // There is no way to ask. Where there are none, the panic is told to whoever hears of panics.
    catch_unwind(|| drop(sleep(Duration::ZERO))).map_err(|_| {
        misconfigured(format!(
            "the {store} store needs timers, and this tokio runtime was built without: its builder has `enable_all`"
        ))
    })
}
