//! Requests with a session's cookie, and what is behind it.

use std::convert::Infallible;

use fasthttpsession_core::{Cookie, Session, Sessions, Store};
use fasthttpsession_test_stores::Fragile;
use fasthttpsession_tower::{RequestSession, SessionFailed, SessionLayer};
use http::{Request, Response};
use tower::{Layer, ServiceExt, service_fn};

pub(crate) async fn session<B>(request: &Request<B>) -> Result<Session, SessionFailed> {
    let found = request
        .extensions()
        .get::<RequestSession>()
        .ok_or_else(SessionFailed::no_layer)?;
    Ok(found.session().await?)
}

pub(crate) fn request(token: &str) -> Request<()> {
    Request::builder()
        .header("cookie", format!("__Host-id={token}"))
        .body(())
        .unwrap()
}

/// The token of a new session in which `a` is 1.
pub(crate) async fn token_of_a_session(sessions: &Sessions) -> String {
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

pub(crate) fn token_in<B>(response: &Response<B>) -> String {
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    let value = cookie.strip_prefix("__Host-id=").unwrap();
    value.split(';').next().unwrap().to_owned()
}

pub(crate) async fn value(sessions: &Sessions, token: &str) -> Option<u64> {
    let exchange = sessions.begin(request(token).headers(), None);
    exchange.session().await.unwrap().get("a").unwrap()
}

/// Sessions whose cookie has this name.
pub(crate) fn sessions_named(cookie: &str, store: impl Store) -> Sessions {
    let builder = Sessions::builder(store).cookie(Cookie::new(cookie));
    builder.build().unwrap()
}

/// Sessions on a store that can be broken.
pub(crate) fn fragile() -> (Fragile, Sessions) {
    let store = Fragile::default();
    (store.clone(), Sessions::new(store))
}
