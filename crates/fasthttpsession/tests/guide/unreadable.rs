//! Records that can't be read.

use axum::Router;
use axum::routing::get;
use fasthttpsession::memory::MemoryStore;
use fasthttpsession::tower::{Session, SessionFailed, SessionLayer};
use fasthttpsession::{Codec, Error, Sessions};

use crate::browser::Browser;

#[allow(
    unreachable_pub,
    reason = "it is written as a crate of its own would have it"
)]
#[path = "../../guide/unreadable.rs"]
mod program;

/// Two deployments on one store: the second was not given the codec of the first.
fn deployments() -> (Sessions, Sessions) {
    let store = MemoryStore::new();
    let codec = Codec::map("old", serde_json::to_vec, |bytes| {
        serde_json::from_slice(bytes)
    });
    let first = Sessions::builder(store.clone()).codec(codec).build();
    (first.unwrap(), Sessions::new(store))
}

fn routes() -> Router {
    Router::new()
        .route("/", get(show))
        .route("/login", get(login))
}

async fn show(session: Session) -> String {
    let principal = session.principal();
    principal.map_or_else(|| "visitor".to_owned(), |name| name.as_str().to_owned())
}

async fn login(session: Session) -> Result<String, SessionFailed> {
    session.login("ada")?;
    session.save().await?;
    Ok(session.handle().map(|handle| handle.to_string()).unwrap())
}

#[tokio::test]
async fn whose_record_can_not_be_read_is_stuck_until_it_is_ended() {
    let (first, second) = deployments();
    let mut browser = Browser::of(routes().layer(SessionLayer::new(first)));
    let handle = browser.get("/login").await.text.parse().unwrap();

    browser.meets(routes().layer(SessionLayer::new(second.clone())));
    for path in ["/", "/login", "/"] {
        assert_eq!(browser.get(path).await.status, 500, "{path}");
    }
    let unreadable = second.read(handle).await.unwrap_err();
    assert!(matches!(unreadable, Error::Unreadable { handle: of, .. } if of == handle));

    assert!(second.end(handle).await.unwrap());
    assert_eq!(browser.get("/").await.text, "visitor");
    assert_eq!(browser.get("/login").await.status, 200);
    assert_eq!(browser.get("/").await.text, "ada");
}

#[tokio::test]
async fn unreadable_sessions_of_a_user_can_be_ended() {
    let (first, second) = deployments();
    let mut browser = Browser::of(routes().layer(SessionLayer::new(first)));
    browser.get("/login").await;
    let users = second.users().unwrap();
    assert_eq!(users.end_all("ada").await.unwrap(), 1);
}

#[tokio::test]
async fn whose_record_can_not_be_read_signs_in_once_the_cookie_is_taken_away() {
    let (first, second) = deployments();
    let mut browser = Browser::of(routes().layer(SessionLayer::new(first)));
    browser.get("/login").await;

    let layer = SessionLayer::new(second).on_error(program::failed);
    browser.meets(routes().layer(layer));
    assert_eq!(browser.get("/").await.status, 500);
    assert_eq!(browser.get("/").await.text, "visitor");
    assert_eq!(browser.get("/login").await.status, 200);
    assert_eq!(browser.get("/").await.text, "ada");
}
