use axum::http::header::SET_COOKIE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use fasthttpsession::{Error, StoreErrorKind};

/// For `on_error`. Whoever's record is lost becomes a visitor, who can sign in.
pub fn failed(error: &Error) -> Response {
    eprintln!("{error}");
    let status = StatusCode::from_u16(error.status()).expect("the status is one of HTTP's");
    let mut response = (status, "Please try again.").into_response();
    if is_lost(error) {
        response.headers_mut().append(SET_COOKIE, REMOVAL);
    }
    response
}

fn is_lost(error: &Error) -> bool {
    match error {
        Error::Unreadable { .. } => true,
        Error::Store { source, .. } => source.kind() == StoreErrorKind::Corrupt,
        _ => false,
    }
}

/// Browsers remove the cookie of this name, domain (none here) and path: those of your `Cookie`, with its prefix.
const REMOVAL: HeaderValue =
    HeaderValue::from_static("__Host-id=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
