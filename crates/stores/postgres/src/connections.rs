//! Connections: a statement is sent on one that nobody else uses, and every wait for one or on one has an end.

use std::future::Future;
use std::time::Duration;

use deadpool_postgres::{Client, Pool, PoolError};
use fasthttpsession_core::StoreError;
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use crate::connect::Reaper;
use crate::error::{abandoned, failed, not_connected, spoils_connection, timed_out};
use crate::statements::Statement;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    /// For a connection, a new one included.
    pub(crate) connection: Duration,
    /// For the answer to a statement.
    pub(crate) statement: Duration,
}

/// The connections of a store.
pub(crate) struct Connections {
    pool: Pool,
    waits: Waits,
    prepared: bool,
    /// The right to wait for a row that another transaction holds, on a connection that waits with it.
    patience: Semaphore,
    _reaper: Option<Reaper>,
}

impl Connections {
    pub(crate) fn new(pool: Pool, waits: Waits, prepared: bool) -> Self {
        let patience = Semaphore::new(waiting_of(pool.status().max_size));
        Self {
            pool,
            waits,
            prepared,
            patience,
            _reaper: None,
        }
    }

    /// Keeps `reaper` as long as these connections.
    pub(crate) fn keeping(self, reaper: Reaper) -> Self {
        Self {
            _reaper: Some(reaper),
            ..self
        }
    }

    /// How many connections there may be.
    pub(crate) fn most(&self) -> usize {
        self.pool.status().max_size
    }

    /// How many may be in use for statements that wait for no row: those that the others leave, or the only one.
    pub(crate) fn most_in_haste(&self) -> usize {
        self.most().saturating_sub(waiting_of(self.most())).max(1)
    }

    /// The answer of one statement.
    pub(crate) async fn rows(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let client = self.checkout().await?;
        let answer = timeout(self.waits.statement, async {
            if self.prepared {
                prepared(&client, statement, parameters).await
            } else {
                unnamed(&client, statement, parameters).await
            }
        })
        .await;
        judge(client, answer)
    }

    /// [`rows`](Self::rows) of a statement that may wait for a row which another transaction holds. A few at a time
    /// may, so that connections are left for all others.
    pub(crate) async fn rows_patiently(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let _permit = timeout(self.waits.connection, self.patience.acquire())
            .await
            .map_err(|_| timed_out("waiting for others that wait for a row").not_applied())?
            .map_err(|_| abandoned())?;
        self.rows(statement, parameters).await
    }

    /// Sends several statements as one text, for the schema alone.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let client = self.checkout().await?;
        let answer = timeout(self.waits.statement, client.batch_execute(sql)).await;
        judge(client, answer)
    }

    /// A connection, made if need be.
    async fn checkout(&self) -> Result<Client, StoreError> {
        match timeout(self.waits.connection, self.pool.get()).await {
            Ok(Ok(client)) => Ok(client),
            Ok(Err(error)) => Err(no_connection(error)),
            Err(_) => Err(timed_out("waiting for a connection to postgres").not_applied()),
        }
    }

    /// Runs `work` to its end, whoever gives up waiting for it: so no connection goes back with an answer under way.
    pub(crate) fn finish<T: Send + 'static>(
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        let work = tokio::spawn(work);
        async { work.await.unwrap_or_else(|_| Err(abandoned())) }
    }
}

/// How many of so many connections may be in use for statements that wait for rows: a quarter.
fn waiting_of(most: usize) -> usize {
    (most / 4).max(1)
}

/// Gives the connection back, unless an answer is still to come on it or nothing sensible is.
fn judge<T>(client: Client, answer: Result<Result<T, Error>, Elapsed>) -> Result<T, StoreError> {
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            if spoils_connection(&error) {
                drop(Client::take(client));
            }
            Err(failed(error))
        }
        Err(_) => {
            drop(Client::take(client));
            Err(timed_out("the answer of postgres"))
        }
    }
}

async fn prepared(
    client: &Client,
    statement: &Statement,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let prepared = client
        .prepare_typed_cached(&statement.sql, statement.types)
        .await?;
    client.query(&prepared, parameters).await
}

async fn unnamed(
    client: &Client,
    statement: &Statement,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Row>, Error> {
    let typed: Vec<_> = parameters
        .iter()
        .copied()
        .zip(statement.types.iter().cloned())
        .collect();
    client.query_typed(&statement.sql, &typed).await
}

fn no_connection(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => not_connected(error),
        error => timed_out("waiting for a connection to postgres")
            .with_source(error)
            .not_applied(),
    }
}
