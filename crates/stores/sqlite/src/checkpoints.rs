//! Checkpoints: what is in the write-ahead log is written back to the database. Copying the pages and waiting for the disk
//! takes tens of milliseconds, so it is done beside the writer, by a thread that has a connection of its own.
//!
//! A log begins anew only when all of it has been written back, which under a load without pauses is never so at the end
//! of such a checkpoint: the writer has gone on meanwhile. If the log is long by then, the writer itself writes back what
//! has been added. Where the disk can't keep up, it waits before the log gets longer than it may.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use fasthttpsession_core::StoreError;
use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::error::abandoned;

/// Each time that the log has so many pages more, it is written back. The larger, the less often a page that changes all
/// the time is written twice. 16 MiB with pages of 4 KiB.
const PAGES: u32 = 4000;
/// A log of so many should begin anew.
const LONG: u32 = 2 * PAGES;
/// With so many, the writer waits for the checkpoint that is under way.
const LONGEST: u32 = 3 * PAGES;

thread_local! {
    /// How many pages were in the log after the last commit of this thread: SQLite tells them to a bare function.
    static IN_LOG: Cell<u32> = const { Cell::new(0) };
}

/// Sees that the log of one writer is written back. Dropped, it ends the thread.
pub(crate) struct Checkpoints {
    wake: Sender<()>,
    ended: Receiver<()>,
    /// One was asked for whose end has not been seen.
    under_way: bool,
    /// How many times `PAGES` the log had when last looked at.
    seen: u32,
}

impl Checkpoints {
    /// Starts the thread, which uses `db`. SQLite makes no checkpoints of its own in commits of `writer` any more.
    pub(crate) fn start(db: Connection, writer: &Connection) -> Result<Self, StoreError> {
        let (wake, woken) = channel();
        let (end, ended) = channel();
        thread::Builder::new()
            .name("sqlite checkpoints".to_owned())
            .spawn(move || run(&db, &woken, &end))
            .map_err(|error| abandoned("starting the thread of checkpoints").with_source(error))?;
        writer.wal_hook(Some(note_pages));
        Ok(Self::new(wake, ended))
    }

    fn new(wake: Sender<()>, ended: Receiver<()>) -> Self {
        Self {
            wake,
            ended,
            under_way: false,
            seen: 0,
        }
    }

    /// To be called by the thread that writes, after its commits and with its connection.
    pub(crate) fn after_commit(&mut self, writer: &Connection) {
        let in_log = IN_LOG.get();
        let times = in_log / PAGES;
        if self.under_way {
            if self.has_ended(in_log) && in_log >= LONG {
                checkpoint(writer);
            }
        } else if times > self.seen {
            self.under_way = self.wake.send(()).is_ok();
        }
        self.seen = times;
    }

    /// Whether the one under way has ended; waits for that if the log must not get longer.
    fn has_ended(&mut self, in_log: u32) -> bool {
        let ended = if in_log >= LONGEST {
            self.ended.recv().is_ok()
        } else {
            self.ended.try_recv().is_ok()
        };
        self.under_way = !ended;
        ended
    }
}

/// Makes a checkpoint each time that it is woken, until the store is gone.
fn run(db: &Connection, woken: &Receiver<()>, end: &Sender<()>) {
    while woken.recv().is_ok() {
        checkpoint(db);
        if end.send(()).is_err() {
            break;
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the hook is of this type")]
fn note_pages(_: &Wal, in_log: c_int) -> rusqlite::Result<()> {
    IN_LOG.set(in_log.unsigned_abs());
    Ok(())
}

/// Writes back what no reader and no other checkpoint is in the way of. What can't be written back now stays in the log,
/// where nothing is lost, and is part of the next one.
fn checkpoint(db: &Connection) {
    let _ = db.query_row("PRAGMA main.wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Checkpoints that the test makes itself: what it is asked for, and where it tells the end.
    fn by_hand() -> (Checkpoints, Receiver<()>, Sender<()>) {
        let (wake, woken) = channel();
        let (end, ended) = channel();
        (Checkpoints::new(wake, ended), woken, end)
    }

    fn commit(checkpoints: &mut Checkpoints, in_log: u32) {
        IN_LOG.set(in_log);
        checkpoints.after_commit(&Connection::open_in_memory().unwrap());
    }

    #[test]
    fn one_is_asked_for_each_time_that_the_log_has_grown_by_so_much() {
        let (mut checkpoints, woken, end) = by_hand();
        let mut asked = |in_log| {
            commit(&mut checkpoints, in_log);
            woken.try_recv().is_ok()
        };
        assert!(!asked(PAGES - 1));
        assert!(asked(PAGES));
        assert!(!asked(LONG), "one is under way");
        end.send(()).unwrap();
        assert!(!asked(LONG + 1), "the end of that one is seen");
        assert!(!asked(LONG + 2), "it has grown by little since");
        assert!(!asked(1), "the log has begun anew");
        assert!(asked(PAGES));
    }

    #[test]
    fn the_longest_log_waits_for_the_one_under_way() {
        let (mut checkpoints, _woken, end) = by_hand();
        commit(&mut checkpoints, PAGES);
        commit(&mut checkpoints, LONGEST - 1);
        let told = AtomicBool::new(false);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                commit(&mut checkpoints, LONGEST);
                told.load(Ordering::SeqCst)
            });
            for _ in 0..1000 {
                thread::yield_now();
            }
            told.store(true, Ordering::SeqCst);
            end.send(()).unwrap();
            assert!(waiting.join().unwrap(), "it did not wait");
        });
        assert!(!checkpoints.under_way);
    }
}
