//! Handlers that never answer commit nothing.

use std::convert::Infallible;
use std::sync::Mutex;

use fasthttpsession_core::Sessions;
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_tower::SessionLayer;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{request, session, token_of_a_session, value};

#[tokio::test]
async fn a_service_error_is_passed_on_and_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let kept = &Mutex::new(None);
    let handler = service_fn(|request: Request<()>| async move {
        let session = session(&request).await.unwrap();
        session.set("a", &1).unwrap();
        *kept.lock().unwrap() = Some(session);
        Err::<Response<()>, _>("the service failed")
    });
    let answer = SessionLayer::new(sessions)
        .layer(handler)
        .oneshot(Request::new(()))
        .await;
    assert_eq!(answer.unwrap_err(), "the service failed");
    assert_eq!(kept.lock().unwrap().as_ref().unwrap().handle(), None);
}

#[tokio::test]
async fn a_future_that_is_dropped_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("a", &2).unwrap();
        std::future::pending::<Result<Response<()>, Infallible>>().await
    });
    let mut response = Box::pin(
        SessionLayer::new(sessions.clone())
            .layer(handler)
            .oneshot(request(&token)),
    );
    assert!((&mut response).now_or_never().is_none());
    drop(response);
    assert_eq!(value(&sessions, &token).await, Some(1));
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
