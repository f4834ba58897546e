//! actix-session on Redis, and in the cookie itself: the same routes on actix-web, which has a server of its own.

use std::io;
use std::time::Duration;

use actix_session::config::{PersistentSession, TtlExtensionPolicy};
use actix_session::storage::{CookieSessionStore, RedisSessionStore, SessionStore};
use actix_session::{Session, SessionMiddleware};
use actix_web::cookie::Key;
use actix_web::web::{self, Data, Path, ServiceConfig, get};
use actix_web::{App, HttpServer};

use crate::routes::{COUNTER, Gate, READ, VALUE_BYTES, VALUES, cpu, next_user};
use crate::serve::{announce, end_with_parent};

/// What to know about its defaults.
pub const NOTE: &str = "defaults: served by actix-web, so that what is over plain compares better than requests a second; 1 day \
    from the last write; every layered request that has a cookie, also one that does not ask, reads the store; the cookie is \
    encrypted, and sent with every write; adds with `get` and `insert`; one connection to Redis; touching: `OnEveryRequest`; rotating and renewing: `renew`";

const WORKS: &str = "sessions work";

/// Serves all routes on a free port, with sessions in the Redis at `url`. Prints the port, and serves until the standard
/// input is closed.
pub async fn serve_redis(url: &str) -> io::Result<()> {
    let store = RedisSessionStore::new(url).await.expect("the store opens");
    serve(move || store.clone()).await
}

/// The same with sessions in their cookies.
pub async fn serve_cookies() -> io::Result<()> {
    serve(CookieSessionStore::default).await
}

async fn serve<S: SessionStore + 'static>(
    store: impl Fn() -> S + Clone + Send + 'static,
) -> io::Result<()> {
    end_with_parent();
    let (key, gate) = (Key::generate(), Data::new(Gate::default()));
    let server = HttpServer::new(move || {
        let touching = web::scope("/touch")
            .wrap(touching(store(), key.clone()))
            .route("", get().to(read));
        let layered = web::scope("")
            .wrap(SessionMiddleware::new(store(), key.clone()))
            .configure(layered);
        App::new()
            .app_data(gate.clone())
            .route("/plain", get().to(async || "ok"))
            .configure(control)
            .service(touching)
            .service(layered)
    });
    // Connections wait for their turns.
    let server = server
        .keep_alive(Duration::from_secs(3600))
        .client_request_timeout(Duration::ZERO)
        .bind("127.0.0.1:0")?;
    announce(server.addrs()[0].port());
    server.run().await
}

/// Has every request move the session's expiry.
fn touching<S: SessionStore>(store: S, key: Key) -> SessionMiddleware<S> {
    let every = TtlExtensionPolicy::OnEveryRequest;
    SessionMiddleware::builder(store, key)
        .session_lifecycle(PersistentSession::default().session_ttl_extension_policy(every))
        .build()
}

fn control(app: &mut ServiceConfig) {
    app.route("/cpu", get().to(cpu))
        .route(
            "/gate/waiting",
            get().to(async |gate: Data<Gate>| gate.waiting()),
        )
        .route(
            "/gate/open",
            get().to(async |gate: Data<Gate>| {
                gate.open();
                "ok"
            }),
        );
}

fn layered(app: &mut ServiceConfig) {
    app.route("/layered", get().to(async || "ok"))
        .route("/seed", get().to(seed))
        .route("/read", get().to(read))
        .route("/write", get().to(add))
        .route("/add", get().to(add))
        .route("/set/{key}", get().to(set))
        .route("/has/{key}", get().to(has))
        .route(
            "/count",
            get().to(async |session: Session| number(&session).to_string()),
        )
        .route("/logout", get().to(logout))
        .route("/visitor", get().to(visitor))
        .route("/sign-in", get().to(sign_in))
        .route("/slow/rotate", get().to(slow_rotate))
        .route("/slow/renew", get().to(slow_rotate))
        .route("/slow/add", get().to(slow_add))
        .route("/slow/set/{key}", get().to(slow_set));
}

async fn seed(session: Session) -> &'static str {
    for number in 0..VALUES {
        insert(
            &session,
            &format!("value{number}"),
            &"x".repeat(VALUE_BYTES),
        );
    }
    add(session).await
}

async fn read(session: Session) -> &'static str {
    let text = text(&session, READ).expect("the session was seeded");
    assert_eq!(text.len(), VALUE_BYTES);
    "ok"
}

async fn add(session: Session) -> &'static str {
    session.insert(COUNTER, number(&session) + 1).expect(WORKS);
    "ok"
}

async fn set(key: Path<String>, session: Session) -> &'static str {
    insert(&session, &key, "set");
    "ok"
}

async fn has(key: Path<String>, session: Session) -> &'static str {
    if text(&session, &key).is_some() {
        "yes"
    } else {
        "no"
    }
}

async fn slow_add(gate: Data<Gate>, session: Session) -> &'static str {
    let number = number(&session);
    gate.pass().await;
    session.insert(COUNTER, number + 1).expect(WORKS);
    "ok"
}

async fn slow_set(gate: Data<Gate>, key: Path<String>, session: Session) -> &'static str {
    gate.pass().await;
    set(key, session).await
}

async fn slow_rotate(gate: Data<Gate>, session: Session) -> &'static str {
    gate.pass().await;
    session.renew();
    "ok"
}

async fn visitor(session: Session) -> &'static str {
    assert_eq!(text(&session, READ), None);
    "ok"
}

async fn sign_in(session: Session) -> &'static str {
    session.renew();
    session.insert("user", next_user()).expect(WORKS);
    "ok"
}

async fn logout(session: Session) -> &'static str {
    session.purge();
    "ok"
}

fn text(session: &Session, key: &str) -> Option<String> {
    session.get(key).expect(WORKS)
}

fn number(session: &Session) -> u64 {
    session.get(COUNTER).expect(WORKS).unwrap_or_default()
}

fn insert(session: &Session, key: &str, value: &str) {
    session.insert(key, value).expect(WORKS);
}
