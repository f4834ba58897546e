//! Checkpoints: what is in the write-ahead log is written back to the database. Copying the pages and waiting for the disk
//! takes tens of milliseconds, so it is done beside the writer, by a thread that has a connection of its own.
//!
//! A log begins anew only when all of it has been written back, which under a load without pauses is never so at the end
//! of such a checkpoint: the writer has gone on meanwhile. When the log is long, the writer itself writes back what little
//! has been added.

use std::cell::Cell;
use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use fasthttpsession_core::StoreError;
use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::error::abandoned;

/// Each time that the log has so many pages more, it is written back. The larger, the less often a page that changes all
/// the time is written twice. 16 MiB with pages of 4 KiB.
const PAGES: u32 = 4000;
/// A log of so many should begin anew.
const LONG: u32 = 3 * PAGES;

thread_local! {
    /// How many pages were in the log after the last commit of this thread: SQLite tells them to a bare function.
    static IN_LOG: Cell<u32> = const { Cell::new(0) };
}

/// Sees that the log of one writer is written back. Dropped, it ends the thread.
pub(crate) struct Checkpoints {
    wake: SyncSender<()>,
    /// A checkpoint beside the writer has ended since the last one was asked for.
    ended: Arc<AtomicBool>,
    /// How many times `PAGES` the log had when last looked at.
    seen: u32,
}

impl Checkpoints {
    /// Starts the thread, which uses `db`. SQLite makes no checkpoints of its own in commits of `writer` any more.
    pub(crate) fn start(db: Connection, writer: &Connection) -> Result<Self, StoreError> {
        let (wake, woken) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        let thread = Thread {
            db,
            woken,
            ended: Arc::clone(&ended),
        };
        thread::Builder::new()
            .name("sqlite checkpoints".to_owned())
            .spawn(move || thread.run())
            .map_err(|error| abandoned("starting the thread of checkpoints").with_source(error))?;
        writer.wal_hook(Some(note_pages));
        Ok(Self {
            wake,
            ended,
            seen: 0,
        })
    }

    /// To be called by the thread that writes, after its commits and with its connection.
    pub(crate) fn after_commit(&mut self, writer: &Connection) {
        let in_log = IN_LOG.get();
        let times = in_log / PAGES;
        if times > self.seen {
            self.ended.store(false, Ordering::Relaxed);
            // If one is asked for already, that will do.
            let _ = self.wake.try_send(());
        } else if in_log >= LONG && self.ended.swap(false, Ordering::Relaxed) {
            checkpoint(writer);
        }
        self.seen = times;
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the hook is of this type")]
fn note_pages(_: &Wal, in_log: c_int) -> rusqlite::Result<()> {
    IN_LOG.set(in_log.unsigned_abs());
    Ok(())
}

struct Thread {
    db: Connection,
    woken: Receiver<()>,
    ended: Arc<AtomicBool>,
}

impl Thread {
    fn run(self) {
        while self.woken.recv().is_ok() {
            checkpoint(&self.db);
            self.ended.store(true, Ordering::Relaxed);
        }
    }
}

/// Writes back what no reader and no other checkpoint is in the way of. What can't be written back now stays in the log,
/// where nothing is lost, and is part of the next one.
fn checkpoint(db: &Connection) {
    let _ = db.query_row("PRAGMA main.wal_checkpoint(PASSIVE)", [], |_| Ok(()));
}
