//! The page at `/`, and its style and script.

use axum::Router;

/// `GET /`, which shows the session of whoever asks, and `GET /demo.css` and `GET /demo.js`.
pub(super) fn routes() -> Router {
    Router::new()
}
