//! What a commit takes out of a session, and what its outcome brings back.

use std::sync::Arc;

use super::{Base, CookieChange, State, View};
use crate::commit::{Applied, Authority, Change};
use crate::record::envelope::Stored;
use crate::record::secrets::OpenedBy;
use crate::token::{Handle, Token};
use crate::values::Values;

/// The record that a commit is made to.
pub(crate) struct Target {
    pub(crate) handle: Handle,
    pub(crate) authority: Authority,
    pub(crate) known: Arc<Stored>,
}

/// What is to be committed, and what its session has to know again when that has ended.
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
    pub(crate) view: Option<Values>,
    /// Whether the view was what `changes` make of the record.
    pub(crate) exact: bool,
    /// Boxed, for it is rarely there and every commit's future has room for it.
    pub(crate) next: Option<Box<Token>>,
    /// [`State::logouts`].
    pub(crate) logouts: u32,
    /// [`State::drops`].
    pub(crate) drops: u32,
}

impl State {
    /// Takes out what is to be committed. What is written from now on belongs to the next commit.
    pub(crate) fn plan(&mut self) -> Plan {
        let view = match &self.view {
            // Nobody can write to it any more, and who still reads sees the record.
            Some(_) if self.finished && self.base.is_some() => self.view.take(),
            view => view.clone(),
        };
        let exact = self.exact;
        let view = view.filter(|_| exact).map(|view| view.values);
        // Until the commit succeeds, the view shows what the log no longer holds.
        self.exact = exact && self.changes.is_empty();
        Plan {
            changes: std::mem::take(&mut self.changes),
            view,
            exact,
            next: self.next.take().map(Box::new),
            logouts: self.logouts,
            drops: self.drops,
        }
    }

    /// The record that a commit would be made to; `None` if it would make one.
    pub(crate) fn target(&self) -> Option<Target> {
        let Base {
            token,
            stored,
            authority,
            ..
        } = self.base.as_ref()?;
        Some(Target {
            handle: token.handle,
            authority: *authority,
            known: Arc::clone(stored),
        })
    }

    /// The session that the request has logged out of and that the store is now asked to destroy, and whether it was asked
    /// before.
    pub(crate) fn ask_to_destroy(&mut self) -> Option<(Handle, bool)> {
        let handle = self.left.as_ref()?.base.token.handle;
        let before = self.destroying.replace(handle) == Some(handle);
        Some((handle, before))
    }

    /// Takes in that the store refused to destroy the session that it was asked to.
    pub(crate) fn not_destroyed(&mut self) {
        self.destroying = None;
    }

    /// Takes in that the session was destroyed that the request has logged out of, if it was `found`.
    pub(crate) fn destroyed(&mut self, found: bool) {
        self.left = None;
        if found {
            self.cookie = CookieChange::Remove;
        } else if let CookieChange::Send(_) = self.cookie {
            // A secret of what is gone. A parallel response may just have brought a new one.
            self.cookie = CookieChange::Keep;
        }
    }

    /// Takes in that nobody knows the session to be destroyed that the request has logged out of: it stands on it again.
    /// Returns what was written since, which is dropped.
    pub(crate) fn stay(&mut self) -> Vec<Change> {
        let log = self.plan().changes;
        if let Some(left) = self.left.take() {
            self.muted = left.muted;
            self.stand_on(left.base);
        }
        log
    }

    /// Takes in a record that was just created, and the token that the client is to get.
    pub(crate) fn created(&mut self, token: Token, stored: Arc<Stored>) {
        self.move_next(token.handle);
        self.cookie = CookieChange::Send(token.clone());
        self.muted = false;
        let presented = token.hash();
        self.stand_on(Base::new(token, presented, stored, OpenedBy::Current));
    }

    /// Makes a token of `handle` of the one that is to come: it was drawn before the record was made, and a secret is
    /// hashed with the handle.
    fn move_next(&mut self, handle: Handle) {
        let Some(next) = &mut self.next else { return };
        let before = next.hash();
        next.handle = handle;
        let after = next.hash();
        let secrets = self.changes.iter_mut().filter_map(Change::secret_mut);
        for secret in secrets.filter(|secret| bool::from(secret.matches(&before))) {
            *secret = after;
        }
    }

    /// Takes in that there was nothing to keep. What was noted about the session waits until there is, unless the log was
    /// dropped meanwhile. The rest stays in the plan.
    pub(crate) fn still_visiting(&mut self, plan: &mut Plan) {
        if self.drops != plan.drops {
            return;
        }
        if self.changes.is_empty() {
            self.view().values.clear();
            self.exact = true;
        }
        let notes = |change: &mut Change| matches!(change, Change::Label(_) | Change::Lifetimes(_));
        let kept = plan.changes.extract_if(.., notes).collect();
        self.put_back(kept);
    }

    /// Takes in a commit to the record it stood on. `next` is the token whose secret it brought, `sign_in` the sign-in
    /// that it made. Of two offers in one swap only the first counts, and none before a rotation. Returns whether the
    /// client gets a new secret.
    pub(crate) fn committed(
        &mut self,
        stored: Arc<Stored>,
        applied: Applied,
        next: Option<Box<Token>>,
        sign_in: Option<u64>,
    ) -> bool {
        let Some(mut base) = self.base.take() else {
            return false;
        };
        let mut rotated = false;
        if applied == Applied::ValuesOnly {
            self.muted = true;
        } else if let Some(next) = next.filter(|next| stored.control.secrets.holds(&next.hash())) {
            rotated = true;
            // It was committed by the former one, which nothing had replaced.
            self.unsure = None;
            base.authority.presented = next.hash();
            base.opened_by = OpenedBy::Current;
            base.token = Token::clone(&next);
            self.cookie = CookieChange::Send(*next);
        }
        base.authority.sign_in = sign_in.unwrap_or(base.authority.sign_in);
        if stored.control.sign_in == base.authority.sign_in {
            base.stored = stored;
            self.stand_on(base);
        } else {
            // Somebody has signed in right after: that record is not this request's to see, nor its cookie to send.
            self.base = Some(base);
            self.muted = true;
        }
        rotated
    }

    /// Takes in the record as it is now, for a task that outlives its request.
    pub(crate) fn reloaded(&mut self, stored: Arc<Stored>) {
        if let Some(base) = self.base.take() {
            self.stand_on(Base { stored, ..base });
        }
    }

    /// Puts back what was planned and not committed, before what was logged since.
    pub(crate) fn restore(&mut self, plan: Plan) {
        self.put_back(plan.changes);
        self.exact = plan.exact;
        self.next = self.next.take().or(plan.next.map(|next| *next));
    }

    fn put_back(&mut self, mut changes: Vec<Change>) {
        changes.append(&mut self.changes);
        self.changes = changes;
    }

    /// Takes in that what was planned is lost. Unless more was written since, the request sees what is left.
    pub(crate) fn dropped(&mut self) {
        if !self.changes.is_empty() {
            return;
        }
        self.exact = true;
        self.view().values.clear();
        self.view = match (self.view.take(), &self.base) {
            (Some(View { values, .. }), None) => Self::visitor(values).view,
            _ => None,
        };
    }

    /// Takes in that it is not known what became of a commit. `secret` says whether it was to replace the secret.
    pub(crate) fn cut(&mut self, secret: bool) {
        if secret {
            self.unsure = self.base.as_ref().map(|base| base.token.handle);
        }
        self.dropped();
    }

    /// Leaves what is logged uncommitted, and returns it. It goes from the view, too: a `transact` of a task may be about to
    /// begin with what the request saw.
    pub(crate) fn discard(&mut self) -> Vec<Change> {
        self.drops += 1;
        let log = if self.left.is_some() {
            self.stay()
        } else {
            self.next = None;
            std::mem::take(&mut self.changes)
        };
        self.dropped();
        log
    }

    /// Goes on from the record of `base`, and shows what was logged since on top of it.
    fn stand_on(&mut self, base: Base) {
        let before = self.view.take();
        self.base = Some(base);
        self.exact = self.changes.is_empty();
        if let Some(before) = before.filter(|_| !self.exact) {
            let changes = std::mem::take(&mut self.changes);
            let view = self.view();
            for change in &changes {
                view.show_again(change, &before);
            }
            self.changes = changes;
        }
    }
}
