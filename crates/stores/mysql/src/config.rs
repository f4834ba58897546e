//! The settings of a MySQL store.

#[cfg(feature = "tls")]
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::{Hidden, Purging, StoreUrl, TableName, millis, misconfigured};
use mysql_async::{Opts, OptsBuilder, Pool, SslOpts};
use serde::Deserialize;

use crate::link::{Link, Waits};
use crate::store::MysqlStore;

/// How often a silent connection is asked whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What a URL says before its settings.
const PLACE: [&str; 5] = ["host", "port", "user", "password", "database"];

/// Settings of a [`MysqlStore`], from a program, from a URL, or from a file by `serde`.
///
/// ```
/// use fasthttpsession_mysql::MysqlConfig;
///
/// let config = MysqlConfig::new("db.example").user("web").password("pass/word").database("shop").migrate(true);
/// let same = MysqlConfig::from_url("mysql://web:pass%2Fword@db.example/shop?migrate=true")?;
/// assert_eq!(config, same);
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct MysqlConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) socket: Option<String>,
    pub(crate) user: String,
    pub(crate) password: Hidden,
    pub(crate) database: String,
    pub(crate) tls: Tls,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) table: TableName,
    pub(crate) migrate: bool,
    pub(crate) max_connections: usize,
    pub(crate) idle_connections: usize,
    #[serde(rename = "connect_timeout_ms", with = "millis")]
    pub(crate) connect_timeout: Duration,
    #[serde(rename = "pool_timeout_ms", with = "millis")]
    pub(crate) pool_timeout: Duration,
    #[serde(rename = "statement_timeout_ms", with = "millis")]
    pub(crate) statement_timeout: Duration,
    #[serde(rename = "purge_every_ms", with = "millis")]
    pub(crate) purge_every: Duration,
    pub(crate) purge_batch: usize,
}

/// Whether connections are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tls {
    /// They are not. The default, for servers on the same machine or network.
    #[default]
    Off,
    /// They are, and the server's certificate must be good for [`host`](MysqlConfig::new): one of the well-known
    /// authorities signed it, or the one of [`ca_file`](MysqlConfig::ca_file). Needs the feature `tls`. Nothing less can
    /// be set: a certificate that anybody may have made keeps nobody out.
    Verified,
}

impl MysqlConfig {
    /// Sessions on the server at `host`, a name or an address, on port 3306, with the default settings.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            ..Self::default()
        }
    }

    /// Reads `mysql://user:password@host:port/database?setting=value&…`, or the same with `mariadb://`: user, password
    /// and database percent-encoded, and the settings by the names in the [table](crate#settings). What can't be read is
    /// an error of kind [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let url = StoreUrl::of(url);
        let config: Self = url.read("mysql")?;
        let place = place_of(url.place)?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        if PLACE.into_iter().any(|name| url.has(name)) {
            return Err(misconfigured(
                "the URL of a MySQL store has host, port, user, password and database before the `?`, not as settings",
            ));
        }
        Ok(Self {
            host: without_brackets(place.ip_or_hostname()).to_owned(),
            port: place.tcp_port(),
            user: text(place.user()),
            password: Hidden::new(place.pass().unwrap_or_default()),
            database: text(place.db_name()),
            ..config
        })
    }

    /// The TCP port. Default: 3306.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// A Unix socket to use in place of host and port. Default: none.
    pub fn socket(self, path: &str) -> Self {
        let socket = Some(path.to_owned());
        Self { socket, ..self }
    }

    /// Who connects. Default: nobody, which most servers refuse.
    pub fn user(self, user: impl Into<String>) -> Self {
        let user = user.into();
        Self { user, ..self }
    }

    /// The user's password. Default: none. Never printed.
    pub fn password(self, password: impl Into<String>) -> Self {
        let password = Hidden::new(password);
        Self { password, ..self }
    }

    /// The database of the table. Default: none, and then the table's name must have it, as in `web.sessions`; without
    /// either, opening is an error of kind [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn database(self, database: &str) -> Self {
        let database = database.to_owned();
        Self { database, ..self }
    }

    /// Whether connections are encrypted. Default: [`Tls::Off`]. A Unix socket never is.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// A file with the certificates of the only authorities to trust, in PEM, which opening reads, for [`Tls::Verified`];
    /// without it opening refuses the file, for nobody would look at it. Default: none, and the well-known ones are trusted.
    pub fn ca_file(self, file: impl Into<PathBuf>) -> Self {
        let ca_file = Some(file.into());
        Self { ca_file, ..self }
    }

    /// The table of the sessions. Default: `fasthttpsession`. What could be more than a name is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn table(self, name: &str) -> Result<Self, StoreError> {
        let table = TableName::new(name)?;
        Ok(Self { table, ..self })
    }

    /// Whether opening makes the table, or brings it up to date. Default: no, because a service should not need the right
    /// to.
    pub fn migrate(self, migrate: bool) -> Self {
        Self { migrate, ..self }
    }

    /// The most connections; 0 counts as 1. Default: 16, because calls are made in groups, and a server has a thread for
    /// each.
    ///
    /// The server needs room for those of all processes, in a rollout of both versions: eight, and two more for a while, may
    /// have 160, and MySQL and MariaDB take 151 by default.
    ///
    /// Each tokio runtime of a program uses those that it has opened itself, as long as there may be more. With fewer
    /// connections than runtimes, a call may go by way of another runtime, which wakes both; by way of one that does not run
    /// at present, such as one of a single thread outside of `block_on`, none goes.
    pub fn max_connections(self, max_connections: usize) -> Self {
        Self {
            max_connections,
            ..self
        }
    }

    /// The most connections that stay open while nobody uses them. Default: 4. If there are more, those that have lain
    /// unused for ten seconds are closed, within another ten.
    pub fn idle_connections(self, idle_connections: usize) -> Self {
        Self {
            idle_connections,
            ..self
        }
    }

    /// How long opening a connection may take. Default: 5 s.
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            ..self
        }
    }

    /// How long an operation may wait for a connection, a new one included. Default: 5 s.
    pub fn pool_timeout(self, pool_timeout: Duration) -> Self {
        Self {
            pool_timeout,
            ..self
        }
    }

    /// How long an operation may wait for its answers, once it has a connection. Default: 5 s. An operation on a session
    /// answers within this and [`pool_timeout`](Self::pool_timeout) together. The server waits for rows
    /// that other transactions hold a second less, in whole seconds, and at least 1: MySQL, which looks once a second whether a
    /// wait is over, may be late by as much.
    pub fn statement_timeout(self, statement_timeout: Duration) -> Self {
        Self {
            statement_timeout,
            ..self
        }
    }

    /// How often expired records are removed; zero turns it off. Default: once a minute.
    pub fn purge_every(self, purge_every: Duration) -> Self {
        Self {
            purge_every,
            ..self
        }
    }

    /// How many records one call of a purge in the background removes at most; 0 counts as 1. Default: 1000.
    pub fn purge_batch(self, purge_batch: usize) -> Self {
        Self {
            purge_batch,
            ..self
        }
    }

    /// Connects, and opens the table. Needs a tokio runtime.
    ///
    /// A server that can't be reached is an error of kind
    /// [`Unavailable`](fasthttpsession_core::StoreErrorKind::Unavailable) or
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout). A refused password, and a table that is missing or not
    /// as this version needs it, are errors of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) that say what would mend them.
    pub async fn open(self) -> Result<MysqlStore, StoreError> {
        let (most, idle) = (self.max_connections, self.idle_connections);
        let link = Link::new(self.options()?, most, idle, self.waits());
        MysqlStore::open(self, link).await
    }

    /// Opens the table on a pool of the application's own, which needs the same version of `mysql_async`
    /// ([re-exported](crate::mysql_async)). What this configuration says of the server and of TLS is not used;
    /// [`max_connections`](Self::max_connections) is how many of the pool's may be used at once.
    ///
    /// The pool may be set up in any way, as long as its connections have `autocommit` on, `character_set_connection` is
    /// what `character_set_client` is, as after `SET NAMES`, and MariaDB's `sql_mode` has neither `EMPTY_STRING_IS_NULL`
    /// nor `ORACLE`. What is not so is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured). How long the server waits for a row that
    /// another transaction holds is the pool's affair; this store waits no longer than
    /// [`statement_timeout`](Self::statement_timeout).
    pub async fn open_on(self, pool: Pool) -> Result<MysqlStore, StoreError> {
        let link = Link::shared(pool, self.max_connections, self.waits());
        MysqlStore::open(self, link).await
    }

    fn waits(&self) -> Waits {
        Waits {
            pool: self.pool_timeout,
            connect: self.connect_timeout,
            statement: self.statement_timeout,
        }
    }

    fn options(&self) -> Result<Opts, StoreError> {
        let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let options = OptsBuilder::default()
            .ip_or_hostname(self.host.clone())
            .tcp_port(self.port)
            .socket(self.socket.clone())
            .prefer_socket(false)
            .user(set(&self.user))
            .pass(set(&self.password))
            .db_name(set(&self.database))
            .tcp_keepalive(Some(KEEPALIVE))
            .setup(vec![self.setup()])
            .ssl_opts(self.ssl()?);
        Ok(options.into())
    }

    /// What each connection is told first. Where it says nothing, statements need nothing. The names are told anew, for the
    /// server may have set the connection up to convert what is sent, and the driver sends bytes as texts; and the mode, for
    /// under one such as `ORACLE` statements mean something else.
    fn setup(&self) -> String {
        format!(
            "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
             SET SESSION autocommit = 1, SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
             SESSION innodb_lock_wait_timeout = {}; SET NAMES utf8mb4",
            self.waits().on_server()
        )
    }

    fn ssl(&self) -> Result<Option<SslOpts>, StoreError> {
        match self.tls {
            Tls::Off if self.ca_file.is_some() => Err(misconfigured(
                "ca_file is of use with tls=verified only: set that, or leave ca_file out",
            )),
            Tls::Off => Ok(None),
            Tls::Verified if self.socket.is_some() => Ok(None),
            Tls::Verified => self.verified().map(Some),
        }
    }

    #[cfg(feature = "tls")]
    fn verified(&self) -> Result<SslOpts, StoreError> {
        // Where a program has built several kinds of cryptography in, the driver can't tell which to use. An application
        // that has chosen one keeps it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authorities = self.ca_file.as_deref().map(authorities_in).transpose()?;
        Ok(SslOpts::default()
            .with_disable_built_in_roots(authorities.is_some())
            .with_root_certs(authorities.map(Into::into).into_iter().collect()))
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "with the feature it is needed")]
    fn verified(&self) -> Result<SslOpts, StoreError> {
        Err(misconfigured(
            "the MySQL store was built without what tls=verified needs: turn on the feature `tls` of fasthttpsession",
        ))
    }
}

impl Default for MysqlConfig {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 3306,
            socket: None,
            user: String::new(),
            password: Hidden::default(),
            database: String::new(),
            tls: Tls::default(),
            ca_file: None,
            table: TableName::default(),
            migrate: false,
            max_connections: 16,
            idle_connections: 4,
            connect_timeout: Duration::from_secs(5),
            pool_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(5),
            purge_every: Purging::DEFAULT.every,
            purge_batch: Purging::DEFAULT.batch,
        }
    }
}

#[cfg(feature = "tls")]
fn authorities_in(file: &Path) -> Result<Vec<u8>, StoreError> {
    std::fs::read(file).map_err(|error| {
        misconfigured(format!("ca_file {} can't be read: {error}", file.display()))
    })
}

/// An address of IPv6, which has brackets in a URL only.
fn without_brackets(host: &str) -> &str {
    let inside = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host)
}

fn place_of(place: &str) -> Result<Opts, StoreError> {
    let rest = place
        .strip_prefix("mysql://")
        .or_else(|| place.strip_prefix("mariadb://"));
    // Else a part of the password would be taken for the port or the database, and named as such.
    let has_raw = |rest: &str| {
        rest.find(['/', '#'])
            .is_some_and(|end| rest[end..].contains('@'))
    };
    if rest.is_some_and(has_raw) {
        return Err(misconfigured(
            "the URL of a MySQL store has an @ behind a / or a #: in its user and password they are written %2F and %23, and \
             in the name of its database an @ is %40",
        ));
    }
    let options = rest.and_then(|rest| Opts::from_url(&format!("mysql://{rest}")).ok());
    options.ok_or_else(|| {
        misconfigured("the URL of a MySQL store is mysql://user:password@host:port/database")
    })
}
