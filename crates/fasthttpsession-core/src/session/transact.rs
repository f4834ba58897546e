//! A closure that is run until a commit of what it made of the values succeeds, and what comes back of it.

use std::fmt;
use std::panic::resume_unwind;

use super::Outcome;
use crate::commit::{Closure, Failure};
use crate::error::Error;
use crate::values::Values;

/// Why [`Session::transact`](super::Session::transact) returned no value.
#[derive(Debug)]
pub enum TransactError<E> {
    /// The closure returned an error; nothing was written.
    Aborted(E),
    /// The session could not be committed.
    Session(Error),
}

impl<E: fmt::Display> fmt::Display for TransactError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for TransactError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Aborted(error) => Some(error),
            Self::Session(error) => Some(error),
        }
    }
}

/// For closures that fail as sessions do: `?` makes one error of both.
impl From<TransactError<Self>> for Error {
    fn from(error: TransactError<Self>) -> Self {
        match error {
            TransactError::Aborted(error) | TransactError::Session(error) => error,
        }
    }
}

/// Has `commit` run `change` as often as it takes, and returns what the run that was committed returned.
pub(crate) async fn run<R, E, F>(
    mut change: F,
    commit: impl AsyncFnOnce(&mut Closure<'_>) -> Result<Outcome, Failure>,
) -> Result<R, TransactError<E>>
where
    F: FnMut(&mut Values) -> Result<R, E> + Send,
    R: Send,
    E: Send,
{
    let mut result = None;
    let mut closure = |values: &mut Values| {
        let last = change(values);
        let kept = last.is_ok();
        result = Some(last);
        kept
    };
    let outcome = commit(&mut closure).await;
    match (outcome, result) {
        (Err(Failure::Aborted), Some(Err(error))) => Err(TransactError::Aborted(error)),
        (Err(failure), _) => Err(TransactError::Session(raise(failure))),
        (Ok(Outcome::Unchanged | Outcome::Committed | Outcome::Overtaken), Some(Ok(value))) => {
            Ok(value)
        }
        (Ok(_), _) => Err(TransactError::Session(Error::Ended)),
    }
}

/// An error as it is; a panic goes on in the task whose closure it came from.
pub(crate) fn raise(failure: Failure) -> Error {
    match failure {
        Failure::Error(error) => error,
        Failure::Panic(panic) => resume_unwind(panic),
        Failure::Aborted => {
            unreachable!("only a closure of transact aborts, and there it is caught")
        }
    }
}
