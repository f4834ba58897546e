//! Sessions as settings describe them, their store included.

use std::error::Error;
use std::fmt;

use fasthttpsession_core::{BuildError, SessionsBuilder, Settings, TwoStores};

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
/// With a `second_store`, which must be another, it opens that one, too, and the builder's store is [`TwoStores`].
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
        let first = settings.store()?;
        if settings.second_store() == Some(first) {
            return Err(OpenError::Settings(BuildError::Setting {
                name: "second_store",
                reason: "it is the same as `store`: name the store that sessions move from or to, or leave it out",
            }));
        }
        let store = self.connect(first).await?;
        let Some(url) = settings.second_store() else {
            return Ok(settings.builder(store)?);
        };
        let second = self.connect(url).await.map_err(OpenError::SecondStore)?;
        Ok(settings.builder(TwoStores::new(store, second))?)
    }
}

/// Why settings gave no builder. `Debug` is the sentence, as with [`ConnectError`].
#[derive(Clone)]
#[non_exhaustive]
pub enum OpenError {
    /// The store could not be opened.
    Store(ConnectError),
    /// The second store could not be opened.
    SecondStore(ConnectError),
    /// There is no store, or settings do not fit each other.
    Settings(BuildError),
}

impl From<ConnectError> for OpenError {
    fn from(error: ConnectError) -> Self {
        Self::Store(error)
    }
}

impl From<BuildError> for OpenError {
    fn from(error: BuildError) -> Self {
        Self::Settings(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "store: {error}"),
            Self::SecondStore(error) => write!(f, "second_store: {error}"),
            Self::Settings(error) => error.fmt(f),
        }
    }
}

impl fmt::Debug for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for OpenError {
    /// What lies beneath that which the sentence has.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) | Self::SecondStore(error) => error.source(),
            Self::Settings(error) => error.source(),
        }
    }
}
