//! Stores by their URL, an application's own among them.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::pin::Pin;

use fasthttpsession_core::AnyStore;

use crate::connect::{ConnectError, connect, is_scheme};

type Opening = Pin<Box<dyn Future<Output = Result<AnyStore, Box<dyn Error + Send + Sync>>> + Send>>;
type Open = dyn Fn(String) -> Opening + Send + Sync;

/// Stores by the scheme of their URL: those that [`connect`] knows, and the application's own.
///
/// ```
/// use std::error::Error;
/// use fasthttpsession::{ConnectError, Stores, connect};
/// # async fn read_secret(_: &str) -> std::io::Result<String> { Ok("memory:".to_owned()) }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), ConnectError> {
/// let stores = Stores::new().register("secret", async |url: String| {
///     let url = read_secret(url.trim_start_matches("secret:")).await?;
///     Ok::<_, Box<dyn Error + Send + Sync>>(connect(&url).await?)
/// });
/// let store = stores.connect("secret:url-of-sessions").await?;
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct Stores {
    own: BTreeMap<String, Box<Open>>,
}

impl Stores {
    /// Those that [`connect`] knows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `open` open the URLs that begin with `scheme` and a colon; it gets the whole URL. A scheme that is there already
    /// is replaced, so that an application may also open `redis:` in a way of its own.
    ///
    /// # Panics
    /// If `scheme` is none in lower case (RFC 3986, section 3.1): a letter, and then letters, digits, `+`, `-` and `.`.
    #[must_use]
    pub fn register<E: Into<Box<dyn Error + Send + Sync>>, F>(
        mut self,
        scheme: &str,
        open: impl Fn(String) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<AnyStore, E>> + Send + 'static,
    {
        assert!(
            is_scheme(scheme) && scheme == scheme.to_ascii_lowercase(),
            "{scheme:?} is no scheme in lower case, without its colon: no URL would be opened by it"
        );
        let open = move |url| -> Opening {
            let opening = open(url);
            Box::pin(async { opening.await.map_err(Into::into) })
        };
        self.own.insert(scheme.to_owned(), Box::new(open));
        self
    }

    /// Opens the store that `url` names by its scheme.
    ///
    /// # Errors
    /// [`ConnectError::Own`] with what the application's function returned, or another as of [`connect`].
    pub async fn connect(&self, url: &str) -> Result<AnyStore, ConnectError> {
        let own = url
            .split_once(':')
            .and_then(|(scheme, _)| self.own.get_key_value(scheme));
        let Some((scheme, open)) = own else {
            return connect(url).await.map_err(|error| self.tell(error));
        };
        open(url.to_owned())
            .await
            .map_err(|source| ConnectError::Own {
                scheme: scheme.clone(),
                source: source.into(),
            })
    }

    /// An unknown scheme is told with all that are known.
    fn tell(&self, error: ConnectError) -> ConnectError {
        match error {
            ConnectError::UnknownScheme { scheme, .. } => ConnectError::UnknownScheme {
                scheme,
                own: self.own.keys().cloned().collect(),
            },
            other => other,
        }
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stores")
            .field("own", &self.own.keys())
            .finish()
    }
}
