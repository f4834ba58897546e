//! What a session is while its request lasts: the record it was loaded from, a view of the values, and the log of what
//! was done to it. Nothing here waits, and no closure of the application runs here.
//!
//! How the log grows stands in `state/log.rs`, what a commit takes out and brings back in `state/committing.rs`, and what
//! the end of a request asks for besides in `state/ending.rs`.

mod committing;
mod ending;
mod log;

use std::sync::Arc;
use std::time::Duration;

use crate::commit::change::belongs_to_another;
use crate::commit::{Authority, Change};
use crate::lifetimes::Lifetimes;
use crate::record::envelope::Stored;
use crate::record::secrets::OpenedBy;
use crate::record::{Label, Principal};
use crate::time::Timestamp;
use crate::token::{Handle, SecretHash, Token};
use crate::transport::Ways;
use crate::values::Values;
pub(crate) use committing::{Plan, Target};
pub(crate) use ending::Touch;

/// A loaded session.
#[allow(clippy::struct_excessive_bools, reason = "they vary independently")]
pub(crate) struct State {
    /// `None` for a visitor, who then has a view.
    pub(crate) base: Option<Base>,
    /// What the request sees since it wrote something; before, it sees the record.
    view: Option<View>,
    pub(crate) changes: Vec<Change>,
    /// Whether the view is what `changes` make of `base`. It is not after a commit during which more was written.
    exact: bool,
    /// The token that opens the record once `changes` are committed, if they rotate the secret.
    pub(crate) next: Option<Token>,
    /// The session that the request has logged out of, and that is to be destroyed.
    pub(crate) left: Option<Box<Left>>,
    /// How often the request has logged out: what a commit from before brings back is not this session's.
    pub(crate) logouts: u32,
    /// How often the log was dropped: what was taken out of it before does not come back.
    pub(crate) drops: u32,
    /// The session whose secret a commit was to replace of which it is not known what became.
    unsure: Option<Handle>,
    /// The session that the store was last asked to destroy, and may have destroyed.
    destroying: Option<Handle>,
    pub(crate) cookie: CookieChange,
    /// By which transports the session came in; none for a visitor.
    pub(crate) came: Ways,
    /// Whether this request lost the right to send cookies.
    pub(crate) muted: bool,
    pub(crate) is_new: bool,
    pub(crate) finished: bool,
}

/// A session as its request sees it, with what it wrote.
#[derive(Clone)]
struct View {
    values: Values,
    principal: Option<Principal>,
    label: Option<Label>,
}

/// The record that a session stands on.
pub(crate) struct Base {
    pub(crate) token: Token,
    pub(crate) stored: Arc<Stored>,
    pub(crate) authority: Authority,
    pub(crate) opened_by: OpenedBy,
    pub(crate) dated: DatedBy,
}

/// What the client's cookie was dated by, if it has a date.
#[derive(Clone, Copy)]
pub(crate) struct DatedBy {
    idle_deadline: Timestamp,
    /// The session's own.
    lifetimes: Option<Lifetimes>,
}

/// A session that is to be destroyed, and what its request was to it.
pub(crate) struct Left {
    base: Base,
    muted: bool,
}

/// What the response tells the client about its token, in a cookie or elsewhere.
pub(crate) enum CookieChange {
    Keep,
    Send(Token),
    Remove,
}

impl Base {
    pub(crate) fn new(
        token: Token,
        presented: SecretHash,
        stored: Arc<Stored>,
        opened_by: OpenedBy,
    ) -> Self {
        let authority = Authority {
            sign_in: stored.control.sign_in,
            presented,
        };
        Self {
            token,
            dated: DatedBy::of(&stored),
            stored,
            authority,
            opened_by,
        }
    }
}

impl DatedBy {
    fn of(stored: &Stored) -> Self {
        Self {
            idle_deadline: stored.header.idle_deadline,
            lifetimes: stored.control.lifetimes,
        }
    }
}

impl View {
    /// Shows `change` as `before` did, for no closure runs here.
    fn show_again(&mut self, change: &Change, before: &Self) {
        match change {
            Change::Set { key, .. } | Change::Remove { key } | Change::Update { key, .. } => {
                match before.values.encoded(key) {
                    Some(value) => self.values.place(Arc::clone(key), value),
                    None => drop(self.values.remove(key)),
                }
            }
            Change::Clear => self.values.clear(),
            Change::Label(label) => self.label = Some(label.clone()),
            Change::Login { principal, .. } => self.sign_in(principal),
            // Of nothing else does a view tell.
            _ => {}
        }
    }

    fn sign_in(&mut self, principal: &Principal) {
        if belongs_to_another(self.principal.as_ref(), principal) {
            self.values.clear();
            self.label = None;
        }
        self.principal = Some(principal.clone());
    }
}

/// Beginning.
impl State {
    /// A visitor without a session.
    pub(crate) fn visitor(empty: Values) -> Self {
        Self::new(
            None,
            Some(View {
                values: empty,
                principal: None,
                label: None,
            }),
            Ways::default(),
        )
    }

    /// A session that was found by what came in by `came`.
    pub(crate) fn found(base: Base, came: Ways) -> Self {
        Self::new(Some(base), None, came)
    }

    fn new(base: Option<Base>, view: Option<View>, came: Ways) -> Self {
        Self {
            is_new: base.is_none(),
            base,
            view,
            changes: Vec::new(),
            exact: true,
            next: None,
            left: None,
            logouts: 0,
            drops: 0,
            unsure: None,
            destroying: None,
            cookie: CookieChange::Keep,
            came,
            muted: false,
            finished: false,
        }
    }
}

/// Reading.
impl State {
    pub(crate) fn values(&self) -> &Values {
        match &self.view {
            Some(view) => &view.values,
            None => &self.record().values,
        }
    }

    pub(crate) fn principal(&self) -> Option<&Principal> {
        match &self.view {
            Some(view) => view.principal.as_ref(),
            None => self.record().header.principal.as_ref(),
        }
    }

    pub(crate) fn label(&self) -> Option<&Label> {
        match &self.view {
            Some(view) => view.label.as_ref(),
            None => self.record().header.label.as_ref(),
        }
    }

    pub(crate) fn is_authenticated_within(&self, span: Duration, now: Timestamp) -> bool {
        let is_authentication = |change: &Change| {
            matches!(change, Change::Login { .. } | Change::Reauthenticate { .. })
        };
        self.principal().is_some()
            && (self.changes.iter().any(is_authentication)
                || (self.base.as_ref())
                    .is_some_and(|base| now.since(base.stored.control.since) <= span))
    }

    /// Which record it is, and since which sign-in; `None` without a record.
    pub(crate) fn identity(&self) -> Option<(Handle, u64)> {
        let base = self.base.as_ref()?;
        Some((base.token.handle, base.authority.sign_in))
    }

    /// The record that a commit changes or ends; `None` if it would make one.
    pub(crate) fn commits_to(&self) -> Option<Handle> {
        let left = self.left.as_ref().map(|left| &left.base);
        let base = left.or(self.base.as_ref())?;
        Some(base.token.handle)
    }

    /// The session, if it is not known whether its secret was replaced.
    pub(crate) fn in_doubt(&self) -> Option<Handle> {
        let handle = self.base.as_ref()?.token.handle;
        (self.unsure == Some(handle)).then_some(handle)
    }

    /// The token that opens the session as it is now; `None` without a record, before a new secret was committed, and
    /// for who may no longer speak for the session.
    pub(crate) fn token(&self) -> Option<&Token> {
        let base = self.base.as_ref()?;
        (self.next.is_none() && !self.muted).then_some(&base.token)
    }

    /// For who is about to write.
    fn view(&mut self) -> &mut View {
        if self.view.is_none() {
            let Stored { header, values, .. } = self.record();
            self.view = Some(View {
                values: values.clone(),
                principal: header.principal.clone(),
                label: header.label.clone(),
            });
        }
        self.view.as_mut().expect("it was made above")
    }

    fn record(&self) -> &Stored {
        &self
            .base
            .as_ref()
            .expect("a session without a view has a record")
            .stored
    }
}
