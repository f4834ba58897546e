//! The requests that wait for a connection: bounded in number and size, each with a deadline.

use std::collections::VecDeque;
use std::mem::{replace, take};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::address::Address;
use crate::config::Limits;
use crate::error::{Error, ErrorKind};
use crate::request::{Answer, Request};

/// What one connection to a server has to do. Outlives the connection: the next one goes on with what waits. Outlives
/// also the task that serves it, which ends with its runtime.
pub(crate) struct Lane {
    server: Address,
    limits: Limits,
    state: Mutex<State>,
    /// Somebody has queued up.
    arrival: Notify,
    load: Arc<Load>,
    /// How many ask at present. Whoever was just answered counts until it goes on, for it is about to ask again.
    asking: AtomicUsize,
}

#[derive(Default)]
struct State {
    /// In the order of their deadlines.
    waiting: VecDeque<Waiting>,
    /// Why requests are refused at once; `None` while they are not.
    down: Option<Error>,
    /// Whether there is a [`Service`].
    served: bool,
}

/// Belongs to the task that serves a lane. When it is dropped, those who wait are told, and the next who asks has the
/// lane served anew.
pub(crate) struct Service(Arc<Lane>);

/// What has no answer from the server yet, waiting or sent, whether somebody still waits for it or not.
#[derive(Default)]
struct Load {
    requests: AtomicUsize,
    bytes: AtomicUsize,
}

/// A request that was not sent yet.
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) caller: Caller,
    pub(crate) share: Share,
}

/// Who waits for an answer, and until when.
pub(crate) struct Caller {
    pub(crate) deadline: Instant,
    answer: oneshot::Sender<Result<Answer, Error>>,
}

/// A part of the load; gives itself back.
pub(crate) struct Share {
    load: Arc<Load>,
    bytes: usize,
}

/// Somebody who asks, until it is dropped.
struct Asking<'a>(&'a AtomicUsize);

impl Lane {
    pub(crate) fn new(server: Address, limits: Limits) -> Self {
        Self {
            server,
            limits,
            state: Mutex::default(),
            arrival: Notify::new(),
            load: Arc::default(),
            asking: AtomicUsize::new(0),
        }
    }

    pub(crate) fn server(&self) -> &Address {
        &self.server
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Queues `request` up, has `serve` begin to serve the lane unless somebody does, and waits for the answer, which
    /// comes in time.
    pub(crate) async fn ask(
        self: &Arc<Self>,
        request: Request,
        serve: impl FnOnce(Service),
    ) -> Result<Answer, Error> {
        let _asking = Asking::begin(&self.asking);
        let doing = request.doing();
        let answered = match self.submit(request, serve) {
            Ok(answer) => answer.await.unwrap_or_else(|_| Err(stopped().sent())),
            Err(error) => Err(error),
        };
        answered.map_err(|error| error.at(&self.server).doing(doing))
    }

    fn submit(
        self: &Arc<Self>,
        request: Request,
        serve: impl FnOnce(Service),
    ) -> Result<oneshot::Receiver<Result<Answer, Error>>, Error> {
        let mut state = self.lock();
        if let Some(error) = &state.down {
            return Err(error.clone());
        }
        let share = self.share(request.size())?;
        let (answer, receiver) = oneshot::channel();
        let caller = Caller {
            // Under the lock, so that deadlines are in order.
            deadline: Instant::now() + self.limits.timeout,
            answer,
        };
        state.waiting.push_back(Waiting {
            request,
            caller,
            share,
        });
        let served = replace(&mut state.served, true);
        drop(state);
        self.arrival.notify_one();
        if !served {
            serve(Service(Arc::clone(self)));
        }
        Ok(receiver)
    }

    /// Called under the lock: no two at once take what is left.
    fn share(&self, bytes: usize) -> Result<Share, Error> {
        let (requests, taken) = self.load.now();
        if requests >= self.limits.requests {
            let sentence = format!("{requests} requests wait for its answer, as many as may");
            return Err(Error::new(ErrorKind::Overloaded, sentence));
        }
        if requests > 0 && taken.saturating_add(bytes) > self.limits.bytes {
            let sentence = format!("{taken} bytes wait for its answer, about as many as may");
            return Err(Error::new(ErrorKind::Overloaded, sentence));
        }
        Ok(Share::of(&self.load, bytes))
    }

    /// Whether more than one asks at present.
    pub(crate) fn is_shared(&self) -> bool {
        self.asking.load(Ordering::Relaxed) > 1
    }

    /// Returns when somebody has queued up since it was last asked.
    pub(crate) async fn arrival(&self) {
        self.arrival.notified().await;
    }

    /// Returns when a request waits.
    pub(crate) async fn has_waiting(&self) {
        while self.lock().waiting.is_empty() {
            self.arrival().await;
        }
    }

    /// The next request that somebody still wants answered, and that is not too late.
    pub(crate) fn next(&self) -> Option<Waiting> {
        let mut state = self.lock();
        let now = Instant::now();
        while let Some(waiting) = state.waiting.pop_front() {
            if waiting.caller.deadline <= now {
                waiting.caller.too_late();
            } else if !waiting.caller.gave_up() {
                return Some(waiting);
            }
        }
        None
    }

    /// When the first of those who wait has waited long enough.
    pub(crate) fn first_deadline(&self) -> Option<Instant> {
        self.lock()
            .waiting
            .front()
            .map(|waiting| waiting.caller.deadline)
    }

    /// Answers those who have waited long enough.
    pub(crate) fn expire(&self) {
        let mut state = self.lock();
        let now = Instant::now();
        let late = state
            .waiting
            .partition_point(|waiting| waiting.caller.deadline <= now);
        for waiting in state.waiting.drain(..late) {
            waiting.caller.too_late();
        }
    }

    /// Answers all who wait with `error`, and everybody else too until [`open`](Self::open).
    pub(crate) fn shut(&self, error: &Error) {
        let mut state = self.lock();
        state.down = Some(error.clone());
        for waiting in take(&mut state.waiting) {
            waiting.caller.tell(Err(error.clone()));
        }
    }

    /// Ends [`shut`](Self::shut).
    pub(crate) fn open(&self) {
        self.lock().down = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    pub(crate) fn lane(&self) -> &Lane {
        &self.0
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let left = take(&mut *self.0.lock());
        for waiting in left.waiting {
            waiting.caller.tell(Err(stopped()));
        }
    }
}

impl<'a> Asking<'a> {
    fn begin(asking: &'a AtomicUsize) -> Self {
        asking.fetch_add(1, Ordering::Relaxed);
        Self(asking)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Caller {
    pub(crate) fn tell(self, answer: Result<Answer, Error>) {
        // Whoever gave up needs no answer.
        let _ = self.answer.send(answer);
    }

    fn gave_up(&self) -> bool {
        self.answer.is_closed()
    }

    fn too_late(self) {
        let sentence = "it was not ready to take the request in time";
        self.tell(Err(Error::new(ErrorKind::Timeout, sentence)));
    }
}

fn stopped() -> Error {
    let sentence = "the runtime that spoke to it has stopped";
    Error::new(ErrorKind::Disconnected, sentence)
}

impl Load {
    fn now(&self) -> (usize, usize) {
        (
            self.requests.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }
}

impl Share {
    fn of(load: &Arc<Load>, bytes: usize) -> Self {
        load.requests.fetch_add(1, Ordering::Relaxed);
        load.bytes.fetch_add(bytes, Ordering::Relaxed);
        Self {
            load: Arc::clone(load),
            bytes,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.load.requests.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
