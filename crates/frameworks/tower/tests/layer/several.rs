//! The same layer twice, and layers with markers.

use std::convert::Infallible;
use std::sync::Mutex;

use fasthttpsession_core::{Error, Sessions, Transport};
use fasthttpsession_memory::MemoryStore;
use fasthttpsession_test_stores::Fragile;
use fasthttpsession_tower::{RequestSession, SessionFailed, SessionLayer};
use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{request, session, sessions_named, token_in, token_of_a_session, value};

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

/// A task of a WebSocket keeps the parts of its handshake, and makes requests of them.
#[tokio::test]
async fn a_request_that_passes_the_layer_again_after_its_response_begins_anew() {
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let kept = &Mutex::new(None);
    let service =
        SessionLayer::new(sessions.clone()).layer(service_fn(|request: Request<()>| async move {
            let session = session(&request).await.unwrap();
            session.update("a", |a: &mut u64| *a += 1).unwrap();
            *kept.lock().unwrap() = Some(request);
            Ok::<_, Infallible>(Response::new(session.is_new()))
        }));
    let again = || {
        let request = kept.lock().unwrap().take().unwrap();
        service.clone().oneshot(request)
    };
    service.clone().oneshot(request(&token)).await.unwrap();
    let response = again().await.unwrap();
    assert!(!response.body());
    assert_eq!(value(&sessions, &token).await, Some(3));

    let elsewhere = sessions.begin(request(&token).headers(), None);
    elsewhere.session().await.unwrap().logout().unwrap();
    elsewhere.finish().await.unwrap();
    let response = again().await.unwrap();
    assert!(response.body());
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
async fn a_handler_that_failed_for_one_layer_commits_nothing_under_another() {
    enum Admin {}
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let users = SessionLayer::new(sessions.clone());
    let admins = SessionLayer::new(sessions_named("admin", MemoryStore::new())).marked::<Admin>();
    for failure in [
        || SessionFailed::<Admin>::from(Error::Finished).response::<String>(),
        || SessionFailed::<Admin>::no_layer().response::<String>(),
    ] {
        let handler = service_fn(move |request: Request<()>| async move {
            session(&request).await.unwrap().set("a", &2).unwrap();
            Ok::<_, Infallible>(failure())
        });
        for response in [
            users.layer(handler).oneshot(request(&token)).await,
            users
                .layer(admins.layer(handler))
                .oneshot(request(&token))
                .await,
            admins
                .layer(users.layer(handler))
                .oneshot(request(&token))
                .await,
        ] {
            let response = response.unwrap();
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(value(&sessions, &token).await, Some(1));
        }
    }
}

#[tokio::test]
async fn what_was_saved_under_an_inner_layer_reaches_the_browser_though_the_handler_failed_for_the_outer()
 {
    enum Admin {}
    let sessions = Sessions::new(MemoryStore::new());
    let token = token_of_a_session(&sessions).await;
    let handler = service_fn(|request: Request<()>| async move {
        let session = session(&request).await.unwrap();
        session.rotate().unwrap();
        session.save().await.unwrap();
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

/// The page with the error has the token in its address, too.
#[tokio::test]
async fn an_error_for_the_outer_layer_tells_no_other_site_of_the_inner_ones_token_in_the_url() {
    enum Admin {}
    let handler = service_fn(|_: Request<()>| async move {
        Ok::<_, Infallible>(SessionFailed::<Admin>::from(Error::Finished).response::<String>())
    });
    let users = Sessions::builder(MemoryStore::new()).transports([Transport::query("s")]);
    let inner = SessionLayer::new(users.build().unwrap());
    let outer = SessionLayer::new(sessions_named("admin", MemoryStore::new())).marked::<Admin>();
    let token = format!("{}.{}", "A".repeat(22), "A".repeat(43));
    let request = Request::builder().uri(format!("/?s={token}"));
    let service = outer.layer(inner.layer(handler));
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.headers()["referrer-policy"], "same-origin");
}
