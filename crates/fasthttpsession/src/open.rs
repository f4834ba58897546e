//! Sessions as settings describe them, their store included.

use fasthttpsession_core::{BuildError, SessionsBuilder, Settings};
use thiserror::Error;

use crate::connect::ConnectError;
use crate::stores::Stores;

/// Opens the store that `settings` name, as [`connect`](crate::connect) does, and gives a builder with all the others. So one
/// section of a file says everything that is no code:
///
/// ```
/// use fasthttpsession::{Sessions, Settings, open};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct App {
///     session: Settings,
/// }
///
/// # async fn sessions() -> Result<Sessions, Box<dyn std::error::Error>> {
/// let app: App = toml::from_str(
///     r#"
///     [session]
///     store = "memory:"
///     lifetimes = { idle_ms = 900_000 }
///     cookie = { name = "app", same_site = "strict" }
///     "#,
/// )?;
/// let sessions = open(&app.session).await?.build()?;
/// # Ok(sessions) }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() { sessions().await.unwrap(); }
/// ```
///
/// Stores of the application's own are opened by [`Stores::open`], or handed to [`Settings::builder`].
///
/// # Errors
/// [`OpenError`], which names the setting.
pub async fn open(settings: &Settings) -> Result<SessionsBuilder, OpenError> {
    Stores::new().open(settings).await
}

impl Stores {
    /// As [`open`], with the application's own stores.
    ///
    /// # Errors
    /// As [`open`].
    pub async fn open(&self, settings: &Settings) -> Result<SessionsBuilder, OpenError> {
        let store = self.connect(settings.store()?).await?;
        Ok(settings.builder(store)?)
    }
}

/// Why settings gave no builder.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store could not be opened.
    #[error("store: {0}")]
    Store(#[from] ConnectError),
    /// There is no store, or settings do not fit each other.
    #[error(transparent)]
    Settings(#[from] BuildError),
}
