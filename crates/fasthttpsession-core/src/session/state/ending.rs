//! What the end of a request asks for beside its commit: a renewal, a touch, and a word to the client.

use std::sync::Arc;

use super::{Base, CookieChange, DatedBy, State};
use crate::commit::Change;
use crate::lifetimes::Lifetimes;
use crate::record::envelope::Stored;
use crate::record::secrets::OpenedBy;
use crate::sessions::Manager;
use crate::time::Timestamp;
use crate::token::Handle;
use crate::transport::Ways;

/// An extension of the idle deadline.
pub(crate) struct Touch {
    pub(crate) handle: Handle,
    pub(crate) version: u64,
    pub(crate) deadline: Timestamp,
}

impl State {
    /// Whether the store has nothing to do at the end of this request.
    pub(crate) fn is_settled(&self, manager: &Manager) -> bool {
        if !self.changes.is_empty() || self.left.is_some() || self.in_doubt().is_some() {
            return false;
        }
        !self.is_renewal_due(manager)
            && !self.is_to_be_dated(manager)
            && self.due_touch(manager, manager.clock.now()).is_none()
    }

    /// Takes the next step of a renewal, if one is due, or both. Returns whether that is all there is to commit. A generator that
    /// fails now leaves it to a later request.
    pub(crate) fn renew(&mut self, manager: &Manager) -> bool {
        let Some(base) = self.base.as_ref().filter(|_| self.is_renewal_due(manager)) else {
            return false;
        };
        let nothing_else = self.changes.is_empty();
        let (handle, presented) = (base.token.handle, base.authority.presented);
        let is_promoted = base.opened_by == OpenedBy::Offer;
        let is_offer_due = self.is_offer_due(base, manager);
        if is_promoted {
            self.log(Change::Promote { secret: presented });
        }
        if is_offer_due && let Ok(offered) = manager.generator.token_for(handle) {
            let secret = offered.hash();
            self.replace_secret(Change::Offer { secret }, offered);
        }
        nothing_else && !self.changes.is_empty()
    }

    fn is_renewal_due(&self, manager: &Manager) -> bool {
        if self.next.is_some() || self.muted {
            return false;
        }
        self.base.as_ref().is_some_and(|base| {
            base.opened_by == OpenedBy::Offer || self.is_offer_due(base, manager)
        })
    }

    fn is_offer_due(&self, base: &Base, manager: &Manager) -> bool {
        let secrets = &base.stored.control.secrets;
        let may_offer = match base.opened_by {
            // In a URL, the client can't be told about an offer.
            _ if self.came == Ways::QUERY => false,
            OpenedBy::Current => true,
            // Who takes its place does not begin a period, which may be over.
            OpenedBy::Offer => secrets.are_beside(&base.authority.presented),
            OpenedBy::Retiring => false,
        };
        may_offer
            && (manager.renewal.every.is_some() || secrets.are_renewed())
            && secrets.wants_offer(manager.clock.now(), manager.renewal)
            && !base.stored.is_renewal_waiting(manager.terms())
    }

    /// Makes the touch that is due a swap where the cookie is dated by it, and makes one where an earlier commit of the
    /// request moved the date: only a swap tells whether the secret is still one to send. Returns whether that is all there
    /// is to commit.
    pub(crate) fn extend(&mut self, manager: &Manager) -> bool {
        let is_due = || {
            self.cookie_lasts_until(manager).is_some()
                && self.due_touch(manager, manager.clock.now()).is_some()
        };
        let due = self.changes.is_empty() && (self.is_to_be_dated(manager) || is_due());
        if due {
            self.log(Change::Extend);
        }
        due
    }

    /// The touch that is due, if any.
    pub(crate) fn due_touch(&self, manager: &Manager, now: Timestamp) -> Option<Touch> {
        let Base { token, stored, .. } = self.base.as_ref().filter(|_| !self.muted)?;
        let idle = stored.control.lifetimes.unwrap_or(manager.lifetimes).idle;
        let deadline = now.after(idle);
        // Also behind the absolute deadline, for it tells when the session was last seen.
        (manager
            .touch_after
            .is_due(stored.header.idle_deadline, deadline, idle)
            && !stored.is_renewal_waiting(manager.terms()))
        .then_some(Touch {
            handle: token.handle,
            version: stored.header.version,
            deadline,
        })
    }

    /// Takes in a touch that was made.
    pub(crate) fn touched(&mut self, deadline: Timestamp) {
        if let Some(base) = &mut self.base {
            let mut stored = Stored::clone(&base.stored);
            stored.header.idle_deadline = stored.header.idle_deadline.max(deadline);
            base.stored = Arc::new(stored);
        }
    }

    /// What the response is to say about the cookie.
    pub(crate) fn cookie_change(&mut self, manager: &Manager) -> CookieChange {
        match std::mem::replace(&mut self.cookie, CookieChange::Keep) {
            _ if self.muted => CookieChange::Keep,
            CookieChange::Keep if self.is_to_be_dated(manager) => self.resend(),
            change => change,
        }
    }

    /// Leaves the client's cookie its date, for nothing tells whether its secret is still one to send.
    pub(crate) fn leave_date(&mut self) {
        if let Some(base) = &mut self.base {
            base.dated = DatedBy::of(&base.stored);
        }
    }

    /// Whether the client's cookie is to have a later date than it has, or no date any more.
    fn is_to_be_dated(&self, manager: &Manager) -> bool {
        let Some(base) = self.base.as_ref().filter(|_| !self.muted) else {
            return false;
        };
        let (had, has) = (base.dated, DatedBy::of(&base.stored));
        let is_later = has.idle_deadline > had.idle_deadline;
        (is_later || has.lifetimes != had.lifetimes)
            && if self.has_date(has.lifetimes, manager) {
                is_later
            } else {
                self.has_date(had.lifetimes, manager)
            }
            && (base.stored.control.secrets).may_resend(&base.authority.presented)
    }

    /// Whether the client's cookie has a date while its session has lifetimes of its `own`, or none.
    fn has_date(&self, own: Option<Lifetimes>, manager: &Manager) -> bool {
        let dated = manager.transports.dated_by(self.came);
        dated.includes(own, manager.lifetimes)
    }

    /// Until when the client keeps the cookie; `None` if it has none, or one that is gone when the browser closes.
    pub(crate) fn cookie_lasts_until(&self, manager: &Manager) -> Option<Timestamp> {
        let stored = &self.base.as_ref()?.stored;
        self.has_date(stored.control.lifetimes, manager)
            .then(|| stored.header.expires_at())
    }

    fn resend(&self) -> CookieChange {
        self.base.as_ref().map_or(CookieChange::Keep, |base| {
            CookieChange::Send(base.token.clone())
        })
    }
}
