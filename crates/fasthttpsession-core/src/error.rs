//! How using a session fails, and how building [`Sessions`](crate::Sessions) fails.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::keys::KeysError;
use crate::record::InvalidText;
use crate::store::{StoreError, StoreErrorKind};
use crate::token::Handle;

/// Why a session could not be read, changed or committed. Never an empty session instead, and never a secret in it.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The store failed. A "commit" certainly did not land. A "create" may have left a record that no token opens, and a
    /// "delete" may have landed: both can be made again.
    #[error("could not {operation} the session: {source}")]
    Store {
        /// What was being done: "load", "create", "commit", "delete", "list", "check".
        operation: &'static str,
        /// What the store said.
        source: StoreError,
    },
    /// The record is there, but is not one that this process can read. It stays as it is.
    #[error("the record of session {handle} can't be read: {reason}")]
    Unreadable {
        /// Whose record.
        handle: Handle,
        /// What is wrong with it.
        reason: Unreadable,
    },
    /// A value is there, but is not of the type asked for. It stays as it is.
    #[error("the value of {key:?} can't be decoded as {expected}: {source}")]
    Decode {
        /// Its key.
        key: Box<str>,
        /// The type asked for.
        expected: &'static str,
        /// What does not fit, without a word of the value.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// A value can't be encoded.
    #[error("the value for {key:?} can't be encoded: {source}")]
    Encode {
        /// Its key.
        key: Box<str>,
        /// What the codec said.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// The application's own function can't encode the values.
    #[error("the codec {name:?} can't encode the values: {source}")]
    EncodeMap {
        /// The name of the codec.
        name: Box<str>,
        /// What the function returned.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// The application's own function can't encode a token, or made a text of it that can't be sent. What was to be
    /// committed is committed, but the client does not get its new token.
    #[error("the session's token can't be encoded: {source}")]
    EncodeToken {
        /// What the function returned.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// A key is empty or longer than 255 bytes.
    #[error("a key has 1 to 255 bytes, this one has {bytes}")]
    InvalidKey {
        /// Its length in bytes.
        bytes: usize,
    },
    /// A principal or label that no store could keep.
    #[error(transparent)]
    InvalidText(#[from] InvalidText),
    /// Lifetimes that no session can have.
    #[error(
        "a session's lifetimes have to be at least a millisecond, and the idle one no longer than the absolute one"
    )]
    InvalidLifetimes,
    /// The values would take more bytes than [`Limits::record_bytes`](crate::Limits::record_bytes).
    #[error("the session would take {bytes} bytes, and may take {limit}")]
    TooLarge {
        /// How many bytes the encoded values would take.
        bytes: usize,
        /// How many they may take.
        limit: usize,
    },
    /// There would be more values than [`Limits::values`](crate::Limits::values).
    #[error("more values than the {limit} that the session may have")]
    TooManyValues {
        /// How many it may have.
        limit: usize,
    },
    /// A request [removes](crate::Session::remove) more keys than that allows: each is kept until the commit.
    #[error("a request removes more than the {limit} keys that it may; clear removes all of them")]
    TooManyRemovals {
        /// How many it may remove.
        limit: usize,
    },
    /// Other requests kept committing first, [`Limits::retries`](crate::Limits::retries) times in a row.
    #[error(
        "gave up committing to session {handle} after {conflicts} conflicts with other requests"
    )]
    Contention {
        /// Whose record.
        handle: Handle,
        /// How often another commit was first.
        conflicts: u32,
    },
    /// The store did not answer, and what it holds now does not tell whether the commit landed; or the request ended before
    /// a commit of its own did, which may land yet. To make it again may make it twice.
    #[error("it is unknown whether the commit to session {handle} landed")]
    OutcomeUnknown {
        /// Whose record.
        handle: Handle,
        /// The error in place of an answer, if the last attempt gave one.
        source: Option<StoreError>,
    },
    /// An `update` refused the value that it found when the commit was made, so nothing was committed; or before, and was
    /// not recorded.
    #[error("an update refused the session's value: {source}")]
    Refused {
        /// What the closure returned; or that it writes to a session, or that others changed the value each time it ran.
        source: Arc<dyn StdError + Send + Sync>,
    },
    /// The request is finished, or was dropped; a session can no longer be written through it.
    #[error("the request is finished, so its session can't be written any more")]
    Finished,
    /// The session ended, or somebody signed in to it, before the commit.
    #[error("the session ended before this could be committed")]
    Ended,
    /// No fresh handle was free, as many as were [tried](crate::Limits::retries): the generator repeats itself.
    #[error("no free handle was found in {tries} tries; is the random generator broken?")]
    NoFreeHandle {
        /// How many handles were tried.
        tries: u32,
    },
    /// The request may have been made by another site: [`Session::check_csrf`](crate::Session::check_csrf).
    #[error(
        "the request brought no valid CSRF token, and its headers do not say that it comes from this site"
    )]
    CrossSite,
    /// The system's random generator failed.
    #[error("the random generator failed: {reason}")]
    Random {
        /// What it said.
        reason: Box<str>,
    },
}

impl Error {
    pub(crate) fn refused(reason: &str) -> Self {
        Self::refused_by(reason.into())
    }

    /// What the closure of an update returned; as it is, if that is a refusal already.
    pub(crate) fn refused_by(source: Box<dyn StdError + Send + Sync>) -> Self {
        match source.downcast_ref() {
            Some(Self::Refused { source }) => Self::Refused {
                source: Arc::clone(source),
            },
            _ => Self::Refused {
                source: source.into(),
            },
        }
    }

    /// Whether the same request may succeed later without anybody changing anything.
    ///
    /// It does not say that nothing was done. After [`OutcomeUnknown`](Self::OutcomeUnknown) the commit may have
    /// landed: an increment that is made again may count twice. A [`Store`](Self::Store) that was to end or to make a
    /// session may have done so. After [`Contention`](Self::Contention), and a `Store` that was to commit, nothing was.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store { source, .. } => source.is_retryable(),
            Self::Contention { .. } | Self::OutcomeUnknown { .. } => true,
            _ => false,
        }
    }

    /// The HTTP status that suits a response made in place of the handler's: 503 for what may pass, 413 for a session
    /// that outgrew its limits, 409 for a refused update and for a session that ended meanwhile, 403 for a request of
    /// another site, 500 for the rest.
    pub fn status(&self) -> u16 {
        match self {
            _ if self.is_retryable() => 503,
            Self::TooLarge { .. } | Self::TooManyValues { .. } | Self::TooManyRemovals { .. } => {
                413
            }
            Self::Store { source, .. } if source.kind() == StoreErrorKind::TooLarge => 413,
            Self::Refused { .. } | Self::Ended => 409,
            Self::CrossSite => 403,
            _ => 500,
        }
    }

    pub(crate) fn store(operation: &'static str) -> impl Fn(StoreError) -> Self {
        move |source| Self::Store { operation, source }
    }
}

/// What is wrong with a record's body.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// Written by a later version of this library.
    #[error("its envelope has version {found}, this process reads version 1")]
    Version {
        /// The version found.
        found: u8,
    },
    /// It ends early, or holds what no version of this library writes.
    #[error("its bytes are malformed at {at}")]
    Malformed {
        /// The part that could not be read.
        at: &'static str,
    },
    /// It is encrypted, and this program was built without encryption.
    #[error(
        "it is encrypted, and this program was built without encryption: turn on the feature `encryption`"
    )]
    EncryptionOff,
    /// It was encrypted with a key that this process was not given.
    #[error("it is encrypted with the key {id:?}, which this process does not have")]
    UnknownKey {
        /// The id of the key.
        id: Box<str>,
    },
    /// It does not open with the key of that id: the key is another one, or somebody changed the record, its header, or
    /// where it lies.
    #[error("its encryption does not hold: another key has that id, or the record was changed")]
    Changed,
    /// It is not encrypted, and this process takes no such record.
    #[error(
        "it is not encrypted; `also_read_unencrypted` takes it while encryption is being introduced"
    )]
    Unencrypted,
    /// It was written by a map codec that this process was not given.
    #[error("it was written by the codec {name:?}; add that codec with `also_read`")]
    UnknownCodec {
        /// The name of the codec.
        name: Box<str>,
    },
    /// The application's own function could not decode the values.
    #[error("the codec {name:?} failed: {source}")]
    Codec {
        /// The name of the codec.
        name: Box<str>,
        /// What the function returned.
        source: Arc<dyn StdError + Send + Sync>,
    },
}

/// Why [`SessionsBuilder::build`](crate::SessionsBuilder::build), or [`Settings`](crate::Settings) before it, refuses a
/// configuration.
#[derive(Clone, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Lifetimes of zero, or an idle lifetime over the absolute one.
    #[error(
        "lifetimes: each has to be at least a millisecond, and idle ({idle_ms} ms) no longer than absolute ({absolute_ms} ms)"
    )]
    Lifetimes {
        /// The idle lifetime in milliseconds.
        idle_ms: u64,
        /// The absolute lifetime in milliseconds.
        absolute_ms: u64,
    },
    /// A touch threshold outside 0 to 50 %.
    #[error("touch_after_percent has to be at most 50, not {percent}")]
    TouchAfter {
        /// The percentage given.
        percent: u8,
    },
    /// A renewal period that is not longer than its grace.
    #[error("renew_every_ms ({every_ms}) has to be longer than renew_grace_ms ({grace_ms})")]
    Renewal {
        /// The renewal period in milliseconds.
        every_ms: u64,
        /// The grace in milliseconds.
        grace_ms: u64,
    },
    /// A grace of less than a second, which parallel requests take longer than.
    #[error(
        "renew_grace_ms has to be at least {least_ms}, not {grace_ms}: requests that were sent at once must end within it"
    )]
    RenewGrace {
        /// The grace in milliseconds.
        grace_ms: u64,
        /// The least.
        least_ms: u64,
    },
    /// A limit that would make sessions unusable.
    #[error("limits: {what} has to be at least {least}")]
    Limit {
        /// The field.
        what: &'static str,
        /// The smallest value taken.
        least: usize,
    },
    /// A limit beyond what a record has room for.
    #[error("limits: {what} has to be at most {most}")]
    LimitTooHigh {
        /// The field.
        what: &'static str,
        /// The largest value taken.
        most: usize,
    },
    /// Cookie attributes that contradict each other or that browsers refuse.
    #[error("cookie: {reason}")]
    Cookie {
        /// Which field, and what is wrong with it.
        reason: &'static str,
    },
    /// [`Users`](crate::Users) on a store that can't list sessions by principal.
    #[error(
        "the store {store:?} can't list sessions by principal, so it can't show or end those of a user"
    )]
    CannotList {
        /// The store's name.
        store: &'static str,
    },
    /// Transports that contradict each other, or a name that can't be one.
    #[error("transports: {reason}")]
    Transport {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// Settings of encryption that contradict each other.
    #[error("encryption: {reason}")]
    Protection {
        /// What is wrong with them.
        reason: &'static str,
    },
    /// A map codec without a usable name, or two of one name.
    #[error("codec {name:?}: a name has to have 1 to 64 bytes, and may be given once only")]
    Codec {
        /// The name.
        name: String,
    },
    /// One of the [`Settings`](crate::Settings) that lacks another, has no use, or needs what was not compiled in.
    #[error("{name}: {reason}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The keys that [`Settings`](crate::Settings) name can't be read.
    #[error("{name}: {reason}")]
    Keys {
        /// The setting that names them.
        name: &'static str,
        /// What is wrong with them.
        reason: KeysError,
    },
}

impl fmt::Debug for BuildError {
    /// The sentence: `main` prints its error so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
