//! The sessions of a user, on whatever device: listed and ended from outside of them.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use crate::error::{BuildError, Error};
use crate::record::{Header, Label, Principal, Record};
use crate::sessions::Sessions;
use crate::store::Store as _;
use crate::time::{Timestamp, whole_millis};
use crate::token::Handle;

/// The sessions of users, by principal: lists them, and ends one, all others, or all. Made by [`Sessions::users`].
///
/// What was ended is gone from the store: the next request that loads it finds nothing, on every node, and what was under way
/// does not bring it back.
///
/// ```
/// # use fasthttpsession_core::{Error, Session, Users};
/// /// After a password was changed: whoever else is signed in no longer is.
/// async fn sign_out_elsewhere(users: &Users, session: &Session) -> Result<usize, Error> {
///     match (session.principal(), session.handle()) {
///         (Some(principal), Some(this)) => users.end_others(principal.as_str(), this).await,
///         _ => Ok(0),
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Users(Sessions);

/// A session as a list for its user shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserSession {
    /// Its name: to end it by, and no secret.
    pub handle: Handle,
    /// When it was created. A sign-in to a session that was there before does not change it.
    pub created_at: Timestamp,
    /// When it was last used, as far as its idle deadline tells: that one moves once
    /// [a part of the idle lifetime](crate::SessionsBuilder::touch_after_percent) has passed, so that this is up to as
    /// much too early: 3 minutes by default, a day and a half if the session is remembered for 30 days. Where the idle
    /// lifetime was another one then, it is wrong by the difference, but never in the future.
    pub last_seen: Timestamp,
    /// When it ends unless it is used before.
    pub idle_deadline: Timestamp,
    /// When it ends however much it is used.
    pub absolute_deadline: Timestamp,
    /// What the application [noted](crate::Session::set_label) about it: a device, an address.
    pub label: Option<Label>,
}

impl Sessions {
    /// The sessions of users. To be called where the application starts, so that a store that can't do it is noticed there.
    ///
    /// # Errors
    /// [`BuildError::CannotList`] when the store can't list sessions by principal.
    pub fn users(&self) -> Result<Users, BuildError> {
        if self.capabilities().sessions_of {
            Ok(Users(self.clone()))
        } else {
            Err(BuildError::CannotList {
                store: self.store_name(),
            })
        }
    }
}

impl Users {
    /// How many sessions are ended at once.
    const AT_ONCE: usize = 16;

    /// The live sessions of `principal` (1 to 255 bytes), last seen first; empty when there are none.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::InvalidText`] when no principal can have that name.
    pub async fn sessions_of(&self, principal: &str) -> Result<Vec<UserSession>, Error> {
        let records = self.records_of(principal).await?;
        let now = self.0.manager().clock.now();
        let mut sessions: Vec<_> = records
            .into_iter()
            .map(|(handle, record)| self.describe(handle, record, now))
            .collect();
        sessions.sort_by_key(|session| (std::cmp::Reverse(session.last_seen), session.handle));
        Ok(sessions)
    }

    /// Ends the session `handle` of `principal`. `false` when `principal` has no such session, which is a success too: then
    /// nothing was ended, so that nobody can end another's session by its handle. Only if somebody else signs in to that
    /// very session between the look and the end, it is that sign-in that ends.
    ///
    /// # Errors
    /// [`Error::Store`], and the session may live on; [`Error::InvalidText`].
    pub async fn end(&self, principal: &str, handle: Handle) -> Result<bool, Error> {
        let principal = Principal::new(principal)?;
        let manager = self.0.manager();
        let found = manager.fetch(handle, manager.clock.now()).await?;
        let owner = found.and_then(|record| record.header.principal);
        if owner == Some(principal) {
            manager.delete(handle).await
        } else {
            Ok(false)
        }
    }

    /// Ends all of `principal`'s sessions but `keep`; says how many.
    ///
    /// A sign-in that commits after the sessions were listed is not among them: where that matters, change what it depends on
    /// (the password) first, and see [`Session::set_credential_stamp`](crate::Session::set_credential_stamp).
    ///
    /// # Errors
    /// [`Error::Store`] with the first failure, when all were tried; those that failed may live on. [`Error::InvalidText`].
    pub async fn end_others(&self, principal: &str, keep: Handle) -> Result<usize, Error> {
        self.end_where(principal, |handle| handle != keep).await
    }

    /// Ends all sessions of `principal`; says how many. As [`end_others`](Self::end_others), without one to keep.
    ///
    /// # Errors
    /// As [`end_others`](Self::end_others).
    pub async fn end_all(&self, principal: &str) -> Result<usize, Error> {
        self.end_where(principal, |_| true).await
    }

    async fn end_where(
        &self,
        principal: &str,
        is_meant: impl Fn(Handle) -> bool,
    ) -> Result<usize, Error> {
        let manager = self.0.manager();
        let handles: Vec<_> = self
            .records_of(principal)
            .await?
            .into_iter()
            .map(|(handle, _)| handle)
            .filter(|handle| is_meant(*handle))
            .collect();
        let ends: Vec<Result<bool, Error>> = stream::iter(handles)
            .map(|handle| manager.delete(handle))
            .buffer_unordered(Self::AT_ONCE)
            .collect()
            .await;
        let mut ended = 0;
        for end in ends {
            ended += usize::from(end?);
        }
        Ok(ended)
    }

    async fn records_of(&self, principal: &str) -> Result<Vec<(Handle, Record)>, Error> {
        let principal = Principal::new(principal)?;
        let manager = self.0.manager();
        let found = manager
            .store
            .sessions_of(&principal, manager.clock.now())
            .await;
        found.map_err(Error::store("list"))
    }

    /// A record that can't be read is listed too, or its user could not end it.
    fn describe(&self, handle: Handle, record: Record, now: Timestamp) -> UserSession {
        let manager = self.0.manager();
        let Header {
            created_at,
            idle_deadline,
            absolute_deadline,
            label,
            ..
        } = record.header.clone();
        let own = manager
            .take_apart(handle, record)
            .ok()
            .and_then(|stored| stored.control.lifetimes);
        let idle = own.unwrap_or(manager.lifetimes).idle;
        let last_seen = earlier(idle_deadline, idle).max(created_at);
        UserSession {
            handle,
            created_at,
            // The deadline may have been set by a longer lifetime than is known here.
            last_seen: last_seen.min(now),
            idle_deadline,
            absolute_deadline,
            label,
        }
    }
}

fn earlier(moment: Timestamp, span: Duration) -> Timestamp {
    Timestamp::from_millis(moment.as_millis().saturating_sub(whole_millis(span)))
}
