//! How a check fails: with a sentence, so that a test can watch it fail without catching panics.

use fasthttpsession_core::StoreError;
use thiserror::Error;

/// What a check found wrong, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Failure(String);

/// What a check answers.
pub type Outcome = Result<(), Failure>;

impl Failure {
    /// A failure that says `sentence`.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// A healthy store answers; where a check expects an error it looks at it itself.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self(format!(
            "the store failed where it had to answer ({:?}): {error}",
            error.kind()
        ))
    }
}

/// Ends the check with a sentence unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)+) => {
        if !$condition {
            return Err($crate::store::Failure::new(format!($($sentence)+)));
        }
    };
}
pub(crate) use ensure;
