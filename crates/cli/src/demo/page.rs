//! The page at `/`, with its style and script. What a session looks like is written once, in its cards: the script
//! fetches the page again after every action, and puts the new parts in the place of the old ones.

mod experiments;
mod session;
mod values;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, HeaderName};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use fasthttpsession::tower::Session;
use fasthttpsession::{Clock as _, SystemClock};
use maud::{DOCTYPE, Markup, html};

use super::COOKIE_NAME;
use super::errors::ApiError;
use super::view::View;

/// `GET /`, which shows the session of whoever asks, and its style, script and icon. `store` is the store's name.
pub(super) fn routes(store: &'static str) -> Router {
    let style = file("text/css; charset=utf-8", include_str!("page/demo.css"));
    let script = file(
        "text/javascript; charset=utf-8",
        include_str!("page/demo.js"),
    );
    let icon = file("image/svg+xml", include_str!("page/demo.svg"));
    Router::new()
        .route("/", get(page))
        .with_state(store)
        .route("/demo.css", get(style))
        .route("/demo.js", get(script))
        .route("/demo.svg", get(icon))
}

/// What the page shows of whoever asks.
struct Shown {
    session: View,
    /// Whether the browser sent the session's cookie, good or not.
    cookie: bool,
    /// Milliseconds since 1970.
    now: u64,
}

async fn page(
    session: Session,
    headers: HeaderMap,
    State(store): State<&'static str>,
) -> Result<impl IntoResponse, ApiError> {
    let shown = Shown {
        session: View::of(&session)?,
        cookie: has_cookie(&headers),
        now: SystemClock.now().as_millis(),
    };
    Ok((
        [(CACHE_CONTROL, "no-store")],
        Html(document(&shown, store).into_string()),
    ))
}

fn has_cookie(headers: &HeaderMap) -> bool {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|cookie| cookie.trim_start().strip_prefix(COOKIE_NAME))
        .any(|rest| rest.starts_with('='))
}

/// `no-cache`, so that the page, its style and its script are always of one build.
fn file(kind: &'static str, text: &'static str) -> ([(HeaderName, &'static str); 2], &'static str) {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text)
}

fn document(shown: &Shown, store: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "fasthttpsession: the demo" }
                link rel="icon" href="/demo.svg" type="image/svg+xml";
                link rel="stylesheet" href="/demo.css";
                script src="/demo.js" defer {}
            }
            body {
                (top(store))
                main {
                    div.column { (session::card(shown)) (values::card(shown)) }
                    div.column { (experiments::fifty()) (experiments::revive()) }
                }
                (foot())
            }
        }
    }
}

fn top(store: &str) -> Markup {
    html! {
        header.top {
            p.brand { img src="/demo.svg" alt="" width="28" height="28"; "fasthttpsession" }
            p.store { "Store: " (store) }
            h1 { "No write is lost. Logout is final." }
            p.lead { "This is your session, live. Change it, then try to break it." }
            noscript { p.lead { "Without JavaScript you can look at your session, but not change it here." } }
        }
    }
}

fn foot() -> Markup {
    html! {
        footer {
            p {
                "The cookie of this demo is " code { "id" } " without " code { "Secure" }
                ", for this is plain HTTP on loopback. Real applications get " code { "__Host-id; Secure" } " by default."
            }
            p {
                "Every button is an ordinary request; " code { "fasthttpsession demo --help" } " lists them all."
            }
        }
    }
}
