//! `axum_session`, in memory and on any database.

use std::fmt::Debug;
use std::marker::PhantomData;

use axum::Router;
use axum_session::{
    DatabasePool, Session, SessionConfig, SessionLayer, SessionNullPool, SessionStore,
};
use time::Duration;

use crate::contestant::Library;
use crate::routes::{Api, Layers, routes};

/// What to know about its defaults.
pub const NOTE: &str = "defaults: 6 h on databases and 1 to 2 in memory, extended by every request; every layered request, also \
    one that does not ask, looks its session up or makes one, and its response sets one cookie and removes another; a visitor's \
    record stays for an hour, so the store grows while visitors are measured; adds with `get` and `set`; touching: as always; rotating and renewing: `renew`; on \
    databases `with_memory_lifetime(0)`, so that it asks the database at each request as all others do, and also writes at each, and \
    `with_clear_check_on_load(false)`, for otherwise a second request at once takes the session for expired and empties it; through \
    sqlx and its pool of at most 10 connections, on Redis through redis_pool";

/// What to know about its defaults where it has a database.
pub const CACHED: &str = "`axum_session` on databases with its defaults: it answers from the process's memory for an hour, and \
    writes changes to the database, so that what another process changed or ended does not show; tried for what is lost in one process, and left out \
    where cost and speed are compared, for all others ask the database";

/// All routes, with sessions in memory.
pub async fn in_memory() -> Router {
    on_store::<SessionNullPool>(None, SessionConfig::default()).await
}

/// All routes, with sessions in a database: asked at each request, unless `library` is the one by default.
pub async fn on(library: Library, pool: impl Pool) -> Router {
    let config = match library {
        Library::AxumSessionCached => SessionConfig::default(),
        _ => SessionConfig::default()
            .with_memory_lifetime(Duration::ZERO)
            .with_clear_check_on_load(false),
    };
    on_store(Some(pool), config).await
}

/// A database as it takes them.
pub trait Pool: DatabasePool + Clone + Debug + Send + Sync + 'static {}

impl<P: DatabasePool + Clone + Debug + Send + Sync + 'static> Pool for P {}

async fn on_store<P: Pool>(pool: Option<P>, config: SessionConfig) -> Router {
    let store = SessionStore::new(pool, config).await;
    let store = store.expect("the store opens");
    let around = |store| move |routes: Router| routes.layer(SessionLayer::new(store));
    routes::<AxumSession<P>>(Layers {
        default: around(store.clone()),
        touching: around(store.clone()),
        renewing: around(store),
    })
}

struct AxumSession<P>(PhantomData<P>);

impl<P: Pool> Api for AxumSession<P> {
    type Session = Session<P>;

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
        least: u64,
        pause: impl Future<Output = ()> + Send,
    ) {
        let number = Self::number(session, key).await;
        assert!(number >= least, "the session is gone");
        pause.await;
        session.set(key, number + 1);
    }

    async fn sign_in(session: &Self::Session, user: &str) {
        session.renew();
        session.set("user", user);
    }

    async fn rotate(session: &Self::Session) {
        session.renew();
    }

    async fn logout(session: &Self::Session) {
        session.destroy();
    }
}
