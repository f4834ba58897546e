//! One request's part in a session, shared by its exchange and every [`Session`](super::Session) that it handed out: loads
//! it once, makes one commit at a time, and finishes it once.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_timer::Delay;
use futures_util::future::{Either, select};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard};

use super::state::State;
use super::{Outcome, raise};
use crate::commit::Change;
use crate::error::Error;
use crate::exchange::{HeaderEdit, Presented};
use crate::sessions::Manager;
use crate::store::{StoreError, StoreErrorKind};
use crate::token::Handle;
use crate::transport::Way;

/// What an exchange and the sessions that it handed out share.
pub(crate) struct Inner {
    pub(super) manager: Arc<Manager>,
    presented: Presented,
    /// Held while the store is asked on behalf of this request, so that it loads once and makes one commit at a time.
    /// In the order in which it is asked for: a task that goes on committing keeps the end of the request waiting no longer.
    turn: AsyncMutex<()>,
    /// Boxed, because most requests never have one.
    state: OnceLock<Mutex<Box<State>>>,
    /// Set when the session is asked for, whether it can be loaded or not.
    asked: AtomicBool,
    /// [`OPEN`], [`LOADED`] or [`CLOSED`].
    stage: AtomicU8,
}

/// The session was not loaded, nor is the request finished.
const OPEN: u8 = 0;
/// The session was loaded, or its state is about to be there.
const LOADED: u8 = 1;
/// The request is finished: a session that is loaded from now on takes no writes, and there is nothing left to give up.
const CLOSED: u8 = 2;

impl Inner {
    pub(crate) fn new(manager: &Arc<Manager>, presented: Presented) -> Self {
        Self {
            manager: Arc::clone(manager),
            presented,
            turn: AsyncMutex::new(()),
            state: OnceLock::new(),
            asked: AtomicBool::new(false),
            stage: AtomicU8::new(OPEN),
        }
    }

    pub(crate) fn manager(&self) -> &Arc<Manager> {
        &self.manager
    }

    pub(crate) fn is_loaded(&self) -> bool {
        self.state.get().is_some()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == CLOSED
    }

    pub(crate) async fn load(&self) -> Result<(), Error> {
        if self.is_loaded() {
            return Ok(());
        }
        self.asked.store(true, Ordering::Relaxed);
        let _turn = self.turn_in_time().await.ok_or_else(|| {
            let reason = "the session is being loaded already, which does not end";
            Error::store("load")(kept(reason))
        })?;
        if !self.is_loaded() {
            let mut state = self.manager.find(&self.presented).await?;
            if self.presented.len() > 1 {
                state.note_ways(&self.presented, &self.manager);
            }
            // Whoever finishes the request from here on does so with the state.
            state.finished = !self.leaves_open_for(LOADED);
            // Whoever holds the turn is the only one to set it.
            let _ = self.state.set(Mutex::new(state));
        }
        Ok(())
    }

    /// Finishes the request if the store need not be asked for that; `None` if it must. Whoever asks for the session
    /// later can't write to it.
    pub(crate) fn finish_now(&self) -> Option<Vec<HeaderEdit>> {
        if self.close_unloaded() {
            return Some(self.unloaded_edits());
        }
        let mut state = self.state();
        if state.finished {
            return Some(Vec::new());
        }
        if !state.is_settled(&self.manager) {
            return None;
        }
        let _turn = self.turn.try_lock().ok()?;
        let edits = self.header_edits(&mut state).ok()?;
        self.close(&mut state);
        Some(edits)
    }

    /// Finishes a request whose session was not loaded. Whoever loads it from now on can't write to it. `false` if it was.
    fn close_unloaded(&self) -> bool {
        if self.is_loaded() {
            return false;
        }
        if !self.leaves_open_for(CLOSED) && self.stage.load(Ordering::Acquire) == LOADED {
            // It is about to be there.
            self.state.wait();
        }
        !self.is_loaded()
    }

    /// Whether this is what brought the request to `stage`, and no other was first.
    fn leaves_open_for(&self, stage: u8) -> bool {
        self.stage
            .compare_exchange(OPEN, stage, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Finishes a request whose session was loaded. `false` if it was finished before.
    fn close(&self, state: &mut State) -> bool {
        self.stage.store(CLOSED, Ordering::Release);
        !std::mem::replace(&mut state.finished, true)
    }

    /// Drops what is left of a request that nobody finished or abandoned, and that nobody can any more.
    pub(crate) fn give_up(&self) {
        if self.is_closed() || self.close_unloaded() {
            return;
        }
        self.drop_log(self.state());
    }

    /// Drops what is left, and says what the response needs for what was committed.
    pub(crate) fn abandon(&self) -> Vec<HeaderEdit> {
        if self.close_unloaded() {
            return self.unloaded_edits();
        }
        let mut state = self.state();
        let log = self.take_log(&mut state);
        state.leave_date();
        let edits = self.header_edits(&mut state);
        let edits = edits.unwrap_or_else(|_| self.asked_edits());
        drop(state);
        // As in `drop_log`.
        drop(log);
        edits
    }

    /// Finishes the request and drops what is left of it.
    fn drop_log(&self, mut state: MutexGuard<'_, Box<State>>) {
        let log = self.take_log(&mut state);
        drop(state);
        // Outside of the lock, for its closures may do anything when they are dropped.
        drop(log);
    }

    fn take_log(&self, state: &mut State) -> Vec<Change> {
        self.close(state);
        state.discard()
    }

    /// Commits what is left, makes the touch that is due, and says what the response needs. To be called when
    /// [`finish_now`](Self::finish_now) could not do it.
    pub(crate) async fn finish(&self) -> Result<Vec<HeaderEdit>, Error> {
        let Some(_turn) = self.turn_in_time().await else {
            let state = self.state();
            let handle = state.commits_to();
            // A task that has the session may go on, with commits of its own.
            self.drop_log(state);
            return Err(does_not_end(handle));
        };
        let may_fail = {
            let mut state = self.state();
            if !self.close(&mut state) {
                return Ok(Vec::new());
            }
            if let Some(handle) = state.in_doubt() {
                self.drop_log(state);
                return Err(Error::OutcomeUnknown {
                    handle,
                    source: None,
                });
            }
            state.renew(&self.manager) || state.extend(&self.manager)
        };
        match self.commit(None).await.map_err(raise) {
            Ok(Outcome::Unchanged) => self.touch().await,
            Ok(_) => {}
            // A renewal, or an extension, can wait for the next request.
            Err(_) if may_fail => self.state().leave_date(),
            Err(error) => return Err(error),
        }
        self.header_edits(&mut self.state())
    }

    /// The turn, for a commit before the end of the request. Without it, what was logged is dropped, as after any error.
    pub(super) async fn turn_to_commit(&self) -> Result<AsyncMutexGuard<'_, ()>, Error> {
        let turn = self.turn_in_time().await;
        turn.ok_or_else(|| {
            let mut state = self.state();
            let handle = state.commits_to();
            let log = state.discard();
            drop(state);
            // As in `drop_log`.
            drop(log);
            does_not_end(handle)
        })
    }

    /// The turn; `None` if it is not free in time.
    async fn turn_in_time(&self) -> Option<AsyncMutexGuard<'_, ()>> {
        turn_within(self.manager.lanes.longest_wait(), &self.turn).await
    }

    /// After an error, the client still has to be told.
    fn header_edits(&self, state: &mut State) -> Result<Vec<HeaderEdit>, Error> {
        let change = state.cookie_change(&self.manager);
        let until = state.cookie_lasts_until(&self.manager);
        match self.manager.header_edits(&change, state.came, until) {
            Ok(mut edits) => {
                self.note_url(&mut edits);
                Ok(edits)
            }
            Err(error) => {
                state.cookie = change;
                Err(error)
            }
        }
    }

    /// What the response needs of a request whose session was not loaded.
    fn unloaded_edits(&self) -> Vec<HeaderEdit> {
        if self.asked.load(Ordering::Relaxed) {
            return self.asked_edits();
        }
        if self.came_by_url() {
            return vec![HeaderEdit::SAME_ORIGIN];
        }
        Vec::new()
    }

    /// What a response needs that may depend on the session, whatever else there is to say.
    fn asked_edits(&self) -> Vec<HeaderEdit> {
        let mut edits = self.manager.transports.vary();
        self.note_url(&mut edits);
        edits
    }

    /// What a response needs because the request's URL holds a token, if the session was asked for.
    fn note_url(&self, edits: &mut Vec<HeaderEdit>) {
        if self.came_by_url() {
            edits.extend([HeaderEdit::SAME_ORIGIN, HeaderEdit::NO_STORE]);
        }
    }

    /// Whether the request's URL holds a token, be it good or not.
    fn came_by_url(&self) -> bool {
        self.presented.iter().any(|text| text.way == Way::Query)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Box<State>> {
        let state = self
            .state
            .get()
            .expect("a session is handed out once it is loaded");
        // No closure of a handler runs under this lock, nor does what decodes a value, and no change leaves it half-way.
        // What encodes a token, makes random bytes or tells the time does, also where the application gave it: if it used
        // the session of the request, it would hang.
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn, once it is free; `None` if it is not within `limit`. A handler may keep a future that has it without polling
/// it, or leave it to the body of its response, which nobody polls before the request is finished.
async fn turn_within(limit: Duration, turn: &AsyncMutex<()>) -> Option<AsyncMutexGuard<'_, ()>> {
    if let Ok(free) = turn.try_lock() {
        return Some(free);
    }
    // Boxed, so that who need not wait does not go about with room for it.
    match select(Box::pin(turn.lock()), Delay::new(limit)).await {
        Either::Left((free, _)) => Some(free),
        Either::Right(_) => None,
    }
}

/// What a request is told of a commit of its own to `handle` that is kept, and may land yet. Without a handle, that makes a
/// record, whose secret nobody will learn.
fn does_not_end(handle: Option<Handle>) -> Error {
    let source = kept("a save or transact of the same request does not end");
    match handle {
        Some(handle) => Error::OutcomeUnknown {
            handle,
            source: Some(source),
        },
        None => Error::store("create")(source),
    }
}

fn kept(what: &str) -> StoreError {
    let reason = format!("{what}; is its future kept without being polled?");
    StoreError::new(StoreErrorKind::Timeout, reason)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_turn_that_is_kept_is_waited_for_but_not_for_ever() {
        let turn = AsyncMutex::new(());
        let kept = turn.try_lock().unwrap();
        assert!(
            turn_within(Duration::from_millis(10), &turn)
                .await
                .is_none()
        );
        let mut waits = Box::pin(turn_within(Duration::from_secs(600), &turn));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(kept);
        assert!(waits.await.is_some());
    }
}
