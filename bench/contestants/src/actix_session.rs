//! actix-session on Redis, and in the cookie itself.

use std::io;

use actix_session::config::{PersistentSession, TtlExtensionPolicy};
use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_session::{Session, SessionMiddleware};
use actix_web::Scope;
use actix_web::cookie::Key;
use actix_web::dev::HttpServiceFactory;

use crate::on_actix::{OnActix, serve};

/// What to know about its defaults.
pub const NOTE: &str = "defaults: served by actix-web, so that requests a second compare with ours-on-actix; 1 day \
    from the last write; every layered request that has a cookie, also one that does not ask, reads the store; the cookie is \
    encrypted, and sent with every write; adds with `get` and `insert`; one connection to Redis; touching: `OnEveryRequest`; rotating and renewing: `renew`";

const WORKS: &str = "sessions work";

/// Serves all routes on a free port, with sessions in the Redis at `url`. Prints the port, and serves until the standard
/// input is closed.
pub async fn serve_redis(url: &str) -> io::Result<()> {
    let store = RedisSessionStore::new(url).await.expect("the store opens");
    serve(Theirs::on(move || store.clone())).await
}

/// The same with sessions in their cookies.
pub async fn serve_cookies() -> io::Result<()> {
    serve(Theirs::on(CookieSessionStore::default)).await
}

#[derive(Clone)]
struct Theirs<F> {
    store: F,
    key: Key,
}

impl<F> Theirs<F> {
    fn on(store: F) -> Self {
        let key = Key::generate();
        Self { store, key }
    }
}

impl<S, F> OnActix for Theirs<F>
where
    S: SessionStore + 'static,
    F: Fn() -> S + Clone + Send + 'static,
{
    type Session = Session;

    fn around(&self, routes: Scope) -> impl HttpServiceFactory + 'static {
        routes.wrap(SessionMiddleware::new((self.store)(), self.key.clone()))
    }

    fn touching(&self, routes: Scope) -> impl HttpServiceFactory + 'static {
        let every = TtlExtensionPolicy::OnEveryRequest;
        let touching = SessionMiddleware::builder((self.store)(), self.key.clone())
            .session_lifecycle(PersistentSession::default().session_ttl_extension_policy(every));
        routes.wrap(touching.build())
    }

    fn text(session: &Session, key: &str) -> Option<String> {
        session.get(key).expect(WORKS)
    }

    fn number(session: &Session, key: &str) -> u64 {
        session.get(key).expect(WORKS).unwrap_or_default()
    }

    fn set(session: &Session, key: &str, value: &str) {
        session.insert(key, value).expect(WORKS);
    }

    async fn add_one(
        session: &Session,
        key: &'static str,
        least: u64,
        pause: impl Future<Output = ()>,
    ) {
        let number = Self::number(session, key);
        assert!(number >= least, "the session is gone");
        pause.await;
        session.insert(key, number + 1).expect(WORKS);
    }

    fn sign_in(session: &Session, user: &str) {
        session.renew();
        Self::set(session, "user", user);
    }

    fn rotate(session: &Session) {
        session.renew();
    }

    fn logout(session: &Session) {
        session.purge();
    }
}
