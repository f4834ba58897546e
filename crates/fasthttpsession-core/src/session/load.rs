//! Finding the session of a request: each token that the client presented is tried until one opens a record.

use std::sync::Arc;

use super::Inner;
use super::state::{Base, State};
use crate::error::Error;
use crate::record::envelope::{self, Stored};
use crate::sessions::Manager;
use crate::store::Store as _;
use crate::time::Timestamp;
use crate::token::{Handle, Token, TokenText};
use crate::values::Values;

impl Inner {
    /// Reads the record again, for a task that outlives its request.
    ///
    /// # Errors
    /// [`Error::Ended`] if there is none any more, or it is somebody else's.
    pub(super) async fn reload(&self) -> Result<(), Error> {
        let (handle, sign_in) = self.state().identity().ok_or(Error::Ended)?;
        let now = self.manager.clock.now();
        let stored = self.manager.load(handle, now).await?.ok_or(Error::Ended)?;
        if stored.control.sign_in != sign_in {
            return Err(Error::Ended);
        }
        self.state().reloaded(Arc::new(stored));
        Ok(())
    }
}

impl Manager {
    /// The state of a request that `presented` these. One read per token tried; an unknown token is no error and is
    /// never adopted.
    pub(crate) async fn find(&self, presented: &[TokenText]) -> Result<State, Error> {
        for token in presented.iter().filter_map(TokenText::parse) {
            if let Some(base) = self.open(token, self.clock.now()).await? {
                return Ok(State::found(base));
            }
        }
        Ok(State::visitor(Values::empty(self.rules())))
    }

    /// The record that `token` opens; `None` if it opens none.
    async fn open(&self, token: Token, now: Timestamp) -> Result<Option<Base>, Error> {
        let Some(stored) = self.load(token.handle, now).await? else {
            return Ok(None);
        };
        let presented = token.hash();
        let opened_by = stored.control.secrets.opened_by(&presented, now);
        Ok(opened_by.map(|by| Base::new(token, presented, Arc::new(stored), by)))
    }

    /// The record of `handle`, taken apart; `None` if there is none.
    pub(crate) async fn load(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Option<Stored>, Error> {
        let found = self
            .store
            .load(handle, now)
            .await
            .map_err(Error::store("load"))?;
        found
            .map(|record| envelope::open(handle, record, &self.codecs, self.rules()))
            .transpose()
    }
}
