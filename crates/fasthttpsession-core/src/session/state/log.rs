//! Writing: what a request does to its session is seen in its view at once, and logged for the commit.

use std::sync::Arc;

use super::{CookieChange, Left, State};
use crate::commit::Change;
use crate::error::Error;
use crate::record::{Label, Principal};
use crate::session::updating;
use crate::token::{SecretHash, Token};
use crate::values::{Encoded, check_key};

impl State {
    pub(crate) fn writable(&mut self) -> Result<&mut Self, Error> {
        if updating::runs() {
            Err(Error::refused(
                "the closure of an update writes to a session, which would happen as often as it runs; transact \
                 changes several values in one step",
            ))
        } else if self.finished {
            Err(Error::Finished)
        } else {
            Ok(self)
        }
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

    /// Removes `key`. Refused beyond what the record has and `most` keys that others may set.
    pub(crate) fn remove(&mut self, key: &str, most: usize) -> Result<(), Error> {
        if check_key(key).is_err() {
            // Nobody can set it.
            return Ok(());
        }
        // Logged even if it is not there: another request may be setting it just now.
        let change = Change::Remove { key: key.into() };
        let had = (self.base.as_ref()).map_or(0, |base| base.stored.values.len());
        let is_one_more = |changes: &[Change]| {
            let removals = changes.iter().filter(|change| change.is_removal());
            removals.count() >= had.saturating_add(most)
        };
        // Few logs are so long that anything is to be counted.
        if self.changes.len() >= most && is_one_more(&self.changes) {
            let place = self.place_of(&change);
            if !place.is_some_and(|at| self.changes[at].is_removal()) {
                let limit = had.saturating_add(most);
                return Err(Error::TooManyRemovals { limit });
            }
        }
        self.view().values.remove(key);
        self.log_of_key(change);
        Ok(())
    }

    /// Shows what an update made of `key`, which is then to be logged.
    pub(crate) fn show(&mut self, key: &Arc<str>, value: Encoded) -> Result<(), Error> {
        self.view().values.put(Arc::clone(key), value)
    }

    pub(crate) fn clear(&mut self) {
        self.view().values.clear();
        self.log(Change::Clear);
    }

    pub(crate) fn set_label(&mut self, label: Label) {
        self.view().label = Some(label.clone());
        self.log(Change::Label(label));
    }

    pub(crate) fn login(&mut self, principal: Principal, sign_in: u64, next: Token) {
        self.view().sign_in(&principal);
        self.log(Change::Login {
            principal,
            sign_in,
            secret: next.hash(),
        });
        self.next = Some(next);
    }

    /// Logs a change that replaces the secret, and keeps the token that will hold it.
    pub(crate) fn replace_secret(&mut self, change: Change, next: Token) {
        self.log(change);
        self.next = Some(next);
    }

    /// Forgets the session, so that what follows begins a new one. Returns the log, which is dropped with it.
    pub(crate) fn logout(&mut self) -> Vec<Change> {
        self.view().values.clear();
        let left = match self.base.take() {
            Some(base) => Some(Box::new(Left {
                base,
                muted: self.muted,
            })),
            None => self.left.take(),
        };
        let log = std::mem::take(&mut self.changes);
        let cookie = std::mem::replace(&mut self.cookie, CookieChange::Keep);
        let empty = self.values().clone();
        *self = Self {
            left,
            logouts: self.logouts + 1,
            drops: self.drops,
            unsure: self.unsure,
            destroying: self.destroying,
            cookie,
            came: self.came,
            is_new: self.is_new,
            ..Self::visitor(empty)
        };
        log
    }

    /// Logs `change` behind all that was logged before.
    pub(crate) fn log(&mut self, change: Change) {
        // Most requests do one thing, and a vector would begin with room for four.
        if self.changes.capacity() == 0 {
            self.changes.reserve_exact(1);
        }
        self.changes.push(change);
    }

    /// Logs a write of one key. Where the last thing logged of that key was a write too, that goes, so that a log grows with
    /// the keys and not with the writes.
    fn log_of_key(&mut self, change: Change) {
        match self.place_of(&change) {
            Some(at) => {
                // To the end, where it is found again soon.
                self.changes[at..].rotate_left(1);
                let last = self.changes.len() - 1;
                self.changes[last] = change;
            }
            None => self.log(change),
        }
    }

    /// Where the write stands that `change` makes needless.
    fn place_of(&self, change: &Change) -> Option<usize> {
        let concerns = |earlier: &Change| earlier.concerns(change);
        let at = self.changes.iter().rposition(concerns)?;
        matches!(self.changes[at], Change::Set { .. } | Change::Remove { .. }).then_some(at)
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

    fn is_removal(&self) -> bool {
        matches!(self, Self::Remove { .. })
    }

    /// The secret that it brings, if any.
    pub(crate) fn secret_mut(&mut self) -> Option<&mut SecretHash> {
        match self {
            Self::Login { secret, .. }
            | Self::Rotate { secret }
            | Self::Reauthenticate { secret }
            | Self::Offer { secret } => Some(secret),
            _ => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Format;
    use crate::limits::Limits;
    use crate::values::{Rules, Values};

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

    fn update(key: &str, to: u32) -> Change {
        Change::Update {
            key: key.into(),
            updater: Box::new(move |_| Ok(number(to))),
        }
    }

    #[test]
    fn a_log_grows_with_the_keys_and_not_with_the_writes() {
        let mut state = visitor();
        for n in 0..100_000 {
            state.set("a", number(n)).unwrap();
            state.set("b", number(n)).unwrap();
            state.remove("a", 1024).unwrap();
        }
        assert_eq!(state.changes.len(), 2);
    }

    /// So that nobody looks for it through all that was logged since it was first written.
    #[test]
    fn what_is_written_again_is_logged_last() {
        let mut state = visitor();
        for n in 0..100_000 {
            state.log(update("a", n));
            state.set("b", number(n)).unwrap();
            assert!(matches!(state.changes.last(), Some(Change::Set { .. })));
        }
        assert_eq!(state.changes.len(), 100_001);
    }

    #[test]
    fn a_write_is_not_logged_before_what_it_follows() {
        let mut state = visitor();
        state.set("a", number(1)).unwrap();
        let key: Arc<str> = "a".into();
        state.show(&key, number(2)).unwrap();
        state.log(update("a", 2));
        state.set("a", number(3)).unwrap();
        state.clear();
        state.set("a", number(4)).unwrap();
        let logged: Vec<_> = state.changes.iter().map(std::mem::discriminant).collect();
        assert_eq!(logged.len(), 5);
        assert_eq!(logged[0], logged[2]);
        assert_eq!(logged[2], logged[4]);
    }
}
