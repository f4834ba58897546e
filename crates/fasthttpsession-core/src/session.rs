//! What a handler holds for one request. Reads and writes are synchronous: they see and change a view of the values,
//! and keep a log that the commit applies to the record as it is then.

mod inner;
mod load;
mod outcome;
mod save;
pub(crate) mod state;
mod transact;
mod typed;
mod updating;

use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::commit::Change;
use crate::error::Error;
use crate::key::ValueKey;
use crate::lifetimes::Lifetimes;
use crate::record::{Header, Label, Principal};
use crate::sessions::Manager;
use crate::time::Timestamp;
use crate::token::{Handle, SecretHash};
use crate::values::{Encoded, Values, check_key, decode};
use state::State;

pub(crate) use inner::Inner;
pub use outcome::Outcome;
pub use transact::TransactError;
pub(crate) use transact::{raise, run};
pub use typed::{OldValue, SessionValue, Typed};

/// The session of one request. Clones share it; it may be moved to other tasks.
///
/// Nothing is written before the end of the request, when the adapter commits, or before [`save`](Self::save) or
/// [`transact`](Self::transact) is awaited. A visitor without a session has an empty one that becomes a record only
/// if something is written to it.
///
/// After the request is finished, reads still answer from what was last seen, writes return [`Error::Finished`], and
/// only [`transact`](Self::transact) and [`is_alive`](Self::is_alive) reach the store: that is what long-lived tasks
/// (server-sent events, web sockets) use.
///
/// Handlers of axum and actix-web take the extractor `Session` of their framework's module, which derefs to this one.
#[derive(Clone)]
pub struct Session(pub(crate) Arc<Inner>);

/// How often an `update` runs on what its request sees before it gives up: tasks that update one value at once may overtake
/// each other, but none is overtaken so often.
const MOST_RUNS: u32 = 10_000;

/// How many keys a request may remove that its session did not have, at least: whoever removes what may be there should
/// meet no limit.
const MOST_REMOVED: usize = 1024;

/// Values.
impl Session {
    /// The value of `key`; `None` when there is none. [`Error::Decode`] when there is one of another type.
    pub fn get<T: DeserializeOwned>(&self, key: impl ValueKey<T>) -> Result<Option<T>, Error> {
        let key = key.name();
        // Decoded outside the lock, for `T` may do anything, even read this session.
        let stored = self.state().values().encoded(key);
        stored
            .map(|Encoded { format, bytes }| decode(key, format, &bytes))
            .transpose()
    }

    /// Sets `key` to `value`. Requests that set the same key at once: the last one to commit wins, for that key alone.
    ///
    /// In [JSON](crate::Codec::json), NaN and infinities become `null`, which can't be read as a number.
    ///
    /// # Errors
    /// [`Error::Encode`], [`Error::InvalidKey`], and [`Error::TooLarge`] or [`Error::TooManyValues`] past the
    /// [`Limits`](crate::Limits); [`Error::Refused`] in the closure of an update, [`Error::Finished`].
    pub fn set<T: Serialize + ?Sized>(
        &self,
        key: impl ValueKey<T>,
        value: &T,
    ) -> Result<(), Error> {
        let key = key.name();
        let value = self.0.manager.rules().encode(key, value)?;
        self.state().writable()?.set(key, value)
    }

    /// Sets several keys: all of them or, on an error, which is one of [`set`](Self::set)'s, none.
    pub fn set_all<K: AsRef<str>, T: Serialize>(
        &self,
        entries: impl IntoIterator<Item = (K, T)>,
    ) -> Result<(), Error> {
        let rules = self.0.manager.rules();
        let encode = |(key, value): (K, T)| {
            let encoded = rules.encode(key.as_ref(), &value)?;
            Ok((key, encoded))
        };
        let entries = entries
            .into_iter()
            .map(encode)
            .collect::<Result<Vec<_>, Error>>()?;
        self.state().writable()?.set_all(entries)
    }

    /// Removes `key`; removing what is not there is no error, but each key is kept until the commit, for another request may
    /// set it meanwhile.
    ///
    /// # Errors
    /// [`Error::TooManyRemovals`] once a request removes more keys than its session had, and 1 024 beside them, or
    /// [`Limits::values`] if that is more; [`Error::Finished`].
    ///
    /// [`Limits::values`]: crate::Limits::values
    pub fn remove(&self, key: impl AsRef<str>) -> Result<(), Error> {
        let most = self.0.manager.limits.values.max(MOST_REMOVED);
        self.state().writable()?.remove(key.as_ref(), most)
    }

    /// Changes the value of `key` in place, starting from `T::default()` when there is none.
    ///
    /// The closure runs now, on this request's view, and *again at the commit* if another request committed
    /// meanwhile: then it gets the value as it is then. So N requests that each add one add N. It is `'static`, and gives
    /// away clones of what it has. Whatever else it does happens as often as it runs. A value computed here may be wrong
    /// after a rebase: what is shown to the client or may be used only once goes through [`transact`](Self::transact).
    ///
    /// The closure may read this session, but writes to none, for that would happen as often as it runs: each write is
    /// answered with [`Error::Refused`]. Several values are changed in one step by [`transact`](Self::transact), or are one
    /// value.
    ///
    /// The closure returns nothing, or a `Result<(), E>`. An error from its run here is returned from here, and the
    /// update is not recorded; an error at the commit aborts the whole commit with [`Error::Refused`].
    ///
    /// # Errors
    /// Those of [`set`](Self::set); [`Error::Decode`] when there is a value of another type; [`Error::Refused`], also when
    /// other tasks of the request change the value each time that the closure runs.
    pub fn update<T, F, R>(&self, key: impl ValueKey<T>, change: F) -> Result<(), Error>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R + Send + 'static,
        R: UpdateResult,
    {
        let read = |key: &str, old: Option<&Encoded>| match old {
            Some(old) => decode(key, old.format, &old.bytes),
            None => Ok(T::default()),
        };
        self.update_read(key.name(), read, change)
    }

    /// [`update`](Self::update), with a way of its own to read what the closure starts from.
    fn update_read<T, F, R>(
        &self,
        key: &str,
        read: impl Fn(&str, Option<&Encoded>) -> Result<T, Error> + Send + 'static,
        mut change: F,
    ) -> Result<(), Error>
    where
        T: Serialize,
        F: FnMut(&mut T) -> R + Send + 'static,
        R: UpdateResult,
    {
        let key: Arc<str> = key.into();
        check_key(&key)?;
        let (name, rules) = (Arc::clone(&key), self.0.manager.rules());
        let mut updater = move |old: Option<&Encoded>| {
            let mut value = read(&name, old)?;
            let changed = updating::run(|| change(&mut value).into_result());
            changed.map_err(Error::refused_by)?;
            rules.encode(&name, &value)
        };
        for _ in 0..MOST_RUNS {
            let old = self.state().writable()?.values().encoded(&key);
            // Outside the lock, for it may do anything, even read this session.
            let new = updater(old.as_ref())?;
            let mut state = self.state();
            if state.values().holds(&key, old.as_ref()) {
                let state = state.writable()?;
                state.show(&key, new)?;
                let updater = Box::new(updater);
                state.log(Change::Update { key, updater });
                return Ok(());
            }
        }
        Err(Error::refused(
            "other tasks of the request changed the value each time that the update ran",
        ))
    }

    /// Whether `key` has a value.
    pub fn contains(&self, key: impl AsRef<str>) -> bool {
        self.state().values().contains(key)
    }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> {
        self.state().values().keys().map(str::to_owned).collect()
    }

    /// All values with their keys, sorted by key, each decoded as `T`. `serde_json::Value` takes what JSON can express:
    /// the bytes that `MessagePack` and CBOR may hold are [`Error::Decode`].
    pub fn entries<T: DeserializeOwned>(&self) -> Result<Vec<(String, T)>, Error> {
        // As in `get`; the copy shares the bytes.
        let values = self.state().values().clone();
        values.entries()
    }

    /// Removes every value.
    ///
    /// # Errors
    /// [`Error::Refused`] in the closure of an update, [`Error::Finished`].
    pub fn clear(&self) -> Result<(), Error> {
        self.state().writable()?.clear();
        Ok(())
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.state().values().len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.state().values().is_empty()
    }
}

/// Who and how long.
impl Session {
    /// The token itself, as it goes over the wire: whoever sees it has the session. For [`Transport::query`] and other
    /// ways of an application's own; the other transports need nobody's help. Never log it, and put it into no page that
    /// sends it on.
    ///
    /// `None` while there is no record, and after `login`, `rotate` or `reauthenticated` until the new token is
    /// committed: [`save`](Self::save) first.
    ///
    /// ```
    /// # use fasthttpsession_core::{Error, Session};
    /// async fn address_after_login(session: &Session) -> Result<Option<String>, Error> {
    ///     session.login("ada")?;
    ///     session.save().await?;
    ///     let token = session.expose_token()?;
    ///     Ok(token.map(|token| format!("/start?session={token}")))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::EncodeToken`] and [`Error::Random`], from the [`TokenCodec`].
    ///
    /// [`Transport::query`]: crate::Transport::query
    /// [`TokenCodec`]: crate::TokenCodec
    pub fn expose_token(&self) -> Result<Option<String>, Error> {
        let state = self.state();
        let token = state.token();
        token.map(|token| self.0.manager.encode(token)).transpose()
    }

    /// The session's name; `None` while it has no record.
    pub fn handle(&self) -> Option<Handle> {
        self.state().base.as_ref().map(|base| base.token.handle)
    }

    /// Whether this request began without a session that could be found.
    pub fn is_new(&self) -> bool {
        self.state().is_new
    }

    /// When the session was created; `None` while it has no record.
    pub fn created_at(&self) -> Option<Timestamp> {
        self.header(|header| header.created_at)
    }

    /// When it ends unless it is used; `None` while it has no record.
    pub fn idle_deadline(&self) -> Option<Timestamp> {
        self.header(|header| header.idle_deadline)
    }

    /// When it ends however much it is used; `None` while it has no record.
    pub fn absolute_deadline(&self) -> Option<Timestamp> {
        self.header(|header| header.absolute_deadline)
    }

    /// Gives this session lifetimes of its own, or, by `None`, those of all [`Sessions`](crate::Sessions) again, with the
    /// commit: the idle one from then, the absolute one from the sign-in (or re-authentication, or else creation). While there
    /// is no record, they wait for one. They stay until another principal signs in to it, so a handler that signs somebody in
    /// sets them after that.
    ///
    /// # Errors
    /// [`Error::InvalidLifetimes`]; [`Error::Refused`] in the closure of an update, [`Error::Finished`].
    pub fn set_lifetimes(&self, lifetimes: impl Into<Option<Lifetimes>>) -> Result<(), Error> {
        let lifetimes = lifetimes.into();
        if lifetimes.is_some_and(|lifetimes| !lifetimes.are_possible()) {
            return Err(Error::InvalidLifetimes);
        }
        self.state().writable()?.log(Change::Lifetimes(lifetimes));
        Ok(())
    }

    /// Who the session belongs to; `None` before sign-in.
    pub fn principal(&self) -> Option<Principal> {
        self.state().principal().cloned()
    }

    /// What the application noted about it.
    pub fn label(&self) -> Option<Label> {
        self.state().label().cloned()
    }

    /// Notes something about the session (a device, an address) for lists of sessions: 1 to 255 bytes without control
    /// characters. While there is no record, it waits for one.
    ///
    /// # Errors
    /// [`Error::InvalidText`] for any other text; [`Error::Finished`].
    pub fn set_label(&self, label: &str) -> Result<(), Error> {
        let label = Label::new(label)?;
        self.state().writable()?.set_label(label);
        Ok(())
    }

    /// Signs `principal` (1 to 255 bytes without control characters) in: binds it, gives a new secret, kills every
    /// older one, and resets both deadlines. Values, label and the session's own lifetimes stay, unless it belonged to
    /// another principal: then it starts empty.
    ///
    /// Requests that were under way before change nothing after it. If the session ended or somebody signed in to it
    /// meanwhile, what was logged before `login` is dropped and a fresh session is made.
    ///
    /// A handler that answers with what the record has ([`handle`](Self::handle), [`csrf_token`](Self::csrf_token))
    /// [saves](Self::save) first: a visitor has no record until then.
    ///
    /// # Errors
    /// [`Error::InvalidText`] for any other text; [`Error::Random`], [`Error::Finished`].
    pub fn login(&self, principal: &str) -> Result<(), Error> {
        let principal = Principal::new(principal)?;
        let generator = &self.0.manager.generator;
        let sign_in = generator.sign_in()?;
        let mut state = self.state();
        let state = state.writable()?;
        let next = match &state.base {
            Some(base) => generator.token_for(base.token.handle)?,
            None => generator.token()?,
        };
        state.login(principal, sign_in, next);
        Ok(())
    }

    /// Signs out: destroys the session at the store, whoever may have signed in to it meanwhile, and takes its cookie
    /// away, unless the session was gone already: then the client may have another one's. Whatever was written before in
    /// this request is dropped; what is written after begins a new session. If the store fails, the session is what it
    /// was when the request began, or last saved.
    ///
    /// # Errors
    /// [`Error::Refused`] in the closure of an update, [`Error::Finished`].
    pub fn logout(&self) -> Result<(), Error> {
        let log = self.state().writable()?.logout();
        // Outside of the lock, for its closures may do anything when they are dropped.
        drop(log);
        Ok(())
    }

    /// Whether the principal signed in, or [proved itself again](Self::reauthenticated), at most `span` ago, in this request
    /// or before: to ask for before dangerous acts. `false` when nobody is signed in.
    pub fn is_authenticated_within(&self, span: Duration) -> bool {
        let now = self.0.manager.clock.now();
        self.state().is_authenticated_within(span, now)
    }

    /// Gives the session a new secret and kills every older one. For changes of privilege. Does nothing while there is
    /// no record, which gets a fresh one anyway.
    ///
    /// # Errors
    /// [`Error::Random`]; [`Error::Refused`] in the closure of an update, [`Error::Finished`].
    pub fn rotate(&self) -> Result<(), Error> {
        self.replace_secret(|secret| Change::Rotate { secret })
    }

    /// States that the principal proved itself again: a new secret, and both deadlines reset. Does nothing while there
    /// is no record.
    ///
    /// # Errors
    /// Those of [`rotate`](Self::rotate).
    pub fn reauthenticated(&self) -> Result<(), Error> {
        self.replace_secret(|secret| Change::Reauthenticate { secret })
    }
}

/// The store.
impl Session {
    /// Drops what this request did to its session and has not committed yet, a sign-in or a logout too. For a handler that
    /// fails by an error of its own: its response is sent, and what it wrote before is not kept. A [`save`](Self::save) or a
    /// [`transact`](Self::transact) that is under way in another task commits what it took along.
    pub fn discard(&self) {
        let log = self.state().discard();
        // As in `logout`.
        drop(log);
    }

    /// Commits now what was written so far, for those who need the result before the response.
    ///
    /// `Ok` does not say that it is in the store: the [`Outcome`] is `Gone` if the session ended meanwhile, and
    /// `Superseded` if somebody signed in to it, and then nothing was written. Whoever goes on to do what depends on
    /// it looks at that, or uses [`transact`](Self::transact), of which both are errors. It is `Overtaken` if a rotation, a
    /// re-authentication or a credential stamp came too late.
    ///
    /// After an error, what was written so far is dropped: it is not tried again at the end of the request. If the call
    /// is cancelled (a time-out), that is lost too or was committed. If it is not known whether the secret was replaced, be it
    /// by that or by the error, the request ends with [`Error::OutcomeUnknown`], unless another `save` has replaced it by then.
    ///
    /// A request makes one commit at a time. The next one, and the end of the request, wait for a `save` or a
    /// [`transact`](Self::transact) a minute at most, and then fail with [`Error::OutcomeUnknown`]: a future that is kept
    /// is to be polled.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::OutcomeUnknown`], [`Error::Contention`]; [`Error::Refused`] and those of
    /// [`set`](Self::set), when others left less room; [`Error::NoFreeHandle`], [`Error::Finished`]. [`Error`] tells of each.
    pub async fn save(&self) -> Result<Outcome, Error> {
        let _turn = self.0.turn_to_commit().await?;
        self.state().writable()?;
        self.0.commit(None).await.map_err(raise)
    }

    /// Reads and changes values in one atomic step, committed when this returns, together with what was written
    /// before.
    ///
    /// On a conflict the closure runs again on the values as they are then; the `R` of the run that was committed comes
    /// back. `Err` writes nothing, and leaves what was written before to the next commit, but for a logout, which is made first;
    /// after an error of the store, that is dropped. Of N requests that take a single-use value out, exactly one gets it.
    ///
    /// The closure changes the values that it is given. What it writes to the session itself is no part of the step: it is
    /// logged for the next commit, as often as the closure runs and whatever it returns.
    ///
    /// Works after the request is finished, for long-lived tasks; it then reads the record first. A closure that
    /// changes nothing writes nothing: it saw the session as it was last read.
    ///
    /// # Errors
    /// [`TransactError::Aborted`] with what the closure returned, or [`TransactError::Session`];
    /// the latter with [`Error::Ended`] if the session ended, or somebody signed in to it, meanwhile.
    pub async fn transact<R, E, F>(&self, change: F) -> Result<R, TransactError<E>>
    where
        F: FnMut(&mut Values) -> Result<R, E> + Send,
        R: Send,
        E: Send,
    {
        let turn = self.0.turn_to_commit().await;
        let _turn = turn.map_err(TransactError::Session)?;
        if self.state().finished {
            self.0.reload().await.map_err(TransactError::Session)?;
        }
        run(change, async |closure| self.0.commit(Some(closure)).await).await
    }

    /// Asks the store whether the session still lives, under the sign-in it had. `false` for a visitor, who has no record.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Unreadable`].
    pub async fn is_alive(&self) -> Result<bool, Error> {
        Ok(self.0.current().await?.is_some())
    }
}

impl Session {
    pub(crate) fn state(&self) -> MutexGuard<'_, Box<State>> {
        self.0.state()
    }

    pub(crate) fn manager(&self) -> &Manager {
        &self.0.manager
    }

    fn header<T>(&self, read: impl FnOnce(&Header) -> T) -> Option<T> {
        self.state()
            .base
            .as_ref()
            .map(|base| read(&base.stored.header))
    }

    /// A session without a record has no secret to replace: it will get a fresh one anyway.
    fn replace_secret(&self, change: impl FnOnce(SecretHash) -> Change) -> Result<(), Error> {
        let mut state = self.state();
        let state = state.writable()?;
        if let Some(base) = &state.base {
            let next = self.0.manager.generator.token_for(base.token.handle)?;
            state.replace_secret(change(next.hash()), next);
        }
        Ok(())
    }
}

impl fmt::Debug for Session {
    /// The handle and the keys; never the secret, never a value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Session")
            .field("handle", &state.base.as_ref().map(|base| base.token.handle))
            .field("principal", &state.principal())
            .field("keys", state.values())
            .finish_non_exhaustive()
    }
}

/// What a closure given to [`Session::update`] may return: `()`, or a `Result<(), E>`.
pub trait UpdateResult {
    /// The result with its error boxed.
    fn into_result(self) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

impl UpdateResult for () {
    fn into_result(self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        Ok(())
    }
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> UpdateResult for Result<(), E> {
    fn into_result(self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.map_err(Into::into)
    }
}
