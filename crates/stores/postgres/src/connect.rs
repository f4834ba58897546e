//! Making connections: whom to ask, how to encrypt, what to tell the server.

use std::time::Duration;

use deadpool_postgres::ClientWrapper;
use fasthttpsession_core::StoreError;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::TargetSessionAttrs;

use crate::config::PostgresConfig;
use crate::error::{not_connected, timed_out};
use crate::tls::Tls;

/// How often a silent connection is asked whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Makes connections, with these settings.
pub(crate) struct Connector {
    server: Config,
    tls: Tls,
    limit: Duration,
}

impl Connector {
    pub(crate) fn new(config: &PostgresConfig) -> Result<Self, StoreError> {
        Ok(Self {
            server: server(config),
            tls: Tls::new(config)?,
            limit: config.connect_timeout,
        })
    }

    /// One, which is looked after in the runtime that this is called in.
    pub(crate) async fn connect(&self) -> Result<ClientWrapper, StoreError> {
        // Boxed, for it is rarely made and large.
        let connecting = Box::pin(self.tls.connect(&self.server));
        match timeout(self.limit, connecting).await {
            Ok(Ok((client, task))) => Ok(ClientWrapper::new(client, task)),
            Ok(Err(error)) => Err(not_connected(error)),
            Err(_) => Err(timed_out("connecting to postgres").not_applied()),
        }
    }
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
