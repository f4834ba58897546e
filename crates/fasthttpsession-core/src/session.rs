//! What a handler holds for one request. Reads and writes are synchronous: they see and change a view of the values,
//! and keep a log that the commit applies to the record as it is then.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::key::ValueKey;
use crate::lifetimes::Lifetimes;
use crate::record::{Label, Principal};
use crate::time::Timestamp;
use crate::token::Handle;
use crate::values::Values;

/// The session of one request. Clones share it; it may be moved to other tasks.
///
/// Nothing is written before the end of the request, when the adapter commits, or before [`save`](Self::save) or
/// [`transact`](Self::transact) is awaited. A visitor without a session has an empty one that becomes a record only
/// if something is written to it.
///
/// After the request is finished, reads still answer from what was last seen, writes return [`Error::Finished`], and
/// only [`transact`](Self::transact) and [`is_alive`](Self::is_alive) reach the store: that is what long-lived tasks
/// (server-sent events, WebSockets) use.
#[derive(Clone)]
pub struct Session(());

/// Values.
impl Session {
    /// The value of `key`; `None` when there is none. [`Error::Decode`] when there is one of another type.
    pub fn get<T: DeserializeOwned>(&self, key: impl ValueKey<T>) -> Result<Option<T>, Error> { todo!() }

    /// Sets `key` to `value`. Requests that set the same key at once: the last one to commit wins, for that key alone.
    pub fn set<T: Serialize>(&self, key: impl ValueKey<T>, value: &T) -> Result<(), Error> { todo!() }

    /// Removes `key`; removing what is not there is no error.
    pub fn remove(&self, key: impl AsRef<str>) -> Result<(), Error> { todo!() }

    /// Changes the value of `key` in place, starting from `T::default()` when there is none.
    ///
    /// The closure runs now, on this request's view, and *again at the commit* if another request committed
    /// meanwhile: then it gets the value as it is then. So N requests that each add one add N. Whatever else it does
    /// happens as often as it runs. A value computed here may be wrong after a rebase: what is shown to the client or
    /// may be used only once goes through [`transact`](Self::transact).
    ///
    /// The closure returns nothing, or a `Result<(), E>`. An error from its run here is returned from here, and the
    /// update is not recorded; an error at the commit aborts the whole commit with [`Error::Refused`].
    pub fn update<T, F, R>(&self, key: impl ValueKey<T>, change: F) -> Result<(), Error>
    where
        T: Serialize + DeserializeOwned + Default,
        F: FnMut(&mut T) -> R + Send + 'static,
        R: UpdateResult,
    { todo!() }

    /// Whether `key` has a value.
    pub fn contains(&self, key: impl AsRef<str>) -> bool { todo!() }

    /// All keys, sorted.
    pub fn keys(&self) -> Vec<String> { todo!() }

    /// All values with their keys, sorted by key, each decoded as `T` (`serde_json::Value` takes any).
    pub fn entries<T: DeserializeOwned>(&self) -> Result<Vec<(String, T)>, Error> { todo!() }

    /// Removes every value.
    pub fn clear(&self) -> Result<(), Error> { todo!() }

    /// How many values there are.
    pub fn len(&self) -> usize { todo!() }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool { todo!() }
}

/// Who and how long.
impl Session {
    /// The session's name; `None` while it has no record.
    pub fn handle(&self) -> Option<Handle> { todo!() }

    /// Whether this request began without a session that could be found.
    pub fn is_new(&self) -> bool { todo!() }

    /// When the session was created; `None` while it has no record.
    pub fn created_at(&self) -> Option<Timestamp> { todo!() }

    /// When it ends unless it is used; `None` while it has no record.
    pub fn idle_deadline(&self) -> Option<Timestamp> { todo!() }

    /// When it ends however much it is used; `None` while it has no record.
    pub fn absolute_deadline(&self) -> Option<Timestamp> { todo!() }

    /// Gives this session lifetimes of its own.
    pub fn set_lifetimes(&self, lifetimes: Lifetimes) -> Result<(), Error> { todo!() }

    /// Who the session belongs to; `None` before sign-in.
    pub fn principal(&self) -> Option<Principal> { todo!() }

    /// What the application noted about it.
    pub fn label(&self) -> Option<Label> { todo!() }

    /// Notes something about the session (a device, an address) for lists of sessions: 1 to 255 bytes.
    pub fn set_label(&self, label: &str) -> Result<(), Error> { todo!() }

    /// Signs `principal` (1 to 255 bytes) in: binds it, gives a new secret, kills every older one, and resets both
    /// deadlines. Values stay, unless the session belonged to another principal: then it starts empty.
    ///
    /// Requests that were under way before change nothing after it. If the session ended or somebody signed in to it
    /// meanwhile, what was logged before `login` is dropped and a fresh session is made.
    pub fn login(&self, principal: &str) -> Result<(), Error> { todo!() }

    /// Signs out: destroys the session at the store, and its cookie. Whatever was written before in this request is
    /// dropped; what is written after begins a new session.
    pub fn logout(&self) -> Result<(), Error> { todo!() }

    /// Gives the session a new secret and kills every older one. For changes of privilege.
    pub fn rotate(&self) -> Result<(), Error> { todo!() }

    /// States that the principal proved itself again: a new secret, and both deadlines reset.
    pub fn reauthenticated(&self) -> Result<(), Error> { todo!() }
}

/// The store.
impl Session {
    /// Commits now what was written so far, for those who need the result before the response.
    ///
    /// After an error, what was written so far is dropped: it is not tried again at the end of the request.
    pub async fn save(&self) -> Result<Saved, Error> { todo!() }

    /// Reads and changes values in one atomic step, committed when this returns, together with what was written
    /// before.
    ///
    /// On a conflict the closure runs again on the values as they are then; the `R` of the run that was committed comes
    /// back. `Err` writes nothing. Of N requests that take a single-use value out, exactly one gets it.
    ///
    /// Works after the request is finished, for long-lived tasks.
    ///
    /// # Errors
    /// [`TransactError::Aborted`] with what the closure returned, or [`TransactError::Session`];
    /// the latter with [`Error::Ended`] if the session ended, or somebody signed in to it, meanwhile.
    pub async fn transact<R, E, F>(&self, change: F) -> Result<R, TransactError<E>>
    where
        F: FnMut(&mut Values) -> Result<R, E> + Send,
        R: Send, E: Send,
    { todo!() }

    /// Asks the store whether the session still lives, and still belongs to whom it did.
    pub async fn is_alive(&self) -> Result<bool, Error> { todo!() }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() }
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

/// What became of a commit that met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// What happened.
    pub outcome: Outcome,
    /// How often another commit was first and this one was applied to what it left.
    pub conflicts: u32,
}

/// What happened to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// There was nothing to write.
    Unchanged,
    /// It is in the store.
    Committed,
    /// Somebody signed in to the session after it was loaded; nothing was written.
    Superseded,
    /// The session ended after it was loaded; nothing was written.
    Gone,
}

/// Why [`Session::transact`] returned no value.
#[derive(Debug)]
pub enum TransactError<E> {
    /// The closure returned an error; nothing was written.
    Aborted(E),
    /// The session could not be committed.
    Session(Error),
}

impl<E: fmt::Display> fmt::Display for TransactError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aborted(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for TransactError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Aborted(error) => Some(error),
            Self::Session(error) => Some(error),
        }
    }
}
