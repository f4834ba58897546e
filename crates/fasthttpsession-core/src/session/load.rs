//! Finding the session of a request: each token that the client presented is tried until one opens a record.

use std::sync::Arc;

use super::Inner;
use super::state::{Base, State};
use crate::error::Error;
use crate::events::EventKind;
use crate::record::Record;
use crate::record::envelope::Stored;
use crate::sessions::Manager;
use crate::store::{Store as _, StoreError, StoreErrorKind};
use crate::time::Timestamp;
use crate::token::codec::TokenText;
use crate::token::{Handle, Token};
use crate::transport::Ways;
use crate::values::Values;

impl Inner {
    /// The record as it is now; `None` if there is none any more, or it is somebody else's.
    pub(super) async fn current(&self) -> Result<Option<Arc<Stored>>, Error> {
        let Some((handle, sign_in)) = self.state().identity() else {
            return Ok(None);
        };
        let stored = self.manager.load(handle, self.manager.clock.now()).await?;
        Ok(stored.filter(|stored| stored.control.sign_in == sign_in))
    }

    /// Reads the record again, for a task that outlives its request.
    ///
    /// # Errors
    /// [`Error::Ended`] if it is not this session's any more.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        let stored = self.current().await?.ok_or(Error::Ended)?;
        self.state().reloaded(stored);
        Ok(())
    }
}

impl State {
    /// Notes each transport by which the session was presented, beside the one that it was found by. A handle alone does not
    /// count: it is no secret, so somebody else may have planted it.
    pub(super) fn note_ways(&mut self, presented: &[TokenText], manager: &Manager) {
        let Some(base) = &self.base else { return };
        let now = manager.clock.now();
        let opens = |token: Token| {
            let secrets = &base.stored.control.secrets;
            token.handle == base.token.handle && secrets.opened_by(&token.hash(), now).is_some()
        };
        for text in presented {
            if manager.transports.codecs.decode(text).is_some_and(opens) {
                self.came = self.came.with(text.way);
            }
        }
    }
}

impl Manager {
    /// How many tokens of one request are looked up.
    const MAX_TRIED: usize = 4;

    /// The state of a request that `presented` these. One read per token tried; an unknown token is no error and is
    /// never adopted. Boxed, for it is large and would lie in each future on its way.
    pub(crate) async fn find(&self, presented: &[TokenText]) -> Result<Box<State>, Error> {
        let mut tries = 0;
        for text in presented {
            let Some(token) = self.transports.codecs.decode(text) else {
                continue;
            };
            if tries == Self::MAX_TRIED {
                break;
            }
            tries += 1;
            let now = self.clock.now();
            let stored = self.load(token.handle, now).await?;
            if let Some(base) = self.opened(token, stored, now) {
                return Ok(Box::new(State::found(base, Ways::default().with(text.way))));
            }
        }
        Ok(Box::new(State::visitor(Values::empty(self.rules()))))
    }

    /// What is found if `token` opens `stored`, which is what the store has under its handle; `None` if it doesn't.
    fn opened(&self, token: Token, stored: Option<Arc<Stored>>, now: Timestamp) -> Option<Base> {
        let Some(stored) = stored else {
            self.tell(EventKind::Missing, token.handle);
            return None;
        };
        let presented = token.hash();
        let Some(opened_by) = stored.control.secrets.opened_by(&presented, now) else {
            self.tell(EventKind::WrongSecret, token.handle);
            return None;
        };
        Some(Base::new(token, presented, stored, opened_by))
    }

    /// The record of `handle`, taken apart; `None` if there is none.
    pub(crate) async fn load(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Option<Arc<Stored>>, Error> {
        let found = self.fetch(handle, now).await?;
        let stored = found.map(|record| self.take_apart(handle, record));
        if let Some(Err(_)) = &stored {
            self.tell(EventKind::Unreadable, handle);
        }
        stored.transpose()
    }

    /// The record of `handle` as the store has it; `None` if there is none. A question whose connection was cut before the
    /// answer came is asked again, for a read may happen twice: over another connection, which may have been cut as well.
    pub(crate) async fn fetch(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Option<Record>, Error> {
        let mut lost = 0;
        loop {
            match self.store.load(handle, now).await {
                Err(error) if was_cut(&error) && lost < self.limits.resends => {}
                found => return found.map_err(Error::store("load")),
            }
            self.pause(lost).await;
            lost += 1;
        }
    }
}

/// Whether the store was there when it was asked, and the way to it no longer when it answered.
fn was_cut(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Unavailable && error.may_have_applied()
}
