//! What a client gets when its session could not be loaded or committed: one answer, whether the handler or the layer
//! met the error.

use std::fmt;
use std::marker::PhantomData;

use fasthttpsession_core::{Error, TransactError};
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Response, StatusCode};

/// Makes the response for a session that could not be loaded or committed. Implemented by functions
/// `Fn(&Error) -> Response<B>`, see [`SessionLayer::on_error`](crate::SessionLayer::on_error), and by [`NoDetail`].
#[diagnostic::on_unimplemented(
    message = "the session layer can't answer errors with a response whose body is `{B}`",
    note = "a layer under the session layer changed the type of the body, and the default answer needs one that has a \
            `Default`; a function given to `SessionLayer::on_error` returns a `Response` of this very body",
    note = "in axum, give the layers one by one, the innermost first, in place of a `ServiceBuilder`: between two of them \
            the body is axum's again"
)]
pub trait OnError<B> {
    /// The response in place of the handler's.
    fn response(&self, error: &Error) -> Response<B>;
}

impl<B, F: Fn(&Error) -> Response<B>> OnError<B> for F {
    fn response(&self, error: &Error) -> Response<B> {
        self(error)
    }
}

/// The default answer to an error: the status that [`Error::status`] names, and an empty body.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoDetail;

impl<B: Default> OnError<B> for NoDetail {
    fn response(&self, error: &Error) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = status(error);
        response
    }
}

/// What a handler returns that could not do its work for an error of its session; `?` makes it from [`Error`].
///
/// The layers see it pass, and commit nothing of what the handler wrote before, whatever their markers are; what it has
/// saved already stays, and its cookie is sent. The layer that has the marker `M` answers as it would answer an error of
/// its own.
///
/// In axum it is the rejection of the extractor and a response. Elsewhere, [`response`](Self::response) makes one:
///
/// ```
/// use fasthttpsession_tower::{RequestSession, SessionFailed};
/// use http::{Request, Response};
///
/// async fn handle(request: Request<String>) -> Response<String> {
///     visits(request).await.map_or_else(SessionFailed::response, Response::new)
/// }
///
/// async fn visits(request: Request<String>) -> Result<String, SessionFailed> {
///     let found = request.extensions().get::<RequestSession>().ok_or_else(SessionFailed::no_layer)?;
///     let visits: Option<u64> = found.session().await?.get("visits")?;
///     Ok(format!("{visits:?}"))
/// }
/// ```
///
/// An error type of the application's own may hold one, if its response is this one's. A layer knows it by an extension
/// of the response: what makes another response of it, be it such a type or middleware under the layer, hides it, and
/// what the handler wrote is committed.
///
/// ```
/// # #[cfg(feature = "axum")]
/// # mod program {
/// use std::io;
///
/// use axum::http::StatusCode;
/// use axum::response::{IntoResponse, Response};
/// use fasthttpsession_core::{Error, TransactError};
/// use fasthttpsession_tower::{Session, SessionFailed};
///
/// enum Failed {
///     Session(SessionFailed),
///     Printer(io::Error),
///     SoldOut,
/// }
///
/// impl From<SessionFailed> for Failed {
///     fn from(failed: SessionFailed) -> Self {
///         Self::Session(failed)
///     }
/// }
///
/// impl From<Error> for Failed {
///     fn from(error: Error) -> Self {
///         Self::Session(error.into())
///     }
/// }
///
/// /// Of closures that fail as sessions do, and say so: by `?` alone, the type of their error can't be inferred.
/// impl From<TransactError<Error>> for Failed {
///     fn from(error: TransactError<Error>) -> Self {
///         Self::Session(error.into())
///     }
/// }
///
/// /// Of closures that fail as the application does.
/// impl From<TransactError<Failed>> for Failed {
///     fn from(error: TransactError<Failed>) -> Self {
///         match error {
///             TransactError::Aborted(failed) => failed,
///             TransactError::Session(error) => error.into(),
///         }
///     }
/// }
///
/// impl From<io::Error> for Failed {
///     fn from(error: io::Error) -> Self {
///         Self::Printer(error)
///     }
/// }
///
/// impl IntoResponse for Failed {
///     fn into_response(self) -> Response {
///         match self {
///             Self::Session(failed) => failed.into_response(),
///             Self::Printer(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
///             Self::SoldOut => (StatusCode::CONFLICT, "sold out").into_response(),
///         }
///     }
/// }
///
/// async fn redeem(session: Session) -> Result<(), Failed> {
///     let redeem = session.transact(|values| match values.get::<u64>("vouchers")? {
///         Some(vouchers @ 1..) => Ok(values.set("vouchers", &(vouchers - 1))?),
///         _ => Err(Failed::SoldOut),
///     });
///     redeem.await?;
///     session.update("redeemed", |redeemed: &mut u64| *redeemed += 1)?;
///     print()?;
///     Ok(())
/// }
///
/// async fn visit(session: Session) -> Result<String, Failed> {
///     let visit = session.transact(|values| {
///         let visits = values.get::<u64>("visits")?.unwrap_or_default() + 1;
///         values.set("visits", &visits)?;
///         Ok::<_, Error>(visits)
///     });
///     Ok(format!("This is visit {}.", visit.await?))
/// }
/// # fn print() -> io::Result<()> { Ok(()) }
/// # }
/// ```
pub struct SessionFailed<M = ()> {
    error: Option<Error>,
    marker: PhantomData<fn() -> M>,
}

impl<M> SessionFailed<M> {
    /// There is no layer with the marker `M` around the handler: a mistake in the program, answered with 500 and, in
    /// axum, a sentence that says so. Elsewhere the sentence is what this displays.
    pub fn no_layer() -> Self {
        Self {
            error: None,
            marker: PhantomData,
        }
    }

    /// The error; `None` when there is [no layer](Self::no_layer).
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl<M: 'static> SessionFailed<M> {
    /// A response for the layer to replace. It has the right status and no body, for when there is no layer to do so.
    pub fn response<B: Default>(self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self
            .error
            .as_ref()
            .map_or(StatusCode::INTERNAL_SERVER_ERROR, status);
        never_cached(&mut response);
        response.extensions_mut().insert(self);
        response.extensions_mut().insert(Failure);
        response
    }

    /// Takes the error out of a response that [`response`](Self::response) made.
    pub(crate) fn taken_from<B>(response: &mut Response<B>) -> Option<Error> {
        response.extensions_mut().remove::<Self>()?.error
    }
}

impl<M> From<Error> for SessionFailed<M> {
    fn from(error: Error) -> Self {
        Self {
            error: Some(error),
            marker: PhantomData,
        }
    }
}

impl<M> From<TransactError<Error>> for SessionFailed<M> {
    fn from(error: TransactError<Error>) -> Self {
        Error::from(error).into()
    }
}

impl<M> Clone for SessionFailed<M> {
    fn clone(&self) -> Self {
        Self {
            error: self.error.clone(),
            marker: PhantomData,
        }
    }
}

impl<M> fmt::Debug for SessionFailed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionFailed").field(&self.error).finish()
    }
}

impl<M> fmt::Display for SessionFailed<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => error.fmt(f),
            None => write!(
                f,
                "no SessionLayer with the marker {} is around this route, or around the middleware that asks for the \
                 session: such middleware is added before the layer, in a ServiceBuilder after it",
                std::any::type_name::<M>()
            ),
        }
    }
}

impl<M> std::error::Error for SessionFailed<M> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.as_ref().map(|error| error as _)
    }
}

/// In the extensions of a response that is made of a [`SessionFailed`], whatever its marker is.
#[derive(Clone)]
struct Failure;

/// Whether the handler failed for a session: then no layer commits.
pub(crate) fn is_told_by<B>(response: &Response<B>) -> bool {
    response.extensions().get::<Failure>().is_some()
}

/// Tells by `response` what was told by the one that it is in place of, for the layers around.
pub(crate) fn tell_again<B>(replaced: &Response<B>, response: &mut Response<B>) {
    if is_told_by(replaced) {
        response.extensions_mut().insert(Failure);
    }
}

pub(crate) fn never_cached<B>(response: &mut Response<B>) {
    response
        .headers_mut()
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
