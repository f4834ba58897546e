//! The session of a request as other middleware and handlers find it: not loaded yet.

use std::fmt;
use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use fasthttpsession_core as core;
use fasthttpsession_core::{Error, Exchange, Session, Sessions};

use crate::failure::SessionFailed;

/// The session of a request, which nobody may have asked for yet: an argument of handlers, and of middleware made by
/// [`from_fn`](actix_web::middleware::from_fn). Clones share it.
///
/// To have it in hand costs nothing; only [`session`](Self::session) reads the store, once for the whole request.
///
/// ```
/// use actix_web::Error;
/// use actix_web::body::MessageBody;
/// use actix_web::dev::{ServiceRequest, ServiceResponse};
/// use actix_web::middleware::Next;
/// use fasthttpsession_actix::{RequestSession, SessionFailed};
///
/// async fn count_posts(
///     request_session: RequestSession,
///     request: ServiceRequest,
///     next: Next<impl MessageBody>,
/// ) -> Result<ServiceResponse<impl MessageBody>, Error> {
///     if request.method() == "POST" {
///         let session = request_session.session().await.map_err(SessionFailed::<()>::from)?;
///         session.update("posts", |posts: &mut u64| *posts += 1).map_err(SessionFailed::<()>::from)?;
///     }
///     next.call(request).await
/// }
/// ```
///
/// It is in the request's extensions too.
///
/// `M` is the marker of the middleware, see [`SessionMiddleware::marked`](crate::SessionMiddleware::marked). Rejected
/// with [`SessionFailed::no_middleware`] when there is none; of that, `Option<RequestSession>` makes `None`. It loads
/// nothing, so the store being down is told by [`session`](Self::session) alone.
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

    /// The session if somebody asked for it in this request and it could be loaded: for [guards](crate#guards) and others
    /// that can't wait. Asks nothing of the store.
    pub fn loaded(&self) -> Option<Session> {
        self.found.loaded()
    }

    pub(crate) fn belongs_to(&self, sessions: &Sessions) -> bool {
        self.found.belongs_to(sessions)
    }
}

impl<M: 'static> RequestSession<M> {
    /// The one in the request's extensions, cloned so that nobody holds these across an `.await`.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, SessionFailed<M>> {
        let found = request.extensions().get::<Self>().cloned();
        found.ok_or_else(SessionFailed::no_middleware)
    }
}

impl<M: 'static> FromRequest for RequestSession<M> {
    type Error = SessionFailed<M>;
    type Future = Ready<Result<Self, SessionFailed<M>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
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
