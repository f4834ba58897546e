//! tower-sessions, on any store.

use axum::Router;
use tower_sessions::{Session, SessionManagerLayer, SessionStore};

pub use tower_sessions::MemoryStore;

use crate::routes::{Api, Layers, routes};

/// What to know about its defaults.
pub const NOTE: &str = "defaults: 2 weeks from the last write, reading extends nothing; one cookie, sent with every write; \
    adds with `get` and `insert`; databases through sqlx and its pool of at most 10 connections, \
    Redis through fred and 6 connections as its page has it; touching: `with_always_save`; rotating and renewing: `cycle_id`";

const WORKS: &str = "sessions work";

/// All routes, with sessions in `store`.
pub fn on(store: impl SessionStore + Clone) -> Router {
    let around = |layer| move |routes: Router| routes.layer(layer);
    let layer = SessionManagerLayer::new(store);
    routes::<TowerSessions>(Layers {
        default: around(layer.clone()),
        touching: around(layer.clone().with_always_save(true)),
        renewing: around(layer),
    })
}

struct TowerSessions;

impl Api for TowerSessions {
    type Session = Session;

    async fn text(session: &Session, key: &str) -> Option<String> {
        session.get(key).await.expect(WORKS)
    }

    async fn number(session: &Session, key: &str) -> u64 {
        session.get(key).await.expect(WORKS).unwrap_or_default()
    }

    async fn set(session: &Session, key: &str, value: &str) {
        session.insert(key, value).await.expect(WORKS);
    }

    async fn add_one(
        session: &Session,
        key: &'static str,
        least: u64,
        pause: impl Future<Output = ()> + Send,
    ) {
        let number = Self::number(session, key).await;
        assert!(number >= least, "the session is gone");
        pause.await;
        session.insert(key, number + 1).await.expect(WORKS);
    }

    async fn sign_in(session: &Session, user: &str) {
        session.cycle_id().await.expect(WORKS);
        session.insert("user", user).await.expect(WORKS);
    }

    async fn rotate(session: &Session) {
        session.cycle_id().await.expect(WORKS);
    }

    async fn logout(session: &Session) {
        session.flush().await.expect(WORKS);
    }
}
