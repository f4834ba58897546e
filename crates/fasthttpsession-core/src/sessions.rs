//! The manager that an application builds once.

mod builder;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use builder::SessionsBuilder;

use crate::codec::Codecs;
use crate::commit::{Closure, End, Failure, Job, Lanes, Met};
use crate::error::Error;
use crate::events::{EventKind, Listeners};
use crate::exchange::{Exchange, HeaderEdit};
use crate::lifetimes::{Lifetimes, TouchAfter};
use crate::limits::Limits;
use crate::random::Generator;
use crate::record::Header;
use crate::record::envelope::Stored;
use crate::record::protection::Protection;
use crate::session::state::CookieChange;
use crate::session::{Outcome, TransactError, run};
use crate::store::{AnyStore, Capabilities, Store};
use crate::time::{Clock, Timestamp};
use crate::token::{Handle, Token};
use crate::transport::{Notice, Transports, Ways};
use crate::values::{Rules, Values};

/// The manager that an application builds once: a store, lifetimes, a cookie, a codec. Clones share it.
///
/// ```
/// # use fasthttpsession_core::{Sessions, HeaderEdit, Error};
/// # async fn example(store: impl fasthttpsession_core::Store) -> Result<(), Error> {
/// let sessions = Sessions::new(store);
///
/// // For every request:
/// let exchange = sessions.begin([("cookie", "a=b")], None);
/// let session = exchange.session().await?;
/// session.set("name", "Ada")?;
/// for edit in exchange.finish().await? {
///     // apply `edit` to the response's headers
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Sessions(Arc<Manager>);

/// Building and asking.
impl Sessions {
    /// A manager with all defaults: 1 h idle and 24 h absolute, JSON, a `Secure` cookie named `__Host-id`.
    #[allow(clippy::missing_panics_doc, reason = "a test builds the defaults")]
    pub fn new(store: impl Store) -> Self {
        Self::builder(store)
            .build()
            .expect("the defaults fit each other")
    }

    /// A manager with settings of one's own.
    pub fn builder(store: impl Store) -> SessionsBuilder {
        SessionsBuilder::new(AnyStore::new(store).watched())
    }

    /// The store's name, for messages.
    pub fn store_name(&self) -> &'static str {
        self.0.store.name()
    }

    /// What the store can do.
    pub fn capabilities(&self) -> Capabilities {
        self.0.store.capabilities()
    }

    /// Asks whether the store answers.
    ///
    /// # Errors
    /// [`Error::Store`] when it does not.
    pub async fn check(&self) -> Result<(), Error> {
        self.0.store.check().await.map_err(Error::store("check"))
    }

    pub(crate) fn manager(&self) -> &Arc<Manager> {
        &self.0
    }
}

/// Requests.
impl Sessions {
    /// Begins the exchange of one request from its headers (any iterator of names and values; `http::HeaderMap` is one)
    /// and the query part of its URL. Costs no store call.
    pub fn begin<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
        query: Option<&str>,
    ) -> Exchange {
        Exchange::new(self, self.0.transports.presented(headers, query))
    }
}

/// From outside a request: jobs, consoles, administration.
impl Sessions {
    /// Reads a session; `None` when there is none. Does not count as use: no deadline moves.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::Unreadable`].
    pub async fn read(&self, handle: Handle) -> Result<Option<Snapshot>, Error> {
        let stored = self.0.load(handle, self.0.clock.now()).await?;
        Ok(stored.map(|stored| {
            let Stored { header, values, .. } = Arc::unwrap_or_clone(stored);
            Snapshot { header, values }
        }))
    }

    /// Changes the values of a session in one atomic step, as [`Session::transact`](crate::Session::transact) does;
    /// `None` when there is no such session.
    ///
    /// # Errors
    /// [`TransactError::Aborted`] with what the closure returned, or [`TransactError::Session`].
    pub async fn modify<R, E, F>(
        &self,
        handle: Handle,
        change: F,
    ) -> Result<Option<R>, TransactError<E>>
    where
        F: FnMut(&mut Values) -> Result<R, E> + Send,
        R: Send,
        E: Send,
    {
        let Some(stored) = self
            .0
            .load(handle, self.0.clock.now())
            .await
            .map_err(TransactError::Session)?
        else {
            return Ok(None);
        };
        match run(change, async |closure| {
            self.0.modify(handle, stored, closure).await
        })
        .await
        {
            Err(TransactError::Session(Error::Ended)) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Ends a session. `false` when there is none, which is a success too.
    ///
    /// # Errors
    /// [`Error::Store`]; the session may live on.
    pub async fn end(&self, handle: Handle) -> Result<bool, Error> {
        self.0.delete(handle).await
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("store", &self.store_name())
            .field("lifetimes", &self.0.lifetimes)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

/// A session as it was read from outside a request.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was created, when it ends, whose it is.
    pub header: Header,
    /// Its values.
    pub values: Values,
}

/// What all sessions of a manager share.
pub(crate) struct Manager {
    pub(crate) store: AnyStore,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) transports: Transports,
    pub(crate) codecs: Codecs,
    pub(crate) protection: Protection,
    pub(crate) limits: Limits,
    pub(crate) touch_after: TouchAfter,
    pub(crate) renewal: Renewal,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) generator: Generator,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) listeners: Listeners,
}

/// How secrets are renewed.
#[derive(Clone, Copy)]
pub(crate) struct Renewal {
    pub(crate) every: Option<Duration>,
    pub(crate) grace: Duration,
}

impl Manager {
    /// States that something happened to a session.
    pub(crate) fn tell(&self, kind: EventKind, handle: Handle) {
        self.listeners.tell(self.store.name(), kind, handle);
    }

    /// Notes what a commit met.
    pub(crate) fn note(&self, met: Met, handle: Handle) {
        met.note(self.store.name(), handle);
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            format: self.codecs.format(),
            limits: self.limits,
        }
    }

    /// What a response needs to a request that asked for its session, which came by `came`. A cookie lasts `until` then, or
    /// until the browser closes.
    pub(crate) fn header_edits(
        &self,
        cookie: &CookieChange,
        came: Ways,
        until: Option<Timestamp>,
    ) -> Result<Vec<HeaderEdit>, Error> {
        let mut edits = self.transports.vary();
        let notice = match cookie {
            CookieChange::Keep => return Ok(edits),
            CookieChange::Remove => Notice::TakeAway,
            CookieChange::Send(token) => {
                let left = until.map(|until| until.since(self.clock.now()));
                Notice::Give(self.encode(token)?, left)
            }
        };
        self.transports.notify(notice, came, &mut edits);
        edits.push(HeaderEdit::NO_STORE);
        Ok(edits)
    }

    /// A token as it goes over the wire.
    pub(crate) fn encode(&self, token: &Token) -> Result<String, Error> {
        self.transports.codecs.encode(token, &self.generator)
    }

    async fn modify(
        &self,
        handle: Handle,
        stored: Arc<Stored>,
        closure: &mut Closure<'_>,
    ) -> Result<Outcome, Failure> {
        let job = Box::new(Job {
            authority: None,
            changes: Vec::new(),
            known: stored,
            view: None,
            conflicts: 0,
            alone: false,
            silent: true,
        });
        let done = self.commit(handle, job, Some(closure)).await;
        Ok(match done.end? {
            End::Committed { .. } => Outcome::Committed,
            End::Unchanged { .. } => Outcome::Unchanged,
            End::Superseded | End::Gone => Outcome::Gone,
        })
    }
}
