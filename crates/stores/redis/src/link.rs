//! A connection that comes back: opened when it is first needed, and again when it was lost, with a growing pause
//! between attempts that fail. Never sends a command twice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_tcp::pause;
use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use redis::{Cmd, Value};

use crate::connect::{Connection, Connector};
use crate::error::{store_error, unreachable};
use crate::place::Address;
use crate::sentinel::Sentinels;

/// Where a link leads.
#[derive(Clone)]
pub(crate) enum Target {
    /// Always there. Once its server was demoted, its name may lead to another.
    Fixed(Address, Demotions),
    /// To whom the sentinels name at the time of connecting.
    Primary(Arc<Sentinels>),
}

/// How often a server was seen to have become a replica. That refuses writes alone, so links that only read learn of it
/// by this, which all links there share.
#[derive(Clone, Default)]
pub(crate) struct Demotions(Arc<AtomicU64>);

/// One connection to one target.
pub(crate) struct Link(Arc<Inner>);

struct Inner {
    target: Target,
    connector: Arc<Connector>,
    state: Mutex<State>,
}

enum State {
    /// There is none, and the next one who needs one opens it.
    Down,
    Opening(Opening),
    Up(Arc<Up>),
    /// An attempt has failed; whoever needs one before `until` is told the same. So many have since the last success.
    Pausing {
        failures: u32,
        until: Instant,
        error: StoreError,
    },
}

/// A connection that was opened.
struct Up {
    connection: Connection,
    /// How often its server had been demoted before.
    demotions: u64,
    /// How many attempts had failed before, since the last success.
    failures: u32,
    /// Whether it was a success. A greeting is none: what stands before a server may answer that, and nothing else.
    has_answered: AtomicBool,
}

type Opening = Shared<BoxFuture<'static, Result<Arc<Up>, StoreError>>>;

impl Link {
    pub(crate) fn new(target: Target, connector: Arc<Connector>) -> Self {
        Self(Arc::new(Inner {
            target,
            connector,
            state: Mutex::new(State::Down),
        }))
    }

    /// Sends `commands` in one go, and returns the answers; some may be errors of the server. An error that is not
    /// [`may_have_applied`](StoreError::may_have_applied) means that nothing was sent.
    pub(crate) async fn send(&self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        let up = self.up().await?;
        let answers = up.connection.send(commands).await;
        let answers = answers.map_err(|error| {
            let error = store_error(&error);
            // Also after a time-out: a host that is gone never says so, and a server that hangs has a new connection to
            // prove that it no longer does.
            self.0.lose(&up, up.after(&error));
            error
        })?;
        up.note_answer();
        if answers.iter().any(is_of_a_replica) {
            self.0.target.note_demotion(&up);
            self.0.lose(&up, State::Down);
        }
        Ok(answers)
    }

    /// Whether nothing is sent at present, because the last attempt to connect failed a short while ago.
    pub(crate) fn is_pausing(&self) -> bool {
        matches!(&*self.0.state(), State::Pausing { until, .. } if Instant::now() < *until)
    }

    /// A connection that seems to work.
    async fn up(&self) -> Result<Arc<Up>, StoreError> {
        let opening = match &mut *self.0.state() {
            State::Up(up) if self.0.target.is_at(up) => return Ok(Arc::clone(up)),
            State::Pausing { until, error, .. } if Instant::now() < *until => {
                return Err(error.clone());
            }
            // One that was answered and is still here was cut off: the runtime ended that it was in.
            State::Opening(opening) if opening.peek().is_none() => opening.clone(),
            state => {
                let failures = match state {
                    State::Pausing { failures, .. } => *failures,
                    State::Up(up) => up.failures(),
                    State::Down | State::Opening(_) => 0,
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
            // Before, so that one that is seen meanwhile has it opened again.
            let demotions = self.target.demotions();
            let opened = self.target.open(&self.connector).await;
            let outcome = opened.map(|connection| {
                Arc::new(Up {
                    connection,
                    demotions,
                    failures,
                    has_answered: AtomicBool::new(false),
                })
            });
            *self.state() = match &outcome {
                Ok(up) => State::Up(Arc::clone(up)),
                Err(error) => pausing(failures, error.clone()),
            };
            outcome
        });
        let opened = task.map(|ended| {
            ended.unwrap_or_else(|_| Err(unreachable("the runtime that was connecting has ended")))
        });
        opened.boxed().shared()
    }

    /// Puts `next` in the place of `lost`, unless something else is there by now.
    fn lose(&self, lost: &Arc<Up>, next: State) {
        let mut state = self.state();
        if matches!(&*state, State::Up(up) if Arc::ptr_eq(up, lost)) {
            *state = next;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change under this lock is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Up {
    fn is_of_use(&self) -> bool {
        self.has_answered.load(Ordering::Relaxed)
    }

    fn note_answer(&self) {
        // Written once, for all threads look at it for each command.
        if !self.is_of_use() {
            self.has_answered.store(true, Ordering::Relaxed);
        }
    }

    /// How many attempts have failed since the last success.
    fn failures(&self) -> u32 {
        if self.is_of_use() { 0 } else { self.failures }
    }

    /// What comes after it, now that it was lost by `error`: a pause, if it never was of use.
    fn after(&self, error: &StoreError) -> State {
        if self.is_of_use() {
            State::Down
        } else {
            // Of those who are told so meanwhile nothing is sent.
            pausing(self.failures, error.clone().not_applied())
        }
    }
}

impl Target {
    async fn open(&self, connector: &Connector) -> Result<Connection, StoreError> {
        match self {
            Self::Fixed(address, _) => connector.open(address).await,
            Self::Primary(sentinels) => sentinels.open_primary(connector).await,
        }
    }

    /// How often its server was demoted, as far as that is of use here.
    fn demotions(&self) -> u64 {
        match self {
            Self::Fixed(_, demotions) => demotions.0.load(Ordering::Relaxed),
            Self::Primary(_) => 0,
        }
    }

    /// Whether `up` still leads there.
    fn is_at(&self, up: &Up) -> bool {
        !up.connection.has_ended()
            && match self {
                Self::Fixed(..) => self.demotions() == up.demotions,
                Self::Primary(sentinels) => sentinels.still_name(&up.connection.address),
            }
    }

    /// Has all links there connect anew, but for those that have since `up` was opened, which has led to a replica.
    fn note_demotion(&self, up: &Up) {
        if let Self::Fixed(_, demotions) = self {
            demotions.0.fetch_max(up.demotions + 1, Ordering::Relaxed);
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

/// Whether a server that should be a primary has become a replica: it takes no writes, or without its primary nothing at
/// all, or waits for replicas of its own no longer.
pub(crate) fn is_of_a_replica(answer: &Value) -> bool {
    let Value::ServerError(error) = answer else {
        return false;
    };
    matches!(error.code(), "READONLY" | "MASTERDOWN" | "UNBLOCKED")
        || error
            .details()
            .is_some_and(|detail| detail.contains("READONLY"))
}
