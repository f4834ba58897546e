//! The routes of every server, on actix-web, which has a server of its own; and what a library has to do for them.

use std::future::ready;
use std::io;
use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::web::{Data, Path, ServiceConfig, get, scope};
use actix_web::{App, FromRequest, HttpServer, Scope};

use crate::routes::{COUNTER, Gate, READ, SEEDED, VALUE_BYTES, VALUES, cpu, next_user};
use crate::serve::{announce, end_with_parent};

/// How a library does what the routes ask for, as its documentation would have it done, with its middleware. Whatever fails
/// panics, which the client sees.
pub(crate) trait OnActix: Clone + Send + 'static {
    /// What handlers take.
    type Session: FromRequest + 'static;

    /// `routes` with the library's middleware around them, by its defaults.
    fn around(&self, routes: Scope) -> impl HttpServiceFactory + 'static;

    /// The same, with each request moving the session's expiry.
    fn touching(&self, routes: Scope) -> impl HttpServiceFactory + 'static;

    /// The same, with each request finding that its session's renewal is due, if the library knows renewals.
    fn renewing(&self, routes: Scope) -> impl HttpServiceFactory + 'static {
        self.around(routes)
    }

    /// The text under `key`; `None` without one.
    fn text(session: &Self::Session, key: &str) -> Option<String>;

    /// The number under `key`; 0 without one.
    fn number(session: &Self::Session, key: &str) -> u64;

    /// Sets `key` to the text `value`.
    fn set(session: &Self::Session, key: &str, value: &str);

    /// Adds one to the number under `key`, with `pause` where a handler would wait for something else. Less than `least` is
    /// there when a session is gone, and fails.
    async fn add_one(
        session: &Self::Session,
        key: &'static str,
        least: u64,
        pause: impl Future<Output = ()>,
    );

    /// Binds the session to `user`, as at a sign-in.
    fn sign_in(session: &Self::Session, user: &str);

    /// Gives the session a new secret, as for a change of privilege.
    fn rotate(session: &Self::Session);

    /// Has the secret renewed where it is to be renewed now; libraries that know no renewals rotate.
    fn renew(session: &Self::Session) {
        Self::rotate(session);
    }

    /// Ends the session.
    fn logout(session: &Self::Session);
}

/// Serves all routes on a free port, which it prints, until the standard input is closed.
pub(crate) async fn serve<L: OnActix>(library: L) -> io::Result<()> {
    end_with_parent();
    let gate = Data::new(Gate::default());
    let server = HttpServer::new(move || {
        let touching = scope("/touch").route("", get().to(read::<L>));
        let renewing = scope("/slow/renew").route("", get().to(slow_renew::<L>));
        App::new()
            .app_data(gate.clone())
            .route("/plain", get().to(async || "ok"))
            .configure(control)
            .service(library.touching(touching))
            .service(library.renewing(renewing))
            .service(library.around(scope("").configure(layered::<L>)))
    });
    // Connections wait for their turns.
    let server = server
        .keep_alive(Duration::from_secs(3600))
        .client_request_timeout(Duration::ZERO)
        .bind("127.0.0.1:0")?;
    announce(server.addrs()[0].port());
    server.run().await
}

/// What the benchmark itself asks a server for.
fn control(app: &mut ServiceConfig) {
    let waiting = async |gate: Data<Gate>| gate.waiting();
    let open = async |gate: Data<Gate>| {
        gate.open();
        "ok"
    };
    app.route("/cpu", get().to(cpu))
        .route("/gate/waiting", get().to(waiting))
        .route("/gate/open", get().to(open));
}

fn layered<L: OnActix>(app: &mut ServiceConfig) {
    app.route("/layered", get().to(async || "ok"))
        .route("/seed", get().to(seed::<L>))
        .route("/read", get().to(read::<L>))
        .route("/write", get().to(write::<L>))
        .route("/visitor", get().to(visitor::<L>))
        .route("/add", get().to(add::<L>))
        .route("/set/{key}", get().to(set::<L>))
        .route("/has/{key}", get().to(has::<L>))
        .route("/count", get().to(count::<L>))
        .route("/logout", get().to(logout::<L>))
        .route("/sign-in", get().to(sign_in::<L>))
        .route("/slow/add", get().to(slow_add::<L>))
        .route("/slow/set/{key}", get().to(slow_set::<L>))
        .route("/slow/rotate", get().to(slow_rotate::<L>));
}

async fn seed<L: OnActix>(session: L::Session) -> &'static str {
    let text = "x".repeat(VALUE_BYTES);
    for number in 0..VALUES {
        L::set(&session, &format!("value{number}"), &text);
    }
    add::<L>(session).await
}

async fn read<L: OnActix>(session: L::Session) -> &'static str {
    let text = L::text(&session, READ).expect("the session was seeded");
    assert_eq!(text.len(), VALUE_BYTES);
    "ok"
}

async fn write<L: OnActix>(session: L::Session) -> &'static str {
    L::add_one(&session, COUNTER, SEEDED, ready(())).await;
    "ok"
}

async fn add<L: OnActix>(session: L::Session) -> &'static str {
    L::add_one(&session, COUNTER, 0, ready(())).await;
    "ok"
}

async fn visitor<L: OnActix>(session: L::Session) -> &'static str {
    assert_eq!(L::text(&session, READ), None);
    "ok"
}

async fn set<L: OnActix>(key: Path<String>, session: L::Session) -> &'static str {
    L::set(&session, &key, "set");
    "ok"
}

async fn has<L: OnActix>(key: Path<String>, session: L::Session) -> &'static str {
    if L::text(&session, &key).is_some() {
        "yes"
    } else {
        "no"
    }
}

async fn count<L: OnActix>(session: L::Session) -> String {
    L::number(&session, COUNTER).to_string()
}

async fn slow_add<L: OnActix>(gate: Data<Gate>, session: L::Session) -> &'static str {
    L::add_one(&session, COUNTER, 0, gate.pass()).await;
    "ok"
}

async fn slow_set<L: OnActix>(
    gate: Data<Gate>,
    key: Path<String>,
    session: L::Session,
) -> &'static str {
    gate.pass().await;
    L::set(&session, &key, "set");
    "ok"
}

async fn slow_rotate<L: OnActix>(gate: Data<Gate>, session: L::Session) -> &'static str {
    gate.pass().await;
    L::rotate(&session);
    "ok"
}

async fn slow_renew<L: OnActix>(gate: Data<Gate>, session: L::Session) -> &'static str {
    gate.pass().await;
    L::renew(&session);
    "ok"
}

async fn sign_in<L: OnActix>(session: L::Session) -> &'static str {
    L::sign_in(&session, &next_user());
    "ok"
}

async fn logout<L: OnActix>(session: L::Session) -> &'static str {
    L::logout(&session);
    "ok"
}
