//! From what a request did to what the store holds, and back: plans a commit, has it made, and takes in the outcome.

use std::mem;
use std::sync::MutexGuard;

use super::state::{Plan, State, Target, Touch};
use super::{Inner, Outcome};
use crate::commit::change::{Terms, apply};
use crate::commit::{Applied, Change, Closure, Done, End, Failure, Job, Met};
use crate::error::Error;
use crate::events::EventKind;
use crate::record::envelope::Stored;
use crate::store::{Store as _, Touched};

impl Inner {
    /// Commits what was logged, and in the same step what `closure` makes of the values. Whoever calls it holds `turn`,
    /// so that a request makes one commit at a time.
    pub(super) async fn commit(
        &self,
        closure: Option<&mut Closure<'_>>,
    ) -> Result<Outcome, Failure> {
        let left = self.destroy().await?;
        Ok(match self.commit_log(closure).await? {
            Outcome::Unchanged if left => Outcome::Committed,
            outcome => outcome,
        })
    }

    /// Destroys the session that the request has logged out of; `false` if it has not. If nobody waits for it, it is still
    /// to be destroyed.
    async fn destroy(&self) -> Result<bool, Failure> {
        let (handle, logouts, asked_before) = {
            let mut state = self.state();
            let Some((handle, asked_before)) = state.ask_to_destroy() else {
                return Ok(false);
            };
            (handle, state.logouts, asked_before)
        };
        match self.manager.delete(handle).await {
            Ok(found) => {
                // It may have been found when nobody waited for the answer.
                self.state().destroyed(found || asked_before);
                Ok(true)
            }
            Err(error) => {
                let mut state = self.state();
                if !asked_before && !may_have_applied(&error) {
                    state.not_destroyed();
                }
                if state.logouts == logouts {
                    // With what was written after the logout.
                    let log = state.stay();
                    drop(state);
                    drop(log);
                }
                Err(error.into())
            }
        }
    }

    async fn commit_log(&self, closure: Option<&mut Closure<'_>>) -> Result<Outcome, Failure> {
        let (plan, target, silent) = {
            let mut state = self.state();
            if state.changes.is_empty() && closure.is_none() {
                return Ok(Outcome::Unchanged);
            }
            // The one at the end of the request has no closure.
            let silent = !state.finished || closure.is_some();
            (state.plan(), state.target(), silent)
        };
        let cut = Cut {
            inner: self,
            logouts: plan.logouts,
            secret: plan.next.is_some(),
        };
        let outcome = match target {
            // Boxed, so that the far more frequent swap does not go about with room for a creation.
            None => Box::pin(self.create(plan, closure)).await,
            Some(target) => self.swap(target, plan, silent, closure).await,
        };
        mem::forget(cut);
        outcome
    }

    /// The state, unless the request has logged out since it had done so `logouts` times.
    fn state_since(&self, logouts: u32) -> Option<MutexGuard<'_, Box<State>>> {
        Some(self.state()).filter(|state| state.logouts == logouts)
    }

    /// Makes a record of what was logged, if there is anything to keep.
    async fn create(
        &self,
        mut plan: Plan,
        mut closure: Option<&mut Closure<'_>>,
    ) -> Result<Outcome, Failure> {
        let logouts = plan.logouts;
        let fill = |stored: &mut Stored, terms: Terms| {
            apply(stored, None, &mut plan.changes, plan.view.clone(), terms)?;
            if let Some(closure) = &mut closure
                && !stored.values.change(closure)?
            {
                return Err(Failure::Aborted);
            }
            Ok(!stored.values.is_empty() || stored.header.principal.is_some())
        };
        match self.manager.create(fill).await {
            Ok(None) => {
                if let Some(mut state) = self.state_since(logouts) {
                    state.still_visiting(&mut plan);
                }
                Ok(Outcome::Unchanged)
            }
            Ok(Some((token, stored))) => {
                let handle = token.handle;
                let state = self.state_since(logouts);
                let is_taken_in = state.map(|mut state| state.created(token, stored));
                if is_taken_in.is_none() {
                    // The request has logged out meanwhile.
                    self.manager.delete(handle).await?;
                    return Ok(Outcome::Gone);
                }
                Ok(Outcome::Committed)
            }
            Err(failure) => Err(self.failed(failure, plan)),
        }
    }

    /// Commits `plan` to the record that the session stands on, `silent` if it is not certain that a response follows.
    async fn swap(
        &self,
        target: Target,
        mut plan: Plan,
        silent: bool,
        mut closure: Option<&mut Closure<'_>>,
    ) -> Result<Outcome, Failure> {
        let (handle, logouts) = (target.handle, plan.logouts);
        let sign_in = plan.changes.iter().rev().find_map(Change::sign_in);
        let wants_proof = plan.changes.iter().any(Change::wants_proof);
        let job = Box::new(Job {
            authority: Some(target.authority),
            changes: plan.changes,
            known: target.known,
            view: plan.view.take(),
            conflicts: 0,
            alone: false,
            silent,
        });
        let Done { end, changes } = self
            .manager
            .commit(handle, job, closure.as_deref_mut())
            .await;
        plan.changes = changes;
        Ok(match end {
            Err(failure) => return Err(self.failed(failure, plan)),
            Ok(End::Committed { stored, applied }) => {
                let state = self.state_since(logouts);
                let rotated = state
                    .is_some_and(|mut state| state.committed(stored, applied, plan.next, sign_in));
                if rotated {
                    self.manager.tell(EventKind::Rotated, handle);
                }
                match applied {
                    Applied::ValuesOnly if wants_proof => Outcome::Overtaken,
                    _ => Outcome::Committed,
                }
            }
            Ok(End::Unchanged { stored }) => {
                if let Some(mut state) = self.state_since(logouts) {
                    state.committed(stored, Applied::Fully, None, None);
                }
                Outcome::Unchanged
            }
            Ok(End::Superseded | End::Gone) if sign_in.is_some() => {
                plan.changes = since_login(plan.changes);
                plan.exact = false;
                return Box::pin(self.create(plan, closure)).await;
            }
            Ok(End::Superseded) => {
                self.manager.note(Met::Superseded, handle);
                self.lost(Outcome::Superseded, logouts)
            }
            Ok(End::Gone) => {
                self.manager.note(Met::Gone, handle);
                self.lost(Outcome::Gone, logouts)
            }
        })
    }

    /// A closure that wants nothing written leaves the log as it was before, if the request still has one and did not drop it
    /// meanwhile. After any other failure it is dropped: what failed is not tried again behind anyone's back. If it is not known
    /// what became of a new secret, the request can't end as if nothing had been.
    fn failed(&self, failure: Failure, plan: Plan) -> Failure {
        if let Some(mut state) = self.state_since(plan.logouts) {
            match failure {
                Failure::Aborted if !state.finished && state.drops == plan.drops => {
                    state.restore(plan);
                }
                Failure::Error(Error::OutcomeUnknown { .. }) => state.cut(plan.next.is_some()),
                _ => state.dropped(),
            }
        }
        failure
    }

    /// The session is no longer this request's to speak for.
    fn lost(&self, outcome: Outcome, logouts: u32) -> Outcome {
        if let Some(mut state) = self.state_since(logouts) {
            state.muted = true;
        }
        outcome
    }

    /// Extends the idle deadline if enough of it has passed. A failure costs the session a little time, the response
    /// nothing.
    pub(super) async fn touch(&self) {
        let now = self.manager.clock.now();
        let Some(Touch {
            handle,
            version,
            deadline,
        }) = self.state().due_touch(&self.manager, now)
        else {
            return;
        };
        let touched = self
            .manager
            .store
            .touch(handle, version, deadline, now)
            .await;
        match touched {
            Ok(Touched::Touched) => self.state().touched(deadline),
            // A secret that was saved on the way opens nothing any more.
            Ok(Touched::Gone) => self.state().muted = true,
            Err(_) => {}
        }
    }
}

/// A commit that is under way. Dropped, it was given up by whoever waited for it.
struct Cut<'a> {
    inner: &'a Inner,
    logouts: u32,
    /// Whether it is to replace the session's secret.
    secret: bool,
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        if let Some(mut state) = self.inner.state_since(self.logouts) {
            state.cut(self.secret);
        }
    }
}

fn may_have_applied(error: &Error) -> bool {
    matches!(error, Error::Store { source, .. } if source.may_have_applied())
}

/// Sign-in is a boundary: what was logged before the first belongs to the session that was lost.
fn since_login(mut changes: Vec<Change>) -> Vec<Change> {
    let at = changes
        .iter()
        .position(|change| change.sign_in().is_some())
        .unwrap_or(changes.len());
    changes.split_off(at)
}
