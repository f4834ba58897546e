//! The change log: what a handler did, kept so that it can be done again to the record as it is at the commit.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::cookie::Dated;
use crate::csrf::Seed;
use crate::error::Error;
use crate::lifetimes::{Lifetimes, TouchAfter};
use crate::record::envelope::Stored;
use crate::record::secrets::OpenedBy;
use crate::record::{Label, Principal};
use crate::sessions::Renewal;
use crate::stamp::Stamp;
use crate::time::Timestamp;
use crate::token::SecretHash;
use crate::values::{Encoded, Values};

/// One thing that a handler did.
pub(crate) enum Change {
    Set {
        key: Arc<str>,
        value: Encoded,
    },
    Remove {
        key: Arc<str>,
    },
    Clear,
    Update {
        key: Arc<str>,
        updater: Updater,
    },
    Label(Label),
    /// `None` for those of all sessions.
    Lifetimes(Option<Lifetimes>),
    Login {
        principal: Principal,
        sign_in: u64,
        secret: SecretHash,
    },
    /// What the sign-in depended on.
    Stamp(Stamp),
    Rotate {
        secret: SecretHash,
    },
    Reauthenticate {
        secret: SecretHash,
    },
    /// Nothing but what each commit does: the idle deadline moves.
    Extend,
    /// Renewal, step one: a secret is offered.
    Offer {
        secret: SecretHash,
    },
    /// Renewal, step two: the offered secret was presented.
    Promote {
        secret: SecretHash,
    },
}

impl Change {
    /// Whether the application asked for what only the secret may do that opens the session.
    pub(crate) fn wants_proof(&self) -> bool {
        matches!(
            self,
            Self::Stamp(_) | Self::Rotate { .. } | Self::Reauthenticate { .. }
        )
    }
}

/// Makes a value's next state from its last. Run once for each record that the change is tried on.
pub(crate) type Updater = Box<dyn FnMut(Option<&Encoded>) -> Result<Encoded, Error> + Send>;

/// With what right a request changes a record: what it found and presented when it loaded it.
#[derive(Clone, Copy)]
pub(crate) struct Authority {
    pub(crate) sign_in: u64,
    pub(crate) presented: SecretHash,
}

/// What applying a log depends on beside the record.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) now: Timestamp,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) renewal: Renewal,
    pub(crate) touch_after: TouchAfter,
    /// Which sessions' secrets a response sends once more that extends them.
    pub(crate) dated: Dated,
}

impl Terms {
    /// For how long a response may be on its way for which a renewal waits, of a session that lives `idle` without a request.
    /// A grace, but no longer than the session may end early, for nothing extends it meanwhile; or a twentieth, where it may
    /// hardly end early at all.
    fn renewal_wait(&self, idle: Duration) -> Duration {
        match self.renewal.every {
            Some(_) => (self.touch_after.part(idle).max(idle / 20)).min(self.renewal.grace),
            None => Duration::ZERO,
        }
    }
}

/// What became of a log that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// All of it.
    Fully,
    /// The presented secret no longer opened the record, so only values, label and lifetimes were changed.
    ValuesOnly,
}

/// Why a log could not be applied.
pub(crate) enum Failure {
    Error(Error),
    /// A closure panicked; its panic belongs to the task that gave the closure.
    Panic(Box<dyn Any + Send>),
    /// A closure wants nothing to be written.
    Aborted,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Judges by what right `changes` come, and applies what that right covers; `None` if nothing, for somebody signed in
/// meanwhile.
///
/// `view` is what the values are to be if the caller knows the outcome already, because nothing changed since it was
/// computed; closures are then not run again.
pub(crate) fn apply(
    stored: &mut Stored,
    authority: Option<&Authority>,
    changes: &mut [Change],
    view: Option<Values>,
    terms: Terms,
) -> Result<Option<Applied>, Failure> {
    let proven = match authority {
        None => true,
        Some(authority) if authority.sign_in != stored.control.sign_in => {
            return Ok(None);
        }
        Some(authority) => opens(stored, authority, terms.now).is_some(),
    };
    if !proven
        && changes
            .iter()
            .any(|change| matches!(change, Change::Login { .. }))
    {
        return Ok(None);
    }
    let before = stored.values.size();
    for change in changes {
        stored.apply_one(change, proven, view.is_none(), terms)?;
    }
    // At the end only: on the way there, a log may meet values that it removes further on.
    match view {
        Some(view) => stored.values = view,
        None => stored.values.check_growth(before)?,
    }
    Ok(Some(if proven {
        Applied::Fully
    } else {
        Applied::ValuesOnly
    }))
}

/// As what the secret behind `authority` opens the record.
pub(crate) fn opens(stored: &Stored, authority: &Authority, now: Timestamp) -> Option<OpenedBy> {
    stored.control.secrets.opened_by(&authority.presented, now)
}

impl Stored {
    /// Applies `change`: to the values only `with_values`, and only if it is `proven` by what right it comes where it needs one.
    fn apply_one(
        &mut self,
        change: &mut Change,
        proven: bool,
        with_values: bool,
        terms: Terms,
    ) -> Result<(), Failure> {
        let (values, secrets) = (&mut self.values, &mut self.control.secrets);
        match change {
            Change::Set { .. } | Change::Remove { .. } | Change::Clear | Change::Update { .. }
                if !with_values => {}
            Change::Set { key, value } => values.place(Arc::clone(key), value.clone()),
            Change::Remove { key } => drop(values.remove(key)),
            Change::Clear => values.clear(),
            Change::Update { key, updater } => update(values, key, updater)?,
            Change::Label(label) => self.header.label = Some(label.clone()),
            Change::Lifetimes(lifetimes) => self.set_lifetimes(*lifetimes, terms),
            Change::Extend => {}
            // All that follows needs that right.
            _ if !proven => {}
            Change::Login {
                principal,
                sign_in,
                secret,
            } => self.sign_in(principal, *sign_in, *secret, terms),
            Change::Stamp(stamp) => self.control.stamp = Some(*stamp),
            Change::Rotate { secret } => secrets.rotate(*secret, terms.now),
            Change::Reauthenticate { secret } => {
                secrets.rotate(*secret, terms.now);
                self.restart_clocks(terms);
            }
            Change::Offer { secret } => self.offer(*secret, terms),
            Change::Promote { secret } => secrets.promote(secret, terms.now, terms.renewal.grace),
        }
        Ok(())
    }

    fn sign_in(&mut self, principal: &Principal, id: u64, secret: SecretHash, terms: Terms) {
        self.control.secrets.rotate(secret, terms.now);
        self.control.sign_in = id;
        self.control.csrf = Seed::of(&secret);
        self.control.stamp = None;
        self.bind(principal);
        self.restart_clocks(terms);
    }

    fn offer(&mut self, secret: SecretHash, terms: Terms) {
        if !self.is_renewal_waiting(terms) {
            (self.control.secrets).offer(secret, terms.now, terms.renewal);
        }
    }

    /// What another principal had is not this one's to see, nor to live by.
    fn bind(&mut self, principal: &Principal) {
        if belongs_to_another(self.header.principal.as_ref(), principal) {
            self.values.clear();
            self.header.label = None;
            self.control.lifetimes = None;
        }
        self.header.principal = Some(principal.clone());
    }

    fn set_lifetimes(&mut self, lifetimes: Option<Lifetimes>, terms: Terms) {
        self.control.lifetimes = lifetimes;
        let lifetimes = self.lifetimes(terms);
        self.header.absolute_deadline = self.control.since.after(lifetimes.absolute);
        self.header.idle_deadline = terms.now.after(lifetimes.idle);
    }

    fn restart_clocks(&mut self, terms: Terms) {
        let lifetimes = self.lifetimes(terms);
        self.control.since = terms.now;
        self.header.absolute_deadline = terms.now.after(lifetimes.absolute);
        self.header.idle_deadline = terms.now.after(lifetimes.idle);
    }

    /// Whether a renewal is due, but a response may be on its way that dates the cookie with the current secret: arriving
    /// after the new one was presented, it would bring back what runs out. Until it has arrived, nothing is offered, and
    /// nothing dated.
    pub(crate) fn is_renewal_waiting(&self, terms: Terms) -> bool {
        self.has_just_aged(terms) && {
            let idle = self.lifetimes(terms).idle;
            terms.now.after(idle).since(self.header.idle_deadline) < terms.renewal_wait(idle)
        }
    }

    /// Whether a renewal became due so shortly ago that it may have to wait.
    fn has_just_aged(&self, terms: Terms) -> bool {
        self.has_dated_cookie(terms) && {
            let wait = terms.renewal_wait(self.lifetimes(terms).idle);
            (self.control.secrets).have_just_aged(terms.now, terms.renewal.every, wait)
        }
    }

    /// What each commit does. As seldom as a touch would: a store's index of deadlines costs more to change than the record.
    /// If it is `silent`, for a response may not follow, by less and as often as it takes.
    pub(super) fn extend_idle(&mut self, terms: Terms, silent: bool) {
        let idle = self.lifetimes(terms).idle;
        if silent && self.has_dated_cookie(terms) {
            // So that the next response finds a touch due, and dates the cookie; and a renewal nothing to wait for.
            let part = terms.touch_after.part(idle);
            let less = idle.saturating_sub(part.max(terms.renewal_wait(idle)));
            let deadline = &mut self.header.idle_deadline;
            *deadline = terms.now.after(less).max(*deadline);
            return;
        }
        // Whoever makes the offer extends it.
        if self.has_just_aged(terms) {
            return;
        }
        let extended = terms.now.after(idle);
        let deadline = &mut self.header.idle_deadline;
        if terms.touch_after.is_due(*deadline, extended, idle) {
            *deadline = extended;
        }
    }

    fn has_dated_cookie(&self, terms: Terms) -> bool {
        terms
            .dated
            .includes(self.control.lifetimes, terms.lifetimes)
    }

    fn lifetimes(&self, terms: Terms) -> Lifetimes {
        self.control.lifetimes.unwrap_or(terms.lifetimes)
    }
}

/// Whether a session of `owner` would change hands if `principal` signed in to it.
pub(crate) fn belongs_to_another(owner: Option<&Principal>, principal: &Principal) -> bool {
    owner.is_some_and(|owner| owner != principal)
}

fn update(values: &mut Values, key: &Arc<str>, updater: &mut Updater) -> Result<(), Failure> {
    let old = values.encoded(key);
    let run = AssertUnwindSafe(|| updater(old.as_ref()));
    let new = catch_unwind(run).map_err(Failure::Panic)??;
    values.place(Arc::clone(key), new);
    Ok(())
}
