//! The demo: a page and an API over one session, served until it is told to stop.

mod api;
mod browser;
mod errors;
mod page;
mod view;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, map_response};
use clap::Args;
use fasthttpsession::tower::SessionLayer;
use fasthttpsession::{BuildError, ConnectError, Cookie, Error, Sessions, connect};
use thiserror::Error as ThisError;
use tokio::net::TcpListener;
use tokio::select;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

/// Serves a page that shows your session, and lets you try to lose a write or to revive a session.
///
/// Everything the page does is an ordinary HTTP request that you can make yourself:
///
///   GET    /api/session                 the session: handle, principal, deadlines (ms since 1970), values
///   GET    /api/values/{key}            one value
///   PUT    /api/values/{key}            set it; the body is its JSON
///   DELETE /api/values/{key}            remove it
///   DELETE /api/values                  remove all
///   POST   /api/values/{key}/increment  add one, and answer with the number that was committed
///   POST   /api/slow?ms=300&key=late    load, wait, then set the key; or &then=rotate, &then=clear
///   GET    /api/slow                    how many slow requests of this session wait now
///   POST   /api/login                   sign in; the body is {"user": "alice"}
///   POST   /api/rotate                  a new secret, as after a change of privilege
///   POST   /api/logout                  end the session
///   GET    /plain                       no session at all, for comparison
///   GET    /health                      whether the store answers
///
/// Writes answer with the session as it is then; PUT answers with the value, and slow with what became of its write.
/// A refused request gets {"error": "a sentence"}.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Options {
    /// Where sessions are kept.
    ///
    ///     sqlite:sessions.db?migrate=true                           an SQLite file
    ///     file:sessions?migrate=true                                a folder, a file a session
    ///     postgres://user:password@localhost/database?migrate=true  PostgreSQL
    ///     mysql://user:password@localhost/database?migrate=true     MySQL or MariaDB
    ///     redis://user:password@localhost                           Redis or Valkey
    ///     memcached://localhost                                     memcached
    ///     memory:                                                   this process: gone when it stops
    #[arg(long, value_name = "URL", default_value = STORE, verbatim_doc_comment)]
    store: String,
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8086")]
    listen: String,
}

/// Why the demo could not start or go on.
#[derive(Debug, ThisError)]
pub(crate) enum DemoError {
    #[error("can't use the store given with --store: {0}")]
    Connect(#[from] ConnectError),
    #[error("can't use the store given with --store: {0}")]
    Check(Error),
    #[error("the store given with --store does not answer within {} s", STORE_PATIENCE.as_secs())]
    Silent,
    #[error("can't set up sessions: {0}")]
    Build(#[from] BuildError),
    #[error(
        "{0} is taken by another program; choose another port with --listen, or port 0 for a free one"
    )]
    Taken(String),
    #[error("can't listen on {address:?}, which was given with --listen: {source}")]
    Listen { address: String, source: io::Error },
    #[error("can't go on serving: {0}")]
    Serve(#[from] io::Error),
}

/// Where sessions are kept unless told otherwise: a file in the current folder, so that they survive a restart.
const STORE: &str = "sqlite:fasthttpsession-demo.db?migrate=true";
/// The name of the cookie. It is an insecure one, for the demo speaks plain HTTP.
const COOKIE_NAME: &str = "id";
/// How long a store may take to answer before the demo gives up on it.
const STORE_PATIENCE: Duration = Duration::from_secs(5);
/// How long requests that are under way may take once the demo was told to stop. Longer than the slowest of its own.
const STOP_PATIENCE: Duration = Duration::from_secs(11);

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(options: Options) -> Result<(), DemoError> {
    let sessions = timeout(STORE_PATIENCE, open(&options.store))
        .await
        .map_err(|_| DemoError::Silent)??;
    let listener = listen(&options.listen).await?;
    greet(listener.local_addr()?, &place(&options.store));
    serve(listener, app(sessions)).await
}

/// The demo as a service.
fn app(sessions: Sessions) -> Router {
    Router::new()
        .merge(page::routes(sessions.store_name()))
        .merge(api::routes())
        .layer(SessionLayer::new(sessions.clone()).on_error(errors::response))
        .merge(api::routes_without_session(sessions))
        .fallback(errors::not_found)
        .method_not_allowed_fallback(errors::method_not_allowed)
        .layer(from_fn(browser::refuse_other_sites))
        .layer(map_response(browser::protect))
}

async fn open(url: &str) -> Result<Sessions, DemoError> {
    let sessions = Sessions::builder(connect(url).await?)
        .cookie(Cookie::insecure(COOKIE_NAME))
        .build()?;
    sessions.check().await.map_err(DemoError::Check)?;
    Ok(sessions)
}

async fn listen(address: &str) -> Result<TcpListener, DemoError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => DemoError::Taken(address.to_owned()),
            _ => DemoError::Listen {
                address: address.to_owned(),
                source,
            },
        })
}

/// A store's URL without its user, its password and its settings.
fn place(store: &str) -> String {
    let place = store.split('?').next().unwrap_or(store);
    match (place.split_once("//"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}//{host}"),
        _ => place.to_owned(),
    }
}

fn greet(address: SocketAddr, store: &str) {
    let url = format!("http://{address}");
    // Whoever closed our output is not interested; that is no reason to stop.
    let _ = writeln!(
        io::stdout(),
        "The demo is at {url} (sessions are kept in {store}). Stop it with Ctrl-C.\n\n\
         Open it in a browser, or try:\n  \
         curl -c jar -b jar -X POST {url}/api/values/count/increment\n  \
         curl -c jar -b jar {url}/api/session"
    );
}

async fn serve(listener: TcpListener, app: Router) -> Result<(), DemoError> {
    let mut signals = Signals::new()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let mut server = pin!(server.into_future());
    select! {
        ended = &mut server => return Ok(ended?),
        () = signals.next() => drop(stop),
    }
    // Neither a client that never ends its request nor a user in a hurry has to wait.
    select! {
        ended = server => Ok(ended?),
        () = signals.next() => Ok(()),
        () = sleep(STOP_PATIENCE) => Ok(()),
    }
}

/// Ctrl-C and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
