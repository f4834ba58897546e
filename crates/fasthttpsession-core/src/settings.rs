//! What a file and the environment say about [`Sessions`], as data that serde reads.

mod encryption;
mod keys;
mod keys_place;
mod list;
mod names;
mod store_url;
mod token_codec;
mod transport;

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use self::keys::Ring;
use self::keys_place::KeysPlace;
use self::store_url::StoreUrl;
use self::token_codec::TokenCodecName;
use crate::codec::{Codec, Format, Kind};
use crate::cookie::Cookie;
use crate::error::BuildError;
use crate::lifetimes::Lifetimes;
use crate::limits::Limits;
use crate::sessions::{Sessions, SessionsBuilder};
use crate::store::Store;
use crate::transport::Transport;

/// What a file and the environment say about [`Sessions`], by anything that speaks serde.
///
/// A setting has the name and the default of the [builder's](SessionsBuilder) method that does the same, where the reasons
/// stand. Times are in milliseconds, and their names say so.
///
/// * What has an unknown name, or a value that can't be one, is refused when it is read. The error is that of the format,
///   and names the setting.
/// * What does not fit together is refused before the first request: by [`builder`](Self::builder), or by
///   [`SessionsBuilder::build`]. A [`BuildError`] names the setting and says what would do.
/// * What only a program can say (a pair of functions, a clock, a second ring of keys) is said to the builder that comes
///   out of it; what is set there replaces what was read.
///
/// # Every setting
///
/// With its default; those that are commented out have none.
///
/// ```toml
#[doc = include_str!("settings/settings.toml")]
/// ```
///
/// # From a file
///
/// ```
/// use fasthttpsession_core::{Sessions, Settings};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct App {
///     session: Settings,
/// }
///
/// # fn example(store: impl fasthttpsession_core::Store) -> Result<Sessions, Box<dyn std::error::Error>> {
/// let app: App = toml::from_str(
///     r#"
///     [session]
///     lifetimes = { idle_ms = 900_000 }
///     cookie = { name = "app", persistent = true }
///     transports = ["cookie", "bearer"]
///     "#,
/// )?;
/// let sessions = app.session.builder(store)?.build()?;
/// # Ok(sessions) }
/// # example(fasthttpsession_memory::MemoryStore::new()).unwrap();
/// ```
///
/// The stores that [`store`](Self::store) and [`second_store`](Self::second_store) name are opened by
/// `fasthttpsession::open`, which gives the same builder.
///
/// # From the environment
///
/// Variables are texts, and have no lists. So every value is read by its own type, which a crate like `config` makes of a
/// text; and a list may be one text with commas: `cookie, header:x-session`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    store: Option<StoreUrl>,
    second_store: Option<StoreUrl>,
    lifetimes: Lifetimes,
    cookie: Cookie,
    #[serde(deserialize_with = "list::deserialize")]
    transports: Vec<Transport>,
    token_codec: TokenCodecName,
    #[serde(deserialize_with = "list::deserialize")]
    also_accept: Vec<TokenCodecName>,
    codec: Format,
    keys_file: Option<KeysPlace>,
    keys_env: Option<KeysPlace>,
    encrypt_records: bool,
    also_read_unencrypted: bool,
    also_read_encrypted: bool,
    limits: Limits,
    touch_after_percent: u8,
    #[serde(rename = "renew_every_ms", deserialize_with = "some_millis")]
    renew_every: Option<Duration>,
    #[serde(rename = "renew_grace_ms", deserialize_with = "millis")]
    renew_grace: Duration,
}

impl Settings {
    /// The URL of the store. It may hold a password.
    ///
    /// # Errors
    /// [`BuildError::Setting`] when there is none.
    pub fn store(&self) -> Result<&str, BuildError> {
        let url = self.store.as_ref().map(StoreUrl::as_str);
        url.ok_or(BuildError::Setting {
            name: "store",
            reason: "it is the URL of a store, like \"redis://host\", and is missing",
        })
    }

    /// The URL of the store beside it, if there is one: the second of [`TwoStores`](crate::TwoStores). It may hold a
    /// password.
    pub fn second_store(&self) -> Option<&str> {
        self.second_store.as_ref().map(StoreUrl::as_str)
    }

    /// A builder with these settings, over a store that is open already: [`store`](Self::store) and
    /// [`second_store`](Self::second_store) are for whoever opened it.
    /// Reads the keys.
    ///
    /// # Errors
    /// [`BuildError::Keys`] when the keys can't be read, and [`BuildError::Setting`] when a setting lacks another, has no
    /// use, or needs a feature that is off. What else does not fit together, [`SessionsBuilder::build`] refuses.
    pub fn builder(&self, store: impl Store) -> Result<SessionsBuilder, BuildError> {
        let keys = self.keys()?;
        let mut builder = Sessions::builder(store)
            .lifetimes(self.lifetimes)
            .cookie(self.cookie.clone())
            .transports(self.transports.iter().cloned())
            .token_codec(self.token_codec.codec("token_codec", &keys)?)
            .codec(self.codec()?)
            .limits(self.limits)
            .touch_after_percent(self.touch_after_percent)
            .renew_grace(self.renew_grace);
        for also in &self.also_accept {
            builder = builder.also_accept(also.codec("also_accept", &keys)?);
        }
        if let Some(period) = self.renew_every {
            builder = builder.renew_every(period);
        }
        self.encrypt(builder, &keys)
    }

    fn codec(&self) -> Result<Codec, BuildError> {
        if !self.codec.is_on() {
            return Err(BuildError::Setting {
                name: "codec",
                reason: "this one was not compiled in; turn on the feature of its name",
            });
        }
        Ok(Codec(Kind::Each(self.codec)))
    }

    fn keys(&self) -> Result<Ring, BuildError> {
        let wraps = |name: &TokenCodecName| name.needs_keys();
        let are_used = self.encrypt_records
            || self.also_read_encrypted
            || [&self.token_codec]
                .into_iter()
                .chain(&self.also_accept)
                .any(wraps);
        Ring::read(
            self.keys_file.as_deref(),
            self.keys_env.as_deref(),
            are_used,
        )
    }
}

impl Default for Settings {
    /// Those of [`Sessions::builder`], and no store.
    fn default() -> Self {
        Self {
            store: None,
            second_store: None,
            lifetimes: Lifetimes::default(),
            cookie: Cookie::default(),
            transports: vec![Transport::cookie()],
            token_codec: TokenCodecName::Plain,
            also_accept: Vec::new(),
            codec: Format::Json,
            keys_file: None,
            keys_env: None,
            encrypt_records: false,
            also_read_unencrypted: false,
            also_read_encrypted: false,
            limits: Limits::default(),
            touch_after_percent: SessionsBuilder::TOUCH_AFTER_PERCENT,
            renew_every: None,
            renew_grace: SessionsBuilder::RENEW_GRACE,
        }
    }
}

/// For `#[serde(deserialize_with = "millis")]`: a whole number of milliseconds, in a field whose name ends in `_ms`.
pub(crate) fn millis<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}

fn some_millis<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    millis(from).map(Some)
}
