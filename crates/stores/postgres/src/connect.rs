//! Making connections: whom to ask, how to encrypt, what to tell the server.

use std::time::Duration;

use fasthttpsession_core::StoreError;
use tokio::time::{Instant, timeout};
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

use crate::config::PostgresConfig;
use crate::connection::Connection;
use crate::error::{not_connected, timed_out};
use crate::host::place;
use crate::tls::Tls;

/// How often a silent connection is asked whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Makes connections, with these settings.
pub(crate) struct Connector {
    /// In the order in which they are asked.
    servers: Vec<Config>,
    tls: Tls,
    limit: Duration,
}

impl Connector {
    pub(crate) fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        Ok(Self {
            servers: config.host.each(&server(config), config.port),
            tls: Tls::new(config)?,
            limit: config.connect_timeout,
        })
    }

    /// One, within `limit`, which is looked after in the runtime that this is called in: to the first server that takes it.
    /// Each has its share of the time that is left, for one that is silent must leave some to the others. If none takes it,
    /// what each said is told, as an error of the kind of the last.
    pub(crate) async fn connect(&self, limit: Duration) -> Result<Connection, StoreError> {
        let (began, limit) = (Instant::now(), limit.min(self.limit));
        let mut failed: Option<StoreError> = None;
        for (at, server) in self.servers.iter().enumerate() {
            let left = u32::try_from(self.servers.len() - at).unwrap_or(u32::MAX);
            let share = limit.saturating_sub(began.elapsed()) / left;
            match self.connect_to(server, share).await {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    failed = Some(match failed {
                        None => error,
                        Some(before) => {
                            let both = format!("{before}; {error}");
                            StoreError::new(error.kind(), both).not_applied()
                        }
                    });
                }
            }
        }
        Err(failed.unwrap_or_else(|| timed_out("connecting to postgres").not_applied()))
    }

    async fn connect_to(&self, server: &Config, limit: Duration) -> Result<Connection, StoreError> {
        // Boxed, for it is rarely made and large.
        match timeout(limit, Box::pin(self.tls.connect(server))).await {
            Ok(connected) => connected.map_err(|error| not_connected(&place(server), &error)),
            Err(_) => Err(timed_out(&format!("connecting to {}", place(server))).not_applied()),
        }
    }
}

/// What the driver is told, whichever server it connects to.
fn server(config: &PostgresConfig) -> Config {
    let mut server = Config::new();
    server
        .application_name(&config.application_name)
        .keepalives_idle(KEEPALIVE)
        // A name may lead to a standby, which has not yet heard of the last logouts.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .ssl_mode(config.sslmode.into());
    if let Some(user) = &config.user {
        server.user(user);
    }
    if let Some(password) = &config.password {
        server.password(password.as_bytes());
    }
    if let Some(database) = &config.database {
        server.dbname(database);
    }
    if config.prepared {
        server.options(settings(config.statement_timeout));
    }
    server
}

/// The server gives up first: then it is certain that a statement had no effect. And it refuses none because a row changed
/// that the statement waited for, whatever is usual in the database.
fn settings(statement: Duration) -> String {
    let millis = (statement.as_millis() * 9 / 10).clamp(1, i32::MAX as u128);
    format!("-c statement_timeout={millis} -c default_transaction_isolation=read\\ committed")
}
