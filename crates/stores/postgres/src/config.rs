//! The settings of a PostgreSQL store.

use std::path::PathBuf;
use std::time::Duration;

use deadpool_postgres::Pool;
use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::{
    Hidden, Purging, RuntimePool, StoreUrl, TableName, millis, misconfigured,
};
use serde::Deserialize;

use crate::connect::Connector;
use crate::connections::{Connections, Source, Waits};
use crate::error::cause;
use crate::host::Hosts;
use crate::store::PostgresStore;

/// Settings of a [`PostgresStore`], from a program, from a URL, or from a file by `serde`.
///
/// ```
/// use fasthttpsession_postgres::{PostgresConfig, SslMode};
///
/// let config = PostgresConfig::new("db.example")?
///     .user("web")
///     .password("secret")
///     .database("app")
///     .sslmode(SslMode::VerifyFull)
///     .table("web.sessions")?;
/// let same = PostgresConfig::from_url(
///     "postgres://web:secret@db.example/app?sslmode=verify-full&table=web.sessions",
/// )?;
/// assert_eq!(config, same);
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct PostgresConfig {
    pub(crate) host: Hosts,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Hidden>,
    pub(crate) database: Option<String>,
    pub(crate) application_name: String,
    pub(crate) sslmode: SslMode,
    pub(crate) sslrootcert: Option<PathBuf>,
    pub(crate) table: TableName,
    pub(crate) migrate: bool,
    pub(crate) prepared: bool,
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

/// Whether connections are encrypted, and whom they trust: the modes that libpq has under these names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can and the feature `tls` is on. Keeps off those who only listen. The default, as
    /// everywhere with PostgreSQL; [`VerifyFull`](Self::VerifyFull) is better wherever the network is not your own.
    #[default]
    Prefer,
    /// Encrypted or refused. The server's certificate is not looked at, so whoever can stand in between can read all.
    Require,
    /// Encrypted, and the server's certificate must be signed by an authority that is trusted and be made out to the
    /// host that was asked for.
    VerifyFull,
}

impl PostgresConfig {
    /// Sessions on the server at `host`, with the default settings: a name, an address, or the folder of a Unix socket,
    /// which begins with `/`. It may have a port behind a colon. There may be several, with commas between: the first
    /// that takes writes is used, and after a failover another.
    pub fn new(host: &str) -> Result<Self, StoreError> {
        Ok(Self {
            host: Hosts::parse(host)?,
            ..Self::default()
        })
    }

    /// Reads `postgres://user:password@host:port/database?setting=value&…`, with the settings by the names in the
    /// [table](crate#settings). `postgresql:` is the same scheme. Reserved characters of user, password and database
    /// are percent-encoded, and so is the path of a Unix socket in the place of the host; that may also be the setting
    /// `host`. What can't be read, or is said twice, is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured), which shows no password.
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let parts = StoreUrl::of(url);
        let place = place(url, parts.place)?;
        let config: Self = parts.read("postgres")?;
        let password = place.get_password().map(String::from_utf8_lossy);
        let hosts = Hosts::of(parts.place, &place);
        parts.refuse_twice(
            "postgres",
            &[
                ("host", hosts.is_some()),
                ("port", hosts.as_ref().is_some_and(Hosts::have_ports)),
                ("user", place.get_user().is_some()),
                ("password", password.is_some()),
                ("database", place.get_dbname().is_some()),
            ],
        )?;
        Ok(Self {
            host: hosts.unwrap_or(config.host),
            user: place.get_user().map(str::to_owned).or(config.user),
            password: password.map(Hidden::new).or(config.password),
            database: place.get_dbname().map(str::to_owned).or(config.database),
            ..config
        })
    }

    /// The port of hosts without one of their own. Default: 5432.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The role to sign in as. Default: the name of the user that runs this process.
    pub fn user(self, user: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            ..self
        }
    }

    /// The role's password. Default: none. Never printed.
    pub fn password(self, password: impl Into<String>) -> Self {
        Self {
            password: Some(Hidden::new(password)),
            ..self
        }
    }

    /// The database. Default: the one that is named like the user.
    pub fn database(self, database: impl Into<String>) -> Self {
        Self {
            database: Some(database.into()),
            ..self
        }
    }

    /// The name under which connections are listed in `pg_stat_activity`. Default: `fasthttpsession`.
    pub fn application_name(self, name: impl Into<String>) -> Self {
        Self {
            application_name: name.into(),
            ..self
        }
    }

    /// Whether connections are encrypted, and whom they trust. Default: [`SslMode::Prefer`].
    pub fn sslmode(self, sslmode: SslMode) -> Self {
        Self { sslmode, ..self }
    }

    /// A file with the certificates of the authorities to trust, in PEM, for [`SslMode::VerifyFull`]; with any other mode
    /// opening refuses it, for nobody would look at it. Default: those that the operating system trusts.
    pub fn sslrootcert(self, file: impl Into<PathBuf>) -> Self {
        Self {
            sslrootcert: Some(file.into()),
            ..self
        }
    }

    /// The table of the sessions, with the name of its schema and a dot before it if it is not on the search path.
    /// Default: `fasthttpsession`. What could be more than a name is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn table(self, name: &str) -> Result<Self, StoreError> {
        let table = TableName::new(name)?;
        Ok(Self { table, ..self })
    }

    /// Whether opening makes the table, or brings it up to date. Default: no, because a service should not need the
    /// right to.
    pub fn migrate(self, migrate: bool) -> Self {
        Self { migrate, ..self }
    }

    /// Whether statements are prepared once a connection, and time-outs are set with it. Default: yes. Behind a pooler
    /// that gives each transaction another connection, such as `PgBouncer` with `pool_mode = transaction`, it must be
    /// off: then each statement is sent whole, and the server's own time-outs are up to the role's settings.
    pub fn prepared(self, prepared: bool) -> Self {
        Self { prepared, ..self }
    }

    /// The most connections; 0 counts as 1. Default: 8. One is in use for the time of one statement, which serves many
    /// sessions; a few are enough for any load of a process.
    ///
    /// The server needs room for those of all processes, in a rollout of both versions: twelve, and three more for a while,
    /// have 120, and PostgreSQL takes 100 by default.
    ///
    /// Each tokio runtime of a program uses those that it has opened itself, as long as there may be more. With fewer
    /// connections than runtimes, a call may go by way of another runtime, which wakes both; by way of one that does not run
    /// at present, such as one of a single thread outside of `block_on`, none goes. What such a runtime has stopped in the
    /// middle of keeps its connection, until it runs again or ends.
    pub fn max_connections(self, connections: usize) -> Self {
        Self {
            max_connections: connections,
            ..self
        }
    }

    /// The most connections that stay open while nobody uses them. Default: 8, all of them, because opening one takes
    /// the server some milliseconds. If there are more, those that have lain unused for ten seconds are closed, within
    /// another ten.
    pub fn idle_connections(self, connections: usize) -> Self {
        Self {
            idle_connections: connections,
            ..self
        }
    }

    /// How long making a connection may take, encryption and password included. Default: 5 s. Of several servers each has
    /// its share, so that one that does not answer is passed over.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        Self {
            connect_timeout: timeout,
            ..self
        }
    }

    /// How long an operation waits for a connection, a new one included. Default: 5 s.
    pub fn pool_timeout(self, timeout: Duration) -> Self {
        Self {
            pool_timeout: timeout,
            ..self
        }
    }

    /// How long the answer to a statement may take; the server gives up after nine tenths of it by itself. Default: 5
    /// s. An operation answers within this and [`pool_timeout`](Self::pool_timeout) together.
    pub fn statement_timeout(self, timeout: Duration) -> Self {
        Self {
            statement_timeout: timeout,
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

    /// How many records one statement of a purge in the background looks at; 0 counts as 1. Default: 1000.
    pub fn purge_batch(self, purge_batch: usize) -> Self {
        Self {
            purge_batch,
            ..self
        }
    }

    /// Connects, and checks the table or makes it. Needs a tokio runtime.
    ///
    /// A table that is missing or not as this version needs it, a refused password and the like are errors of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) that say what would mend them; a server
    /// that does not answer is [`Unavailable`](fasthttpsession_core::StoreErrorKind::Unavailable) or
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout).
    pub async fn open(self) -> Result<PostgresStore, StoreError> {
        if self.sslrootcert.is_some() && self.sslmode != SslMode::VerifyFull {
            return Err(misconfigured(
                "sslrootcert is of use with sslmode=verify-full only: set that, for nothing else looks at the server's \
                 certificate, or leave sslrootcert out",
            ));
        }
        let connector = Box::new(Connector::new(&self)?);
        let pool = RuntimePool::new(self.max_connections, self.idle_connections);
        self.open_with(Source::Own(pool, connector)).await
    }

    /// Opens a store on connections of your own. Of the settings, `table`, `migrate`, `prepared`, the time-outs of pool
    /// and statement, and purging count; time-outs on the server are up to you. It uses as many connections as the pool
    /// may have when the store is opened.
    pub async fn open_on(self, pool: Pool) -> Result<PostgresStore, StoreError> {
        self.open_with(Source::shared(pool)).await
    }

    async fn open_with(self, source: Source) -> Result<PostgresStore, StoreError> {
        let waits = Waits {
            connection: self.pool_timeout,
            statement: self.statement_timeout,
        };
        let connections = Connections::new(source, waits, self.prepared);
        PostgresStore::open(self, connections).await
    }
}

impl Default for PostgresConfig {
    fn default() -> Self {
        const PATIENCE: Duration = Duration::from_secs(5);
        Self {
            host: Hosts::default(),
            port: 5432,
            user: None,
            password: None,
            database: None,
            application_name: "fasthttpsession".to_owned(),
            sslmode: SslMode::default(),
            sslrootcert: None,
            table: TableName::default(),
            migrate: false,
            prepared: true,
            max_connections: 8,
            idle_connections: 8,
            connect_timeout: PATIENCE,
            pool_timeout: PATIENCE,
            statement_timeout: PATIENCE,
            purge_every: Purging::DEFAULT.every,
            purge_batch: Purging::DEFAULT.batch,
        }
    }
}

/// Who, where and which database. What may be a part of a password is not shown.
fn place(url: &str, place: &str) -> Result<tokio_postgres::Config, StoreError> {
    let Some(("postgres" | "postgresql", _)) = place.split_once("://") else {
        return Err(misconfigured(
            "the URL of a postgres store begins with postgres:// or postgresql://",
        ));
    };
    let settings = &url[place.len()..];
    let first = settings.split(['=', '&']).next().unwrap_or(settings);
    if first.contains('@') {
        return Err(misconfigured(
            "the URL of a postgres store can't be read: a ? before the host is written %3F",
        ));
    }
    // The driver takes the first for the last of the password, and asks for the rest by name.
    if place.matches('@').count() > 1 {
        return Err(misconfigured(
            "the URL of a postgres store can't be read: an @ in user, password or database is written %40",
        ));
    }
    place.parse().map_err(|error: tokio_postgres::Error| {
        let cause = cause(&error);
        misconfigured(format!(
            "the URL of a postgres store can't be read: {cause}"
        ))
    })
}
