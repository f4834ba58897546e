//! The layer and the service it makes: begin an exchange for each request, and hand it on.

use std::fmt;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use fasthttpsession_core::{Error, Exchange, Sessions};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::failure::{NoDetail, OnError};
use crate::future::ResponseFuture;
use crate::request::RequestSession;

/// Gives every request of the service under it a session, and commits it before the response's head leaves.
///
/// What it does on every occasion is told on the [front page](crate).
///
/// `M` is a marker that keeps several layers apart; `F` answers errors.
pub struct SessionLayer<M = (), F = NoDetail> {
    sessions: Sessions,
    on_error: F,
    marker: PhantomData<fn() -> M>,
}

impl SessionLayer {
    /// A layer over `sessions`, for [`RequestSession`] and the extractor `Session` without a marker. Errors become
    /// responses without a body; see [`on_error`](Self::on_error).
    pub fn new(sessions: Sessions) -> Self {
        Self {
            sessions,
            on_error: NoDetail,
            marker: PhantomData,
        }
    }
}

impl<M, F> SessionLayer<M, F> {
    /// The same layer for [`RequestSession<Marker>`](RequestSession) and `Session<Marker>`, beside layers with other
    /// markers. The marker is any type of the application, usually an `enum Admin {}`.
    ///
    /// Layers side by side need names of their own: of their cookies, and of their headers and parameters where these are
    /// [transports](fasthttpsession_core::Transport). At most one of them takes `bearer`, which has but one name.
    ///
    /// They need a store each too, or a table or a prefix of their own on one server: the sessions of one store are the
    /// same sessions, so a token that one of them gave opens the other.
    #[must_use]
    pub fn marked<Marker>(self) -> SessionLayer<Marker, F> {
        SessionLayer {
            sessions: self.sessions,
            on_error: self.on_error,
            marker: PhantomData,
        }
    }

    /// Answers a session that could not be loaded or committed with `response`, and is the place to log the error.
    ///
    /// Default [`NoDetail`]: the status that [`Error::status`] names, and no body. Whatever the function returns gets
    /// `Cache-Control: no-store`, unless it has a `Cache-Control` of its own. Beside the cookie of what was saved before, or in
    /// answer to a URL with a token, one with neither `private` nor `no-store` is replaced.
    ///
    /// ```
    /// # use fasthttpsession_core::{Error, Sessions};
    /// # use fasthttpsession_tower::SessionLayer;
    /// use http::Response;
    ///
    /// # fn example(sessions: Sessions) {
    /// let layer = SessionLayer::new(sessions).on_error(|error: &Error| {
    ///     eprintln!("{error}");
    ///     let sentence = "That did not work. Please load the page again.".to_owned();
    ///     Response::builder().status(error.status()).body(sentence).expect("the status is one of HTTP's")
    /// });
    /// # }
    /// ```
    ///
    /// In axum, the response is axum's:
    ///
    /// ```
    /// # #[cfg(feature = "axum")]
    /// # mod program {
    /// use axum::http::StatusCode;
    /// use axum::response::{IntoResponse, Response};
    /// use axum::{Router, routing::get};
    /// use fasthttpsession_core::{Error, Sessions};
    /// use fasthttpsession_tower::SessionLayer;
    ///
    /// fn app(sessions: Sessions) -> Router {
    ///     let layer = SessionLayer::new(sessions).on_error(apology);
    ///     Router::new().route("/", get(|| async { "Hello." })).layer(layer)
    /// }
    ///
    /// fn apology(error: &Error) -> Response {
    ///     eprintln!("{error}");
    ///     let status = StatusCode::from_u16(error.status()).expect("the status is one of HTTP's");
    ///     (status, "That did not work. Please load the page again.").into_response()
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn on_error<B, R>(self, response: R) -> SessionLayer<M, R>
    where
        R: Fn(&Error) -> Response<B> + Clone,
    {
        SessionLayer {
            sessions: self.sessions,
            on_error: response,
            marker: PhantomData,
        }
    }
}

impl<M, F: Clone> Clone for SessionLayer<M, F> {
    fn clone(&self) -> Self {
        Self {
            sessions: self.sessions.clone(),
            on_error: self.on_error.clone(),
            marker: PhantomData,
        }
    }
}

impl<M, F> fmt::Debug for SessionLayer<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionLayer")
            .field("sessions", &self.sessions)
            .finish_non_exhaustive()
    }
}

impl<S, M, F: Clone> Layer<S> for SessionLayer<M, F> {
    type Service = SessionService<S, M, F>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service under a [`SessionLayer`].
pub struct SessionService<S, M = (), F = NoDetail> {
    inner: S,
    layer: SessionLayer<M, F>,
}

impl<S, M: 'static, F> SessionService<S, M, F> {
    /// Puts a new exchange into the request's extensions; `None` if this layer, applied a second time, finds its own
    /// there, which the outer one will finish. One that has ended, in what a task kept of a request, is nobody's.
    fn begin<B>(&self, request: &mut Request<B>) -> Option<Exchange> {
        let sessions = &self.layer.sessions;
        let exchange = sessions.begin(request.headers(), request.uri().query());
        let extensions = request.extensions_mut();
        // Puts its own in and looks at what was there, which costs one look-up where asking first costs two.
        match extensions.insert(RequestSession::<M>::new(&exchange)) {
            Some(outer) if outer.belongs_to(sessions) => {
                extensions.insert(outer);
                None
            }
            _ => Some(exchange),
        }
    }
}

impl<S, M, F, ReqBody, ResBody> Service<Request<ReqBody>> for SessionService<S, M, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    M: 'static,
    F: OnError<ResBody> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, ResBody, M, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let exchange = self.begin(&mut request);
        ResponseFuture::new(
            self.inner.call(request),
            exchange,
            self.layer.on_error.clone(),
        )
    }
}

impl<S: Clone, M, F: Clone> Clone for SessionService<S, M, F> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S: fmt::Debug, M, F> fmt::Debug for SessionService<S, M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionService")
            .field("inner", &self.inner)
            .field("layer", &self.layer)
            .finish()
    }
}
