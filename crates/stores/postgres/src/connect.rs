//! Making connections: whom to ask, how to encrypt, what to tell the server, and how many stay open.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, QueueMode};
use fasthttpsession_core::StoreError;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, Error};

use crate::config::PostgresConfig;
use crate::error::misconfigured;
use crate::tls::Tls;

/// How often connections that nobody uses are counted.
const REAP_EVERY: Duration = Duration::from_secs(10);
/// How often a silent connection is asked whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A pool with these settings, and what closes those of its connections that nobody uses.
pub(crate) fn pool(config: &PostgresConfig) -> Result<(Pool, Reaper), StoreError> {
    let connector = Connector {
        tls: Tls::new(config)?,
        limit: config.connect_timeout,
    };
    let manager = Manager::from_connect(server(config), connector, ManagerConfig::default());
    let pool = Pool::builder(manager)
        .max_size(config.max_connections.max(1))
        // The one used last: its process at the server has at hand what the next statement needs.
        .queue_mode(QueueMode::Lifo)
        .build()
        .map_err(|error| misconfigured("the pool can't be made").with_source(error))?;
    let reaper = Reaper::start(pool.clone(), config.idle_connections);
    Ok((pool, reaper))
}

/// What the driver is told.
fn server(config: &PostgresConfig) -> Config {
    let mut server = Config::new();
    config.host.add_to(&mut server, config.port);
    server
        .application_name(&config.application_name)
        .connect_timeout(config.connect_timeout)
        .keepalives_idle(KEEPALIVE)
        .ssl_mode(config.sslmode.into());
    if let Some(user) = &config.user {
        server.user(user);
    }
    if let Some(password) = &config.password {
        server.password(password);
    }
    if let Some(database) = &config.database {
        server.dbname(database);
    }
    if config.host.are_several() {
        server.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if config.prepared {
        server.options(server_timeout(config.statement_timeout));
    }
    server
}

/// The server gives up first: then it is certain that a statement had no effect.
fn server_timeout(statement: Duration) -> String {
    let millis = (statement * 9 / 10).as_millis().clamp(1, i32::MAX as u128);
    format!("-c statement_timeout={millis}")
}

/// Makes connections within a limit.
struct Connector {
    tls: Tls,
    limit: Duration,
}

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + 'a>>;

impl Connect for Connector {
    fn connect(&self, config: &Config) -> Connecting<'_> {
        let config = config.clone();
        Box::pin(async move {
            timeout(self.limit, self.tls.connect(&config))
                .await
                .unwrap_or_else(|_| Err(Error::__private_api_timeout()))
        })
    }
}

/// Closes connections that nobody uses, those unused for longest first, as long as it is there.
pub(crate) struct Reaper(JoinHandle<()>);

impl Reaper {
    fn start(pool: Pool, idle: usize) -> Self {
        Self(tokio::spawn(async move {
            let mut ticks = interval(REAP_EVERY);
            loop {
                ticks.tick().await;
                // Those used last lie last.
                let mut surplus = pool.status().available.saturating_sub(idle);
                pool.retain(|_, _| {
                    let keep = surplus == 0;
                    surplus = surplus.saturating_sub(1);
                    keep
                });
            }
        }))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.0.abort();
    }
}
