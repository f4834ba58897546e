//! The real servers, each behind proxies.

use std::any::Any;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fasthttpsession::{AnyStore, ConnectError, connect};
use fasthttpsession_faults::Proxy;
use fasthttpsession_servers::{Mariadb, Memcached, Postgres, Redis};

/// Whose store is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Redis,
    Memcached,
    Postgres,
    Mariadb,
}

/// A place for sessions on a server that stays up, and that nobody else uses.
pub(crate) struct Site {
    url: String,
    /// The names of the settings that limit how long something may take.
    limits: &'static [&'static str],
    /// How many times as much time as others it needs: Postgres starts a process for each connection.
    slowness: u32,
    server: SocketAddr,
    /// So that it is there as long as the site.
    _server: Box<dyn Any + Send + Sync>,
}

/// The settings that limit how long something may take, of stores without a pool, and with one.
const PLAIN: &[&str] = &["connect_timeout_ms", "response_timeout_ms"];
const POOLED: &[&str] = &[
    "connect_timeout_ms",
    "pool_timeout_ms",
    "statement_timeout_ms",
];

/// How long opening a store may take.
const OPENING: Duration = Duration::from_secs(20);

impl Backend {
    /// A new place, whose tables are there.
    pub(crate) async fn site(self) -> Result<Site, String> {
        let prefix = format!("prefix=faults-{:016x}:", fastrand::u64(..));
        // Nothing goes to the server but what a test asks for.
        let quiet = "purge_every_ms=0&max_connections=2";
        let site = match self {
            Self::Redis => {
                let server = Redis::shared();
                Site::new(&server.url(), &prefix, PLAIN, server.port(), server)
            }
            Self::Memcached => {
                let server = Memcached::shared();
                Site::new(&server.url(), &prefix, PLAIN, server.port(), server)
            }
            Self::Postgres => {
                let database = Postgres::shared().database();
                let port = database.server().port();
                Site::new(&database.url(), quiet, POOLED, port, database)
            }
            Self::Mariadb => {
                let database = Mariadb::shared().database();
                let port = database.server().port();
                Site::new(&database.url(), quiet, POOLED, port, database)
            }
        };
        let slowness = if self == Self::Postgres { 2 } else { 1 };
        let site = Site { slowness, ..site };
        if site.limits == POOLED {
            open(&format!("{}&migrate=true", site.url)).await?;
        }
        Ok(site)
    }
}

/// Opens the store at `url`, on a network that works. On a machine that has much to do that may take several attempts
/// with short limits.
pub(crate) async fn open(url: &str) -> Result<AnyStore, String> {
    let begun = Instant::now();
    loop {
        match connect(url).await {
            Ok(store) => return Ok(store),
            Err(ConnectError::Store(error))
                if error.is_retryable() && begun.elapsed() < OPENING => {}
            Err(error) => return Err(format!("the store can't be opened: {error}")),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Site {
    fn new(
        url: &str,
        setting: &str,
        limits: &'static [&'static str],
        port: u16,
        server: impl Any + Send + Sync,
    ) -> Self {
        Self {
            url: format!("{url}?{setting}"),
            limits,
            slowness: 1,
            server: SocketAddr::from(([127, 0, 0, 1], port)),
            _server: Box::new(server),
        }
    }

    /// Its URL without a proxy, with the default limits.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Another proxy to it.
    pub(crate) fn proxy(&self) -> Proxy {
        Proxy::start(self.server)
    }

    /// `limit`, or more for those who need it.
    pub(crate) fn limit(&self, limit: Duration) -> Duration {
        limit * self.slowness
    }

    /// Its URL through `proxy`, with [`limit`](Self::limit) for whatever may take time.
    pub(crate) fn url_behind(&self, proxy: &Proxy, limit: Duration) -> String {
        let millis = self.limit(limit).as_millis();
        let limits = self
            .limits
            .iter()
            .map(|setting| format!("&{setting}={millis}"));
        proxy.url(&self.url) + &limits.collect::<String>()
    }
}
