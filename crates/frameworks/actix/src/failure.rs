//! What a client gets when its session could not be loaded or committed: one answer, whether the handler or the
//! middleware met the error.

use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::ResponseHead;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue,
};
use actix_web::{HttpResponse, ResponseError};
use fasthttpsession_core::{Error, TransactError};

use crate::explained::Explained;
use crate::extractor::NotSignedIn;
use crate::headers;

/// What a handler returns that could not do its work for an error of its session; `?` makes it from [`Error`].
///
/// The middleware sees it pass, and commits nothing of what the handler wrote before, whatever its marker is; what it has
/// saved already stays, and its cookie is sent. The one that has the marker `M` answers as it would answer an error of its
/// own.
///
/// An error type of the application's own may hold one, if its answer is this one's
/// [`error_response`](ResponseError::error_response). The middleware knows it by an extension of the response: what makes
/// another response of it, be it such a type or middleware under this one, hides it, and what the handler wrote is
/// committed.
///
/// ```
/// use std::{fmt, io};
///
/// use actix_web::{HttpResponse, ResponseError};
/// use fasthttpsession_actix::{Session, SessionFailed};
/// use fasthttpsession_core::{Error, TransactError};
///
/// #[derive(Debug)]
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
/// impl ResponseError for Failed {
///     fn error_response(&self) -> HttpResponse {
///         match self {
///             Self::Session(failed) => failed.error_response(),
///             Self::Printer(_) => HttpResponse::InternalServerError().finish(),
///             Self::SoldOut => HttpResponse::Conflict().body("sold out"),
///         }
///     }
/// }
///
/// impl fmt::Display for Failed {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         match self {
///             Self::Session(failed) => failed.fmt(f),
///             Self::Printer(error) => error.fmt(f),
///             Self::SoldOut => f.write_str("sold out"),
///         }
///     }
/// }
///
/// async fn redeem(session: Session) -> Result<String, Failed> {
///     let redeem = session.transact(|values| match values.get::<u64>("vouchers")? {
///         Some(vouchers @ 1..) => Ok(values.set("vouchers", &(vouchers - 1))?),
///         _ => Err(Failed::SoldOut),
///     });
///     redeem.await?;
///     session.update("redeemed", |redeemed: &mut u64| *redeemed += 1)?;
///     print()?;
///     Ok("Your ticket is in the printer.".to_owned())
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
/// ```
pub struct SessionFailed<M = ()> {
    error: Option<Error>,
    marker: PhantomData<fn() -> M>,
}

impl<M> SessionFailed<M> {
    /// There is no middleware with the marker `M` around the handler: a mistake in the program, answered with 500 and a
    /// sentence that says so.
    pub fn no_middleware() -> Self {
        Self {
            error: None,
            marker: PhantomData,
        }
    }

    /// The error; `None` when there is [no middleware](Self::no_middleware).
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }
}

impl<M: 'static> SessionFailed<M> {
    /// Takes the error out of a response that [`error_response`](ResponseError::error_response) made.
    pub(crate) fn taken_from<B>(response: &mut HttpResponse<B>) -> Option<Error> {
        response.extensions_mut().remove::<Self>()?.error
    }
}

impl<M: 'static> ResponseError for SessionFailed<M> {
    fn status_code(&self) -> StatusCode {
        self.error
            .as_ref()
            .map_or(StatusCode::INTERNAL_SERVER_ERROR, status)
    }

    /// A response for the middleware to replace. It has the right status and no detail, for when there is no middleware
    /// to do so.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        let mut response = match self.error {
            Some(_) => response.finish(),
            None => response.body(self.to_string()),
        };
        never_cached(response.headers_mut());
        response.extensions_mut().insert(self.clone());
        response.extensions_mut().insert(Failure);
        response
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
                "no SessionMiddleware with the marker {} is around this route, or around the middleware that asks for \
                 the session: such middleware is wrapped before it",
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
struct Failure;

/// Whether the handler failed for a session: then no middleware commits.
pub(crate) fn is_told_by<B>(response: &HttpResponse<B>) -> bool {
    response.extensions().contains::<Failure>()
}

/// Has the response tell of a failure that only its error's type shows: middleware around this one may have another marker,
/// and not know the type.
pub(crate) fn note<M: 'static, B>(response: &mut HttpResponse<B>) {
    let shown = |error| is_veiled::<M>(error) || boxed(error).is_some();
    if response.error().is_some_and(shown) {
        response.extensions_mut().insert(Failure);
    }
}

/// Whether the type of the error shows that other middleware failed for a session, or hides it.
pub(crate) fn may_be_of<M: 'static>(error: &actix_web::Error) -> bool {
    let own = is_a::<SessionFailed<M>>(error) || is_a::<NotSignedIn<M>>(error);
    own || is_a::<Explained>(error) || is_veiled::<M>(error) || boxed(error).is_some()
}

/// Whether it is a session's error under a status, as `actix_web::error::ErrorInternalServerError` makes it. Of what is
/// inside, actix lets nobody see more than its type and how it is printed.
fn is_veiled<M: 'static>(error: &actix_web::Error) -> bool {
    let always = is_a::<InternalError<Error>>(error)
        || is_a::<InternalError<TransactError<Error>>>(error)
        || is_a::<InternalError<SessionFailed>>(error)
        || is_a::<InternalError<SessionFailed<M>>>(error);
    // Or what the closure said, which is the application's.
    let of_transact = is_a::<InternalError<TransactError<&'static str>>>(error)
        || is_a::<InternalError<TransactError<String>>>(error);
    // Or a visitor.
    let of_a_user =
        is_a::<InternalError<NotSignedIn>>(error) || is_a::<InternalError<NotSignedIn<M>>>(error);
    let is = |variant: &str| format!("{error:?}").starts_with(variant);
    always || of_transact && is("Session(") || of_a_user && is("Failed(")
}

/// The session's error in a `Box<dyn Error>`, of which actix makes an error too; also as what caused the one in the box.
pub(crate) fn boxed(error: &actix_web::Error) -> Option<Error> {
    let outermost: &dyn StdError = &**error.as_error::<Box<dyn StdError>>()?;
    let mut causes = std::iter::successors(Some(outermost), |&error| error.source());
    causes.find_map(|error| error.downcast_ref()).cloned()
}

fn is_a<T: ResponseError + 'static>(error: &actix_web::Error) -> bool {
    error.as_error::<T>().is_some()
}

/// Whether the response that it made says what only logs may say. A response that was given to it is another: it gives
/// that one once, and an empty one from then on.
pub(crate) fn blabs<M: 'static>(error: &actix_web::Error) -> bool {
    is_veiled::<M>(error) && !error.error_response().body().size().is_eof()
}

/// The body, unless it says what the error displays: a page of the application's may stand in place of that. One that
/// can't be read here, for it is compressed, or a stream, is such a page if it is no plain text, as the error's is.
pub(crate) fn silenced(head: &mut ResponseHead, body: BoxBody, displayed: &str) -> BoxBody {
    let headers = head.headers_mut();
    let is_plain = |kind: &HeaderValue| kind.as_bytes().starts_with(b"text/plain");
    let is_plain = headers.get(CONTENT_TYPE).is_some_and(is_plain);
    let (says_it, body) = match body.try_into_bytes() {
        Ok(page) if headers.contains_key(CONTENT_ENCODING) => (is_plain, BoxBody::new(page)),
        Ok(page) => (quotes(&page, displayed), BoxBody::new(page)),
        Err(body) => (is_plain, body),
    };
    if !says_it {
        return body;
    }
    for about_the_body in [CONTENT_TYPE, CONTENT_ENCODING] {
        headers.remove(about_the_body);
    }
    never_cached(headers);
    BoxBody::new(())
}

/// Whether `text` is on the page, however its quotation marks and the like are escaped there.
fn quotes(page: &[u8], text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " .,:;-_()".contains(c);
    let parts = text.split(|c| !is_plain(c));
    let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
    String::from_utf8_lossy(page).contains(longest)
}

/// Makes the response for a session that could not be loaded or committed.
pub(crate) type OnError = dyn Fn(&Error) -> HttpResponse + Send + Sync;

/// The default: the status that [`Error::status`] names, and an empty body.
pub(crate) fn no_detail(error: &Error) -> HttpResponse {
    HttpResponse::new(status(error))
}

/// The answer to an error in place of a response. It is never cached.
pub(crate) fn error_response<B>(
    on_error: &OnError,
    error: &Error,
    replaced: &mut HttpResponse<B>,
) -> HttpResponse {
    let mut response = on_error(error);
    never_cached(response.headers_mut());
    if is_told_by(replaced) {
        response.extensions_mut().insert(Failure);
    }
    headers::tell_again(replaced, &mut response);
    response
}

fn never_cached(headers: &mut HeaderMap) {
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
