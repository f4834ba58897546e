//! `axum_session` without a database.

use axum::Router;
use axum_session::{Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore};

use crate::routes::{Api, routes};

/// What to know about its defaults.
pub const NOTE: &str = "defaults: 6 h, extended by every request; every layered request, also one that does not ask, looks its \
    session up or makes one, and its response sets one cookie and removes another; a visitor's record stays for an hour, so the \
    store grows while visitors are measured; adds with `get` and `set`";

/// All routes, with sessions in memory.
pub async fn in_memory() -> Router {
    let store = SessionStore::<SessionNullPool>::new(None, SessionConfig::default());
    let store = store.await.expect("it needs no database");
    routes::<AxumSession>(|layered| layered.layer(SessionLayer::new(store)))
}

struct AxumSession;

impl Api for AxumSession {
    type Session = Session<SessionNullPool>;

    async fn text(session: &Self::Session, key: &str) -> Option<String> {
        session.get(key)
    }

    async fn number(session: &Self::Session, key: &str) -> u64 {
        session.get(key).unwrap_or_default()
    }

    async fn set(session: &Self::Session, key: &str, value: &str) {
        session.set(key, value);
    }

    async fn add_one(
        session: &Self::Session,
        key: &'static str,
        pause: impl Future<Output = ()> + Send,
    ) {
        let number = Self::number(session, key).await;
        pause.await;
        session.set(key, number + 1);
    }

    async fn logout(session: &Self::Session) {
        session.destroy();
    }
}
