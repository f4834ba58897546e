//! From what a request did to what the store holds, and back: plans a commit, has it made, and takes in the outcome.

use super::state::{CookieChange, Plan, Target, Touch};
use super::{Inner, Outcome, Saved};
use crate::commit::change::{Terms, apply};
use crate::commit::{Applied, Change, Closure, Done, End, Failure, Job};
use crate::events::{EventKind, Met};
use crate::record::envelope::Stored;
use crate::store::{Store as _, Touched};
use crate::token::{Handle, Token};
use crate::values::Values;

impl Saved {
    pub(crate) const UNCHANGED: Self = Self {
        outcome: Outcome::Unchanged,
        conflicts: 0,
    };
}

impl Inner {
    /// Commits what was logged, and in the same step what `closure` makes of the values. Whoever calls it holds `turn`,
    /// so that a request makes one commit at a time.
    pub(super) async fn commit(&self, closure: Option<&mut Closure<'_>>) -> Result<Saved, Failure> {
        let ended = self.state().ended.take();
        // Who finds it gone leaves the cookie alone: a parallel response may just have brought a new one.
        if let Some(handle) = ended
            && self.manager.delete(handle).await?
        {
            self.state().cookie = CookieChange::Remove;
        }
        let saved = self.commit_log(closure).await?;
        Ok(match saved.outcome {
            Outcome::Unchanged if ended.is_some() => Saved {
                outcome: Outcome::Committed,
                ..saved
            },
            _ => saved,
        })
    }

    async fn commit_log(&self, closure: Option<&mut Closure<'_>>) -> Result<Saved, Failure> {
        let (
            Plan {
                changes,
                view,
                next,
            },
            target,
        ) = {
            let mut state = self.state();
            if state.changes.is_empty() && closure.is_none() {
                return Ok(Saved::UNCHANGED);
            }
            (state.plan(), state.target())
        };
        match target {
            // Boxed, so that the far more frequent swap does not go about with room for a creation.
            None => Box::pin(self.create(changes, view, closure)).await,
            Some(Target {
                handle,
                authority,
                known,
            }) => {
                let job = Box::new(Job {
                    authority: Some(authority),
                    changes,
                    known,
                    view,
                    conflicts: 0,
                    alone: false,
                });
                self.swap(handle, job, next, closure).await
            }
        }
    }

    /// Makes a record of what was logged, if there is anything to keep.
    async fn create(
        &self,
        mut changes: Vec<Change>,
        view: Option<Values>,
        mut closure: Option<&mut Closure<'_>>,
    ) -> Result<Saved, Failure> {
        let fill = |stored: &mut Stored, terms: Terms| {
            apply(stored, None, &mut changes, view.clone(), terms)?;
            if !closure
                .as_deref_mut()
                .is_none_or(|closure| closure(&mut stored.values))
            {
                return Err(Failure::Aborted);
            }
            Ok(!stored.values.is_empty() || stored.header.principal.is_some())
        };
        match self.manager.create(fill).await {
            Ok(None) => {
                self.state().still_visiting(changes);
                Ok(Saved::UNCHANGED)
            }
            Ok(Some((token, stored))) => {
                self.state().created(token, stored);
                Ok(Saved {
                    outcome: Outcome::Committed,
                    conflicts: 0,
                })
            }
            Err(failure) => Err(self.failed(failure, changes, None)),
        }
    }

    /// Commits `job` to the record that the session stands on. `next` is the token whose secret it brings.
    async fn swap(
        &self,
        handle: Handle,
        job: Box<Job>,
        next: Option<Box<Token>>,
        mut closure: Option<&mut Closure<'_>>,
    ) -> Result<Saved, Failure> {
        let sign_in = job.changes.iter().rev().find_map(Change::sign_in);
        let Done {
            end,
            changes,
            conflicts,
        } = self
            .manager
            .commit(handle, job, closure.as_deref_mut())
            .await;
        let outcome = match end {
            Err(failure) => return Err(self.failed(failure, changes, next)),
            Ok(End::Committed { stored, applied }) => {
                let rotated = self.state().committed(stored, applied, next, sign_in);
                if rotated {
                    self.manager.tell(EventKind::Rotated, handle);
                }
                Outcome::Committed
            }
            Ok(End::Unchanged { stored }) => {
                self.state().committed(stored, Applied::Fully, None, None);
                Outcome::Unchanged
            }
            Ok(End::Superseded | End::Gone) if sign_in.is_some() => {
                return Box::pin(self.create(since_login(changes), None, closure)).await;
            }
            Ok(End::Superseded) => {
                self.manager.note(Met::Superseded, handle);
                self.lost(Outcome::Superseded)
            }
            Ok(End::Gone) => {
                self.manager.note(Met::Gone, handle);
                self.lost(Outcome::Gone)
            }
        };
        Ok(Saved { outcome, conflicts })
    }

    /// A closure that wants nothing written leaves the log as it was before. After any other failure it is dropped: what
    /// failed is not tried again behind anyone's back.
    fn failed(&self, failure: Failure, changes: Vec<Change>, next: Option<Box<Token>>) -> Failure {
        match failure {
            Failure::Aborted => self.state().restore(changes, next),
            Failure::Error(_) | Failure::Panic(_) => self.state().dropped(),
        }
        failure
    }

    /// The session is no longer this request's to speak for.
    fn lost(&self, outcome: Outcome) -> Outcome {
        self.state().muted = true;
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
        if let Ok(Touched::Touched) = self
            .manager
            .store
            .touch(handle, version, deadline, now)
            .await
        {
            self.state().touched(deadline);
        }
    }
}

/// Sign-in is a boundary: what was logged before the first belongs to the session that was lost.
fn since_login(mut changes: Vec<Change>) -> Vec<Change> {
    let at = changes
        .iter()
        .position(|change| change.sign_in().is_some())
        .unwrap_or(changes.len());
    changes.split_off(at)
}
