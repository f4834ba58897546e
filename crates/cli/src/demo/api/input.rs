//! What clients send: keys in paths, JSON in bodies, settings in queries. Each is refused with a sentence.

use std::error::Error;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::demo::errors::ApiError;

/// A key of a value, from the path. Whether a key is too long is for the session to say.
pub(super) struct ValueName(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for ValueName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(key)) => Ok(Self(key)),
            Err(_) => Err(ApiError::bad_request("a key is UTF-8, percent-encoded")),
        }
    }
}

/// The body, decoded from JSON whatever its content type claims.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|refused| match refused.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    format!("a body has at most {} bytes", super::MAX_BODY),
                ),
                status => ApiError::new(status, "the body can't be read"),
            })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            ApiError::bad_request(format!("the body is not the JSON that is needed: {error}"))
        })
    }
}

/// The query part of the URL.
pub(super) struct Settings<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Settings<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(settings)) => Ok(Self(settings)),
            Err(error) => {
                let cause = error
                    .source()
                    .map_or_else(|| error.body_text(), ToString::to_string);
                Err(ApiError::bad_request(format!(
                    "the query is not what is needed: {cause}"
                )))
            }
        }
    }
}
