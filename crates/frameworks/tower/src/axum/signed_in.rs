//! The extractor for handlers that somebody must be signed in for.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use fasthttpsession_core::Principal;
use http::StatusCode;
use http::header::{HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::request::Parts;

use super::found;
use super::sign_in_at::SignInAt;
use crate::failure::SessionFailed;

/// The principal of the session, as an argument of an axum handler that nobody else gets to. Visitors are answered with
/// 401, or sent where [`SignInAt`] says.
///
/// ```
/// use fasthttpsession_tower::SignedIn;
///
/// async fn profile(user: SignedIn) -> String {
///     format!("You are {}.", user.as_str())
/// }
/// ```
///
/// `Option<SignedIn>` lets visitors in too, as `None`. A session that can't be loaded is no visitor: it is rejected all the
/// same.
///
/// ```
/// use fasthttpsession_tower::SignedIn;
///
/// async fn home(user: Option<SignedIn>) -> String {
///     user.map_or_else(|| "Hello stranger.".to_owned(), |user| format!("Hello {}.", user.as_str()))
/// }
/// ```
///
/// The 401 has the challenge that RFC 9110 wants (section 15.5.2): `WWW-Authenticate: Session`. No standard knows this
/// scheme, and browsers show no dialog for it. An API whose tokens travel as
/// [`bearer`](fasthttpsession_core::Transport::bearer) may say `Bearer` in its own answer to [`NotSignedIn::Visitor`].
///
/// It says who was signed in when it was asked. Should they be signed out before the response, nothing that the handler
/// wrote to the session is committed.
///
/// Rejected with [`NotSignedIn`].
pub struct SignedIn<M = ()> {
    principal: Principal,
    marker: PhantomData<fn() -> M>,
}

/// Why there is no [`SignedIn`]: the answer to the client.
pub enum NotSignedIn<M = ()> {
    /// Nobody is signed in: 303 with this `Location`, which is the page of [`SignInAt`], or 401 if there is none.
    Visitor(Option<HeaderValue>),
    /// The session can't be loaded, or there is no layer with the marker `M`.
    Failed(SessionFailed<M>),
}

impl<S: Sync, M: 'static> FromRequestParts<S> for SignedIn<M> {
    type Rejection = NotSignedIn<M>;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotSignedIn<M>> {
        let user = signed_in(parts).await.map_err(NotSignedIn::Failed)?;
        user.ok_or_else(|| {
            let found = found::<M>(parts).ok();
            NotSignedIn::Visitor(found.and_then(|found| SignInAt::of(parts, found)))
        })
    }
}

impl<S: Sync, M: 'static> OptionalFromRequestParts<S> for SignedIn<M> {
    type Rejection = SessionFailed<M>;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &S,
    ) -> Result<Option<Self>, SessionFailed<M>> {
        signed_in(parts).await
    }
}

/// Who is signed in; `None` for a visitor.
async fn signed_in<M: 'static>(parts: &Parts) -> Result<Option<SignedIn<M>>, SessionFailed<M>> {
    let session = found::<M>(parts)?.session().await?;
    Ok(session.principal().map(|principal| SignedIn {
        principal,
        marker: PhantomData,
    }))
}

impl<M> Deref for SignedIn<M> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<M> Clone for SignedIn<M> {
    fn clone(&self) -> Self {
        Self {
            principal: self.principal.clone(),
            marker: PhantomData,
        }
    }
}

impl<M> fmt::Debug for SignedIn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedIn").field(&self.principal).finish()
    }
}

impl<M: 'static> IntoResponse for NotSignedIn<M> {
    fn into_response(self) -> Response {
        match self {
            Self::Visitor(Some(location)) => {
                (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
            }
            Self::Visitor(None) => {
                (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Session")]).into_response()
            }
            Self::Failed(failed) => failed.into_response(),
        }
    }
}

impl<M> fmt::Debug for NotSignedIn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visitor(location) => f.debug_tuple("Visitor").field(location).finish(),
            Self::Failed(failed) => f.debug_tuple("Failed").field(failed).finish(),
        }
    }
}

impl<M> fmt::Display for NotSignedIn<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visitor(_) => f.write_str("nobody is signed in"),
            Self::Failed(failed) => failed.fmt(f),
        }
    }
}

impl<M> std::error::Error for NotSignedIn<M> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Visitor(_) => None,
            Self::Failed(failed) => failed.source(),
        }
    }
}
