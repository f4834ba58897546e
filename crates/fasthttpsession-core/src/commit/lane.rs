//! One committer per session in this process. Commits to the same session queue up in its lane; whoever holds the turn
//! takes all logs that wait and commits them together, each with its own outcome.
//!
//! The turn is a value that holds what is under way, and dropping it passes it on: a request that is cancelled in the middle
//! of a commit leaves its flight to the next in line, who sends the identical swap again.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

use super::job::{Done, Flight, Job, Seat, Seats, Swap};
use crate::record::envelope::Stored;
use crate::token::Handle;

/// The lanes of all sessions that are being committed just now.
pub(crate) struct Lanes {
    shards: [Mutex<Shard>; Lanes::SHARDS],
}

type Shard = HashMap<Handle, Lane, BuildHasherDefault<HandleHasher>>;

/// Takes a part of the handle as it is: handles are random, and only those of sessions that exist get here.
#[derive(Default)]
struct HandleHasher(u64);

impl Hasher for HandleHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(part) = bytes.last_chunk() {
            self.0 = u64::from_le_bytes(*part);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Who waits for a session.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
}

/// One in the queue: with a log that anyone may commit, or without one, for a turn of its own.
struct Waiting {
    job: Option<Box<Job>>,
    reply: oneshot::Sender<Reply>,
}

/// What one in the queue is told.
pub(crate) enum Reply {
    /// It is your turn. Here is your log back, unless it is part of the flight that you take over.
    Turn(Turn, Option<Box<Job>>),
    /// Your log was committed with others, or failed.
    Done(Done),
}

/// The right to commit to a session. There is one per lane.
pub(crate) struct Turn {
    lanes: Arc<Lanes>,
    handle: Handle,
    /// What is under way; sent before, if it came with the turn.
    pub(crate) flight: Option<Box<Flight>>,
    /// The newest record that a holder of this turn has seen.
    pub(crate) newest: Option<Arc<Stored>>,
    passed_on: bool,
}

impl Lanes {
    const SHARDS: usize = 16;
    /// The most logs in one commit, so that none waits for ever.
    const BATCH: usize = 256;

    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }

    /// Waits until somebody has committed `job`, or for the turn to do so; without a job, for the turn.
    pub(crate) async fn enter(self: &Arc<Self>, handle: Handle, job: Option<Box<Job>>) -> Reply {
        match self.queue(handle, job) {
            Ok(answer) => answer
                .await
                .unwrap_or_else(|oneshot::Canceled| Reply::Done(Done::forsaken(handle))),
            Err(job) => Reply::Turn(self.turn(handle, None, None), job),
        }
    }

    /// Joins the queue; or, if there is none, begins it and gets the job back.
    fn queue(
        &self,
        handle: Handle,
        job: Option<Box<Job>>,
    ) -> Result<oneshot::Receiver<Reply>, Option<Box<Job>>> {
        match self.shard(handle).entry(handle) {
            Entry::Vacant(vacant) => {
                vacant.insert(Lane::default());
                Err(job)
            }
            Entry::Occupied(mut lane) => {
                let (reply, answer) = oneshot::channel();
                lane.get_mut().waiting.push_back(Waiting { job, reply });
                Ok(answer)
            }
        }
    }

    fn turn(
        self: &Arc<Self>,
        handle: Handle,
        flight: Option<Box<Flight>>,
        newest: Option<Arc<Stored>>,
    ) -> Turn {
        Turn {
            lanes: Arc::clone(self),
            handle,
            flight,
            newest,
            passed_on: false,
        }
    }

    /// The first who still waits; without one, the lane is closed.
    fn first_waiting(&self, handle: Handle) -> Option<Waiting> {
        let mut shard = self.shard(handle);
        let first = shard.get_mut(&handle)?.first();
        if first.is_none() {
            shard.remove(&handle);
        }
        first
    }

    fn shard(&self, handle: Handle) -> MutexGuard<'_, Shard> {
        let at = usize::from(handle.as_bytes()[0]) % Self::SHARDS;
        // Nothing that runs under this lock can panic half-way through a change.
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    /// The logs that wait, in order.
    fn board(&mut self) -> Seats {
        let mut boarding = Seats::new();
        if self.waiting.is_empty() {
            return boarding;
        }
        let mut staying = VecDeque::new();
        for mut waiting in self.waiting.drain(..) {
            match waiting.job.take() {
                _ if waiting.reply.is_canceled() => {}
                Some(job) if boarding.len() < Lanes::BATCH => {
                    boarding.push(Seat {
                        job,
                        reply: Some(waiting.reply),
                    });
                }
                job => staying.push_back(Waiting {
                    job,
                    reply: waiting.reply,
                }),
            }
        }
        self.waiting = staying;
        boarding
    }

    /// Who has waited longest. Whoever gave up is dropped.
    fn first(&mut self) -> Option<Waiting> {
        std::iter::from_fn(|| self.waiting.pop_front()).find(|waiting| !waiting.reply.is_canceled())
    }
}

impl Turn {
    pub(crate) fn handle(&self) -> Handle {
        self.handle
    }

    /// What is under way, to be sent.
    pub(crate) fn swap(&self) -> Option<&Swap> {
        self.flight.as_ref().map(|flight| &flight.swap)
    }

    /// Takes the logs that wait. Those who wait for a turn of their own go on waiting.
    pub(crate) fn board(&self) -> Seats {
        self.with_lane(Lane::board)
    }

    /// Puts logs back to the head of the queue, in order.
    pub(crate) fn give_back(
        &self,
        seats: impl IntoIterator<Item = Seat, IntoIter: DoubleEndedIterator>,
    ) {
        self.with_lane(|lane| {
            for Seat { job, reply } in seats.into_iter().rev() {
                if let Some(reply) = reply {
                    lane.waiting.push_front(Waiting {
                        job: Some(job),
                        reply,
                    });
                }
            }
        });
    }

    fn with_lane<T>(&self, act: impl FnOnce(&mut Lane) -> T) -> T {
        act(self
            .lanes
            .shard(self.handle)
            .get_mut(&self.handle)
            .expect("a lane stays while there is a turn"))
    }

    /// Hands the turn to the next who still waits for it, or closes the lane.
    fn pass_on(&mut self) {
        while let Some(heir) = self.next_heir() {
            if self.hand_to(heir) {
                return;
            }
        }
    }

    /// `false` if `heir` has given up meanwhile: all that is under way is then still here.
    fn hand_to(&mut self, heir: Waiting) -> bool {
        let (flight, newest) = (self.flight.take(), self.newest.take());
        let turn = self.lanes.turn(self.handle, flight, newest);
        match heir.reply.send(Reply::Turn(turn, heir.job)) {
            Err(Reply::Turn(mut back, _)) => {
                back.passed_on = true;
                (self.flight, self.newest) = (back.flight.take(), back.newest.take());
                false
            }
            Err(Reply::Done(_)) | Ok(()) => true,
        }
    }

    /// The first of those who are part of the flight, then of those who wait. Whoever gave up is dropped.
    fn next_heir(&mut self) -> Option<Waiting> {
        if let Some(flight) = &mut self.flight {
            match flight.next_heir() {
                Some(reply) => return Some(Waiting { job: None, reply }),
                None => self.flight = None,
            }
        }
        self.lanes.first_waiting(self.handle)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.passed_on {
            self.pass_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use bytes::Bytes;
    use futures_util::FutureExt as _;

    use super::super::job::Aboard;
    use super::*;
    use crate::codec::Format;
    use crate::csrf::Seed;
    use crate::limits::Limits;
    use crate::record::envelope::Control;
    use crate::record::secrets::Secrets;
    use crate::record::{Header, Record, commits::Commits};
    use crate::time::Timestamp;
    use crate::token::SecretHash;
    use crate::values::{Rules, Values};

    const HANDLE: Handle = Handle::from_bytes([7; Handle::BYTES]);

    type Entering = Pin<Box<dyn Future<Output = Reply> + Send>>;

    /// One who wants a turn of their own, and has asked for it.
    fn enter(lanes: &Arc<Lanes>) -> (Entering, Option<Turn>) {
        let lanes = Arc::clone(lanes);
        let mut entering: Entering = Box::pin(async move { lanes.enter(HANDLE, None).await });
        let turn = turn(&mut entering);
        (entering, turn)
    }

    fn turn(entering: &mut Entering) -> Option<Turn> {
        match entering.as_mut().now_or_never()? {
            Reply::Turn(turn, None) => Some(turn),
            _ => panic!("nobody handed in a log"),
        }
    }

    fn is_empty(lanes: &Lanes) -> bool {
        lanes.shard(HANDLE).is_empty()
    }

    #[test]
    fn turns_are_taken_in_order_and_the_last_closes_the_lane() {
        let lanes = Arc::new(Lanes::new());
        let first = enter(&lanes).1.unwrap();
        let (mut second, none) = enter(&lanes);
        assert!(none.is_none());
        let (mut third, none) = enter(&lanes);
        assert!(none.is_none());
        drop(first);
        assert!(turn(&mut third).is_none());
        let next = turn(&mut second).unwrap();
        assert!(turn(&mut third).is_none());
        drop(next);
        assert!(!is_empty(&lanes));
        drop(turn(&mut third).unwrap());
        assert!(is_empty(&lanes));
    }

    #[test]
    fn who_gave_up_waiting_is_passed_over() {
        let lanes = Arc::new(Lanes::new());
        let first = enter(&lanes).1.unwrap();
        let waiting: Vec<_> = (0..5).map(|_| enter(&lanes).0).collect();
        let (mut last, _) = enter(&lanes);
        drop(waiting);
        drop(first);
        drop(turn(&mut last).unwrap());
        assert!(is_empty(&lanes));
    }

    #[test]
    fn a_turn_that_nobody_picked_up_is_passed_on() {
        let lanes = Arc::new(Lanes::new());
        let first = enter(&lanes).1.unwrap();
        let (second, _) = enter(&lanes);
        let (mut third, _) = enter(&lanes);
        drop(first);
        // The turn is in its hands, but it never looked.
        drop(second);
        drop(turn(&mut third).unwrap());
        assert!(is_empty(&lanes));
    }

    #[test]
    fn who_gave_up_just_now_takes_neither_the_turn_nor_its_flight_along() {
        let lanes = Arc::new(Lanes::new());
        let mut first = enter(&lanes).1.unwrap();
        let (mut second, none) = enter(&lanes);
        assert!(none.is_none());
        first.flight = Some(flight());
        first.newest = Some(stored());
        let (reply, answer) = oneshot::channel();
        drop(answer);
        assert!(!first.hand_to(Waiting { job: None, reply }));
        assert!(first.flight.is_some() && first.newest.is_some());
        assert!(turn(&mut second).is_none());
        drop(first);
        assert!(turn(&mut second).unwrap().newest.is_some());
    }

    /// A flight with nobody aboard who waits.
    fn flight() -> Box<Flight> {
        let stored = stored();
        let record = Record {
            header: stored.header.clone(),
            body: Bytes::new(),
        };
        let swap = Swap {
            expected: 1,
            record,
            commit: 1,
            now: NOW,
            stored,
        };
        Box::new(Flight {
            seats: Aboard::new(),
            swap,
        })
    }

    const NOW: Timestamp = Timestamp::from_millis(1);

    fn stored() -> Arc<Stored> {
        let secret = SecretHash::from_bytes([1; SecretHash::BYTES]);
        let header = Header {
            version: 2,
            created_at: NOW,
            idle_deadline: NOW,
            absolute_deadline: NOW,
            principal: None,
            label: None,
        };
        let control = Control {
            sign_in: 0,
            csrf: Seed::of(&secret),
            stamp: None,
            since: NOW,
            lifetimes: None,
            secrets: Secrets::one(secret, NOW),
            commits: Commits::default(),
        };
        let rules = Rules {
            format: Format::Json,
            limits: Limits::default(),
        };
        Arc::new(Stored {
            header,
            control,
            values: Values::empty(rules),
        })
    }

    #[test]
    fn when_all_gave_up_the_lane_is_closed() {
        let lanes = Arc::new(Lanes::new());
        let first = enter(&lanes).1.unwrap();
        let waiting: Vec<_> = (0..5).map(|_| enter(&lanes).0).collect();
        drop(waiting);
        assert!(first.board().is_empty());
        drop(first);
        assert!(is_empty(&lanes));
    }
}
