//! Connections: how one is had, how long it may take to answer, and in what state it goes back.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::{Pooled, RuntimePool, Taken, Turn, Turns};
use futures_util::FutureExt as _;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Params, Pool, Row, Value};
use tokio::sync::oneshot;
use tokio::task;
use tokio::time::{Instant, timeout};

use crate::connection::Connection;
use crate::error::{Failure, timed_out, unopened};

/// A connection that was in use a moment ago is used again without a question.
const MOMENT: Duration = Duration::from_millis(50);

/// The longest that MariaDB waits for a row; MySQL, ten times as long. More is an error or a warning.
const LONGEST_LOCK_WAIT: Duration = Duration::from_secs(100_000_000);

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    /// For a connection, a new one included.
    pub(crate) pool: Duration,
    /// For a new connection, whoever still wants it.
    pub(crate) connect: Duration,
    /// For the answers of one operation, from when it has its connection.
    pub(crate) statement: Duration,
}

impl Waits {
    /// For what others hold on the server, in whole seconds: a second less than this side waits, so that the server says
    /// what was in the way, and at least 1.
    pub(crate) fn on_server(self) -> u64 {
        let wait = self.statement.saturating_sub(Duration::from_secs(1));
        wait.min(LONGEST_LOCK_WAIT).as_secs().max(1)
    }

    /// For an operation as a whole.
    pub(crate) fn total(self) -> Duration {
        self.pool.saturating_add(self.statement)
    }
}

/// The way to the server.
pub(crate) struct Link {
    source: Source,
    waits: Waits,
}

/// Where connections come from.
enum Source {
    /// Nobody else uses them.
    Own(Arc<Own>),
    /// The application's, of which so many may be in use. Nobody has to wait inside the pool, unless it is for the
    /// application: there, a waiter who gives up in the moment that it is woken leaves the others asleep.
    Shared(Pool, Arc<Turns>),
}

struct Own {
    pool: RuntimePool<Connection>,
    options: Opts,
}

impl Link {
    /// By at most `most` connections that nobody else uses, of which `idle` stay open unused.
    pub(crate) fn new(options: Opts, most: usize, idle: usize, waits: Waits) -> Self {
        let pool = RuntimePool::new(most, idle);
        let source = Source::Own(Arc::new(Own { pool, options }));
        Self { source, waits }
    }

    /// By at most `most` connections of a pool of the application's.
    pub(crate) fn shared(pool: Pool, most: usize, waits: Waits) -> Self {
        let source = Source::Shared(pool, Arc::new(Turns::new(most)));
        Self { source, waits }
    }

    pub(crate) fn waits(&self) -> Waits {
        self.waits
    }

    /// A connection for `doing` (as in "loading a session").
    pub(crate) async fn lease(&self, doing: &str) -> Result<Lease, Failure> {
        let client = self.client(doing).await.map_err(Failure::Unsent)?;
        Ok(Lease {
            client: Some(client),
            since: Instant::now(),
            limit: self.waits.statement,
        })
    }

    /// The rows of a statement that stands alone.
    pub(crate) async fn rows(
        &self,
        doing: &str,
        sql: &str,
        values: impl Into<Vec<Value>>,
    ) -> Result<Vec<Row>, StoreError> {
        let asked = async {
            let mut lease = self.lease(doing).await?;
            let rows = lease.rows(sql, values).await?;
            lease.finish();
            Ok(rows)
        };
        asked.await.map_err(|failure: Failure| failure.of(doing))
    }

    async fn client(&self, doing: &str) -> Result<Client, StoreError> {
        let began = Instant::now();
        match &self.source {
            Source::Own(own) => {
                let turn = self.free(doing, own.pool.turn()).await?;
                let own = Arc::clone(own);
                match own.take(turn).await {
                    Taken::Unused(conn) if conn.unused_for() < MOMENT => Ok(Client::Own(conn)),
                    taken => {
                        let connecting = async move { own.connected(taken).await.map(Client::Own) };
                        self.connect(doing, began, Box::pin(connecting)).await
                    }
                }
            }
            Source::Shared(pool, turns) => {
                let turn = self.free(doing, turns.turn()).await?;
                let mut opening = Box::pin(task::unconstrained(pool.get_conn()));
                if let Some(opened) = opening.as_mut().now_or_never() {
                    let opened = opened.map_err(|error| unopened(doing, error));
                    return opened.map(|conn| Client::Shared(conn, turn));
                }
                let connecting = async move { Ok(Client::Shared(opening.await?, turn)) };
                self.connect(doing, began, connecting).await
            }
        }
    }

    /// Waits for the right to use a connection.
    async fn free<T>(&self, doing: &str, right: impl Future<Output = T>) -> Result<T, StoreError> {
        timeout(self.waits.pool, right).await.map_err(|_| {
            let sentence = format!("{doing}: no connection was free within the limit");
            StoreError::new(StoreErrorKind::Timeout, sentence).not_applied()
        })
    }

    /// A task of its own makes the connection, and leaves it to others should nobody want it any more: a server counts
    /// those who turn away half-way, and ends up refusing them. So who has waited since `began` may give up before it does.
    async fn connect(
        &self,
        doing: &str,
        began: Instant,
        connecting: impl Future<Output = mysql_async::Result<Client>> + Send + 'static,
    ) -> Result<Client, StoreError> {
        let (limit, (answer, answered)) = (self.waits.connect, oneshot::channel());
        tokio::spawn(async move {
            let connected = timeout(limit, connecting).await;
            if let Err(Ok(Ok(unwanted))) = answer.send(connected) {
                unwanted.give_back();
            }
        });
        let left = self.waits.pool.saturating_sub(began.elapsed());
        let place = || self.source.place();
        let late = |_| timed_out(&format!("connecting to {}", place())).not_applied();
        let answered = timeout(left, answered).await.map_err(late)?;
        let connected = answered.map_err(|_| stopped(doing))?.map_err(late)?;
        connected.map_err(|error| unopened(&place(), error))
    }
}

impl Source {
    /// Where connections lead, as far as it is known.
    fn place(&self) -> String {
        match self {
            Self::Own(own) => place(&own.options),
            Self::Shared(..) => "MySQL".to_owned(),
        }
    }
}

fn place(options: &Opts) -> String {
    let (host, port) = (options.ip_or_hostname(), options.tcp_port());
    match options.socket() {
        Some(socket) => socket.to_owned(),
        None if host.contains(':') => format!("[{host}]:{port}"),
        None => format!("{host}:{port}"),
    }
}

impl Own {
    async fn take(&self, turn: Turn) -> Taken<Connection> {
        self.pool.take(turn, |_| true).await
    }

    /// One that lay unused and answers, or a new one.
    async fn connected(
        &self,
        mut taken: Taken<Connection>,
    ) -> mysql_async::Result<Pooled<Connection>> {
        loop {
            let mut conn = match taken {
                Taken::Unused(conn) => conn,
                Taken::Room(room) => {
                    let conn = Conn::new(self.options.clone()).await?;
                    return Ok(room.fill(Connection::new(conn)));
                }
            };
            if conn.ping().await.is_ok() {
                return Ok(conn);
            }
            taken = self.take(conn.close()).await;
        }
    }
}

fn stopped(doing: &str) -> StoreError {
    let sentence = format!("{doing}: the runtime has stopped");
    StoreError::new(StoreErrorKind::Unavailable, sentence).not_applied()
}

/// A connection that nobody else uses.
enum Client {
    Own(Pooled<Connection>),
    Shared(Conn, Turn),
}

impl Client {
    fn give_back(self) {
        match self {
            Self::Own(conn) => conn.give_back(),
            Self::Shared(conn, turn) => drop((conn, turn)),
        }
    }
}

/// A connection in use. It goes back as it is after [`finish`](Self::finish). Dropped, it is closed; if it is the
/// application's and no answer is under way, it is reset instead, which ends its transaction.
pub(crate) struct Lease {
    client: Option<Client>,
    since: Instant,
    /// How long all its answers may take, perhaps for ever.
    limit: Duration,
}

/// What one of several statements did.
pub(crate) struct Done {
    pub(crate) affected: u64,
    pub(crate) rows: Vec<Row>,
}

impl Lease {
    /// The rows of a prepared statement.
    pub(crate) async fn rows(
        &mut self,
        sql: &str,
        values: impl Into<Vec<Value>>,
    ) -> Result<Vec<Row>, Failure> {
        let (conn, left) = self.parts();
        within(left, conn.exec(sql, Params::Positional(values.into()))).await
    }

    /// How many rows a prepared statement changed.
    pub(crate) async fn change(
        &mut self,
        sql: &str,
        values: impl Into<Vec<Value>>,
    ) -> Result<u64, Failure> {
        let (conn, left) = self.parts();
        let changing = conn.exec_drop(sql, Params::Positional(values.into()));
        within(left, changing).await?;
        Ok(conn.affected_rows())
    }

    /// What each of several statements did, which are sent in one message. The first that fails ends it.
    pub(crate) async fn script(&mut self, sql: impl AsRef<str>) -> Result<Vec<Done>, Failure> {
        let (conn, left) = self.parts();
        within(left, run_script(conn, sql.as_ref())).await
    }

    /// Gives the connection back. It is in no transaction and waits for no answer.
    pub(crate) fn finish(mut self) {
        if let Some(client) = self.client.take() {
            client.give_back();
        }
    }

    /// The connection, and how long its answers may still take.
    fn parts(&mut self) -> (&mut Conn, Duration) {
        let left = self.limit.saturating_sub(self.since.elapsed());
        let conn = match &mut self.client {
            Some(Client::Own(conn)) => conn,
            Some(Client::Shared(conn, _)) => conn,
            None => unreachable!("it is there until it is finished"),
        };
        (conn, left)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(Client::Shared(conn, _)) = &mut self.client {
            conn.reset_connection(true);
        }
    }
}

async fn run_script(conn: &mut Conn, sql: &str) -> Result<Vec<Done>, Failure> {
    let mut result = conn.query_iter(sql).await?;
    let mut done = Vec::new();
    loop {
        let affected = result.affected_rows();
        let rows = result.collect().await?;
        done.push(Done { affected, rows });
        if result.is_empty() {
            // So is the result of a statement that the server refused after others: the driver keeps the error until the
            // results are dropped.
            result.drop_result().await.map_err(Failure::Later)?;
            return Ok(done);
        }
    }
}

async fn within<T, E>(
    limit: Duration,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure>
where
    Failure: From<E>,
{
    match timeout(limit, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use fasthttpsession_servers::Mariadb;

    use super::*;

    #[tokio::test]
    async fn a_script_fails_with_any_of_its_statements() {
        let database = Mariadb::shared().database();
        let options = Opts::from_url(&database.url()).expect("it is a URL");
        let mut conn = Conn::new(options).await.expect("the server runs");
        for sql in [
            "SELECT * FROM missing; DO 1",
            "DO 1; SELECT * FROM missing",
            "SELECT 1; SELECT 2; SELECT * FROM missing; DO 1",
        ] {
            assert!(run_script(&mut conn, sql).await.is_err(), "{sql}");
            let next = run_script(&mut conn, "DO 1; SELECT 7").await;
            let next = next.expect("no error is left to the next");
            assert_eq!(next.iter().map(|done| done.rows.len()).sum::<usize>(), 1);
        }
    }
}
