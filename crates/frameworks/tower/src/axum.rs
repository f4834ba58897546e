//! The extractors for axum handlers: the session, one value of it, and who is signed in.

mod sign_in_at;
mod signed_in;
mod typed;

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use fasthttpsession_core as core;
use fasthttpsession_core::Error;
use http::header::HOST;
use http::request::Parts;

use crate::failure::SessionFailed;
use crate::request::RequestSession;

pub use sign_in_at::SignInAt;
pub use signed_in::{NotSignedIn, SignedIn};
pub use typed::Typed;

/// The session of the request, as an argument of an axum handler. Everything that
/// [a session](fasthttpsession_core::Session) can do, it can do.
///
/// It is loaded when axum calls the handler. A handler that needs the session on some of its ways only takes
/// `Extension<RequestSession>` and asks that one.
///
/// Rejected with [`SessionFailed`] when it can't be loaded, or when there is no layer with the marker `M`.
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
    /// ```
    /// use axum::http::request::Parts;
    /// use fasthttpsession_tower::{Session, SessionFailed};
    ///
    /// async fn order(session: Session, request: Parts, article: String) -> Result<(), SessionFailed> {
    ///     let token = request.headers.get("x-csrf-token").and_then(|token| token.to_str().ok());
    ///     session.check_csrf(&request, token)?; // Or the answer is 403.
    ///     Ok(session.set("article", &article)?)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Error::CrossSite`], which is answered with 403.
    pub fn check_csrf(&self, request: &Parts, token: Option<&str>) -> Result<(), Error> {
        let headers = &request.headers;
        let named = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        // Of two, none is believed.
        let authority = request
            .uri
            .authority()
            .filter(|_| !headers.contains_key(HOST));
        let host = authority.map(|authority| ("host", authority.as_str().as_bytes()));
        let method = request.method.as_str();
        self.session.check_csrf(method, named.chain(host), token)
    }
}

impl<S: Sync, M: 'static> FromRequestParts<S> for Session<M> {
    type Rejection = SessionFailed<M>;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, SessionFailed<M>> {
        Ok(Self {
            session: found::<M>(parts)?.session().await?,
            marker: PhantomData,
        })
    }
}

fn found<M: 'static>(parts: &Parts) -> Result<&RequestSession<M>, SessionFailed<M>> {
    let found = parts.extensions.get::<RequestSession<M>>();
    found.ok_or_else(SessionFailed::no_layer)
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

impl<M: 'static> IntoResponse for SessionFailed<M> {
    fn into_response(self) -> Response {
        let explanation = self.error().is_none().then(|| self.to_string());
        let response = self.response::<Body>();
        match explanation {
            Some(sentence) => response.map(|_| Body::from(sentence)),
            None => response,
        }
    }
}
