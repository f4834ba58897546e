//! The error that every store has.

use fasthttpsession_core::{StoreError, StoreErrorKind};

/// An error of kind [`Misconfigured`](StoreErrorKind::Misconfigured): a setting, or what is found at its place, is not as
/// it must be.
pub fn misconfigured(sentence: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Misconfigured, sentence)
}
