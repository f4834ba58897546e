//! The API: each route is one thing that a handler can do with a session. Writes are committed before they are
//! answered, so that the answer shows what is stored.

mod input;
mod slow;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use fasthttpsession::tower::Session;
use fasthttpsession::{Error, Outcome, Sessions, Values};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::ApiError;
use super::view::View;
use input::{JsonBody, ValueName};

/// The longest body in bytes. A session's values take as much at most.
const MAX_BODY: usize = 64 * 1024;

/// What needs a session.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/api/session", get(session))
        .route("/api/values", delete(clear))
        .route(
            "/api/values/",
            get(empty_key).put(empty_key).delete(empty_key),
        )
        .route("/api/values//increment", post(empty_key))
        .route("/api/values/{key}", get(value).put(set).delete(remove))
        .route("/api/values/{key}/increment", post(increment))
        .route("/api/slow", get(slow::waiting).post(slow::run))
        .route("/api/login", post(login))
        .route("/api/rotate", post(rotate))
        .route("/api/logout", post(logout))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(slow::Waiting::default())
}

/// What needs none, and is served without one.
pub(super) fn routes_without_session(sessions: Sessions) -> Router {
    Router::new()
        .route("/plain", get("This page knows no session.\n"))
        .route("/health", get(health))
        .with_state(sessions)
}

async fn session(session: Session) -> Result<Json<View>, ApiError> {
    Ok(Json(View::of(&session)?))
}

async fn value(session: Session, ValueName(key): ValueName) -> Result<Json<Value>, ApiError> {
    let value = session.get(&key)?;
    value.map(Json).ok_or_else(|| ApiError::no_value(&key))
}

async fn set(
    session: Session,
    ValueName(key): ValueName,
    JsonBody(value): JsonBody<Value>,
) -> Result<Json<Value>, ApiError> {
    session.set(&key, &value)?;
    commit(&session).await?;
    Ok(Json(value))
}

async fn remove(session: Session, ValueName(key): ValueName) -> Result<Json<View>, ApiError> {
    if !session.contains(&key) {
        return Err(ApiError::no_value(&key));
    }
    session.remove(&key)?;
    committed(&session).await
}

async fn clear(session: Session) -> Result<Json<View>, ApiError> {
    session.clear()?;
    committed(&session).await
}

/// The number is shown to the client, so it must be the committed one: that takes `transact`, not `update`.
async fn increment(session: Session, ValueName(key): ValueName) -> Result<Json<i64>, ApiError> {
    Ok(Json(
        session.transact(|values| add_one(values, &key)).await?,
    ))
}

fn add_one(values: &mut Values, key: &str) -> Result<i64, ApiError> {
    let value: Value = values.get(key)?.unwrap_or_else(|| json!(0));
    let next = value.as_i64().and_then(|number| number.checked_add(1));
    let next = next.ok_or_else(|| {
        ApiError::new(
            StatusCode::CONFLICT,
            format!("one can't be added to {key:?}, for it is no whole number in range"),
        )
    })?;
    values.set(key, &next)?;
    Ok(next)
}

#[derive(Deserialize)]
struct Login {
    user: String,
}

async fn login(session: Session, JsonBody(login): JsonBody<Login>) -> Result<Json<View>, ApiError> {
    session.login(&login.user)?;
    committed(&session).await
}

async fn rotate(session: Session) -> Result<Json<View>, ApiError> {
    session.rotate()?;
    committed(&session).await
}

async fn logout(session: Session) -> Result<Json<View>, ApiError> {
    session.logout()?;
    committed(&session).await
}

/// What the session is once the writes are stored; refused if it ended, or somebody signed in to it, meanwhile.
async fn committed(session: &Session) -> Result<Json<View>, ApiError> {
    commit(session).await?;
    Ok(Json(View::of(session)?))
}

async fn commit(session: &Session) -> Result<(), ApiError> {
    match session.save().await? {
        Outcome::Gone | Outcome::Superseded => Err(Error::Ended.into()),
        _ => Ok(()),
    }
}

async fn empty_key() -> ApiError {
    ApiError::bad_request("a key has 1 to 255 bytes, this one has 0")
}

async fn health(State(sessions): State<Sessions>) -> Result<Json<Value>, ApiError> {
    sessions.check().await.map_err(|error| {
        eprintln!("fasthttpsession: {error}");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer")
    })?;
    Ok(Json(
        json!({ "store": sessions.store_name(), "answers": true }),
    ))
}
