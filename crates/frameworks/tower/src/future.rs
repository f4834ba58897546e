//! The way back: wait for the inner service, commit, and only then let the response go.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fasthttpsession_core::{Error, Exchange, HeaderEdit};
use http::Response;
use pin_project_lite::pin_project;

use crate::failure::{self, OnError, SessionFailed, never_cached};
use crate::headers;

/// Boxed, because the type has no name; made only for a request that asked for its session.
type Commit = Pin<Box<dyn Future<Output = Result<Vec<HeaderEdit>, Failed>> + Send>>;

/// An error, and what its response needs for what was committed before.
type Failed = (Error, Vec<HeaderEdit>);

pin_project! {
    /// The response of a [`SessionService`](crate::SessionService).
    pub struct ResponseFuture<Fut, B, M, F> {
        #[pin]
        state: State<Fut, B>,
        exchange: Option<Exchange>,
        on_error: F,
        marker: PhantomData<fn() -> M>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<Fut, B> {
        Calling { #[pin] inner: Fut },
        Committing { response: Option<Response<B>>, commit: Commit },
    }
}

impl<Fut, B, M, F> ResponseFuture<Fut, B, M, F> {
    /// Without an exchange there is nothing to commit, and an error is for the outer layer to see, which has one.
    pub(crate) fn new(inner: Fut, exchange: Option<Exchange>, on_error: F) -> Self {
        Self {
            state: State::Calling { inner },
            exchange,
            on_error,
            marker: PhantomData,
        }
    }
}

impl<Fut, B, E, M, F> Future for ResponseFuture<Fut, B, M, F>
where
    Fut: Future<Output = Result<Response<B>, E>>,
    M: 'static,
    F: OnError<B>,
{
    type Output = Result<Response<B>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProjection::Calling { inner } => {
                    let answer = ready!(inner.poll(cx));
                    // Taken first: with an error it is dropped, which ends the request.
                    let exchange = this.exchange.take();
                    let mut response = answer?;
                    let Some(exchange) = exchange else {
                        return Poll::Ready(Ok(response));
                    };
                    if failure::is_told_by(&response) {
                        let edits = exchange.abandon();
                        let abandoned = match SessionFailed::<M>::taken_from(&mut response) {
                            Some(error) => Err((error, edits)),
                            None => Ok(edits),
                        };
                        return Poll::Ready(Ok(finished(response, abandoned, this.on_error)));
                    }
                    if let Some(edits) = exchange.finish_now() {
                        headers::tell(edits, &mut response);
                        return Poll::Ready(Ok(response));
                    }
                    this.state.set(State::committing(response, exchange));
                }
                StateProjection::Committing { response, commit } => {
                    let committed = ready!(commit.as_mut().poll(cx));
                    let response = response
                        .take()
                        .expect("a future is not polled after it was ready");
                    return Poll::Ready(Ok(finished(response, committed, this.on_error)));
                }
            }
        }
    }
}

impl<Fut, B> State<Fut, B> {
    fn committing(response: Response<B>, exchange: Exchange) -> Self {
        let commit = Box::pin(async move {
            let committed = exchange.finish().await;
            committed.map_err(|error| (error, exchange.abandon()))
        });
        Self::Committing {
            response: Some(response),
            commit,
        }
    }
}

fn finished<B>(
    mut response: Response<B>,
    ended: Result<Vec<HeaderEdit>, Failed>,
    on_error: &impl OnError<B>,
) -> Response<B> {
    match ended {
        Ok(edits) => {
            headers::tell(edits, &mut response);
            response
        }
        Err(failed) => error_response(on_error, failed, response),
    }
}

/// The answer to an error in place of a response. It is never cached.
fn error_response<B>(
    on_error: &impl OnError<B>,
    (error, edits): Failed,
    replaced: Response<B>,
) -> Response<B> {
    let mut response = on_error.response(&error);
    never_cached(&mut response);
    failure::tell_again(&replaced, &mut response);
    headers::tell_again(replaced, &mut response);
    headers::tell(edits, &mut response);
    response
}
