//! The middleware and the service it makes: begin an exchange for each request, hand it on, and commit on the way back.

use std::fmt;
use std::future::{Future, Ready, ready};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::{HttpMessage, HttpResponse};
use fasthttpsession_core::{Error, Exchange, HeaderEdit, Sessions};

use crate::explained::Explained;
use crate::failure::{self, OnError, SessionFailed, error_response, no_detail};
use crate::headers;
use crate::request::RequestSession;

/// Gives every request under it a session, and commits it before the response's head leaves. For `App::wrap`, and for
/// `wrap` of scopes and resources.
///
/// What it does on every occasion is told on the [front page](crate).
///
/// `M` is a marker that keeps several of them apart.
pub struct SessionMiddleware<M = ()> {
    sessions: Sessions,
    on_error: Arc<OnError>,
    marker: PhantomData<fn() -> M>,
}

impl SessionMiddleware {
    /// A middleware over `sessions`, for the extractors [`Session`](crate::Session) and [`RequestSession`] without a
    /// marker. Errors become responses without a body; see [`on_error`](Self::on_error).
    ///
    /// `sessions` is built once, outside the function that `HttpServer` calls on each of its threads, and cloned there.
    pub fn new(sessions: Sessions) -> Self {
        Self {
            sessions,
            on_error: Arc::new(no_detail),
            marker: PhantomData,
        }
    }
}

impl<M> SessionMiddleware<M> {
    /// The same for `Session<Marker>` and `RequestSession<Marker>`, beside middleware with other markers. The marker is
    /// any type of the application, usually an `enum Admin {}`.
    ///
    /// Middleware side by side needs names of their own: of their cookies, and of their headers and parameters where these are
    /// [transports](fasthttpsession_core::Transport). At most one of them takes `bearer`, which has but one name.
    ///
    /// They need a store each too, or a table or a prefix of their own on one server: the sessions of one store are the
    /// same sessions, so a token that one of them gave opens the other.
    #[must_use]
    pub fn marked<Marker>(self) -> SessionMiddleware<Marker> {
        SessionMiddleware {
            sessions: self.sessions,
            on_error: self.on_error,
            marker: PhantomData,
        }
    }

    /// Answers a session that could not be loaded or committed with `response`, and is the place to log the error.
    ///
    /// Default: the status that [`Error::status`] names, and no body. Whatever the function returns gets
    /// `Cache-Control: no-store`, unless it has a `Cache-Control` of its own. Beside the cookie of what was saved before, or in
    /// answer to a URL with a token, one with neither `private` nor `no-store` is replaced.
    ///
    /// ```
    /// # use fasthttpsession_core::Sessions;
    /// # use fasthttpsession_actix::SessionMiddleware;
    /// use actix_web::HttpResponse;
    /// use actix_web::http::StatusCode;
    ///
    /// # fn example(sessions: Sessions) {
    /// let middleware = SessionMiddleware::new(sessions).on_error(|error| {
    ///     eprintln!("{error}");
    ///     let status = StatusCode::from_u16(error.status()).expect("the status is one of HTTP's");
    ///     HttpResponse::build(status).body("That did not work. Please load the page again.")
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn on_error(
        self,
        response: impl Fn(&Error) -> HttpResponse + Send + Sync + 'static,
    ) -> Self {
        Self {
            on_error: Arc::new(response),
            ..self
        }
    }
}

impl<M> Clone for SessionMiddleware<M> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            on_error: Arc::clone(&self.on_error),
            marker: PhantomData,
        }
    }
}

impl<M> fmt::Debug for SessionMiddleware<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionMiddleware")
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}

impl<S, B, M> Transform<S, ServiceRequest> for SessionMiddleware<M>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
    M: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Transform = SessionService<S, M>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        let middleware = self.clone();
        ready(Ok(SessionService { inner, middleware }))
    }
}

/// A service under a [`SessionMiddleware`].
pub struct SessionService<S, M = ()> {
    inner: S,
    middleware: SessionMiddleware<M>,
}

impl<S, M: 'static> SessionService<S, M> {
    /// Puts a new exchange into the request's extensions, and says what was there of other sessions with the same marker;
    /// `None` if this middleware, applied a second time, finds its own there, which the outer one will finish. One that has
    /// ended, for the request is sent again after its response, is nobody's.
    fn begin(&self, request: &ServiceRequest) -> Option<(Exchange, Option<RequestSession<M>>)> {
        let sessions = &self.middleware.sessions;
        let mut extensions = request.extensions_mut();
        if extensions
            .get::<RequestSession<M>>()
            .is_some_and(|found| found.belongs_to(sessions))
        {
            return None;
        }
        let exchange = sessions.begin(request.headers(), request.uri().query());
        let outer = extensions.insert(RequestSession::<M>::new(&exchange));
        Some((exchange, outer))
    }
}

impl<S, B, M> Service<ServiceRequest> for SessionService<S, M>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = actix_web::Error>,
    S::Future: 'static,
    B: MessageBody + 'static,
    M: 'static,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let begun = self.begin(&request);
        let on_error = Arc::clone(&self.middleware.on_error);
        let answer = self.inner.call(request);
        Box::pin(async move {
            match (answer.await, begun) {
                (answer, None) => Ok(answer?.map_into_left_body()),
                (Ok(response), Some((exchange, outer))) => {
                    if let Some(outer) = outer {
                        response.request().extensions_mut().insert(outer);
                    }
                    Ok(finish::<B, M>(response, &exchange, &*on_error).await)
                }
                // An error comes without the request, so that nothing can be put back.
                (Err(error), Some((exchange, _))) => {
                    Err(explained::<M>(error, exchange.abandon(), on_error))
                }
            }
        })
    }
}

impl<S: fmt::Debug, M> fmt::Debug for SessionService<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService")
            .field("inner", &self.inner)
            .field("middleware", &self.middleware)
            .finish()
    }
}

/// Commits, unless the handler failed, and only then lets the response go.
async fn finish<B: MessageBody + 'static, M: 'static>(
    mut response: ServiceResponse<B>,
    exchange: &Exchange,
    on_error: &OnError,
) -> ServiceResponse<EitherBody<B>> {
    failure::note::<M, B>(response.response_mut());
    let ended = if failure::is_told_by(response.response()) {
        let failed = SessionFailed::<M>::taken_from(response.response_mut());
        let failed = failed.or_else(|| failure::boxed(response.response().error()?));
        failed.map_or_else(|| Ok(exchange.abandon()), Err)
    } else {
        exchange.finish().await
    };
    match ended {
        Ok(edits) => {
            headers::tell(edits, response.response_mut());
            let error = response.response().error();
            let blabs = error.filter(|error| failure::blabs::<M>(error));
            let Some(displayed) = blabs.map(ToString::to_string) else {
                return response.map_into_left_body();
            };
            let response = response.map_into_boxed_body();
            let silenced =
                response.map_body(|head, body| failure::silenced(head, body, &displayed));
            silenced.map_into_right_body()
        }
        Err(error) => {
            let mut answer = error_response(on_error, &error, response.response_mut());
            headers::tell(exchange.abandon(), &mut answer);
            let error = SessionFailed::<M>::from(error).into();
            let answer = HttpResponse::from_error(Explained::by(answer, error));
            response.into_response(answer).map_into_right_body()
        }
    }
}

/// An error of other middleware, with the answer of this one if it is a session's. Whose it is, its own answer tells,
/// whatever type it has. As it is, if the session was not asked for: whoever is around this one knows it by its type.
fn explained<M: 'static>(
    error: actix_web::Error,
    edits: Vec<HeaderEdit>,
    on_error: Arc<OnError>,
) -> actix_web::Error {
    if edits.is_empty() && !failure::may_be_of::<M>(&error) {
        return error;
    }
    let answer = move |error: &actix_web::Error| {
        let mut response = error.error_response();
        let cause = SessionFailed::<M>::taken_from(&mut response);
        if let Some(cause) = cause.or_else(|| failure::boxed(error)) {
            response = error_response(&*on_error, &cause, &mut response);
        } else if failure::blabs::<M>(error) {
            let displayed = error.to_string();
            response = response.map_body(|head, body| failure::silenced(head, body, &displayed));
        }
        headers::tell(edits.clone(), &mut response);
        response
    };
    Explained::each_time(error, answer).into()
}
