//! Commits: a change log becomes a record, or part of one, by compare-and-swap.
//!
//! Nothing here knows of requests. A session hands in what it did (a [`Job`]) and learns how it ended (a [`Done`]). Its first
//! record (`commit/create.rs`) and its end (`commit/delete.rs`) are no swaps.

pub(crate) mod change;
mod create;
mod delete;
mod job;
mod lane;
mod met;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_timer::Delay;

pub(crate) use change::{Applied, Authority, Change, Failure, Terms};
use job::{Aboard, Flight, Seat, Seats, Swap, drop_quietly};
pub(crate) use job::{Done, End, Job};
pub(crate) use lane::Lanes;
use lane::{Reply, Turn};
pub(crate) use met::Met;

use crate::error::Error;
use crate::record::commits::Landed;
use crate::record::envelope::Stored;
use crate::sessions::Manager;
use crate::store::{Replaced, Store as _};
use crate::time::Timestamp;
use crate::token::Handle;
use crate::values::Values;

/// A closure that reads and changes the values in the committer's own task. `false` means that nothing is to be written.
pub(crate) type Closure<'a> = dyn FnMut(&mut Values) -> bool + Send + 'a;

/// What a swap led to.
enum Landing {
    /// With what others made of it since, if that is known.
    Landed(Option<Arc<Stored>>),
    Conflict(Arc<Stored>),
    Gone,
}

impl Manager {
    /// Commits `job` to the session `handle`; and, in the same step, what `closure` makes of the values.
    pub(crate) async fn commit(
        &self,
        handle: Handle,
        job: Box<Job>,
        closure: Option<&mut Closure<'_>>,
    ) -> Done {
        // A closure that borrows can run in its own task only, so its job is not for others to take.
        let (queued, kept) = if closure.is_some() {
            (None, Some(job))
        } else {
            (Some(job), None)
        };
        let mut turn = match self.lanes.enter(handle, queued).await {
            Reply::Done(done) => return done,
            Reply::Turn(turn) => turn,
        };
        turn.own = kept.or(turn.own.take());
        self.lead(turn, closure).await
    }

    /// What a commit that is made now depends on.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            now: self.clock.now(),
            lifetimes: self.lifetimes,
            renewal: self.renewal,
            touch_after: self.touch_after,
            dated: self.transports.dated(),
        }
    }

    /// Commits what waits in the lane, and the turn's own log with it, until that has ended.
    async fn lead(&self, mut turn: Turn, mut closure: Option<&mut Closure<'_>>) -> Done {
        let mut rounds = 0;
        loop {
            let mut ended = None;
            let sent = turn.flight.is_some();
            if !sent {
                ended = self.take_off(&mut turn, closure.as_deref_mut());
            }
            if let Some(swap) = turn.swap() {
                let landing = self.fly(turn.handle(), swap, sent).await;
                ended = self.land(&mut turn, landing).or(ended);
            }
            if let Some(done) = ended {
                return done;
            }
            // After a pause, what the last conflict told is old. So each pause is for two tries: one that learns how the
            // record is by then, and one that builds on that at once.
            if rounds % 2 == 1 {
                self.pause(rounds).await;
            }
            rounds += 1;
        }
    }

    /// Applies the logs that come aboard one after the other and makes a flight of those that change something. The others
    /// end here; returns the end of the turn's own, if it is among them.
    fn take_off(&self, turn: &mut Turn, mut closure: Option<&mut Closure<'_>>) -> Option<Done> {
        let seats = board(turn);
        let start = newest_known(&seats, turn);
        let terms = self.terms();
        let (mut working, mut aboard, mut ended) = (None, Aboard::new(), None);
        let mut again = Vec::new();
        for mut seat in seats {
            let untouched =
                aboard.is_empty() && seat.job.known.header.version == start.header.version;
            let closure = if seat.reply.is_none() {
                closure.take()
            } else {
                None
            };
            match attempt(
                working.as_ref().unwrap_or(&start),
                &mut seat.job,
                untouched,
                closure,
                terms,
            ) {
                Ok(Attempt::Changed(changed, applied)) => {
                    working = Some(changed);
                    aboard.push((seat, applied));
                }
                // The logs before it may not be committed, so it is judged again by a record that is there.
                failed if working.is_some() => {
                    drop_quietly(failed);
                    again.push(seat);
                }
                Ok(Attempt::Unchanged) => {
                    let stored = Arc::clone(&start);
                    ended = seat.end(Ok(End::Unchanged { stored })).or(ended);
                }
                Ok(Attempt::Superseded) => ended = seat.end(Ok(End::Superseded)).or(ended),
                Err(failure) => ended = seat.end(Err(failure)).or(ended),
            }
        }
        turn.give_back(again);
        let Some(working) = working else { return ended };
        let swap = || self.swap(turn.handle(), working, start.header.version, terms.now);
        // The logs of others are aboard, so a panic of a map codec must not go off here.
        match catch_unwind(AssertUnwindSafe(swap)) {
            Ok(Ok(swap)) => {
                turn.flight = Some(Box::new(Flight {
                    seats: aboard,
                    swap,
                }));
            }
            Ok(Err(error)) => ended = fail(turn, aboard, &error).or(ended),
            Err(panic) => ended = panicked(turn, aboard, panic).or(ended),
        }
        ended
    }

    fn swap(
        &self,
        handle: Handle,
        mut stored: Arc<Stored>,
        expected: u64,
        now: Timestamp,
    ) -> Result<Swap, Error> {
        let commit = self.generator.commit(now);
        let changed = Arc::make_mut(&mut stored);
        changed.control.commits.push(commit);
        // Saturating, for a store may hand out any version; it would then answer with conflicts.
        changed.header.version = expected.saturating_add(1);
        let record = self.put_together(handle, &stored)?;
        Ok(Swap {
            expected,
            record,
            commit,
            now,
            stored,
        })
    }

    /// Sends `swap` until there is an answer, always the same: at most one of them can land.
    async fn fly(&self, handle: Handle, swap: &Swap, sent: bool) -> Result<Landing, Error> {
        let (mut unsure, mut resends) = (sent, 0);
        loop {
            let now = if unsure { self.clock.now() } else { swap.now };
            match self
                .store
                .replace(handle, swap.expected, &swap.record, now)
                .await
            {
                Ok(Replaced::Replaced) => return Ok(Landing::Landed(None)),
                Ok(Replaced::Gone) => return Ok(Landing::Gone),
                Ok(Replaced::Conflict(current)) => {
                    return match self.take_apart(handle, current) {
                        Ok(current) => judge(handle, swap, current, unsure),
                        Err(_) if unsure => Err(Error::OutcomeUnknown {
                            handle,
                            source: None,
                        }),
                        Err(error) => Err(error),
                    };
                }
                Err(error) if !unsure && !error.may_have_applied() => {
                    return Err(Error::store("commit")(error));
                }
                Err(error) if resends == self.limits.resends => {
                    return Err(Error::OutcomeUnknown {
                        handle,
                        source: Some(error),
                    });
                }
                Err(_) => {
                    self.note(Met::Resent, handle);
                    unsure = true;
                    resends += 1;
                    self.pause(resends).await;
                }
            }
        }
    }

    /// Tells everybody aboard how the flight ended; returns the end of the turn's own. After a conflict there is none:
    /// the logs wait again.
    fn land(&self, turn: &mut Turn, landing: Result<Landing, Error>) -> Option<Done> {
        let flight = turn.flight.take();
        let Flight { seats, swap } = *flight.expect("who holds the turn lands the flight");
        let mut ended = None;
        match landing {
            Ok(Landing::Conflict(current)) => {
                self.note(Met::Conflict, turn.handle());
                turn.fell_back = current.header.version < swap.expected;
                turn.newest = Some(Arc::clone(&current));
                return self.reboard(turn, seats, &current);
            }
            Ok(Landing::Landed(since)) => {
                self.note(Met::Committed, turn.handle());
                let newest = since.unwrap_or(swap.stored);
                for (seat, applied) in seats {
                    let stored = Arc::clone(&newest);
                    ended = seat.end(Ok(End::Committed { stored, applied })).or(ended);
                }
                turn.newest = Some(newest);
            }
            Ok(Landing::Gone) => {
                for (seat, _) in seats {
                    ended = seat.end(Ok(End::Gone)).or(ended);
                }
            }
            Err(error) => return fail(turn, seats, &error),
        }
        ended
    }

    /// Makes the jobs of a flight that met a conflict with `current` wait again, but for those that have waited long enough.
    fn reboard(&self, turn: &mut Turn, seats: Aboard, current: &Arc<Stored>) -> Option<Done> {
        let (mut again, mut ended) = (Seats::new(), None);
        for (mut seat, _) in seats {
            seat.job.conflicts += 1;
            // Also if it is older than what was known: a store may have lost its last commits.
            seat.job.known = Arc::clone(current);
            if seat.job.conflicts > self.limits.retries {
                let gave_up = Error::Contention {
                    handle: turn.handle(),
                    conflicts: seat.job.conflicts,
                };
                ended = seat.end(Err(gave_up.into())).or(ended);
            } else {
                again.push(seat);
            }
        }
        turn.give_back(again);
        ended
    }

    /// Waits at random up to 2^`tries` ms, at most 8, so that those who collided don't meet again; the first time not at
    /// all ("full jitter", Marc Brooker, "Exponential Backoff and Jitter", 2015). Longer ones would leave the session to
    /// those who don't wait.
    pub(crate) async fn pause(&self, tries: u32) {
        if tries > 0 {
            let longest = 1_000_u64 << tries.min(3);
            Delay::new(Duration::from_micros(self.generator.jitter() % longest)).await;
        }
    }
}

/// The logs that wait, or the first of them if one goes without others. The rest waits for its turn.
fn board(turn: &mut Turn) -> Seats {
    let mut seats = turn.board();
    if seats.iter().any(|seat| seat.job.alone) {
        turn.give_back(seats.drain(1..));
    }
    seats
}

/// Ends everybody aboard with `error`. If one of them may be to blame (a value that a map codec can't encode, a record
/// that is too large for the store), each tries again alone instead, so that one log fails and not its neighbours.
fn fail(turn: &mut Turn, seats: Aboard, error: &Error) -> Option<Done> {
    if seats.len() > 1 && !error.is_retryable() {
        separate(turn, seats);
        return None;
    }
    let mut ended = None;
    for (seat, _) in seats {
        ended = seat.end(Err(error.clone().into())).or(ended);
    }
    ended
}

/// As [`fail`], for a panic: of one who is alone, it is that one's.
fn panicked(turn: &mut Turn, mut seats: Aboard, panic: Box<dyn Any + Send>) -> Option<Done> {
    if seats.len() > 1 {
        drop_quietly(panic);
        separate(turn, seats);
        return None;
    }
    let (seat, _) = seats.pop()?;
    seat.end(Err(Failure::Panic(panic)))
}

/// Makes everybody wait again, to go alone.
fn separate(turn: &mut Turn, mut seats: Aboard) {
    for (seat, _) in &mut seats {
        seat.job.alone = true;
    }
    turn.give_back(seats.into_iter().map(|(seat, _)| seat));
}

/// What applying one job made.
enum Attempt {
    Changed(Arc<Stored>, Applied),
    Unchanged,
    Superseded,
}

/// Applies `job`, then `closure`, to a copy of `working`. `untouched` says that `working` is what the job was made on.
fn attempt(
    working: &Arc<Stored>,
    job: &mut Job,
    untouched: bool,
    closure: Option<&mut Closure<'_>>,
    terms: Terms,
) -> Result<Attempt, Failure> {
    // If it meets a conflict, it is of no use any more.
    let view = job.view.take().filter(|_| untouched);
    let mut changed = Stored {
        header: working.header.clone(),
        control: working.control.clone(),
        // The view takes their place.
        values: match view {
            Some(_) => working.values.none(),
            None => working.values.clone(),
        },
    };
    let applied = change::apply(
        &mut changed,
        job.authority.as_ref(),
        &mut job.changes,
        view,
        terms,
    )?;
    let Some(applied) = applied else {
        return Ok(Attempt::Superseded);
    };
    changed.extend_idle(terms, job.silent);
    if let Some(closure) = closure {
        // The logs of others are aboard, so a panic must not go off here.
        let kept = catch_unwind(AssertUnwindSafe(|| changed.values.change(closure)))
            .map_err(Failure::Panic)??;
        if !kept {
            return Err(Failure::Aborted);
        }
    }
    let unchanged = job.changes.is_empty() && changed.values.is_clone_of(&working.values);
    Ok(if unchanged {
        Attempt::Unchanged
    } else {
        Attempt::Changed(Arc::new(changed), applied)
    })
}

/// The newest record that is known of a session, be it to its turn or to who commits: a good guess to start from, which
/// the swap proves. Where the store has lost commits, who still knows of those does not count.
fn newest_known(seats: &[Seat], turn: &Turn) -> Arc<Stored> {
    let known = seats.iter().map(|seat| &seat.job.known);
    let known = known.filter(|_| !turn.fell_back);
    let newest = known
        .chain(&turn.newest)
        .max_by_key(|stored| stored.header.version);
    Arc::clone(newest.expect("a flight takes off with somebody aboard"))
}

/// What a conflict means: another commit was first, or our own. It may have been if an earlier answer was lost, and also if
/// none was: a proxy may send a swap once more by itself.
fn judge(
    handle: Handle,
    swap: &Swap,
    current: Arc<Stored>,
    unsure: bool,
) -> Result<Landing, Error> {
    let landed = current.control.commits.landed(
        swap.commit,
        swap.stored.header.version,
        current.header.version,
    );
    match landed {
        Landed::Yes => Ok(Landing::Landed(Some(current))),
        Landed::Unknown if unsure => Err(Error::OutcomeUnknown {
            handle,
            source: None,
        }),
        Landed::No | Landed::Unknown => Ok(Landing::Conflict(current)),
    }
}
