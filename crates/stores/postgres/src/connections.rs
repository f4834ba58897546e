//! Connections: a statement is sent on one that nobody else uses, and every wait for one or on one has an end.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{ClientWrapper, Object, Pool, PoolError};
use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::{Pooled, RuntimePool, Taken, Turn, Turns};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};

use crate::connect::Connector;
use crate::connection::Connection;
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
    source: Source,
    waits: Waits,
    prepared: bool,
    /// The right to wait for a row that another transaction holds, on a connection that waits with it.
    patience: Arc<Turns>,
}

/// Where connections come from.
pub(crate) enum Source {
    Own(RuntimePool<Connection>, Box<Connector>),
    /// The application's, and the right to use one. Nobody has to wait inside the pool, unless it is for the application:
    /// there, who is of a runtime that does not run is handed what others could use.
    Shared(Pool, Arc<Turns>),
}

/// A connection that nobody else uses. Dropped, it is closed or, if it is the application's, goes back.
enum Client {
    Own(Pooled<Connection>),
    Shared(Object, Turn),
}

impl Connections {
    pub(crate) fn new(source: Source, waits: Waits, prepared: bool) -> Self {
        let waiting = waiting_of(source.most());
        let patience = Arc::new(Turns::new(waiting));
        Self {
            source,
            waits,
            prepared,
            patience,
        }
    }

    /// How many connections there may be.
    pub(crate) fn most(&self) -> usize {
        self.source.most()
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
        self.answer(client, statement, parameters).await
    }

    /// [`rows`](Self::rows) of a statement that may wait for a row which another transaction holds. A few at a time
    /// may, so that connections are left for all others.
    pub(crate) async fn rows_patiently(
        &self,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let (client, _patience) = self.checkout_patiently().await?;
        self.answer(client, statement, parameters).await
    }

    async fn answer(
        &self,
        client: Client,
        statement: &Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
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

    /// Sends several statements as one text, for the schema alone.
    pub(crate) async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        let client = self.checkout().await?;
        let answer = timeout(self.waits.statement, client.batch_execute(sql)).await;
        judge(client, answer)
    }

    async fn checkout(&self) -> Result<Client, StoreError> {
        let right = async { (self.source.turn().await, ()) };
        Ok(self.client(right).await?.0)
    }

    /// A connection, and the right to wait for a row on it.
    async fn checkout_patiently(&self) -> Result<(Client, Turn), StoreError> {
        self.client(self.both()).await
    }

    /// A connection, made if need be, and what comes with the right to it.
    async fn client<T>(
        &self,
        right: impl Future<Output = (Turn, T)>,
    ) -> Result<(Client, T), StoreError> {
        let limit = self.waits.connection;
        let began = Instant::now();
        let right = timeout(limit, right).await;
        let (turn, more) = right.map_err(|_| none_in_time())?;
        let left = limit.saturating_sub(began.elapsed());
        Ok((self.source.client(turn, left).await?, more))
    }

    /// The right to a connection and that to wait for a row. Who has one waits for the other without it, for it may be of
    /// a runtime that does not run.
    async fn both(&self) -> (Turn, Turn) {
        loop {
            let patience = self.patience.turn().await;
            if let Some(turn) = self.source.turn_now() {
                return (turn, patience);
            }
            drop(patience);
            let turn = self.source.turn().await;
            if let Some(patience) = self.patience.turn_now() {
                return (turn, patience);
            }
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

impl Source {
    pub(crate) fn shared(pool: Pool) -> Self {
        let turns = Turns::new(pool.status().max_size);
        Self::Shared(pool, Arc::new(turns))
    }

    fn most(&self) -> usize {
        match self {
            Self::Own(pool, _) => pool.most(),
            Self::Shared(pool, _) => pool.status().max_size,
        }
    }

    async fn turn(&self) -> Turn {
        match self {
            Self::Own(pool, _) => pool.turn().await,
            Self::Shared(_, turns) => turns.turn().await,
        }
    }

    fn turn_now(&self) -> Option<Turn> {
        match self {
            Self::Own(pool, _) => pool.turn_now(),
            Self::Shared(_, turns) => turns.turn_now(),
        }
    }

    /// One that is unused, or a new one within `limit`.
    async fn client(&self, turn: Turn, limit: Duration) -> Result<Client, StoreError> {
        let began = Instant::now();
        Ok(match self {
            Self::Own(pool, connector) => {
                Client::Own(match pool.take(turn, |client| !client.is_closed()).await {
                    Taken::Unused(client) => client,
                    Taken::Room(room) => {
                        let left = limit.saturating_sub(began.elapsed());
                        room.fill(connector.connect(left).await?)
                    }
                })
            }
            Self::Shared(pool, _) => {
                let client = timeout(limit, pool.get()).await;
                let client = client.map_err(|_| none_in_time())?;
                Client::Shared(client.map_err(|error| refused(&error))?, turn)
            }
        })
    }
}

impl Client {
    fn give_back(self) {
        match self {
            Self::Own(client) => client.give_back(),
            Self::Shared(client, turn) => drop((client, turn)),
        }
    }

    fn close(self) {
        match self {
            Self::Own(client) => drop(client),
            Self::Shared(client, turn) => drop((Object::take(client), turn)),
        }
    }
}

impl Deref for Client {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        match self {
            Self::Own(client) => client,
            Self::Shared(client, _) => client,
        }
    }
}

/// Gives the connection back, unless an answer is still to come on it or nothing sensible is.
fn judge<T>(client: Client, answer: Result<Result<T, Error>, Elapsed>) -> Result<T, StoreError> {
    match answer {
        Ok(Ok(answer)) => {
            client.give_back();
            Ok(answer)
        }
        Ok(Err(error)) => {
            if spoils_connection(&error) {
                client.close();
            } else {
                client.give_back();
            }
            Err(failed(&error))
        }
        Err(_) => {
            client.close();
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

/// What the application's pool says.
fn refused(error: &PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) => not_connected("postgres", error),
        PoolError::Timeout(_) => none_in_time(),
        error => {
            let sentence = format!("the pool has no connection to postgres: {error}");
            StoreError::new(StoreErrorKind::Unavailable, sentence.trim_end()).not_applied()
        }
    }
}

fn none_in_time() -> StoreError {
    timed_out("waiting for a connection to postgres").not_applied()
}
