//! What a session is while its request lasts: the record it was loaded from, a view of the values, and the log of what
//! was done to it. Nothing here waits, and no closure of the application runs here.

use std::sync::Arc;

use crate::commit::change::{Updater, belongs_to_another};
use crate::commit::{Applied, Authority, Change};
use crate::error::Error;
use crate::record::envelope::Stored;
use crate::record::secrets::OpenedBy;
use crate::record::{Label, Principal};
use crate::sessions::Manager;
use crate::time::Timestamp;
use crate::token::{Handle, SecretHash, Token};
use crate::transport::Ways;
use crate::values::{Encoded, Values};

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
    /// A session that is to be destroyed.
    pub(crate) ended: Option<Handle>,
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
    /// The idle deadline that the client's cookie was dated by.
    pub(crate) dated: Timestamp,
}

/// What the response tells the client about its token, in a cookie or elsewhere.
pub(crate) enum CookieChange {
    Keep,
    Send(Token),
    Remove,
}

/// An extension of the idle deadline.
pub(crate) struct Touch {
    pub(crate) handle: Handle,
    pub(crate) version: u64,
    pub(crate) deadline: Timestamp,
}

/// The record that a commit is made to.
pub(crate) struct Target {
    pub(crate) handle: Handle,
    pub(crate) authority: Authority,
    pub(crate) known: Arc<Stored>,
}

/// What is handed to the committer.
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
    pub(crate) view: Option<Values>,
    /// Boxed, for it is rarely there and every commit's future has room for it.
    pub(crate) next: Option<Box<Token>>,
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
        let dated = stored.header.idle_deadline;
        Self {
            token,
            stored,
            authority,
            opened_by,
            dated,
        }
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
            ended: None,
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

    /// Which record it is, and since which sign-in; `None` without a record.
    pub(crate) fn identity(&self) -> Option<(Handle, u64)> {
        let base = self.base.as_ref()?;
        Some((base.token.handle, base.authority.sign_in))
    }

    /// The token that opens the session as it is now; `None` without a record, before a new secret was committed, and
    /// for who may no longer speak for the session.
    pub(crate) fn token(&self) -> Option<&Token> {
        let base = self.base.as_ref()?;
        (self.next.is_none() && !self.muted).then_some(&base.token)
    }

    fn record(&self) -> &Stored {
        &self
            .base
            .as_ref()
            .expect("a session without a view has a record")
            .stored
    }
}

/// Writing.
impl State {
    pub(crate) fn writable(&mut self) -> Result<&mut Self, Error> {
        if self.finished {
            Err(Error::Finished)
        } else {
            Ok(self)
        }
    }

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

    pub(crate) fn set(&mut self, key: &str, value: Encoded) -> Result<(), Error> {
        let key: Arc<str> = key.into();
        self.view().values.put(Arc::clone(&key), value.clone())?;
        self.log_of_key(Change::Set { key, value });
        Ok(())
    }

    pub(crate) fn set_all<K: AsRef<str>>(
        &mut self,
        entries: Vec<(K, Encoded)>,
    ) -> Result<(), Error> {
        // Tried on a copy first, which costs little: the values that were read are shared.
        let mut values = self.values().clone();
        for (key, value) in &entries {
            values.put(key.as_ref(), value.clone())?;
        }
        for (key, value) in entries {
            self.log_of_key(Change::Set {
                key: key.as_ref().into(),
                value,
            });
        }
        self.view().values = values;
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: &str) {
        // Logged even if it is not there: another request may be setting it just now.
        self.view().values.remove(key);
        self.log_of_key(Change::Remove { key: key.into() });
    }

    pub(crate) fn update(
        &mut self,
        key: Arc<str>,
        value: Encoded,
        updater: Updater,
    ) -> Result<(), Error> {
        self.view().values.put(Arc::clone(&key), value)?;
        self.changes.push(Change::Update { key, updater });
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.view().values.clear();
        self.changes.push(Change::Clear);
    }

    pub(crate) fn set_label(&mut self, label: Label) {
        self.view().label = Some(label.clone());
        self.changes.push(Change::Label(label));
    }

    pub(crate) fn login(&mut self, principal: Principal, sign_in: u64, next: Token) {
        let view = self.view();
        if belongs_to_another(view.principal.as_ref(), &principal) {
            view.values.clear();
            view.label = None;
        }
        view.principal = Some(principal.clone());
        self.changes.push(Change::Login {
            principal,
            sign_in,
            secret: next.hash(),
        });
        self.next = Some(next);
    }

    /// Logs a change that replaces the secret, and keeps the token that will hold it.
    pub(crate) fn replace_secret(&mut self, change: Change, next: Token) {
        self.changes.push(change);
        self.next = Some(next);
    }

    /// Forgets the session, so that what follows begins a new one.
    pub(crate) fn logout(&mut self) {
        self.view().values.clear();
        let ended = self
            .base
            .take()
            .map(|base| base.token.handle)
            .or(self.ended);
        let cookie = std::mem::replace(&mut self.cookie, CookieChange::Keep);
        let empty = self.values().clone();
        *self = Self {
            ended,
            cookie,
            came: self.came,
            is_new: self.is_new,
            ..Self::visitor(empty)
        };
    }

    /// Logs a write of one key. Where the last thing logged of that key was a write too, it takes its place, so that a
    /// log grows with the keys and not with the writes.
    fn log_of_key(&mut self, change: Change) {
        match self
            .changes
            .iter_mut()
            .rev()
            .find(|earlier| earlier.concerns(&change))
        {
            Some(earlier @ (Change::Set { .. } | Change::Remove { .. })) => *earlier = change,
            _ => self.changes.push(change),
        }
    }
}

impl Change {
    /// Whether the order of this change and `later`, a write of one key, matters.
    fn concerns(&self, later: &Self) -> bool {
        match (self, later.key()) {
            (Self::Clear | Self::Login { .. }, _) => true,
            (earlier, Some(key)) => earlier.key() == Some(key),
            _ => false,
        }
    }

    /// The sign-in id, if it is a sign-in.
    pub(crate) fn sign_in(&self) -> Option<u64> {
        match self {
            Self::Login { sign_in, .. } => Some(*sign_in),
            _ => None,
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::Set { key, .. } | Self::Remove { key } | Self::Update { key, .. } => Some(key),
            _ => None,
        }
    }
}

/// The end of the request.
impl State {
    /// Whether the store has nothing to do at the end of this request.
    pub(crate) fn is_settled(&self, manager: &Manager) -> bool {
        if !self.changes.is_empty() || self.ended.is_some() {
            return false;
        }
        let now = manager.clock.now();
        !self.is_renewal_due(manager, now) && self.due_touch(manager, now).is_none()
    }

    /// Takes the next step of a renewal, if one is due. Returns whether that is all there is to commit. A generator that
    /// fails now leaves it to a later request.
    pub(crate) fn renew(&mut self, manager: &Manager, now: Timestamp) -> bool {
        let Some(base) = self
            .base
            .as_ref()
            .filter(|_| self.is_renewal_due(manager, now))
        else {
            return false;
        };
        let nothing_else = self.changes.is_empty();
        if base.opened_by == OpenedBy::Offer {
            let secret = base.authority.presented;
            self.changes.push(Change::Promote { secret });
        } else {
            let Ok(offered) = manager.generator.token_for(base.token.handle) else {
                return false;
            };
            let secret = offered.hash();
            self.replace_secret(Change::Offer { secret }, offered);
        }
        nothing_else
    }

    fn is_renewal_due(&self, manager: &Manager, now: Timestamp) -> bool {
        if manager.renewal.every.is_none() || self.next.is_some() || self.muted {
            return false;
        }
        self.base.as_ref().is_some_and(|base| match base.opened_by {
            OpenedBy::Offer => true,
            // In a URL, the client can't be told about an offer.
            OpenedBy::Current if self.came == Ways::QUERY => false,
            OpenedBy::Current => base
                .stored
                .control
                .secrets
                .wants_offer(now, manager.renewal),
            OpenedBy::Retiring => false,
        })
    }

    /// Makes the touch that is due a swap where the cookie is dated by it: only a swap tells whether the secret is still
    /// one to send. Returns whether that is all there is to commit.
    pub(crate) fn extend(&mut self, manager: &Manager, now: Timestamp) -> bool {
        let due = manager.transports.dates(self.came)
            && self.changes.is_empty()
            && self.due_touch(manager, now).is_some();
        if due {
            self.changes.push(Change::Extend);
        }
        due
    }

    /// The touch that is due, if any.
    pub(crate) fn due_touch(&self, manager: &Manager, now: Timestamp) -> Option<Touch> {
        let Base { token, stored, .. } = self.base.as_ref().filter(|_| !self.muted)?;
        let idle = stored.control.lifetimes.unwrap_or(manager.lifetimes).idle;
        let deadline = now.after(idle);
        // Behind the absolute deadline there is nothing to gain.
        let gains = stored.header.idle_deadline < stored.header.absolute_deadline;
        (gains
            && manager
                .touch_after
                .is_due(stored.header.idle_deadline, deadline, idle))
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

    fn is_to_be_dated(&self, manager: &Manager) -> bool {
        manager.transports.dates(self.came)
            && self.base.as_ref().is_some_and(|base| {
                base.stored.header.idle_deadline > base.dated
                    && (base.stored.control.secrets).may_resend(&base.authority.presented)
            })
    }

    fn resend(&self) -> CookieChange {
        self.base.as_ref().map_or(CookieChange::Keep, |base| {
            CookieChange::Send(base.token.clone())
        })
    }
}

/// Committing.
impl State {
    /// Takes out what is to be committed. What is written from now on belongs to the next commit.
    pub(crate) fn plan(&mut self) -> Plan {
        let view = match &self.view {
            // Nobody can write to it any more, and who still reads sees the record.
            Some(_) if self.finished && self.base.is_some() => self.view.take(),
            view => view.clone(),
        };
        let view = view.filter(|_| self.exact).map(|view| view.values);
        // Until the commit succeeds, the view shows what the log no longer holds.
        self.exact = self.exact && self.changes.is_empty();
        Plan {
            changes: std::mem::take(&mut self.changes),
            view,
            next: self.next.take().map(Box::new),
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

    /// Takes in a record that was just created, and the token that the client is to get.
    pub(crate) fn created(&mut self, token: Token, stored: Arc<Stored>) {
        self.cookie = CookieChange::Send(token.clone());
        self.muted = false;
        let presented = token.hash();
        self.stand_on(Base::new(token, presented, stored, OpenedBy::Current));
    }

    /// Takes in that there was nothing to keep. What was noted about the session waits until there is.
    pub(crate) fn still_visiting(&mut self, mut changes: Vec<Change>) {
        if self.changes.is_empty() {
            self.view().values.clear();
            self.exact = true;
        }
        changes.retain(|change| matches!(change, Change::Label(_) | Change::Lifetimes(_)));
        self.restore(changes, None);
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
            base.authority.presented = next.hash();
            base.opened_by = OpenedBy::Current;
            base.token = Token::clone(&next);
            self.cookie = CookieChange::Send(*next);
        }
        base.authority.sign_in = sign_in.unwrap_or(base.authority.sign_in);
        // Somebody may have signed in right after, in the same swap: that record is not this request's to see.
        if stored.control.sign_in == base.authority.sign_in {
            base.stored = stored;
            self.stand_on(base);
        } else {
            self.base = Some(base);
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
    pub(crate) fn restore(&mut self, mut changes: Vec<Change>, next: Option<Box<Token>>) {
        changes.append(&mut self.changes);
        self.changes = changes;
        self.next = self.next.take().or(next.map(|next| *next));
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

    fn stand_on(&mut self, base: Base) {
        self.exact = self.changes.is_empty();
        if self.exact {
            self.view = None;
        }
        self.base = Some(base);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Format;
    use crate::limits::Limits;
    use crate::values::Rules;

    fn visitor() -> State {
        State::visitor(Values::empty(Rules {
            format: Format::Json,
            limits: Limits::default(),
        }))
    }

    fn number(n: u32) -> Encoded {
        Encoded {
            format: Format::Json,
            bytes: n.to_string().into(),
        }
    }

    #[test]
    fn a_log_grows_with_the_keys_and_not_with_the_writes() {
        let mut state = visitor();
        for n in 0..100_000 {
            state.set("a", number(n)).unwrap();
            state.set("b", number(n)).unwrap();
            state.remove("a");
        }
        assert_eq!(state.changes.len(), 2);
    }

    #[test]
    fn a_write_is_not_logged_before_what_it_follows() {
        let mut state = visitor();
        state.set("a", number(1)).unwrap();
        state
            .update("a".into(), number(2), Box::new(|_| Ok(number(2))))
            .unwrap();
        state.set("a", number(3)).unwrap();
        state.clear();
        state.set("a", number(4)).unwrap();
        let logged: Vec<_> = state.changes.iter().map(std::mem::discriminant).collect();
        assert_eq!(logged.len(), 5);
        assert_eq!(logged[0], logged[2]);
        assert_eq!(logged[2], logged[4]);
    }
}
