//! A connection that comes back: opened when it is first needed, and again when it was lost, with a growing pause
//! between attempts that fail. Never sends a command twice.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fasthttpsession_core::{StoreError, StoreErrorKind};
use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use redis::{Cmd, Value};

use crate::connect::{Connection, Connector};
use crate::error::{store_error, unreachable};
use crate::place::Address;
use crate::sentinel::Sentinels;

/// The longest pause after the first attempt that failed; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest of all.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where a link leads.
#[derive(Clone)]
pub(crate) enum Target {
    /// Always there.
    Fixed(Address),
    /// To whom the sentinels name at the time of connecting.
    Primary(Arc<Sentinels>),
}

/// One connection to one target.
pub(crate) struct Link(Arc<Inner>);

struct Inner {
    target: Target,
    connector: Arc<Connector>,
    state: Mutex<State>,
}

enum State {
    /// There is none, and the next one who needs one opens it. So many attempts have failed since the last success.
    Down {
        failures: u32,
    },
    Opening(Opening),
    Up(Arc<Connection>),
    /// An attempt has failed; whoever needs one before `until` is told the same.
    Pausing {
        failures: u32,
        until: Instant,
        error: StoreError,
    },
}

type Opening = Shared<BoxFuture<'static, Result<Arc<Connection>, StoreError>>>;

impl Link {
    pub(crate) fn new(target: Target, connector: Arc<Connector>) -> Self {
        Self(Arc::new(Inner {
            target,
            connector,
            state: Mutex::new(State::Down { failures: 0 }),
        }))
    }

    /// Sends `commands` in one go, and returns the answers; some may be errors of the server. An error that is not
    /// [`may_have_applied`](StoreError::may_have_applied) means that nothing was sent.
    pub(crate) async fn send(&self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        let connection = self.connection().await?;
        let answers = connection.send(commands).await;
        let answers = answers.map_err(|error| {
            // Also after a time-out: a host that is gone never says so, and a server that hangs has a new connection to
            // prove that it no longer does.
            self.0.lose(&connection);
            store_error(&error)
        })?;
        if answers.iter().any(is_of_a_replica) {
            self.0.lose(&connection);
        }
        Ok(answers)
    }

    /// Whether nothing is sent at present, because the last attempt to connect failed a short while ago.
    pub(crate) fn is_pausing(&self) -> bool {
        matches!(&*self.0.state(), State::Pausing { until, .. } if Instant::now() < *until)
    }

    /// A connection that seems to work.
    pub(crate) async fn connection(&self) -> Result<Arc<Connection>, StoreError> {
        let opening = match &mut *self.0.state() {
            State::Up(connection) if self.0.target.is_at(connection) => {
                return Ok(Arc::clone(connection));
            }
            State::Pausing { until, error, .. } if Instant::now() < *until => {
                return Err(error.clone());
            }
            // One that was answered and is still here was cut off: the runtime ended that it was in.
            State::Opening(opening) if opening.peek().is_none() => opening.clone(),
            state => {
                let failures = match state {
                    State::Down { failures } | State::Pausing { failures, .. } => *failures,
                    State::Up(_) | State::Opening(_) => 0,
                };
                let opening = self.0.clone().open(failures);
                *state = State::Opening(opening.clone());
                opening
            }
        };
        let waiting = tokio::time::timeout(self.0.connector.connect_timeout, opening);
        waiting.await.unwrap_or_else(|_| {
            let message = "waiting for a connection to Redis: none within the limit";
            Err(StoreError::new(StoreErrorKind::Timeout, message).not_applied())
        })
    }
}

impl Inner {
    /// Opens in a task of its own, so that whoever waits for it may be dropped.
    fn open(self: Arc<Self>, failures: u32) -> Opening {
        let task = tokio::spawn(async move {
            let outcome = self.target.open(&self.connector).await.map(Arc::new);
            *self.state() = match &outcome {
                Ok(connection) => State::Up(Arc::clone(connection)),
                Err(error) => pausing(failures, error.clone()),
            };
            outcome
        });
        let opened = task.map(|ended| {
            ended.unwrap_or_else(|_| Err(unreachable("the runtime that was connecting has ended")))
        });
        opened.boxed().shared()
    }

    /// Has the next one open another, unless that was done.
    fn lose(&self, lost: &Arc<Connection>) {
        let mut state = self.state();
        if matches!(&*state, State::Up(connection) if Arc::ptr_eq(connection, lost)) {
            *state = State::Down { failures: 0 };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target {
    async fn open(&self, connector: &Connector) -> Result<Connection, StoreError> {
        match self {
            Self::Fixed(address) => connector.open(address).await,
            Self::Primary(sentinels) => sentinels.open_primary(connector).await,
        }
    }

    /// Whether `connection` still leads there.
    fn is_at(&self, connection: &Connection) -> bool {
        !connection.has_ended()
            && match self {
                Self::Fixed(_) => true,
                Self::Primary(sentinels) => sentinels.still_name(&connection.address),
            }
    }
}

fn pausing(failures: u32, error: StoreError) -> State {
    State::Pausing {
        failures: failures + 1,
        until: Instant::now() + pause(failures),
        error,
    }
}

/// Shortened at random by up to half, so that not all clients of a server that is back come at once.
fn pause(failures: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(10));
    let longest = longest.min(LONGEST_PAUSE);
    longest.mul_f64(0.5 + fastrand::f64() / 2.0)
}

/// Whether a server that should be a primary has become a replica.
pub(crate) fn is_of_a_replica(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.code() == "READONLY" || error.details().is_some_and(|detail| detail.contains("READONLY")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_differ() {
        for (failures, millis) in [(0, 50), (1, 100), (4, 800), (5, 1_000), (u32::MAX, 1_000)] {
            let longest = Duration::from_millis(millis);
            let pauses: HashSet<_> = (0..100).map(|_| pause(failures)).collect();
            assert!(pauses.len() > 50, "{pauses:?}");
            let (least, most) = (pauses.iter().min(), pauses.iter().max());
            assert!(
                least >= Some(&(longest / 2)) && most <= Some(&longest),
                "{pauses:?}"
            );
            assert!(most > Some(&longest.mul_f64(0.8)), "{pauses:?}");
        }
    }
}
