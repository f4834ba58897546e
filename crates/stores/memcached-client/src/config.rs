//! What can be set.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::address::Address;
use crate::client::Client;
use crate::error::Error;

/// Settings of a [`Client`].
///
/// ```no_run
/// use fasthttpsession_memcached_client::{Address, ClientConfig};
/// use std::time::Duration;
///
/// # async fn open() -> Result<(), fasthttpsession_memcached_client::Error> {
/// let client = ClientConfig::new(["cache-1:11211".parse()?, "cache-2:11211".parse()?])
///     .timeout(Duration::from_millis(500))
///     .open()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use]
pub struct ClientConfig {
    pub(crate) servers: Vec<Address>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) limits: Limits,
}

/// The bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    /// How many requests a connection may have without answer.
    pub(crate) requests: usize,
    /// How many bytes these may take, unless there is but one.
    pub(crate) bytes: usize,
    pub(crate) value_bytes: usize,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
}

#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// Whom TLS trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// A file of certificates in PEM to trust; without one, the system's.
    pub authorities: Option<PathBuf>,
}

impl ClientConfig {
    /// Keys shared out over `servers`, with the default settings.
    pub fn new(servers: impl IntoIterator<Item = Address>) -> Self {
        Self {
            servers: servers.into_iter().collect(),
            credentials: None,
            tls: None,
            limits: Limits::default(),
        }
    }

    /// Names a user to the servers (`memcached -Y`). Neither may have white space or control characters. Default: none.
    pub fn credentials(mut self, user: &str, password: &str) -> Self {
        self.credentials = Some(Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        });
        self
    }

    /// Speaks TLS. A server's certificate must be for the host that its address names, so Unix sockets can't have it.
    /// Needs the feature `tls`. Default: plain.
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How many connections there are to each server, at least 1; a key always takes the same one. Default: 1, for
    /// requests don't wait for each other's answers.
    pub fn connections(mut self, connections: usize) -> Self {
        self.limits.connections = connections;
        self
    }

    /// The largest value that is read, in bytes; a larger one is [`TooLarge`](crate::ErrorKind::TooLarge). Default: 1
    /// MiB, as much as a server holds by default. What may be written a server says itself.
    pub fn value_bytes(mut self, bytes: usize) -> Self {
        self.limits.value_bytes = bytes;
        self
    }

    /// How long making a connection may take, with TLS and credentials; at most [`timeout`](Self::timeout). The addresses
    /// of a name share it. Default: 1 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.limits.connect_timeout = timeout;
        self
    }

    /// How long a request may take from its call to its answer, at least 1 ms and at most a year; less or more counts as
    /// that. Default: 2 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.timeout = timeout;
        self
    }

    /// Makes the client. It connects when it is first used, which needs a tokio runtime.
    ///
    /// No server, the same twice, credentials that can't be sent and TLS that can't be had are
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub fn open(self) -> Result<Client, Error> {
        Client::open(self)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1,
            requests: 4096,
            bytes: 32 << 20,
            value_bytes: 1 << 20,
            connect_timeout: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
        }
    }
}

impl Limits {
    const SHORTEST: Duration = Duration::from_millis(1);
    /// A year, for what would be longer than a clock can count may be meant to be no bound.
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

    /// With every bound as it must be to work at all.
    pub(crate) fn clamped(self) -> Self {
        let timeout = self.timeout.clamp(Self::SHORTEST, Self::LONGEST);
        Self {
            connections: self.connections.max(1),
            connect_timeout: self.connect_timeout.min(timeout),
            timeout,
            ..self
        }
    }
}

impl Credentials {
    /// Whether they can be sent: a space would end the name, a line's end the command.
    pub(crate) fn are_sendable(&self) -> bool {
        [&self.user, &self.password].iter().all(|text| {
            let clean = |c: char| !c.is_control() && !c.is_whitespace();
            !text.is_empty() && text.len() <= 256 && text.chars().all(clean)
        })
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("servers", &self.servers)
            .field("user", &self.credentials.as_ref().map(|them| &them.user))
            .field("tls", &self.tls)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
