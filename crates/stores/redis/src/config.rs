//! The settings of a Redis store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{Handle, StoreError};
use fasthttpsession_store_common::{
    Hidden, StoreUrl, in_runtime, in_runtime_with_io, millis, misconfigured, record_key,
};
use redis::aio::ConnectionLike;
use serde::Deserialize;

use crate::backend::{Backend, Own, Path, Replicas};
use crate::cluster::Cluster;
use crate::connect::Connector;
use crate::lines::Lines;
use crate::link::{Demotions, Target};
use crate::place::{Login, Place, Servers};
use crate::sentinel::Sentinels;
use crate::store::RedisStore;
use crate::tls;

/// A year, for what would be longer than a server can count may be meant to be no bound.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Settings of a [`RedisStore`], from a program, from a URL, or from a file by `serde`.
///
/// ```
/// use std::time::Duration;
/// use fasthttpsession_redis::RedisConfig;
///
/// let config = RedisConfig::new("redis://cache.internal/2")?
///     .prefix("shop:")
///     .response_timeout(Duration::from_secs(1));
/// let same = RedisConfig::from_url("redis://cache.internal/2?prefix=shop:&response_timeout_ms=1000")?;
/// assert_eq!(config, same);
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct RedisConfig {
    #[serde(rename = "url")]
    place: Option<Place>,
    username: Option<Hidden>,
    password: Option<Hidden>,
    sentinel_username: Option<Hidden>,
    sentinel_password: Option<Hidden>,
    database: Option<u32>,
    prefix: String,
    ca_file: Option<PathBuf>,
    connections: usize,
    #[serde(rename = "connect_timeout_ms", with = "millis")]
    connect_timeout: Duration,
    #[serde(rename = "response_timeout_ms", with = "millis")]
    response_timeout: Duration,
    max_record_bytes: usize,
    wait_replicas: u32,
    #[serde(rename = "wait_timeout_ms", with = "millis")]
    wait_timeout: Duration,
}

impl RedisConfig {
    /// Sessions in the servers that `url` names, with the default settings. [The crate's page](crate#urls) lists the
    /// forms; settings behind a `?` are read by [`from_url`](Self::from_url) alone.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        Ok(Self {
            place: Some(Place::parse(url)?),
            ..Self::default()
        })
    }

    /// Reads `redis://host?setting=value&…`: the servers, and the settings by the names in the
    /// [table](crate#settings). What can't be read is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let url = StoreUrl::of(url);
        let config: Self = url.read("redis")?;
        if config.place.is_some() {
            return Err(misconfigured(
                "the URL of a Redis store names its servers before the `?`, not as a setting",
            ));
        }
        let place = Some(Place::parse(url.place)?);
        Ok(Self { place, ..config })
    }

    /// The ACL user, instead of one in the URL. Default: none, which is the user `default`.
    pub fn username(mut self, username: &str) -> Self {
        self.username = Some(Hidden::new(username));
        self
    }

    /// The password, instead of one in the URL. Default: none.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(Hidden::new(password));
        self
    }

    /// The ACL user of the sentinels, which have users of their own. Default: none.
    pub fn sentinel_username(mut self, username: &str) -> Self {
        self.sentinel_username = Some(Hidden::new(username));
        self
    }

    /// The password of the sentinels. Default: none.
    pub fn sentinel_password(mut self, password: &str) -> Self {
        self.sentinel_password = Some(Hidden::new(password));
        self
    }

    /// The number of the database, instead of one in the URL. Default: 0. A cluster has no other.
    pub fn database(mut self, database: u32) -> Self {
        self.database = Some(database);
        self
    }

    /// What all keys of this store begin with. Default: `session:`. Two applications on one database need two prefixes
    /// of which neither begins with the other. On a cluster, a prefix with a hash tag (`{sessions}:`) keeps all
    /// sessions on one node.
    pub fn prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// The certificates of the authorities that TLS trusts, a file in PEM. Default: those that the operating system
    /// trusts.
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// How many connections are kept to each server by each tokio runtime that uses the store, which is one, unless you
    /// start several: actix-web has one for each worker. 0 counts as 1. Default: 1. Commands are pipelined, so more
    /// are of use only where large records would hold up small ones, and where writes
    /// [wait for replicas](Self::wait_replicas). Then twice as many are kept, for what waits for nobody has its own.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// How long opening a connection may take, with its greeting, and how long to wait for one. The addresses of a name
    /// share it. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a command may wait for its answer. Past it the answer is
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout), and the connection is replaced. Default: 5 s. An
    /// operation, which may be several commands, takes as long as this and [`connect_timeout`](Self::connect_timeout)
    /// together at most.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// The largest record that is sent, in bytes with its header of 40 bytes and more; a larger one is
    /// [`TooLarge`](fasthttpsession_core::StoreErrorKind::TooLarge). Default: 16 MiB, for while a server reads or sends
    /// one it does nothing else. A server itself takes up to its `proto-max-bulk-len`, 512 MB.
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// How many replicas have to confirm a write before it is acknowledged. Default: 0, none. See
    /// [what it promises](crate#waiting-for-replicas).
    pub fn wait_replicas(mut self, replicas: u32) -> Self {
        self.wait_replicas = replicas;
        self
    }

    /// How long a write waits for replicas; zero counts as a millisecond, and more than a year as one. Default: 1 s. If
    /// they do not confirm it within that time the answer is
    /// [`Unavailable`](fasthttpsession_core::StoreErrorKind::Unavailable), and the write may have been applied.
    pub fn wait_timeout(mut self, timeout: Duration) -> Self {
        self.wait_timeout = timeout;
        self
    }

    /// Connects to the servers. Needs a tokio runtime.
    ///
    /// # Errors
    /// Of kind [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) if settings do not fit each
    /// other, or the servers refuse the user or what it needs to do;
    /// [`Unavailable`](fasthttpsession_core::StoreErrorKind::Unavailable) or
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout) if they can't be reached, or what is reached is a replica.
    pub async fn open(self) -> Result<RedisStore, StoreError> {
        in_runtime_with_io("Redis")?;
        let place = self
            .place
            .as_ref()
            .ok_or_else(|| misconfigured("a Redis store needs a URL that names its servers"))?;
        let (connector, demotions) = (self.connector(place)?, Demotions::default());
        let mut backend = Backend::new(self.path(place, &connector, &demotions));
        if let Some(replicas) = self.replicas() {
            let mut patient = connector;
            patient.response_timeout = patient.response_timeout.saturating_add(replicas.within);
            backend = backend.replicated(self.path(place, &patient, &demotions), replicas);
        }
        self.checked(backend).await
    }

    /// Uses clones of the application's own connection, of which it makes sure that it reconnects; all settings about
    /// connections are ignored. The connection must lead to one server or to the primary that sentinels name, and must
    /// not send a command again by itself: a [`ClusterConnection`](https://docs.rs/redis/latest/redis/cluster_async/)
    /// does, and would make a commit count twice.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_on<C>(self, connection: C) -> Result<RedisStore, StoreError>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        in_runtime("Redis")?;
        let own = |limit| Path::Own(Own::new(connection.clone()), limit);
        let mut backend = Backend::new(own(self.response_timeout));
        if let Some(replicas) = self.replicas() {
            let patient = self.response_timeout.saturating_add(replicas.within);
            backend = backend.replicated(own(patient), replicas);
        }
        self.checked(backend).await
    }

    async fn checked(self, backend: Backend) -> Result<RedisStore, StoreError> {
        backend.ping().await.map_err(StoreError::not_applied)?;
        // Random handles are another.
        let no_session = record_key(&self.prefix, Handle::from_bytes([0; Handle::BYTES]));
        let takes_writes = backend.takes_writes(&no_session).await;
        takes_writes.map_err(StoreError::not_applied)?;
        let mut limit = self.connect_timeout.saturating_add(self.response_timeout);
        if let Some(replicas) = self.replicas() {
            limit = limit.saturating_add(replicas.within);
        }
        Ok(RedisStore::new(
            backend,
            self.prefix,
            self.max_record_bytes,
            limit,
        ))
    }

    fn path(&self, place: &Place, connector: &Connector, demotions: &Demotions) -> Path {
        let shared = Arc::new(connector.clone());
        let target = match &place.servers {
            Servers::One(address) => Target::Fixed(address.clone(), demotions.clone()),
            Servers::Cluster(seeds) => {
                let limit = connector
                    .connect_timeout
                    .saturating_add(connector.response_timeout);
                let cluster = Cluster::new(seeds.clone(), shared, self.connections);
                return Path::Cluster(cluster, limit);
            }
            Servers::Sentinels(sentinels, name) => {
                let asking = Connector {
                    login: self.sentinel_login(),
                    database: 0,
                    ..connector.clone()
                };
                let sentinels = Sentinels::new(sentinels, name.clone(), Arc::new(asking));
                Target::Primary(Arc::new(sentinels))
            }
        };
        Path::One(Lines::new(target, shared, self.connections))
    }

    fn connector(&self, place: &Place) -> Result<Connector, StoreError> {
        let is_cluster = matches!(place.servers, Servers::Cluster(_));
        let database = self.database.or(place.database).unwrap_or_default();
        if is_cluster && database != 0 {
            return Err(misconfigured("a Redis cluster has no database but 0"));
        }
        if self.ca_file.is_some() && !place.tls {
            return Err(misconfigured(
                "ca_file is of use with TLS only: the URL has to begin with rediss",
            ));
        }
        self.check_sentinel_login(place)?;
        let tls = place.tls.then(|| tls::trusting(self.ca_file.as_deref()));
        Ok(Connector {
            tls: tls.transpose()?,
            login: self.login(&place.login)?,
            database,
            connect_timeout: self.connect_timeout,
            response_timeout: self.response_timeout,
        })
    }

    fn login(&self, in_url: &Login) -> Result<Login, StoreError> {
        let login = Login {
            user: self.username.clone().or_else(|| in_url.user.clone()),
            password: self.password.clone().or_else(|| in_url.password.clone()),
        };
        if login.user.is_some() && login.password.is_none() {
            return Err(misconfigured(
                "a Redis user needs a password; a password alone is written redis://:password@host",
            ));
        }
        Ok(login)
    }

    fn sentinel_login(&self) -> Login {
        Login {
            user: self.sentinel_username.clone(),
            password: self.sentinel_password.clone(),
        }
    }

    fn check_sentinel_login(&self, place: &Place) -> Result<(), StoreError> {
        let (user, password) = (&self.sentinel_username, &self.sentinel_password);
        let has_sentinels = matches!(place.servers, Servers::Sentinels(..));
        if !has_sentinels && (user.is_some() || password.is_some()) {
            return Err(misconfigured(
                "sentinel_username and sentinel_password are of use with sentinels only: the URL has to name them, \
                 redis+sentinel://host1,host2/name",
            ));
        }
        if user.is_some() && password.is_none() {
            return Err(misconfigured(
                "a user of the sentinels needs a password: set sentinel_password too",
            ));
        }
        Ok(())
    }

    fn replicas(&self) -> Option<Replicas> {
        (self.wait_replicas > 0).then(|| Replicas {
            count: self.wait_replicas,
            // 0 would be: as long as it takes.
            within: self
                .wait_timeout
                .clamp(Duration::from_millis(1), LONGEST_WAIT),
        })
    }
}

impl Default for RedisConfig {
    /// No servers, which [`open`](RedisConfig::open) refuses.
    fn default() -> Self {
        Self {
            place: None,
            username: None,
            password: None,
            sentinel_username: None,
            sentinel_password: None,
            database: None,
            prefix: "session:".to_owned(),
            ca_file: None,
            connections: 1,
            connect_timeout: Duration::from_secs(5),
            response_timeout: Duration::from_secs(5),
            max_record_bytes: 16 << 20,
            wait_replicas: 0,
            wait_timeout: Duration::from_secs(1),
        }
    }
}
