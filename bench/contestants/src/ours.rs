//! This library, on any store.

use axum::Router;
use fasthttpsession::tower::{Session, SessionLayer};
use fasthttpsession::{Sessions, Store};

use crate::routes::{Api, routes};

/// What to know about its defaults.
pub const NOTE: &str = "defaults: 1 h idle, extended once 5 % of it has passed (not within a short run); \
    one cookie, sent when it changes; `Vary: Cookie` on routes that ask; adds with `update`";

const WORKS: &str = "sessions work";

/// All routes, with sessions in `store`.
pub fn on(store: impl Store) -> Router {
    routes::<Ours>(|layered| layered.layer(SessionLayer::new(Sessions::new(store))))
}

struct Ours;

impl Api for Ours {
    type Session = Session;

    async fn text(session: &Session, key: &str) -> Option<String> {
        session.get(key).expect(WORKS)
    }

    async fn number(session: &Session, key: &str) -> u64 {
        session.get(key).expect(WORKS).unwrap_or_default()
    }

    async fn set(session: &Session, key: &str, value: &str) {
        session.set(key, value).expect(WORKS);
    }

    async fn add_one(session: &Session, key: &'static str, pause: impl Future<Output = ()> + Send) {
        pause.await;
        session
            .update(key, |number: &mut u64| *number += 1)
            .expect(WORKS);
    }

    async fn logout(session: &Session) {
        session.logout().expect(WORKS);
    }
}
