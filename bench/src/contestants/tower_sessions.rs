//! tower-sessions on its memory store.

use axum::Router;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

use super::Contestant;

pub const NOTE: &str = "defaults: 2 weeks from the last write, reading extends nothing; one cookie, sent with every write; \
    adds with `get` and `insert`";

const WORKS: &str = "sessions in memory work";

pub struct TowerSessions;

impl Contestant for TowerSessions {
    type Session = Session;

    async fn layer(routes: Router) -> Router {
        routes.layer(SessionManagerLayer::new(MemoryStore::default()))
    }

    async fn text(session: &Session, key: &str) -> Option<String> {
        session.get(key).await.expect(WORKS)
    }

    async fn number(session: &Session, key: &str) -> u64 {
        session.get(key).await.expect(WORKS).unwrap_or_default()
    }

    async fn set(session: &Session, key: &str, value: &str) {
        session.insert(key, value).await.expect(WORKS);
    }

    async fn add_one(session: &Session, key: &'static str, pause: impl Future<Output = ()> + Send) {
        let number = Self::number(session, key).await;
        pause.await;
        session.insert(key, number + 1).await.expect(WORKS);
    }

    async fn logout(session: &Session) {
        session.flush().await.expect(WORKS);
    }
}
