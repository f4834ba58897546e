//! This library with its middleware for actix-web, beside the peer that is served by that.

use std::io;

use actix_web::Scope;
use actix_web::dev::HttpServiceFactory;
use fasthttpsession::actix::{Session, SessionMiddleware};
use fasthttpsession::{AnyStore, Sessions, Store};

use crate::on_actix::{self, OnActix};
use crate::ours::{WORKS, renewing, touching};

/// What to know about it.
pub const NOTE: &str =
    "this library with the same defaults, served by actix-web as actix-session is";

/// Serves all routes on a free port, with sessions in `store`. Prints the port, and serves until the standard input is closed.
pub async fn serve(store: impl Store) -> io::Result<()> {
    let store = AnyStore::new(store);
    let ours = Ours {
        default: Sessions::new(store.clone()),
        touching: touching(store.clone()),
        renewing: renewing(store),
    };
    on_actix::serve(ours).await
}

#[derive(Clone)]
struct Ours {
    default: Sessions,
    touching: Sessions,
    renewing: Sessions,
}

impl OnActix for Ours {
    type Session = Session;

    fn around(&self, routes: Scope) -> impl HttpServiceFactory + 'static {
        routes.wrap(SessionMiddleware::new(self.default.clone()))
    }

    fn touching(&self, routes: Scope) -> impl HttpServiceFactory + 'static {
        routes.wrap(SessionMiddleware::new(self.touching.clone()))
    }

    fn renewing(&self, routes: Scope) -> impl HttpServiceFactory + 'static {
        routes.wrap(SessionMiddleware::new(self.renewing.clone()))
    }

    fn text(session: &Session, key: &str) -> Option<String> {
        session.get(key).expect(WORKS)
    }

    fn number(session: &Session, key: &str) -> u64 {
        session.get(key).expect(WORKS).unwrap_or_default()
    }

    fn set(session: &Session, key: &str, value: &str) {
        session.set(key, value).expect(WORKS);
    }

    async fn add_one(
        session: &Session,
        key: &'static str,
        least: u64,
        pause: impl Future<Output = ()>,
    ) {
        pause.await;
        let add = move |number: &mut u64| {
            assert!(*number >= least, "the session is gone");
            *number += 1;
        };
        session.update(key, add).expect(WORKS);
    }

    fn sign_in(session: &Session, user: &str) {
        session.login(user).expect(WORKS);
    }

    fn rotate(session: &Session) {
        session.rotate().expect(WORKS);
    }

    /// The middleware does it.
    fn renew(_: &Session) {}

    fn logout(session: &Session) {
        session.logout().expect(WORKS);
    }
}
