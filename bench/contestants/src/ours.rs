//! This library, on any store.

use std::time::Duration;

use axum::Router;
use fasthttpsession::tower::{Session, SessionLayer};
use fasthttpsession::{AnyStore, Clock, Sessions, Store, SystemClock, Timestamp};

use crate::routes::{Api, Layers, READ, routes};

/// What to know about its defaults.
pub const NOTE: &str = "defaults: 1 h idle, extended once 5 % of it has passed (not within a short run); \
    one cookie, sent when it changes; `Vary: Cookie` on routes that ask; adds with `update`; touching: `touch_after_percent(0)`; renewing: `renew_every`, due";

pub(crate) const WORKS: &str = "sessions work";

/// All routes, with sessions in `store`.
pub fn on(store: impl Store) -> Router {
    let store = AnyStore::new(store);
    let around = |sessions| move |routes: Router| routes.layer(SessionLayer::new(sessions));
    routes::<Ours>(Layers {
        default: around(Sessions::new(store.clone())),
        touching: around(touching(store.clone())),
        renewing: around(renewing(store)),
    })
}

const FIT: &str = "the settings fit each other";

pub(crate) fn touching(store: AnyStore) -> Sessions {
    let sessions = Sessions::builder(store).touch_after_percent(0);
    sessions.build().expect(FIT)
}

/// What was made just now is older than its period to this clock, so that renewal is due with a grace as long as the
/// default.
pub(crate) fn renewing(store: AnyStore) -> Sessions {
    let sessions = Sessions::builder(store)
        .renew_every(Duration::from_secs(40))
        .clock(Ahead);
    sessions.build().expect(FIT)
}

struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(Duration::from_secs(60))
    }
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

    async fn add_one(
        session: &Session,
        key: &'static str,
        least: u64,
        pause: impl Future<Output = ()> + Send,
    ) {
        pause.await;
        let add = move |number: &mut u64| {
            assert!(*number >= least, "the session is gone");
            *number += 1;
        };
        session.update(key, add).expect(WORKS);
    }

    async fn sign_in(session: &Session, user: &str) {
        session.login(user).expect(WORKS);
    }

    async fn rotate(session: &Session) {
        session.rotate().expect(WORKS);
    }

    async fn renew(session: &Session) {
        Self::text(session, READ).await;
    }

    async fn logout(session: &Session) {
        session.logout().expect(WORKS);
    }
}
