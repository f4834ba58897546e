//! The extractors, arguments of handlers: the session, one value of it, and who is signed in.

mod sign_in_at;
mod signed_in;
mod typed;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::HOST;
use actix_web::{FromRequest, HttpRequest};
use fasthttpsession_core as core;
use fasthttpsession_core::Error;

use crate::failure::SessionFailed;
use crate::request::RequestSession;

pub use sign_in_at::SignInAt;
pub use signed_in::{NotSignedIn, SignedIn};
pub use typed::Typed;

/// The session of the request, as an argument of a handler. Everything that
/// [a session](fasthttpsession_core::Session) can do, it can do.
///
/// It is loaded before actix calls the handler. A handler that needs the session on some of its ways only takes
/// [`RequestSession`] and asks that one.
///
/// It borrows nothing of the request: hold it across an `.await`, clone it, move it into `rt::spawn` or to another
/// thread.
///
/// Rejected with [`SessionFailed`] when it can't be loaded, or when there is no middleware with the marker `M`. Take no
/// `Option<Session>`: of that actix makes `None` whatever the error is, also while the store is down. A visitor has a
/// session, if an empty one.
pub struct Session<M = ()> {
    session: core::Session,
    marker: PhantomData<fn() -> M>,
}

impl<M> Session<M> {
    /// Whether a request that changes something comes from this site's own pages:
    /// [`check_csrf`](core::Session::check_csrf) with the method and the headers of `request`, and the host that it was
    /// made to, which over HTTP/2 is none of the headers. `token` is what came of
    /// [`csrf_token`](core::Session::csrf_token) in a form or a header, if anything.
    ///
    /// # Errors
    /// [`Error::CrossSite`], which is answered with 403.
    pub fn check_csrf(&self, request: &HttpRequest, token: Option<&str>) -> Result<(), Error> {
        let headers = request.headers();
        let named = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        // Of two, none is believed.
        let authority = request
            .uri()
            .authority()
            .filter(|_| !headers.contains_key(HOST));
        let host = authority.map(|authority| ("host", authority.as_str().as_bytes()));
        let method = request.method().as_str();
        self.session.check_csrf(method, named.chain(host), token)
    }
}

impl<M: 'static> FromRequest for Session<M> {
    type Error = SessionFailed<M>;
    type Future = Pin<Box<dyn Future<Output = Result<Self, SessionFailed<M>>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = RequestSession::<M>::of(request);
        Box::pin(async move {
            Ok(Self {
                session: found?.session().await?,
                marker: PhantomData,
            })
        })
    }
}

impl<M> Deref for Session<M> {
    type Target = core::Session;

    fn deref(&self) -> &core::Session {
        &self.session
    }
}

impl<M> Clone for Session<M> {
    fn clone(&self) -> Self {
        Self {
            session: self.session.clone(),
            marker: PhantomData,
        }
    }
}

impl<M> fmt::Debug for Session<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session.fmt(f)
    }
}
