//! One committer per session in this process. Commits to the same session queue up in its lane; whoever holds the turn
//! takes all logs that wait and commits them together, each with its own outcome.
//!
//! The turn is a value that holds what is under way, and dropping it passes it on: a request that is cancelled in the middle
//! of a commit leaves its flight to the next in line, who sends the identical swap again.
//!
//! A request that is neither dropped nor polled, as those of a runtime that does not run, would hold up all others. So
//! a turn for which others have waited for long is taken over, by one of them or by who comes then. The turn that was
//! kept is then one beside it: what it had aboard may still land, as a commit of another process may, and nobody comes
//! aboard any more.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_channel::oneshot;
use futures_timer::Delay;
use futures_util::future::{Either, select};

use super::job::{Done, Flight, Job, Seat, Seats, Swap, drop_quietly};
use crate::record::envelope::Stored;
use crate::token::Handle;

/// For how long a turn may be waited for before it is taken over, which is longer than a store should take; should the
/// store take longer after all, two swaps meet.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often one who is aboard of a flight looks before it goes without an answer: nobody else knows what becomes of it.
const LOOKS: u32 = 12;

/// The lanes of all sessions that are being committed just now.
pub(crate) struct Lanes {
    shards: [Mutex<Shard>; Lanes::SHARDS],
    patience: Duration,
}

#[derive(Default)]
struct Shard {
    lanes: HashMap<Handle, Lane, BuildHasherDefault<HandleHasher>>,
    /// The last number given to a turn, or to one who waits.
    numbers: u64,
}

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

/// Whose turn it is at a session, and who waits.
struct Lane {
    /// Another number each time that it is passed on.
    turn: u64,
    /// Since when somebody waits for that. Who is alone asks no clock.
    since: Option<Instant>,
    waiting: VecDeque<Waiting>,
}

/// One in the queue: with a log that anyone may commit, or without one, for a turn of its own.
struct Waiting {
    number: u64,
    job: Option<Box<Job>>,
    reply: oneshot::Sender<Reply>,
}

/// What one in the queue sees.
enum Look {
    /// Nobody does anything: it has the turn now.
    TakesOver(Turn),
    /// The turn is not to be taken over before so long.
    Waits(Duration),
    /// Its log was taken from the queue, so that it is told what becomes of it.
    IsAboard,
}

/// What one in the queue is told.
pub(crate) enum Reply {
    /// It is your turn.
    Turn(Turn),
    /// Your log was committed with others, or failed.
    Done(Done),
}

/// The right to commit to a session. There is one per lane, beside those from whom it was taken over.
pub(crate) struct Turn {
    lanes: Arc<Lanes>,
    handle: Handle,
    number: u64,
    /// The log of who has it; none for one who handed in none, and while it is part of the flight.
    pub(crate) own: Option<Box<Job>>,
    /// What is under way; sent before, if it came with the turn.
    pub(crate) flight: Option<Box<Flight>>,
    /// The newest record that a holder of this turn has seen.
    pub(crate) newest: Option<Arc<Stored>>,
    /// Whether that is older than what was expected: the store has lost its last commits.
    pub(crate) fell_back: bool,
    passed_on: bool,
}

impl Lanes {
    const SHARDS: usize = 16;
    /// The most logs in one commit, so that none waits for ever.
    const BATCH: usize = 256;

    pub(crate) fn new() -> Self {
        Self::with_patience(PATIENCE)
    }

    pub(crate) fn with_patience(patience: Duration) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            patience,
        }
    }

    /// For how long one waits whose answer only somebody else has, who may never go on.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.patience * LOOKS
    }

    /// Waits until somebody has committed `job`, or for the turn to do so; without a job, for the turn.
    pub(crate) async fn enter(self: &Arc<Self>, handle: Handle, job: Option<Box<Job>>) -> Reply {
        match self.queue(handle, job) {
            // Boxed, so that who is alone does not go about with room for waiting.
            Ok((number, rest, answer)) => Box::pin(self.wait(handle, number, rest, answer)).await,
            Err(turn) => Reply::Turn(turn),
        }
    }

    /// Joins the queue, and learns under which number and when to look; or, if there is none or its turn is to be taken
    /// over, gets the turn.
    fn queue(
        self: &Arc<Self>,
        handle: Handle,
        job: Option<Box<Job>>,
    ) -> Result<(u64, Duration, oneshot::Receiver<Reply>), Turn> {
        let mut shard = self.shard(handle);
        let number = shard.next_number();
        match shard.lanes.entry(handle) {
            Entry::Vacant(vacant) => {
                vacant.insert(Lane::new(number));
                Err(self.turn(handle, number, job))
            }
            Entry::Occupied(mut lane) => {
                let lane = lane.get_mut();
                let Some(rest) = lane.rest_of(self.patience) else {
                    lane.pass_to(number);
                    return Err(self.turn(handle, number, job));
                };
                let (reply, answer) = oneshot::channel();
                lane.waiting.push_back(Waiting { number, job, reply });
                Ok((number, rest, answer))
            }
        }
    }

    /// Waits for `answer`, but not for ever for one who has the turn and is not polled.
    async fn wait(
        self: &Arc<Self>,
        handle: Handle,
        number: u64,
        mut rest: Duration,
        mut answer: oneshot::Receiver<Reply>,
    ) -> Reply {
        let mut aboard = 0;
        while aboard < LOOKS {
            match select(&mut answer, Delay::new(rest)).await {
                Either::Left((Ok(reply), _)) => return reply,
                Either::Left((Err(oneshot::Canceled), _)) => break,
                Either::Right(_) => {}
            }
            match self.look(handle, number) {
                Look::TakesOver(turn) => return Reply::Turn(turn),
                Look::Waits(longer) => rest = longer,
                Look::IsAboard => {
                    rest = self.patience;
                    aboard += 1;
                }
            }
        }
        Reply::Done(Done::forsaken(handle))
    }

    /// Takes the lane over for who waits under `number`, if its turn has been waited for for long enough.
    fn look(self: &Arc<Self>, handle: Handle, number: u64) -> Look {
        let mut shard = self.shard(handle);
        let next = shard.next_number();
        let Some(lane) = shard.lanes.get_mut(&handle) else {
            return Look::IsAboard;
        };
        let place = lane
            .waiting
            .iter()
            .position(|waiting| waiting.number == number);
        let Some(place) = place else {
            return Look::IsAboard;
        };
        if let Some(rest) = lane.rest_of(self.patience) {
            return Look::Waits(rest);
        }
        let waiting = lane.waiting.remove(place);
        lane.pass_to(next);
        drop(shard);
        // Its place for an answer is dropped outside of the lock, for that wakes whoever waits for one.
        let job = waiting.and_then(|waiting| waiting.job);
        Look::TakesOver(self.turn(handle, next, job))
    }

    fn turn(self: &Arc<Self>, handle: Handle, number: u64, own: Option<Box<Job>>) -> Turn {
        Turn {
            lanes: Arc::clone(self),
            handle,
            number,
            own,
            flight: None,
            newest: None,
            fell_back: false,
            passed_on: false,
        }
    }

    /// The first who still waits, for the turn of this number, which gets another; without one, the lane is closed.
    fn first_waiting(&self, handle: Handle, turn: &mut u64) -> Option<Waiting> {
        let mut gone = Vec::new();
        let mut shard = self.shard(handle);
        let next = shard.next_number();
        let lane = shard.lane_of(handle, *turn)?;
        let first = lane.first(&mut gone);
        if first.is_some() {
            lane.pass_to(next);
            *turn = next;
        } else {
            shard.lanes.remove(&handle);
        }
        drop(shard);
        gone.into_iter().for_each(drop_quietly);
        first
    }

    /// Gives the turn of this number another, for one who begins with it now, unless it was taken over.
    fn renumber(&self, handle: Handle, turn: &mut u64) {
        let mut shard = self.shard(handle);
        let next = shard.next_number();
        if let Some(lane) = shard.lane_of(handle, *turn) {
            lane.pass_to(next);
            *turn = next;
        }
    }

    fn shard(&self, handle: Handle) -> MutexGuard<'_, Shard> {
        let at = usize::from(handle.as_bytes()[0]) % Self::SHARDS;
        // Nothing that runs under this lock can panic half-way through a change.
        self.shards[at]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shard {
    fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The lane, unless somebody else has its turn by now.
    fn lane_of(&mut self, handle: Handle, turn: u64) -> Option<&mut Lane> {
        let lane = self.lanes.get_mut(&handle);
        lane.filter(|lane| lane.turn == turn)
    }
}

impl Lane {
    fn new(turn: u64) -> Self {
        Self {
            turn,
            since: None,
            waiting: VecDeque::new(),
        }
    }

    /// Gives the turn another number.
    fn pass_to(&mut self, number: u64) {
        self.turn = number;
        self.since = (!self.waiting.is_empty()).then(Instant::now);
    }

    /// What is left of the `patience` of those who wait for the turn, the first of them from now on; `None` if nothing is.
    fn rest_of(&mut self, patience: Duration) -> Option<Duration> {
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        let rest = patience.saturating_sub(now.duration_since(since));
        (!rest.is_zero()).then_some(rest)
    }

    /// The logs that wait, in order. Whoever gave up is `gone`, to be dropped outside of the lock.
    fn board(&mut self, gone: &mut Vec<Waiting>) -> Seats {
        let mut boarding = Seats::new();
        if self.waiting.is_empty() {
            return boarding;
        }
        let mut staying = VecDeque::new();
        for mut waiting in self.waiting.drain(..) {
            if waiting.reply.is_canceled() {
                gone.push(waiting);
                continue;
            }
            match waiting.job.take() {
                Some(job) if boarding.len() < Lanes::BATCH => {
                    boarding.push(Seat {
                        number: waiting.number,
                        job,
                        reply: Some(waiting.reply),
                    });
                }
                job => staying.push_back(Waiting { job, ..waiting }),
            }
        }
        self.waiting = staying;
        boarding
    }

    /// Who has waited longest. Whoever gave up is `gone`, to be dropped outside of the lock.
    fn first(&mut self, gone: &mut Vec<Waiting>) -> Option<Waiting> {
        loop {
            let first = self.waiting.pop_front()?;
            if !first.reply.is_canceled() {
                return Some(first);
            }
            gone.push(first);
        }
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

    /// Takes the turn's own log, and those that wait. Who waits for a turn of their own goes on waiting.
    pub(crate) fn board(&mut self) -> Seats {
        let mut gone = Vec::new();
        let mut shard = self.lanes.shard(self.handle);
        let lane = shard.lane_of(self.handle, self.number);
        let boarding = lane.map(|lane| lane.board(&mut gone)).unwrap_or_default();
        drop(shard);
        gone.into_iter().for_each(drop_quietly);
        let own = self.own.take().map(|job| Seat {
            number: 0,
            job,
            reply: None,
        });
        own.into_iter().chain(boarding).collect()
    }

    /// Puts logs back: the turn's own to it, the others to the head of the queue, in order; of whoever has the turn, if that
    /// is somebody else.
    pub(crate) fn give_back(&mut self, seats: impl IntoIterator<Item = Seat>) {
        let mut others = Vec::new();
        for Seat { number, job, reply } in seats {
            let job = Some(job);
            match reply {
                None => self.own = job,
                Some(reply) => others.push(Waiting { number, job, reply }),
            }
        }
        if others.is_empty() {
            return;
        }
        let mut shard = self.lanes.shard(self.handle);
        let lane = shard.lanes.entry(self.handle);
        let lane = lane.or_insert_with(|| Lane::new(self.number));
        for waiting in others.into_iter().rev() {
            lane.waiting.push_front(waiting);
        }
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
        let mut turn = self.lanes.turn(self.handle, self.number, heir.job);
        (turn.flight, turn.newest) = (self.flight.take(), self.newest.take());
        match heir.reply.send(Reply::Turn(turn)) {
            Err(Reply::Turn(mut back)) => {
                back.passed_on = true;
                (self.flight, self.newest) = (back.flight.take(), back.newest.take());
                drop_quietly(back);
                false
            }
            Err(Reply::Done(_)) | Ok(()) => true,
        }
    }

    /// The first of those who are part of the flight, then of those who wait. Whoever gave up is dropped.
    fn next_heir(&mut self) -> Option<Waiting> {
        if let Some(flight) = &mut self.flight {
            match flight.next_heir() {
                Some((number, reply)) => {
                    self.lanes.renumber(self.handle, &mut self.number);
                    return Some(Waiting {
                        number,
                        job: None,
                        reply,
                    });
                }
                None => self.flight = None,
            }
        }
        self.lanes.first_waiting(self.handle, &mut self.number)
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
mod tests;
