//! What is told of the layer that no HTTP client can see: error functions, middleware, services that fail.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::convert::Infallible;
use std::sync::Mutex;
use std::time::Duration;

use fasthttpsession_core::{Cookie, Error, ManualClock, Session, Sessions, Store};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_test_stores::Fragile;
use fasthttpsession_tower::{RequestSession, SessionFailed, SessionLayer};
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};

/// A session that is idle for twice as long has ended.
const MOST_OF_AN_HOUR: Duration = Duration::from_secs(40 * 60);

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

#[tokio::test]
async fn middleware_has_the_session_in_hand_without_loading_it() {
    let (store, sessions) = fragile();
    store.breaks();
    let handler = service_fn(|request: Request<()>| async move {
        let found = request.extensions().get::<RequestSession>().unwrap();
        assert!(!found.is_loaded());
        Ok::<_, Infallible>(Response::new(()))
    });
    let service = SessionLayer::new(sessions).layer(handler);
    let response = service.oneshot(request("x")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().is_empty());
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
async fn middleware_between_the_same_layer_twice_has_the_handlers_session() {
    let sessions = Sessions::new(MemoryStore::new());
    let layer = SessionLayer::new(sessions);
    let handler = &layer.layer(service_fn(|request: Request<()>| async move {
        let seen = session(&request)
            .await
            .unwrap()
            .get::<bool>("seen")
            .unwrap();
        assert_eq!(seen, Some(true));
        Ok::<_, Infallible>(Response::new(()))
    }));
    let middleware = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("seen", &true).unwrap();
        handler.clone().oneshot(request).await
    });
    let response = layer
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

#[tokio::test]
async fn a_handler_that_failed_under_the_same_layer_twice_commits_nothing() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("a", &2).unwrap();
        Ok::<_, Infallible>(SessionFailed::<()>::from(Error::Finished).response::<String>())
    });
    let layer = SessionLayer::new(sessions.clone());
    let service = layer.layer(layer.layer(handler));
    let response = service.oneshot(request(&token)).await.unwrap();
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
        "no SessionLayer with the marker () is around this route"
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
        "no SessionLayer with the marker () is around this route"
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

#[tokio::test]
async fn a_failure_of_one_layer_is_answered_by_that_layer() {
    enum Admin {}
    let sessions = Sessions::new(MemoryStore::new());
    let handler = service_fn(|_: Request<()>| async move {
        Ok::<_, Infallible>(SessionFailed::<Admin>::from(Error::Ended).response::<String>())
    });
    let named = |name: &'static str| move |_: &Error| Response::new(String::from(name));
    let users = SessionLayer::new(sessions.clone()).on_error(named("users"));
    let admins = SessionLayer::new(sessions)
        .marked::<Admin>()
        .on_error(named("admins"));
    for response in [
        users
            .layer(admins.layer(handler))
            .oneshot(Request::new(()))
            .await,
        admins
            .layer(users.layer(handler))
            .oneshot(Request::new(()))
            .await,
    ] {
        assert_eq!(response.unwrap().body(), "admins");
    }
}

#[tokio::test]
async fn what_an_inner_layer_committed_reaches_the_browser_though_the_handler_failed_for_the_outer()
{
    enum Admin {}
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().rotate().unwrap();
        Ok::<_, Infallible>(SessionFailed::<Admin>::from(Error::Finished).response::<String>())
    });
    let inner = SessionLayer::new(sessions.clone());
    let outer = SessionLayer::new(sessions_named("admin", MemoryStore::new())).marked::<Admin>();
    let service = outer.layer(inner.layer(handler));
    let response = service.oneshot(request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

#[tokio::test]
async fn what_an_inner_layer_committed_reaches_the_browser_though_two_around_it_can_not_commit() {
    enum Admin {}
    enum Owner {}
    async fn write<M: 'static>(request: &Request<()>) {
        let found = request.extensions().get::<RequestSession<M>>().unwrap();
        found.session().await.unwrap().set("a", &1).unwrap();
    }
    let store = &Fragile::default();
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().rotate().unwrap();
        write::<Admin>(&request).await;
        write::<Owner>(&request).await;
        store.breaks();
        let own = Response::builder().header("set-cookie", "theme=dark");
        Ok::<_, Infallible>(own.body(String::from("the handler's")).unwrap())
    });
    let users = SessionLayer::new(sessions.clone());
    let admins = SessionLayer::new(sessions_named("admin", store.clone())).marked::<Admin>();
    let owners = SessionLayer::new(sessions_named("owner", store.clone())).marked::<Owner>();
    let service = owners.layer(admins.layer(users.layer(handler)));
    let response = service.oneshot(request(&token)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get_all("set-cookie").iter().count(), 1);
    assert_eq!(value(&sessions, &token_in(&response)).await, Some(1));
}

async fn session<B>(request: &Request<B>) -> Result<Session, SessionFailed> {
    let found = request
        .extensions()
        .get::<RequestSession>()
        .ok_or_else(SessionFailed::no_layer)?;
    Ok(found.session().await?)
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

fn request(token: &str) -> Request<()> {
    Request::builder()
        .header("cookie", format!("__Host-id={token}"))
        .body(())
        .unwrap()
}

/// The token of a new session in which `a` is 1.
async fn token_of_a_session(sessions: &Sessions) -> String {
    let handler = service_fn(|request: Request<()>| async move {
        session(&request).await.unwrap().set("a", &1).unwrap();
        Ok::<_, Infallible>(Response::new(()))
    });
    let response = SessionLayer::new(sessions.clone())
        .layer(handler)
        .oneshot(Request::new(()))
        .await
        .unwrap();
    token_in(&response)
}

fn token_in<B>(response: &Response<B>) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let value = cookie.strip_prefix("__Host-id=").unwrap();
    value.split(';').next().unwrap().to_owned()
}

async fn value(sessions: &Sessions, token: &str) -> Option<u64> {
    let exchange = sessions.begin(request(token).headers(), None);
    exchange.session().await.unwrap().get("a").unwrap()
}

/// Sessions whose cookie has this name.
fn sessions_named(cookie: &str, store: impl Store) -> Sessions {
    let builder = Sessions::builder(store).cookie(Cookie::new(cookie));
    builder.build().unwrap()
}

/// Sessions on a store that can be broken.
fn fragile() -> (Fragile, Sessions) {
    let store = Fragile::default();
    (store.clone(), Sessions::new(store))
}
