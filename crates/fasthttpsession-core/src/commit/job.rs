//! What goes through a lane: jobs that wait, the flight that is under way, and how they end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_channel::oneshot;
use smallvec::SmallVec;

use super::change::{Applied, Authority, Change, Failure};
use super::lane::Reply;
use crate::error::Error;
use crate::record::Record;
use crate::record::commits::CommitId;
use crate::record::envelope::Stored;
use crate::time::Timestamp;
use crate::token::Handle;
use crate::values::Values;

/// A change log that is to be committed. Boxed wherever it goes, for it goes through many hands.
pub(crate) struct Job {
    /// `None` for the application itself, which needs no right.
    pub(crate) authority: Option<Authority>,
    pub(crate) changes: Vec<Change>,
    /// The record on which the log was made.
    pub(crate) known: Arc<Stored>,
    /// What the values are if the log is applied to `known`.
    pub(crate) view: Option<Values>,
    /// How often another commit was first.
    pub(crate) conflicts: u32,
    /// Whether it was part of a swap that failed as a whole, and goes without others now.
    pub(crate) alone: bool,
    /// Whether a response that tells the client that the session was extended may not follow.
    pub(crate) silent: bool,
}

/// How a job ended.
pub(crate) struct Done {
    pub(crate) end: Result<End, Failure>,
    /// The log again, for whoever can still do something with it.
    pub(crate) changes: Vec<Change>,
}

/// How a job ended that met no error.
pub(crate) enum End {
    /// It is in the store; this is the record now.
    Committed {
        stored: Arc<Stored>,
        applied: Applied,
    },
    /// There was nothing to write; this is the newest record known.
    Unchanged {
        stored: Arc<Stored>,
    },
    Superseded,
    Gone,
}

/// A job with the place to tell its end; the holder of the turn has none, as it learns its end by itself.
pub(crate) struct Seat {
    /// That of who waits; nothing of the holder of the turn.
    pub(crate) number: u64,
    pub(crate) job: Box<Job>,
    pub(crate) reply: Option<oneshot::Sender<Reply>>,
}

/// Who commits together: mostly one, who then needs no list.
pub(crate) type Seats = SmallVec<[Seat; 1]>;

/// Those whose logs became part of a swap, and how.
pub(crate) type Aboard = SmallVec<[(Seat, Applied); 1]>;

/// One swap with all jobs that are part of it.
pub(crate) struct Flight {
    pub(crate) seats: Aboard,
    pub(crate) swap: Swap,
}

/// What is sent to the store, again and again the same.
pub(crate) struct Swap {
    pub(crate) expected: u64,
    pub(crate) record: Record,
    pub(crate) commit: CommitId,
    /// When it was made.
    pub(crate) now: Timestamp,
    /// `record`, taken apart.
    pub(crate) stored: Arc<Stored>,
}

impl Done {
    /// The committer panicked (in a clock of the application, or in what reads a map) and took the log with it.
    pub(crate) fn forsaken(handle: Handle) -> Self {
        let unknown = Error::OutcomeUnknown {
            handle,
            source: None,
        };
        Self {
            end: Err(unknown.into()),
            changes: Vec::new(),
        }
    }
}

impl Flight {
    /// The first aboard who still waits. Whoever gave up is dropped, and so is who held the turn.
    pub(crate) fn next_heir(&mut self) -> Option<(u64, oneshot::Sender<Reply>)> {
        let waits = |(seat, _): &(Seat, Applied)| {
            (seat.reply.as_ref()).is_some_and(|reply| !reply.is_canceled())
        };
        let (waiting, gone): (Aboard, Aboard) = self.seats.drain(..).partition(waits);
        self.seats = waiting;
        gone.into_iter().for_each(drop_quietly);
        let (first, _) = self.seats.first_mut()?;
        Some((first.number, first.reply.take()?))
    }
}

impl Seat {
    /// Tells the end to whom it concerns; to the holder of the turn, by returning it.
    pub(crate) fn end(self, end: Result<End, Failure>) -> Option<Done> {
        let changes = self.job.changes;
        let done = Done { end, changes };
        match self.reply {
            None => Some(done),
            Some(reply) => {
                // Whoever gave up waiting needs no answer.
                let _ = reply.send(Reply::Done(done)).map_err(drop_quietly);
                None
            }
        }
    }
}

/// Drops what a request has given up. Its closures may do anything when they are dropped: no lock is to be held, and a
/// panic is not to go off where the logs of others are aboard.
pub(super) fn drop_quietly<T>(given_up: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(given_up)));
}
