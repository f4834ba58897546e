//! Connections: how one is had, how long it may take to answer, and in what state it goes back.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::PerRuntime;
use futures_util::FutureExt;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Params, Pool, Row, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task;
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::{Failure, timed_out};
use crate::warm::Warm;

/// How long to wait for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    /// For a connection that another call uses.
    pub(crate) pool: Duration,
    /// For a new connection.
    pub(crate) connect: Duration,
    /// For the answers of one operation, from when it has its connection.
    pub(crate) statement: Duration,
}

impl Waits {
    /// For an operation as a whole.
    pub(crate) fn total(self) -> Duration {
        self.pool + self.connect + self.statement
    }
}

/// The way to the server.
pub(crate) struct Link {
    pools: Pools,
    /// One for each connection that may be in use, so that nobody has to wait inside the pool: there, a waiter who gives
    /// up in the moment that it is woken leaves the others asleep.
    free: Arc<Semaphore>,
    waits: Waits,
}

/// Where connections come from.
enum Pools {
    /// Nobody else uses them. Each runtime has its own, because a pool is of no more use when the runtime has ended that
    /// looks after it, nor is a connection.
    Own(PerRuntime<(Pool, Warm<Conn>)>),
    /// The application's, whose other users wait there.
    Shared(Pool),
}

impl Link {
    /// By pools that nobody else uses.
    pub(crate) fn new(options: Opts, connections: usize, waits: Waits) -> Self {
        let pools = PerRuntime::new(move || (Pool::new(options.clone()), Warm::new()));
        Self::by(Pools::Own(pools), connections, waits)
    }

    /// By a pool of the application's.
    pub(crate) fn shared(pool: Pool, connections: usize, waits: Waits) -> Self {
        Self::by(Pools::Shared(pool), connections, waits)
    }

    fn by(pools: Pools, connections: usize, waits: Waits) -> Self {
        Self {
            pools,
            free: Arc::new(Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS))),
            waits,
        }
    }

    pub(crate) fn waits(&self) -> Waits {
        self.waits
    }

    /// A connection for `doing` (as in "loading a session").
    pub(crate) async fn lease(&self, doing: &str) -> Result<Lease, Failure> {
        let permit = self.permit(doing).await.map_err(Failure::Unsent)?;
        let (pool, warm) = match &self.pools {
            Pools::Own(pools) => {
                let (pool, warm) = &*pools.get();
                (pool.clone(), Some(warm.clone()))
            }
            Pools::Shared(pool) => (pool.clone(), None),
        };
        let (conn, permit) = if let Some(conn) = warm.as_ref().and_then(Warm::take) {
            (conn, permit)
        } else {
            let connecting = self.connect(doing, pool, permit).await;
            connecting.map_err(Failure::Unsent)?
        };
        Ok(Lease {
            conn: Some(conn),
            deadline: Instant::now() + self.waits.statement,
            warm,
            _permit: permit,
        })
    }

    async fn permit(&self, doing: &str) -> Result<OwnedSemaphorePermit, StoreError> {
        let free = Arc::clone(&self.free).acquire_owned();
        match timeout(self.waits.pool, free).await {
            Ok(permit) => Ok(permit.expect("nobody closes it")),
            Err(_) => Err(StoreError::new(
                StoreErrorKind::Timeout,
                format!("{doing}: no connection was free within the limit"),
            )
            .not_applied()),
        }
    }

    /// Takes a connection out of `pool` if one is there. Otherwise a task of its own opens one or waits for one that
    /// is on its way back, and puts it into the pool should nobody want it any more.
    async fn connect(
        &self,
        doing: &str,
        pool: Pool,
        permit: OwnedSemaphorePermit,
    ) -> Result<(Conn, OwnedSemaphorePermit), StoreError> {
        let mut opening = Box::pin(task::unconstrained(pool.get_conn()));
        if let Some(opened) = opening.as_mut().now_or_never() {
            return opened_by(doing, opened).map(|conn| (conn, permit));
        }
        let limit = self.waits.connect;
        let task = tokio::spawn(async move { (timeout(limit, opening).await, permit) });
        let (opened, permit) = task.await.map_err(|_| stopped(doing))?;
        let opened = opened.map_err(|_| timed_out(doing).not_applied())?;
        opened_by(doing, opened).map(|conn| (conn, permit))
    }
}

fn opened_by(doing: &str, opened: mysql_async::Result<Conn>) -> Result<Conn, StoreError> {
    opened.map_err(|error| Failure::Driver(error).of(doing).not_applied())
}

fn stopped(doing: &str) -> StoreError {
    let sentence = format!("{doing}: the runtime has stopped");
    StoreError::new(StoreErrorKind::Unavailable, sentence).not_applied()
}

/// A connection in use. It goes back as it is after [`finish`](Self::finish). Dropped, it is closed if an answer is under
/// way, and otherwise reset, which ends its transaction.
pub(crate) struct Lease {
    conn: Option<Conn>,
    deadline: Instant,
    warm: Option<Warm<Conn>>,
    _permit: OwnedSemaphorePermit,
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
        let (conn, deadline) = self.parts();
        within(deadline, conn.exec(sql, Params::Positional(values.into()))).await
    }

    /// How many rows a prepared statement changed.
    pub(crate) async fn change(
        &mut self,
        sql: &str,
        values: impl Into<Vec<Value>>,
    ) -> Result<u64, Failure> {
        let (conn, deadline) = self.parts();
        let changing = conn.exec_drop(sql, Params::Positional(values.into()));
        within(deadline, changing).await?;
        Ok(conn.affected_rows())
    }

    /// What each of several statements did, which are sent in one message.
    pub(crate) async fn script(&mut self, sql: impl AsRef<str>) -> Result<Vec<Done>, Failure> {
        let (conn, deadline) = self.parts();
        within(deadline, run_script(conn, sql.as_ref())).await
    }

    /// Gives the connection back. It is in no transaction and waits for no answer.
    pub(crate) fn finish(mut self) {
        if let Some(conn) = self.conn.take()
            && let Some(warm) = &self.warm
        {
            warm.put(conn);
        }
    }

    fn parts(&mut self) -> (&mut Conn, Instant) {
        let conn = self
            .conn
            .as_mut()
            .expect("it is there until it is finished");
        (conn, self.deadline)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(conn) = &mut self.conn {
            conn.reset_connection(true);
        }
    }
}

async fn run_script(conn: &mut Conn, sql: &str) -> mysql_async::Result<Vec<Done>> {
    let mut result = conn.query_iter(sql).await?;
    let mut done = Vec::new();
    loop {
        let affected = result.affected_rows();
        let rows = result.collect().await?;
        done.push(Done { affected, rows });
        if result.is_empty() {
            return Ok(done);
        }
    }
}

async fn within<T>(
    deadline: Instant,
    answer: impl Future<Output = mysql_async::Result<T>>,
) -> Result<T, Failure> {
    match timeout_at(deadline, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::TimedOut),
    }
}
