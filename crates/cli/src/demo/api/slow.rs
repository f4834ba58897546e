//! A request that loads its session, takes its time, and only then writes: the kind that revives ended sessions in
//! lesser libraries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use fasthttpsession::tower::Session;
use fasthttpsession::{Handle, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::input::Settings;
use crate::demo::errors::ApiError;

/// The longest a request may wait, in milliseconds.
const MAX_MS: u64 = 10_000;

#[derive(Deserialize)]
pub(super) struct Slow {
    #[serde(default = "default_ms")]
    ms: u64,
    #[serde(default = "default_key")]
    key: String,
    #[serde(default)]
    then: Then,
}

/// What to do after the wait.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Then {
    #[default]
    Set,
    Rotate,
    Clear,
}

/// `POST /api/slow`. Answers with what became of the write; the session is committed here to know it.
pub(super) async fn run(
    session: Session,
    State(waiting): State<Waiting>,
    Settings(slow): Settings<Slow>,
) -> Result<Json<Value>, ApiError> {
    if slow.ms > MAX_MS {
        return Err(ApiError::bad_request(format!("ms is at most {MAX_MS}")));
    }
    {
        let _place = waiting.enter(session.handle());
        sleep(Duration::from_millis(slow.ms)).await;
    }
    match slow.then {
        Then::Set => session.set(&slow.key, &true)?,
        Then::Rotate => session.rotate()?,
        Then::Clear => session.clear()?,
    }
    let outcome = session.save().await?;
    Ok(Json(json!({ "outcome": word(outcome) })))
}

/// `GET /api/slow`: how many slow requests have loaded this session and wait. So a client can know, instead of guess,
/// when a slow request is under way.
pub(super) async fn waiting(session: Session, State(waiting): State<Waiting>) -> Json<Value> {
    Json(json!({ "waiting": waiting.count(session.handle()) }))
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unchanged => "unchanged",
        Outcome::Committed => "committed",
        Outcome::Overtaken => "overtaken",
        Outcome::Superseded => "superseded",
        Outcome::Gone => "gone",
        _ => "unknown",
    }
}

fn default_ms() -> u64 {
    300
}

fn default_key() -> String {
    "late".to_owned()
}

/// How many slow requests wait, by the session that they loaded; `None` stands for visitors without one.
#[derive(Clone, Default)]
pub(super) struct Waiting(Arc<Mutex<HashMap<Option<Handle>, usize>>>);

impl Waiting {
    fn enter(&self, handle: Option<Handle>) -> Place {
        *self.counts().entry(handle).or_default() += 1;
        Place {
            waiting: self.clone(),
            handle,
        }
    }

    fn leave(&self, handle: Option<Handle>) {
        let mut counts = self.counts();
        let left = counts.remove(&handle).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            counts.insert(handle, left);
        }
    }

    fn count(&self, handle: Option<Handle>) -> usize {
        self.counts().get(&handle).copied().unwrap_or_default()
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Option<Handle>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts until it is dropped, also when the client has gone.
struct Place {
    waiting: Waiting,
    handle: Option<Handle>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.leave(self.handle);
    }
}
