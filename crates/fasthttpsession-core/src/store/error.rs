//! How an operation of a store fails.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// How an operation of a store failed. A store maps its driver's errors to this type at one place.
#[derive(Clone, Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: Box<str>,
    may_have_applied: bool,
    of_one_server: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The server can't be reached, cut the connection, or has more to do than may wait.
    Unavailable,
    /// The answer did not come within the limit, or no connection was free within it.
    Timeout,
    /// There is no room for another session.
    Full,
    /// What the store holds under a handle is not a record.
    Corrupt,
    /// The record is larger than the store takes.
    TooLarge,
    /// The store can't do this at all.
    Unsupported,
    /// The store is set up wrongly: a missing table, a refused password.
    Misconfigured,
    /// Anything else.
    Internal,
}

#[cfg(feature = "metrics")]
impl StoreErrorKind {
    /// Its name in metrics: `unavailable`, `timeout`, `full`, …
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Full => "full",
            Self::Corrupt => "corrupt",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Misconfigured => "misconfigured",
            Self::Internal => "internal",
        }
    }
}

impl StoreError {
    /// A failure with a sentence that says what was being done and what went wrong, in lower case, without secrets.
    ///
    /// A write that failed as [`Unavailable`](StoreErrorKind::Unavailable), [`Timeout`](StoreErrorKind::Timeout) or
    /// [`Internal`](StoreErrorKind::Internal) counts as one that may have been applied, unless
    /// [`not_applied`](Self::not_applied) says otherwise; of any other kind, as one that had no effect, unless
    /// [`maybe_applied`](Self::maybe_applied) does.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        use StoreErrorKind::{Internal, Timeout, Unavailable};
        Self {
            kind,
            message: message.into().into_boxed_str(),
            may_have_applied: matches!(kind, Unavailable | Timeout | Internal),
            of_one_server: false,
            source: None,
        }
    }

    /// Keeps the error that this one came from.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(Arc::from(source.into()));
        self
    }

    /// States that the operation certainly had no effect: it was never sent, or it was refused. It is not sent again, a load
    /// neither: of one whose connection was cut before the answer came, this is not to be said.
    #[must_use]
    pub fn not_applied(mut self) -> Self {
        self.may_have_applied = false;
        self
    }

    /// States that the operation may have taken effect, or may yet, although its kind lets one expect that it had none: the
    /// disk was full, but only when what could already be read was to be made durable.
    #[must_use]
    pub fn maybe_applied(mut self) -> Self {
        self.may_have_applied = true;
        self
    }

    /// States that only one of the store's servers failed so, the one that the handle belongs to. A creation that had no
    /// effect is then tried again under a fresh handle, which may belong to another.
    #[must_use]
    pub fn of_one_server(mut self) -> Self {
        self.of_one_server = true;
        self
    }

    /// What kind of failure it was.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether the operation may have taken effect, or may yet, although no answer came.
    pub fn may_have_applied(&self) -> bool {
        self.may_have_applied
    }

    /// Whether [`of_one_server`](Self::of_one_server) was stated.
    pub fn is_of_one_server(&self) -> bool {
        self.of_one_server
    }

    /// Whether the same operation may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        use StoreErrorKind::{Full, Timeout, Unavailable};
        matches!(self.kind, Unavailable | Timeout | Full)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_write_may_have_been_applied_its_kind_says_unless_the_store_does() {
        for (kind, unless_stated) in [
            (StoreErrorKind::Timeout, true),
            (StoreErrorKind::Full, false),
        ] {
            let error = StoreError::new(kind, "failed");
            assert_eq!(error.may_have_applied(), unless_stated);
            assert!(!error.clone().not_applied().may_have_applied());
            assert!(error.maybe_applied().may_have_applied());
        }
    }
}
