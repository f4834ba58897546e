//! The extractor for handlers that somebody must be signed in for.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LOCATION, WWW_AUTHENTICATE};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};
use fasthttpsession_core::Principal;

use super::sign_in_at::SignInAt;
use crate::failure::SessionFailed;
use crate::request::RequestSession;

/// The principal of the session, as an argument of a handler that nobody else gets to. Visitors are answered with
/// 401, or sent where [`SignInAt`] says.
///
/// ```
/// use fasthttpsession_actix::SignedIn;
///
/// async fn profile(user: SignedIn) -> String {
///     format!("You are {}.", user.as_str())
/// }
/// ```
///
/// A handler that visitors may get to as well takes the `Result`. It does not take an `Option<SignedIn>`: of that actix
/// makes `None` whatever the error is, so that all users are strangers while the store is down.
///
/// ```
/// use fasthttpsession_actix::{NotSignedIn, SessionFailed, SignedIn};
///
/// async fn home(user: Result<SignedIn, NotSignedIn>) -> Result<String, SessionFailed> {
///     match user {
///         Ok(user) => Ok(format!("Hello {}.", user.as_str())),
///         Err(NotSignedIn::Visitor(_)) => Ok("Hello stranger.".to_owned()),
///         Err(NotSignedIn::Failed(failed)) => Err(failed),
///     }
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
    /// The session can't be loaded, or there is no middleware with the marker `M`.
    Failed(SessionFailed<M>),
}

impl<M: 'static> FromRequest for SignedIn<M> {
    type Error = NotSignedIn<M>;
    type Future = Pin<Box<dyn Future<Output = Result<Self, NotSignedIn<M>>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = RequestSession::<M>::of(request);
        let location = found.as_ref().ok();
        let location = location.and_then(|found| SignInAt::of(request, found));
        Box::pin(async move {
            let session = found.map_err(NotSignedIn::Failed)?.session().await;
            let session = session.map_err(|error| NotSignedIn::Failed(error.into()))?;
            match session.principal() {
                Some(principal) => Ok(Self {
                    principal,
                    marker: PhantomData,
                }),
                None => Err(NotSignedIn::Visitor(location)),
            }
        })
    }
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

impl<M: 'static> ResponseError for NotSignedIn<M> {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Visitor(Some(_)) => StatusCode::SEE_OTHER,
            Self::Visitor(None) => StatusCode::UNAUTHORIZED,
            Self::Failed(failed) => failed.status_code(),
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Visitor(Some(location)) => response.insert_header((LOCATION, location)).finish(),
            Self::Visitor(None) => response
                .insert_header((WWW_AUTHENTICATE, "Session"))
                .finish(),
            Self::Failed(failed) => failed.error_response(),
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
