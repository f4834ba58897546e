//! The routes of fasthttpsession's example in Go. What changes a session is a `POST`, so that no link of another site
//! can do it.

use axum::Router;
use axum::extract::Form;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use fasthttpsession::Sessions;
use fasthttpsession::tower::{Session, SessionFailed, SessionLayer};
use serde::Deserialize;

pub(crate) fn router(sessions: Sessions) -> Router {
    Router::new()
        .route("/set", post(set))
        .route("/get", get(read))
        .route("/delete", post(delete))
        .route("/getAll", get(read_all))
        .route("/flush", post(flush))
        .route("/destroy", post(destroy))
        .route("/sessionid", get(session_id))
        .route("/regenerate", post(regenerate))
        .layer(SessionLayer::new(sessions))
        // Added after the layer, so not under it: the page has no session.
        .route("/", get(Html(include_str!("index.html"))))
}

#[derive(Deserialize)]
struct Entry {
    key: String,
    value: String,
}

#[derive(Deserialize)]
struct Named {
    key: String,
}

async fn set(session: Session, Form(entry): Form<Entry>) -> Result<&'static str, SessionFailed> {
    session.set(&entry.key, &entry.value)?;
    Ok("It is set.")
}

async fn read(session: Session, Form(named): Form<Named>) -> Result<Response, SessionFailed> {
    Ok(match session.get::<String>(&named.key)? {
        Some(value) => value.into_response(),
        None => (StatusCode::NOT_FOUND, "There is no such value.").into_response(),
    })
}

async fn delete(session: Session, Form(named): Form<Named>) -> Result<&'static str, SessionFailed> {
    session.remove(&named.key)?;
    Ok("It is deleted.")
}

async fn read_all(session: Session) -> Result<String, SessionFailed> {
    let entries = session.entries::<String>()?.into_iter();
    let lines: Vec<_> = entries
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    Ok(lines.join("\n"))
}

/// Removes the values and keeps the session.
async fn flush(session: Session) -> Result<&'static str, SessionFailed> {
    session.clear()?;
    Ok("All values are deleted.")
}

/// Ends the session at the store, not only in the browser.
async fn destroy(session: Session) -> Result<&'static str, SessionFailed> {
    session.logout()?;
    Ok("The session is destroyed.")
}

/// The handle names the session and may be shown; it opens nothing.
async fn session_id(session: Session) -> String {
    session.handle().map_or_else(
        || "There is no session yet.".to_owned(),
        |handle| handle.to_string(),
    )
}

/// The session stays; the cookie is new, and the old one opens nothing any more.
async fn regenerate(session: Session) -> Result<&'static str, SessionFailed> {
    session.rotate()?;
    Ok("The cookie is new.")
}
