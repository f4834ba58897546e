//! Any store that was compiled in, from a URL.

use fasthttpsession_core::AnyStore;
use thiserror::Error;

/// Opens the store that `url` names by its scheme:
///
/// | URL | store | feature |
/// | --- | --- | --- |
/// | `memory:` | the memory of this process | `memory` |
///
/// # Errors
/// [`ConnectError`], which says what is wrong with the URL, and shows no more of it than its scheme: the rest may hold a
/// password.
#[allow(clippy::unused_async, reason = "stores on servers connect here")]
pub async fn connect(url: &str) -> Result<AnyStore, ConnectError> {
    let (scheme, rest) = url.split_once(':').ok_or(ConnectError::NoScheme)?;
    match (scheme, rest) {
        #[cfg(feature = "memory")]
        ("memory", "") => Ok(AnyStore::new(fasthttpsession_memory::MemoryStore::new())),
        #[cfg(not(feature = "memory"))]
        ("memory", "") => Err(ConnectError::FeatureOff {
            scheme: "memory",
            feature: "memory",
        }),
        ("memory", _) => Err(ConnectError::Invalid {
            scheme: "memory",
            expected: "memory:",
        }),
        _ => Err(ConnectError::UnknownScheme {
            scheme: scheme.to_owned(),
        }),
    }
}

/// Why a URL gave no store.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// It has no scheme.
    #[error("a store's URL begins with a scheme, like memory:")]
    NoScheme,
    /// No store has this scheme.
    #[error("no store has the scheme {scheme:?}; there is memory:")]
    UnknownScheme {
        /// What stood before the colon.
        scheme: String,
    },
    /// The store was not compiled in.
    #[error("the store {scheme}: was not compiled in; turn on the feature {feature:?}")]
    FeatureOff {
        /// Its scheme.
        scheme: &'static str,
        /// The feature of this crate that turns it on.
        feature: &'static str,
    },
    /// What follows the scheme is not what the store needs.
    #[error("a URL of the store {scheme}: looks like {expected}")]
    Invalid {
        /// Its scheme.
        scheme: &'static str,
        /// What it looks like.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn refusal(url: &str) -> ConnectError {
        connect(url).await.expect_err("not a store's URL")
    }

    #[tokio::test]
    async fn a_url_that_names_no_store_is_refused_with_a_sentence_and_without_its_password() {
        assert_eq!(refusal("memory").await, ConnectError::NoScheme);
        assert!(matches!(
            refusal("memory:x").await,
            ConnectError::Invalid { .. }
        ));
        let error = refusal("nosql://ann:secret@host").await;
        assert_eq!(
            error.to_string(),
            "no store has the scheme \"nosql\"; there is memory:"
        );
    }

    #[cfg(feature = "memory")]
    #[tokio::test]
    async fn the_memory_store_is_one_url_away() {
        let store = connect("memory:").await.expect("memory needs nothing");
        assert_eq!(fasthttpsession_core::Store::name(&store), "memory");
    }
}
