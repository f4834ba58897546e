//! How the demo says no: a status and a sentence as JSON, `{"error": "…"}`.

use axum::Json;
use axum::body::Body;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use fasthttpsession::{Error, TransactError};
use serde_json::json;

/// A request that was refused, or that failed.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    sentence: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
        }
    }

    pub(super) fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    pub(super) fn no_value(key: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no value {key:?}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.sentence }))).into_response()
    }
}

/// What the client did wrong is told to the client; what went wrong here is told to the operator.
impl From<&Error> for ApiError {
    fn from(error: &Error) -> Self {
        let status = match error {
            Error::InvalidKey { .. } | Error::InvalidText(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        if status.is_client_error() {
            return Self::new(status, error.to_string());
        }
        eprintln!("fasthttpsession: {error}");
        Self::new(
            status,
            "the session can't be read or changed just now; please try again",
        )
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

impl From<TransactError<ApiError>> for ApiError {
    fn from(error: TransactError<ApiError>) -> Self {
        match error {
            TransactError::Aborted(error) => error,
            TransactError::Session(error) => error.into(),
        }
    }
}

/// What the session layer answers with when a session can't be loaded or committed.
pub(super) fn response(error: &Error) -> Response<Body> {
    ApiError::from(error).into_response()
}

/// No route has this path.
pub(super) async fn not_found(uri: Uri) -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        format!("there is nothing at {}", uri.path()),
    )
}

/// The path is there, for other methods.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    let sentence = format!("{method} is not possible at {}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, sentence)
}
