//! A bare driver behind the routes that the contestants have: what is left of a request if a session library takes nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::get;
use contestants::{Store, cpu};
use fasthttpsession::Handle;

use super::bare::{Bare, WithBare, with_bare};
use crate::records::{handle, record};

/// Routes on the driver of `store` in the empty place that `url` names.
pub async fn router(store: Store, url: &str) -> Result<Router> {
    with_bare(store, url, Routes).await
}

struct Routes;

impl WithBare for Routes {
    type Done = Router;

    async fn run<B: Bare>(self, bare: B) -> Result<Router> {
        let served = Served {
            bare,
            made: AtomicU64::new(0),
            versions: Mutex::default(),
        };
        Ok(Router::new()
            .route("/seed", get(seed::<B>))
            .route("/read", get(read::<B>))
            .route("/write", get(write::<B>))
            .with_state(Arc::new(served))
            .route("/cpu", get(cpu))
            .route("/plain", get(async || "ok")))
    }
}

/// A driver, and what its sessions are like.
struct Served<B> {
    bare: B,
    made: AtomicU64,
    /// Of each session. Nothing here tries again: no two requests at once may write to one.
    versions: Mutex<HashMap<Handle, u64>>,
}

const WORKS: &str = "the driver works";

async fn seed<B: Bare>(State(served): State<Arc<Served<B>>>) -> impl IntoResponse {
    let handle = handle(served.made.fetch_add(1, Ordering::Relaxed));
    served.bare.create(handle, &record(1)).await.expect(WORKS);
    served.versions().insert(handle, 1);
    AppendHeaders([(SET_COOKIE, format!("{NAME}{handle}; Path=/"))])
}

async fn read<B: Bare>(State(served): State<Arc<Served<B>>>, headers: HeaderMap) -> &'static str {
    served.bare.load(asked(&headers)).await.expect(WORKS);
    "ok"
}

async fn write<B: Bare>(State(served): State<Arc<Served<B>>>, headers: HeaderMap) -> &'static str {
    let handle = asked(&headers);
    let version = served.versions()[&handle];
    served.bare.load(handle).await.expect(WORKS);
    let next = record(version + 1);
    let replaced = served.bare.replace(handle, version, &next).await;
    replaced.expect(WORKS);
    served.versions().insert(handle, version + 1);
    "ok"
}

impl<B> Served<B> {
    fn versions(&self) -> MutexGuard<'_, HashMap<Handle, u64>> {
        self.versions
            .lock()
            .expect("nobody panics while holding it")
    }
}

const NAME: &str = "session=";

/// The session that the cookie names.
fn asked(headers: &HeaderMap) -> Handle {
    let cookie = headers.get(COOKIE).and_then(|value| value.to_str().ok());
    let handle = cookie.and_then(|cookie| cookie.strip_prefix(NAME));
    handle
        .and_then(|handle| handle.parse().ok())
        .expect("the load has a session for each request")
}
