//! Connections that read. A read of one session is done in place, on the thread of the task that asks: from the cache it
//! takes less than handing it to another thread and back. What may take long goes to the runtime's blocking threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::{Pace, Turn, Turns, in_runtime};
use rusqlite::Connection;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::error::{abandoned, store_error, timed_out};
use crate::statements::Statements;

/// Something to read.
pub(crate) trait Query: Send + Sync + 'static {
    type Answer: Send + 'static;

    /// As in "loading a session".
    const DOING: &'static str;

    fn run(&self, db: &Connection, sql: &Statements) -> Result<Self::Answer, StoreError>;
}

/// Connections for reads, each for one read at a time.
pub(crate) struct Readers {
    /// One for each connection in `idle`.
    turns: Arc<Turns>,
    idle: Mutex<Vec<Connection>>,
    sql: Arc<Statements>,
    /// How long to wait for a connection, for a lock of another process, or for an answer.
    patience: Duration,
    pace: Pace,
}

impl Readers {
    pub(crate) fn new(
        connections: Vec<Connection>,
        sql: Arc<Statements>,
        patience: Duration,
    ) -> Self {
        Self {
            turns: Arc::new(Turns::new(connections.len())),
            idle: Mutex::new(connections),
            sql,
            patience,
            pace: Pace::default(),
        }
    }

    /// Reads on this thread, unless reads have been slow of late or a lock is in the way.
    pub(crate) async fn read_in_place<Q: Query>(
        self: &Arc<Self>,
        query: Q,
    ) -> Result<Q::Answer, StoreError> {
        if !self.pace.is_slow() {
            let lease = self.lease::<Q>().await?;
            match lease.read(&query, Duration::ZERO) {
                Err(error) if error.kind() == StoreErrorKind::Timeout => {}
                answer => return answer,
            }
        }
        self.read_aside(query).await
    }

    /// Reads on a thread that may wait.
    pub(crate) async fn read_aside<Q: Query>(
        self: &Arc<Self>,
        query: Q,
    ) -> Result<Q::Answer, StoreError> {
        in_runtime("SQLite")?;
        let lease = self.lease::<Q>().await?;
        let patience = self.patience;
        let answer = spawn_blocking(move || lease.read(&query, patience));
        match timeout(self.patience, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(abandoned(Q::DOING)),
            Err(_) => Err(timed_out(Q::DOING)),
        }
    }

    async fn lease<Q: Query>(self: &Arc<Self>) -> Result<Lease, StoreError> {
        let turn = if let Some(turn) = self.turns.turn_now() {
            turn
        } else {
            in_runtime("SQLite")?;
            timeout(self.patience, self.turns.turn())
                .await
                .map_err(|_| timed_out(Q::DOING))?
        };
        let connection = self.lock().pop();
        let connection = connection.ok_or_else(|| abandoned(Q::DOING))?;
        Ok(Lease {
            connection: Some(connection),
            readers: Arc::clone(self),
            _turn: turn,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection for one read. Dropped, it goes back.
struct Lease {
    /// There until this is dropped.
    connection: Option<Connection>,
    readers: Arc<Readers>,
    // Passed on after the connection is back: fields are dropped after `drop`.
    _turn: Turn,
}

impl Lease {
    /// Waits at most `patience` for a lock that is in the way.
    fn read<Q: Query>(&self, query: &Q, patience: Duration) -> Result<Q::Answer, StoreError> {
        let db = self
            .connection
            .as_ref()
            .expect("a lease has its connection until it is dropped");
        db.busy_timeout(patience)
            .map_err(|error| store_error(Q::DOING, error))?;
        let begun = Instant::now();
        let answer = query.run(db, &self.readers.sql);
        self.readers.pace.note(begun.elapsed());
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.readers.lock().extend(self.connection.take());
    }
}
