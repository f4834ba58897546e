//! Handlers that never answer commit nothing, nor do tasks that outlive them.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Mutex;

use fasthttpsession_core::{Error, Session, Sessions};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_tower::{RequestSession, SessionLayer};
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{request, session, token_of_a_session, value};

#[tokio::test]
async fn a_service_error_is_passed_on_and_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let kept = &Kept::default();
    let handler = service_fn(|request: Request<()>| async move {
        kept.writes(&request).await;
        Err::<Response<()>, _>("the service failed")
    });
    let service = SessionLayer::new(sessions.clone()).layer(handler);
    let mut answer = pin!(service.oneshot(request(&token)));
    assert_eq!(answer.as_mut().await.unwrap_err(), "the service failed");
    kept.commits_its_own_alone(&sessions, &token).await;
}

#[tokio::test]
async fn a_future_that_is_dropped_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let kept = &Kept::default();
    let handler = service_fn(|request: Request<()>| async move {
        kept.writes(&request).await;
        std::future::pending::<Result<Response<()>, Infallible>>().await
    });
    let service = SessionLayer::new(sessions.clone()).layer(handler);
    let mut response = Box::pin(service.oneshot(request(&token)));
    assert!((&mut response).now_or_never().is_none());
    drop(response);
    kept.commits_its_own_alone(&sessions, &token).await;
}

#[tokio::test]
async fn a_handler_that_panics_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let kept = &Kept::default();
    let handler = service_fn(|request: Request<()>| async move {
        kept.writes(&request).await;
        assert!(request.headers().is_empty(), "the handler panics");
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = SessionLayer::new(sessions.clone()).layer(handler);
    let response = AssertUnwindSafe(service.oneshot(request(&token)));
    assert!(response.catch_unwind().await.is_err());
    kept.commits_its_own_alone(&sessions, &token).await;
}

/// What a task has that the handler began.
#[derive(Default)]
struct Kept(Mutex<Option<(Session, RequestSession)>>);

impl Kept {
    async fn writes(&self, request: &Request<()>) {
        let session = session(request).await.unwrap();
        session.set("a", &2).unwrap();
        let found = request.extensions().get::<RequestSession>().unwrap();
        *self.0.lock().unwrap() = Some((session, found.clone()));
    }

    async fn commits_its_own_alone(&self, sessions: &Sessions, token: &str) {
        let (session, _found) = self.0.lock().unwrap().take().unwrap();
        assert!(matches!(session.set("a", &3), Err(Error::Finished)));
        let own = session.transact(|values| values.set("own", &1)).await;
        own.unwrap();
        assert_eq!(value(sessions, token).await, Some(1));
    }
}

#[tokio::test]
async fn what_answers_in_place_of_a_future_that_it_drops_commits_under_the_layer_but_not_around_it()
{
    fn out_of_time(
        service: impl Service<Request<()>, Response = Response<()>, Error = Infallible>,
        request: Request<()>,
    ) -> Response<()> {
        assert!(service.oneshot(request).now_or_never().is_none());
        let mut answer = Response::new(());
        *answer.status_mut() = StatusCode::REQUEST_TIMEOUT;
        answer
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let layer = SessionLayer::new(sessions.clone());
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("a", &2).unwrap();
        std::future::pending::<Result<Response<()>, Infallible>>().await
    });
    let answer = out_of_time(layer.layer(handler), request(&token));
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(value(&sessions, &token).await, Some(1));
    let timed = service_fn(async |request| Ok::<_, Infallible>(out_of_time(handler, request)));
    let answer = layer.layer(timed).oneshot(request(&token)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(value(&sessions, &token).await, Some(2));
}
