//! What is answered in place of a handler's response, and by whose function.

use std::convert::Infallible;

use fasthttpsession_core::{Error, Sessions};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_tower::{SessionFailed, SessionLayer};
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{fragile, request, session, token_in, token_of_a_session, value};

#[tokio::test]
async fn an_error_function_answers_a_failed_commit() {
    let (store, sessions) = &fragile();
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("a", &1).unwrap();
        store.breaks();
        Ok::<_, Infallible>(Response::new(String::from("the handler's")))
    });
    let response = apologetic(sessions.clone(), handler, Request::new(())).await;
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (418, "sorry: could not create the session")
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn the_same_error_function_answers_a_handler_that_failed() {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let handler = service_fn(|request: Request<()>| async move {
        Ok::<_, Infallible>(
            session(&request)
                .await
                .map_or_else(SessionFailed::response, |_| Response::default()),
        )
    });
    let response = apologetic(sessions, handler, request(&token)).await;
    assert_eq!(
        (response.status().as_u16(), &**response.body()),
        (418, "sorry: could not load the session")
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_handler_that_failed_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("a", &2).unwrap();
        Ok::<_, Infallible>(SessionFailed::<()>::from(Error::Finished).response::<String>())
    });
    let response = SessionLayer::new(sessions.clone())
        .layer(handler)
        .oneshot(request(&token))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn a_failure_inside_an_error_of_the_applications_own_commits_nothing() {
    struct Failed(SessionFailed);
    impl axum::response::IntoResponse for Failed {
        fn into_response(self) -> axum::response::Response {
            self.0.into_response()
        }
    }
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = async |session: fasthttpsession_tower::Session| {
        session.set("a", &2).unwrap();
        Failed(Error::Finished.into())
    };
    let app = axum::Router::<()>::new()
        .route("/", axum::routing::get(handler))
        .layer(SessionLayer::new(sessions.clone()));
    let request = request(&token).map(|()| axum::body::Body::empty());
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token).await, Some(1));
}

#[tokio::test]
async fn what_a_handler_saved_before_it_failed_reaches_the_browser() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        let session = session(&request).await.unwrap();
        session.rotate().unwrap();
        session.save().await.unwrap();
        session.set("a", &2).unwrap();
        Ok::<_, Infallible>(SessionFailed::<()>::from(Error::Finished).response::<String>())
    });
    let service = SessionLayer::new(sessions.clone()).layer(handler);
    let response = service.oneshot(request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

#[tokio::test]
async fn an_error_function_may_decide_about_caching() {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let handler = service_fn(|request: Request<()>| async move {
        let failed = session(&request).await.unwrap_err();
        Ok::<_, Infallible>(failed.response::<()>())
    });
    let layer = SessionLayer::new(sessions).on_error(|_: &Error| {
        Response::builder()
            .header("cache-control", "max-age=1")
            .body(())
            .unwrap()
    });
    let response = layer.layer(handler).oneshot(request(&token)).await.unwrap();
    assert_eq!(response.headers()["cache-control"], "max-age=1");
}

#[tokio::test]
async fn without_a_layer_the_failure_says_so() {
    let failed = session(&Request::new(())).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        "no SessionLayer with the marker () is around this route, or around the middleware that asks for the \
             session: such middleware is added before the layer, in a ServiceBuilder after it"
    );
    assert!(failed.error().is_none());
    assert_eq!(
        failed.response::<()>().status(),
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn without_a_layer_the_extractor_rejects_with_500() {
    let handler = async |_: fasthttpsession_tower::Session| "not reached";
    let app = axum::Router::<()>::new().route("/", axum::routing::get(handler));
    let response = app
        .oneshot(Request::new(axum::body::Body::empty()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::body::to_bytes(response.into_body(), 1000)
        .await
        .unwrap();
    assert_eq!(
        body,
        "no SessionLayer with the marker () is around this route, or around the middleware that asks for the \
             session: such middleware is added before the layer, in a ServiceBuilder after it"
    );
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn the_extractors_rejection_goes_through_the_error_function() {
    let (store, sessions) = fragile();
    let token = token_of_a_session(&sessions).await;
    store.breaks();
    let handler = async |_: fasthttpsession_tower::Session| "not reached";
    let layer = SessionLayer::new(sessions).on_error(|error: &Error| {
        Response::builder()
            .status(418)
            .body(error.status().to_string().into())
            .unwrap()
    });
    let app = axum::Router::<()>::new()
        .route("/", axum::routing::get(handler))
        .layer(layer);
    let response = app
        .oneshot(request(&token).map(|()| axum::body::Body::empty()))
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 418);
    assert_eq!(
        axum::body::to_bytes(response.into_body(), 1000)
            .await
            .unwrap(),
        "503"
    );
}

/// What a layer answers whose error function says what went wrong, which a real one would not.
async fn apologetic<S>(sessions: Sessions, handler: S, request: Request<()>) -> Response<String>
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    let layer = SessionLayer::new(sessions).on_error(|error: &Error| {
        let reason = error.to_string();
        let reason = reason.split(':').next().unwrap();
        Response::builder()
            .status(418)
            .body(format!("sorry: {reason}"))
            .unwrap()
    });
    layer.layer(handler).oneshot(request).await.unwrap()
}
