//! The manager that an application builds once.

mod builder;

use std::fmt;

pub use builder::SessionsBuilder;

use crate::error::Error;
use crate::exchange::Exchange;
use crate::record::Header;
use crate::session::TransactError;
use crate::store::{Capabilities, Store};
use crate::token::Handle;
use crate::values::Values;

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
/// session.set("name", &"Ada")?;
/// for edit in exchange.finish().await? {
///     // apply `edit` to the response's headers
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Sessions(());

impl Sessions {
    /// A manager with all defaults: 1 h idle and 24 h absolute, JSON, a `Secure` cookie named `__Host-id`.
    pub fn new(store: impl Store) -> Self { todo!() }

    /// A manager with settings of one's own.
    pub fn builder(store: impl Store) -> SessionsBuilder { todo!() }

    /// Begins the exchange of one request from its headers (names in lower case, as HTTP libraries give them; any
    /// `HeaderMap` will do) and the query part of its URL. Costs no store call.
    pub fn begin<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        headers: impl IntoIterator<Item = (N, V)>,
        query: Option<&str>,
    ) -> Exchange { todo!() }

    /// Reads a session from outside a request; `None` when there is none.
    pub async fn read(&self, handle: Handle) -> Result<Option<Snapshot>, Error> { todo!() }

    /// Changes the values of a session from outside a request, as [`Session::transact`](crate::Session::transact)
    /// does; `None` when there is no such session.
    pub async fn modify<R, E, F>(&self, handle: Handle, change: F) -> Result<Option<R>, TransactError<E>>
    where
        F: FnMut(&mut Values) -> Result<R, E> + Send,
        R: Send, E: Send,
    { todo!() }

    /// Ends a session from outside a request. `false` when there is none, which is a success too.
    pub async fn end(&self, handle: Handle) -> Result<bool, Error> { todo!() }

    /// Asks whether the store answers.
    pub async fn check(&self) -> Result<(), Error> { todo!() }

    /// The store's name, for messages.
    pub fn store_name(&self) -> &'static str { todo!() }

    /// What the store can do.
    pub fn capabilities(&self) -> Capabilities { todo!() }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { todo!() }
}

/// A session as it was read from outside a request.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was created, when it ends, whose it is.
    pub header: Header,
    /// Its values.
    pub values: Values,
}
