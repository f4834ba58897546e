//! The URL of a store, which is not printed.

use std::fmt;

use serde::Deserialize;

/// May hold a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct StoreUrl(String);

impl StoreUrl {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for StoreUrl {
    /// The scheme alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, _) = self.0.split_once(':').unwrap_or_default();
        write!(f, "{scheme}:…")
    }
}
