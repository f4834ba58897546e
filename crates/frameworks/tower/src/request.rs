//! The session of a request as other middleware and handlers find it: in the request's extensions, not loaded yet.

use std::fmt;
use std::marker::PhantomData;

use fasthttpsession_core as core;
use fasthttpsession_core::{Error, Exchange, Session, Sessions};

/// The session of a request, which nobody may have asked for yet. [`SessionLayer`](crate::SessionLayer) puts it into
/// the request's extensions; clones share it.
///
/// To have it in hand costs nothing; only [`session`](Self::session) reads the store, once for the whole request.
///
/// ```
/// # use fasthttpsession_core::Error;
/// use fasthttpsession_tower::RequestSession;
///
/// # async fn example<B>(request: http::Request<B>) -> Result<(), Error> {
/// if let Some(request_session) = request.extensions().get::<RequestSession>() {
///     let session = request_session.session().await?;
///     session.set("seen", &true)?;
/// }
/// # Ok(()) }
/// ```
///
/// `M` is the marker of the layer, see [`SessionLayer::marked`](crate::SessionLayer::marked).
pub struct RequestSession<M = ()> {
    pub(crate) found: core::RequestSession,
    marker: PhantomData<fn() -> M>,
}

impl<M> RequestSession<M> {
    pub(crate) fn new(exchange: &Exchange) -> Self {
        Self {
            found: exchange.request_session(),
            marker: PhantomData,
        }
    }

    /// The session, loaded at the first call of this request. A visitor without one gets an empty session that becomes
    /// a record only if something is written to it.
    pub async fn session(&self) -> Result<Session, Error> {
        self.found.session().await
    }

    /// The session if somebody asked for it in this request and it could be loaded: for what can't wait. Asks nothing of
    /// the store.
    pub fn loaded(&self) -> Option<Session> {
        self.found.loaded()
    }

    pub(crate) fn belongs_to(&self, sessions: &Sessions) -> bool {
        self.found.belongs_to(sessions)
    }
}

impl<M> Clone for RequestSession<M> {
    fn clone(&self) -> Self {
        Self {
            found: self.found.clone(),
            marker: PhantomData,
        }
    }
}

impl<M> fmt::Debug for RequestSession<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSession")
            .field("loaded", &self.found.loaded().is_some())
            .finish_non_exhaustive()
    }
}
