//! Any store that was compiled in, from a URL.

use fasthttpsession_core::AnyStore;
use thiserror::Error;

/// Opens the store that `url` names, by its scheme: `memory:`.
///
/// # Errors
/// [`ConnectError`], which says what is wrong with the URL. It never shows a password.
pub async fn connect(url: &str) -> Result<AnyStore, ConnectError> {
    let scheme = url.split(':').next().unwrap_or_default();
    match scheme {
        #[cfg(feature = "memory")]
        "memory" => Ok(AnyStore::new(fasthttpsession_memory::MemoryStore::new())),
        _ => Err(ConnectError::UnknownScheme { scheme: scheme.to_owned() }),
    }
}

/// Why a URL gave no store.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// No store of that scheme is known.
    #[error("no store has the scheme {scheme:?}; this program knows \"memory:\"")]
    UnknownScheme {
        /// What stood before the colon.
        scheme: String,
    },
}
