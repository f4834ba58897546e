//! The routes of every server, and which of them are measured against which.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Extension, Path};
use axum::routing::get;
use cpu_time::ProcessTime;
use serde::Serialize;
use tower::layer::util::Identity;

use crate::contestants::Contestant;

/// How many values a session has, beside the counter.
const VALUES: usize = 10;
/// Their length.
const VALUE_BYTES: usize = 100;
/// The value that is read: one from the middle.
const READ: &str = "value5";
/// The number that is added to.
const COUNTER: &str = "counter";

/// What is measured: a route, asked with a session's cookie or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A route outside the layer.
    Plain,
    /// A route inside a layer that does nothing: what axum takes for any layer.
    EmptyLayer,
    /// A route inside the layer that does not ask for its session.
    Layered,
    /// Reads one value.
    Read,
    /// Reads a number and adds one.
    Write,
    /// A route outside the layer, asked without a cookie.
    PlainVisitor,
    /// Asks for the session without a cookie, finds nothing, writes nothing.
    Visitor,
}

impl Scenario {
    /// All of them; each after its baseline.
    pub const ALL: [Self; 7] = [
        Self::Plain,
        Self::EmptyLayer,
        Self::Layered,
        Self::Read,
        Self::Write,
        Self::PlainVisitor,
        Self::Visitor,
    ];

    /// The path of its route.
    pub fn path(self) -> &'static str {
        match self {
            Self::Plain | Self::PlainVisitor => "/plain",
            Self::EmptyLayer => "/empty-layer",
            Self::Layered => "/layered",
            Self::Read => "/read",
            Self::Write => "/write",
            Self::Visitor => "/visitor",
        }
    }

    /// Whether its requests bring a session's cookie.
    pub fn has_cookie(self) -> bool {
        self.baseline() == Self::Plain
    }

    /// The same request to a route outside the layer.
    pub fn baseline(self) -> Self {
        match self {
            Self::PlainVisitor | Self::Visitor => Self::PlainVisitor,
            _ => Self::Plain,
        }
    }

    /// Its name on the command line and in reports.
    pub fn label(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::EmptyLayer => "empty-layer",
            Self::Layered => "layered",
            Self::Read => "read",
            Self::Write => "write",
            Self::PlainVisitor => "plain-visitor",
            Self::Visitor => "visitor",
        }
    }
}

/// All routes, those in the middle with the contestant's layer around them.
pub async fn routes<C: Contestant>() -> Router {
    let gate = Gate::default();
    let slow = Router::new()
        .route("/slow/add", get(slow_add::<C>))
        .route("/slow/set/{key}", get(slow_set::<C>))
        .layer(Extension(gate.clone()));
    let layered = Router::new()
        .route("/layered", get(async || "ok"))
        .route("/seed", get(seed::<C>))
        .route("/read", get(read::<C>))
        .route("/write", get(add::<C>))
        .route("/visitor", get(visitor::<C>))
        .route("/add", get(add::<C>))
        .route("/set/{key}", get(set::<C>))
        .route("/has/{key}", get(has::<C>))
        .route("/count", get(count::<C>))
        .route("/logout", get(logout::<C>))
        .merge(slow);
    C::layer(layered)
        .await
        .merge(
            Router::new()
                .route("/empty-layer", get(async || "ok"))
                .layer(Identity::new()),
        )
        .merge(control(gate))
        .route("/plain", get(async || "ok"))
}

/// What the benchmark itself asks a server for.
fn control(gate: Gate) -> Router {
    Router::new()
        .route("/cpu", get(cpu))
        .route("/gate/waiting", get(waiting))
        .route("/gate/open", get(open))
        .layer(Extension(gate))
}

async fn seed<C: Contestant>(session: C::Session) -> &'static str {
    let text = "x".repeat(VALUE_BYTES);
    for number in 0..VALUES {
        C::set(&session, &format!("value{number}"), &text).await;
    }
    C::add_one(&session, COUNTER, ready(())).await;
    "ok"
}

async fn read<C: Contestant>(session: C::Session) -> &'static str {
    let text = C::text(&session, READ)
        .await
        .expect("the session was seeded");
    assert_eq!(text.len(), VALUE_BYTES);
    "ok"
}

async fn add<C: Contestant>(session: C::Session) -> &'static str {
    C::add_one(&session, COUNTER, ready(())).await;
    "ok"
}

async fn visitor<C: Contestant>(session: C::Session) -> &'static str {
    assert_eq!(C::text(&session, READ).await, None);
    "ok"
}

async fn set<C: Contestant>(Path(key): Path<String>, session: C::Session) -> &'static str {
    C::set(&session, &key, "set").await;
    "ok"
}

async fn has<C: Contestant>(Path(key): Path<String>, session: C::Session) -> &'static str {
    if C::text(&session, &key).await.is_some() {
        "yes"
    } else {
        "no"
    }
}

async fn count<C: Contestant>(session: C::Session) -> String {
    C::number(&session, COUNTER).await.to_string()
}

async fn slow_add<C: Contestant>(
    Extension(gate): Extension<Gate>,
    session: C::Session,
) -> &'static str {
    C::add_one(&session, COUNTER, gate.pass()).await;
    "ok"
}

async fn slow_set<C: Contestant>(
    Extension(gate): Extension<Gate>,
    Path(key): Path<String>,
    session: C::Session,
) -> &'static str {
    // Libraries that load late have loaded now.
    C::text(&session, READ).await;
    gate.pass().await;
    C::set(&session, &key, "set").await;
    "ok"
}

async fn logout<C: Contestant>(session: C::Session) -> &'static str {
    C::logout(&session).await;
    "ok"
}

/// The CPU time of this process, user and system, in nanoseconds.
async fn cpu() -> String {
    ProcessTime::now().as_duration().as_nanos().to_string()
}

async fn waiting(Extension(gate): Extension<Gate>) -> String {
    gate.0.waiting.load(Ordering::SeqCst).to_string()
}

async fn open(Extension(gate): Extension<Gate>) -> &'static str {
    gate.open();
    "ok"
}

/// Where slow handlers wait, so that who is under way at once is no matter of luck.
#[derive(Clone, Default)]
pub struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    waiting: AtomicUsize,
    opened: tokio::sync::Notify,
}

impl Gate {
    async fn pass(&self) {
        let opened = self.0.opened.notified();
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        opened.await;
    }

    fn open(&self) {
        self.0.waiting.store(0, Ordering::SeqCst);
        self.0.opened.notify_waiters();
    }
}
