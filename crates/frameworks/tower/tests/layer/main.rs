//! What is told of the layer that no HTTP client can see: error functions, middleware, services that fail.
#![allow(clippy::unwrap_used, reason = "tests may")]

mod dropped;
mod errors;
mod several;
mod support;

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use fasthttpsession_core::{Error, ManualClock, Sessions};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_tower::{RequestSession, SessionLayer};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

use support::{fragile, request, session, token_of_a_session, value};

/// A session that is idle for twice as long has ended.
const MOST_OF_AN_HOUR: Duration = Duration::from_secs(40 * 60);

#[tokio::test]
async fn middleware_has_the_session_in_hand_without_loading_it() {
    let (store, sessions) = fragile();
    store.breaks();
    let handler = service_fn(|request: Request<()>| async move {
        let found = request.extensions().get::<RequestSession>().unwrap();
        assert!(found.loaded().is_none());
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = SessionLayer::new(sessions).layer(handler);
    let response = service.oneshot(request("x")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().is_empty());
}

#[tokio::test]
async fn a_session_that_somebody_asked_for_is_had_without_waiting() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        let found = request.extensions().get::<RequestSession>().unwrap();
        assert!(found.loaded().is_none());
        found.session().await.unwrap();
        found.loaded().unwrap().set("a", &2).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = SessionLayer::new(sessions.clone()).layer(handler);
    service.oneshot(request(&token)).await.unwrap();
    assert_eq!(value(&sessions, &token).await, Some(2));
}

#[tokio::test]
async fn a_session_asked_for_after_the_response_takes_no_writes() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let kept = &Mutex::new(None);
    let handler = service_fn(|request: Request<()>| async move {
        *kept.lock().unwrap() = request.extensions().get::<RequestSession>().cloned();
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = SessionLayer::new(sessions.clone()).layer(handler);
    service.oneshot(request(&token)).await.unwrap();
    let kept = kept.lock().unwrap().take().unwrap();
    let session = kept.session().await.unwrap();
    assert_eq!(session.get("a").unwrap(), Some(1));
    assert!(matches!(session.set("a", &2), Err(Error::Finished)));
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[tokio::test]
async fn middleware_and_handler_share_one_session() {
    let sessions = Sessions::new(MemoryStore::new());
    let handler = service_fn(|request: Request<()>| async move {
        let seen = session(&request)
            .await
            .unwrap()
            .get::<bool>("seen")
            .unwrap();
        assert_eq!(seen, Some(true));
        Ok::<_, Infallible>(Response::new(()))
    });
    let middleware = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("seen", &true).unwrap();
        handler.oneshot(request).await
    });
    let response = SessionLayer::new(sessions)
        .layer(middleware)
        .oneshot(Request::new(()))
        .await
        .unwrap();
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 1);
}

#[tokio::test]
async fn an_upgrade_commits_with_its_head_and_leaves_the_task_what_it_needs() {
    let kept = &Mutex::new(None);
    let handler = service_fn(|request: Request<()>| async move {
        let session = session(&request).await.unwrap();
        session.set("a", &1).unwrap();
        *kept.lock().unwrap() = Some(session);
        let upgrade = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        Ok::<_, Infallible>(upgrade.body(()).unwrap())
    });
    let layer = SessionLayer::new(Sessions::new(MemoryStore::new()));
    let response = layer
        .layer(handler)
        .oneshot(Request::new(()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert!(response.headers().contains_key("set-cookie"));
    let socket = kept.lock().unwrap().take().unwrap();
    assert!(matches!(socket.set("a", &2), Err(Error::Finished)));
    assert!(socket.is_alive().await.unwrap());
    let taken = socket.transact(|values| values.take::<u64>("a")).await;
    assert_eq!(taken.unwrap(), Some(1));
}

#[tokio::test]
async fn a_task_keeps_its_session_by_a_change_and_not_by_asking() {
    let clock = ManualClock::starting_now();
    let builder = Sessions::builder(MemoryStore::new()).clock(clock.clone());
    let sessions = builder.build().unwrap();
    let token = token_of_a_session(&sessions).await;
    let kept = &Mutex::new(None);
    let handler = service_fn(|request: Request<()>| async move {
        *kept.lock().unwrap() = Some(session(&request).await.unwrap());
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = SessionLayer::new(sessions).layer(handler);
    service.oneshot(request(&token)).await.unwrap();
    let socket = kept.lock().unwrap().take().unwrap();
    for _ in 0..3 {
        clock.advance(MOST_OF_AN_HOUR);
        assert!(socket.is_alive().await.unwrap());
        let change = socket.transact(|values| values.set("a", &1)).await;
        change.unwrap();
    }
    clock.advance(MOST_OF_AN_HOUR);
    assert!(socket.is_alive().await.unwrap());
    let look = socket.transact(|values| values.get::<u64>("a")).await;
    assert_eq!(look.unwrap(), Some(1));
    clock.advance(MOST_OF_AN_HOUR);
    assert!(!socket.is_alive().await.unwrap());
}
