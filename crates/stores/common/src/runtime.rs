//! The runtime that a store works in.

use fasthttpsession_core::StoreError;
use tokio::runtime;

use crate::error::misconfigured;

/// An error of kind [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) outside of a tokio runtime,
/// where its timers and threads would panic.
pub fn in_runtime(store: &str) -> Result<(), StoreError> {
    match runtime::Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => Err(misconfigured(format!(
            "the {store} store is opened and used inside a tokio runtime, and this was outside of one"
        ))),
    }
}
