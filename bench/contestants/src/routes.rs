//! The routes of every server, and what a library has to do for them.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Extension, FromRequestParts, Path};
use axum::routing::get;
use cpu_time::ProcessTime;
use tower::layer::util::Identity;

/// How many values a session has, beside the counter.
pub const VALUES: usize = 10;
/// Their length.
pub const VALUE_BYTES: usize = 100;
/// The value that is read: one from the middle.
pub const READ: &str = "value5";
/// The number that is added to.
pub const COUNTER: &str = "counter";

/// It is at least this in a session that was seeded.
pub(crate) const SEEDED: u64 = 1;

/// How a library does what the routes ask for, as its documentation would have it done. Whatever fails panics, which the
/// client sees: a benchmark of errors is worth nothing.
pub trait Api: 'static {
    /// What handlers take.
    type Session: FromRequestParts<()> + Send + Sync + 'static;

    /// The text under `key`; `None` without one.
    fn text(session: &Self::Session, key: &str) -> impl Future<Output = Option<String>> + Send;

    /// The number under `key`; 0 without one.
    fn number(session: &Self::Session, key: &str) -> impl Future<Output = u64> + Send;

    /// Sets `key` to the text `value`.
    fn set(session: &Self::Session, key: &str, value: &str) -> impl Future<Output = ()> + Send;

    /// Adds one to the number under `key`, with `pause` where a handler would wait for something else. Less than `least` is
    /// there when a session is gone, and fails.
    fn add_one(
        session: &Self::Session,
        key: &'static str,
        least: u64,
        pause: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = ()> + Send;

    /// Binds the session to `user`, as at a sign-in.
    fn sign_in(session: &Self::Session, user: &str) -> impl Future<Output = ()> + Send;

    /// Gives the session a new secret, as for a change of privilege.
    fn rotate(session: &Self::Session) -> impl Future<Output = ()> + Send;

    /// Has the secret renewed in a layer that is to renew it now; libraries without such layers rotate.
    fn renew(session: &Self::Session) -> impl Future<Output = ()> + Send {
        Self::rotate(session)
    }

    /// Ends the session.
    fn logout(session: &Self::Session) -> impl Future<Output = ()> + Send;
}

/// A library's layers: each puts itself around routes.
pub(crate) struct Layers<L, T, R> {
    /// With its defaults.
    pub(crate) default: L,
    /// Has every request move the session's expiry.
    pub(crate) touching: T,
    /// Has every request find that its session's renewal is due, if the library knows renewals.
    pub(crate) renewing: R,
}

/// All routes, those in the middle with one of the library's `layers` around them.
pub(crate) fn routes<A: Api>(
    layers: Layers<
        impl FnOnce(Router) -> Router,
        impl FnOnce(Router) -> Router,
        impl FnOnce(Router) -> Router,
    >,
) -> Router {
    let gate = Gate::default();
    let slow = Router::new()
        .route("/slow/add", get(slow_add::<A>))
        .route("/slow/set/{key}", get(slow_set::<A>))
        .route("/slow/rotate", get(slow_rotate::<A>))
        .layer(Extension(gate.clone()));
    let layered = Router::new()
        .route("/layered", get(async || "ok"))
        .route("/seed", get(seed::<A>))
        .route("/read", get(read::<A>))
        .route("/write", get(write::<A>))
        .route("/visitor", get(visitor::<A>))
        .route("/add", get(add::<A>))
        .route("/set/{key}", get(set::<A>))
        .route("/has/{key}", get(has::<A>))
        .route("/count", get(count::<A>))
        .route("/logout", get(logout::<A>))
        .route("/sign-in", get(sign_in::<A>))
        .merge(slow);
    let touching = Router::new().route("/touch", get(read::<A>));
    let renewing = Router::new()
        .route("/slow/renew", get(slow_renew::<A>))
        .layer(Extension(gate.clone()));
    (layers.default)(layered)
        .merge((layers.touching)(touching))
        .merge((layers.renewing)(renewing))
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

async fn seed<A: Api>(session: A::Session) -> &'static str {
    let text = "x".repeat(VALUE_BYTES);
    for number in 0..VALUES {
        A::set(&session, &format!("value{number}"), &text).await;
    }
    A::add_one(&session, COUNTER, 0, ready(())).await;
    "ok"
}

async fn read<A: Api>(session: A::Session) -> &'static str {
    let text = A::text(&session, READ)
        .await
        .expect("the session was seeded");
    assert_eq!(text.len(), VALUE_BYTES);
    "ok"
}

async fn write<A: Api>(session: A::Session) -> &'static str {
    A::add_one(&session, COUNTER, SEEDED, ready(())).await;
    "ok"
}

async fn add<A: Api>(session: A::Session) -> &'static str {
    A::add_one(&session, COUNTER, 0, ready(())).await;
    "ok"
}

async fn visitor<A: Api>(session: A::Session) -> &'static str {
    assert_eq!(A::text(&session, READ).await, None);
    "ok"
}

async fn set<A: Api>(Path(key): Path<String>, session: A::Session) -> &'static str {
    A::set(&session, &key, "set").await;
    "ok"
}

async fn has<A: Api>(Path(key): Path<String>, session: A::Session) -> &'static str {
    if A::text(&session, &key).await.is_some() {
        "yes"
    } else {
        "no"
    }
}

async fn count<A: Api>(session: A::Session) -> String {
    A::number(&session, COUNTER).await.to_string()
}

async fn slow_add<A: Api>(Extension(gate): Extension<Gate>, session: A::Session) -> &'static str {
    A::add_one(&session, COUNTER, 0, gate.pass()).await;
    "ok"
}

async fn slow_set<A: Api>(
    Extension(gate): Extension<Gate>,
    Path(key): Path<String>,
    session: A::Session,
) -> &'static str {
    // Libraries that load late have loaded now.
    A::text(&session, READ).await;
    gate.pass().await;
    A::set(&session, &key, "set").await;
    "ok"
}

async fn slow_rotate<A: Api>(
    Extension(gate): Extension<Gate>,
    session: A::Session,
) -> &'static str {
    // Libraries that load late have loaded now.
    A::text(&session, READ).await;
    gate.pass().await;
    A::rotate(&session).await;
    "ok"
}

async fn slow_renew<A: Api>(Extension(gate): Extension<Gate>, session: A::Session) -> &'static str {
    A::text(&session, READ).await;
    gate.pass().await;
    A::renew(&session).await;
    "ok"
}

async fn sign_in<A: Api>(session: A::Session) -> &'static str {
    A::sign_in(&session, &next_user()).await;
    "ok"
}

/// A name that nobody had: a user with ever more sessions would be measured otherwise.
pub(crate) fn next_user() -> String {
    static USERS: AtomicUsize = AtomicUsize::new(0);
    format!("user{}", USERS.fetch_add(1, Ordering::Relaxed))
}

async fn logout<A: Api>(session: A::Session) -> &'static str {
    A::logout(&session).await;
    "ok"
}

/// The CPU time of this process, user and system, in nanoseconds.
pub async fn cpu() -> String {
    ProcessTime::now().as_duration().as_nanos().to_string()
}

async fn waiting(Extension(gate): Extension<Gate>) -> String {
    gate.waiting()
}

async fn open(Extension(gate): Extension<Gate>) -> &'static str {
    gate.open();
    "ok"
}

/// Where slow handlers wait, so that who is under way at once is no matter of luck.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<GateState>);

#[derive(Default)]
struct GateState {
    waiting: AtomicUsize,
    opened: tokio::sync::Notify,
}

impl Gate {
    pub(crate) async fn pass(&self) {
        let opened = self.0.opened.notified();
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        opened.await;
    }

    pub(crate) fn open(&self) {
        self.0.waiting.store(0, Ordering::SeqCst);
        self.0.opened.notify_waiters();
    }

    /// How many wait, as a response says it.
    pub(crate) fn waiting(&self) -> String {
        self.0.waiting.load(Ordering::SeqCst).to_string()
    }
}
