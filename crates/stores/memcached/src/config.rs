//! The settings of a memcached store.

use std::path::PathBuf;
use std::time::Duration;

use fasthttpsession_core::{Handle, StoreError};
use fasthttpsession_memcached_client::{Client, ClientConfig, TlsConfig};
use fasthttpsession_store_common::{Hidden, StoreUrl, in_runtime_with_io, millis, misconfigured};
use serde::Deserialize;

use crate::error::store_error;
use crate::place::{Place, Servers};
use crate::store::MemcachedStore;

/// Settings of a [`MemcachedStore`], from a program, from a URL, or from a file by `serde`.
///
/// ```
/// use std::time::Duration;
/// use fasthttpsession_memcached::MemcachedConfig;
///
/// let config = MemcachedConfig::new("cache-1,cache-2:11212")?
///     .prefix("shop:")
///     .response_timeout(Duration::from_millis(500));
/// let same = MemcachedConfig::from_url("memcached://cache-1,cache-2:11212?prefix=shop:&response_timeout_ms=500")?;
/// assert_eq!(config, same);
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct MemcachedConfig {
    servers: Servers,
    username: Option<Hidden>,
    password: Option<Hidden>,
    tls: bool,
    ca_file: Option<PathBuf>,
    prefix: String,
    connections: usize,
    #[serde(rename = "connect_timeout_ms", with = "millis")]
    connect_timeout: Duration,
    #[serde(rename = "response_timeout_ms", with = "millis")]
    response_timeout: Duration,
    max_record_bytes: usize,
}

impl MemcachedConfig {
    /// Sessions in `servers`, with the default settings: a list of `host:port`, `host` (port 11211), `[address]:port`
    /// and absolute paths of Unix sockets, with commas between them. Their order plays no role; [what
    /// does](crate#several-servers) is how each is spelled.
    pub fn new(servers: &str) -> Result<Self, StoreError> {
        Ok(Self {
            servers: Servers::parse(servers)?,
            ..Self::default()
        })
    }

    /// Reads `memcached://user:password@host:port,host?setting=value&…`, `memcached+tls://…` or
    /// `memcached+unix:///path,/path?…`, with the settings by the names in the [table](crate#settings). User, password
    /// and paths are percent-encoded. What can't be read, or is said twice, is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let url = StoreUrl::of(url);
        let config: Self = url.read("memcached")?;
        if config.servers != Servers::default() {
            return Err(misconfigured(
                "the URL of a memcached store names its servers before the `?`, not as a setting",
            ));
        }
        let place = Place::parse(url.place)?;
        url.refuse_twice(
            "memcached",
            &[
                ("username", place.username.is_some()),
                ("password", place.password.is_some()),
                ("tls", place.tls),
            ],
        )?;
        Ok(Self {
            servers: place.servers,
            username: place.username.or(config.username),
            password: place.password.or(config.password),
            tls: place.tls || config.tls,
            ..config
        })
    }

    /// The user of the servers (`memcached -Y`), who needs a [`password`](Self::password). Default: none.
    pub fn username(mut self, username: &str) -> Self {
        self.username = Some(Hidden::new(username));
        self
    }

    /// The user's password. Neither may have white space. It crosses the network as it is unless there is TLS. Default:
    /// none.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(Hidden::new(password));
        self
    }

    /// Whether connections are encrypted, and the servers prove who they are. Needs the feature `tls`, and no sockets
    /// among the servers. Default: no, as memcached is.
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// The certificates of the authorities that TLS trusts, a file in PEM. Default: those that the operating system
    /// trusts.
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// What all keys of this store begin with: at most 228 bytes without white space. Default: `session:`. Two
    /// applications on the same servers need two prefixes.
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// How many connections are kept to each server by each tokio runtime that uses the store, which is one, unless you
    /// start several: actix-web has one for each worker. 0 counts as 1. Default: 1. Requests are pipelined, so more are of
    /// use only where large records would hold up small ones.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// How long opening a connection may take, with its greeting; at most as long as
    /// [`response_timeout`](Self::response_timeout). Default: 1 s, for memcached is near.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a request may take, from its call to its answer; zero counts as a millisecond. Past it the answer is
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout). Default: 2 s, in which a server that lives has
    /// answered thousands.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// The largest record, in bytes with its header of 40 bytes and more; a larger one is
    /// [`TooLarge`](fasthttpsession_core::StoreErrorKind::TooLarge) and is not sent. Default: 1 MiB. Independently of
    /// this, a record that its server can't hold (`-I`, 1 MiB unless told otherwise, with the key and 128 bytes) is too
    /// large.
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// Connects to the servers. Needs a tokio runtime.
    ///
    /// Opening succeeds if one of the servers answers: the others' sessions can't be had until they do, too.
    ///
    /// # Errors
    /// Of kind [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) if settings do not fit each
    /// other, or a server refuses the user or runs without `cas` (`-C`);
    /// [`Unavailable`](fasthttpsession_core::StoreErrorKind::Unavailable) or
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout) if no server can be reached.
    pub async fn open(self) -> Result<MemcachedStore, StoreError> {
        in_runtime_with_io("memcached")?;
        let client = self.client()?;
        let (prefix, limit) = (&self.prefix, self.max_record_bytes);
        // Zero counts as a millisecond, as with the client.
        let patience = self.response_timeout.max(Duration::from_millis(1));
        let store = MemcachedStore::new(client, prefix, limit, patience);
        let answers = store.ping().await;
        let some_answer = answers.iter().any(Result::is_ok);
        let failed = answers.into_iter().filter_map(Result::err);
        let grave = |error: &StoreError| !some_answer || !error.is_retryable();
        // What somebody has to mend is told first.
        match failed.filter(grave).min_by_key(StoreError::is_retryable) {
            Some(error) => Err(error.not_applied()),
            None => Ok(store),
        }
    }

    fn client(&self) -> Result<Client, StoreError> {
        self.check_prefix()?;
        if self.ca_file.is_some() && !self.tls {
            return Err(misconfigured(
                "ca_file is of use with TLS only: the URL has to begin with memcached+tls",
            ));
        }
        let mut client = ClientConfig::new(self.servers.0.clone())
            .connections(self.connections)
            .connect_timeout(self.connect_timeout)
            .timeout(self.response_timeout)
            .value_bytes(self.max_record_bytes);
        match (&self.username, &self.password) {
            (Some(user), Some(password)) => client = client.credentials(user, password),
            (None, None) => {}
            _ => {
                return Err(misconfigured(
                    "a memcached user needs a password, and a password a user",
                ));
            }
        }
        if self.tls {
            let authorities = self.ca_file.clone();
            client = client.tls(TlsConfig { authorities });
        }
        client.open().map_err(|error| store_error(&error))
    }

    fn check_prefix(&self) -> Result<(), StoreError> {
        let longest = Client::MAX_KEY_BYTES - Handle::TEXT_BYTES;
        let unfit = |c: char| c.is_whitespace() || c.is_control();
        if self.prefix.len() > longest || self.prefix.contains(unfit) {
            return Err(misconfigured(format!(
                "a prefix of memcached's keys has at most {longest} bytes, without white space and control characters"
            )));
        }
        Ok(())
    }
}

impl Default for MemcachedConfig {
    /// No servers, which [`open`](MemcachedConfig::open) refuses.
    fn default() -> Self {
        Self {
            servers: Servers::default(),
            username: None,
            password: None,
            tls: false,
            ca_file: None,
            prefix: "session:".to_owned(),
            connections: 1,
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
            max_record_bytes: 1 << 20,
        }
    }
}
