//! axum with a runtime on each thread in place of one on all: a request stays on the thread that has its connection, and each
//! thread has connections of its own to the store's server. On Redis and memcached sessions then take about half.

use std::error::Error;
use std::future::IntoFuture as _;
use std::io;
use std::net::SocketAddr;
use std::thread;

use axum::Router;
use axum::routing::{get, post};
use axum::serve::Listener;
use fasthttpsession::tower::{Session, SessionFailed, SessionLayer};
use fasthttpsession::{Cookie, Sessions, connect};
use fasthttpsession_examples::setting;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// This thread opens the store, whose own work stays here, and accepts connections.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = connect(&setting("STORE", "memory:")).await?;
    // Over plain HTTP not all browsers take a `Secure` cookie, and none from elsewhere. In production, leave the line out.
    let sessions = Sessions::builder(store)
        .cookie(Cookie::insecure("id"))
        .build()?;
    let app = Router::new()
        .route("/", get(visit))
        .route("/login", post(login))
        .route("/logout", post(logout))
        .layer(SessionLayer::new(sessions));
    let mut listener = TcpListener::bind(setting("LISTEN", "127.0.0.1:8086")).await?;
    let address = listener.local_addr()?;
    let processors = thread::available_parallelism()?.get();
    let threads = (0..processors).map(|_| start_thread(app.clone(), address));
    let threads: Vec<_> = threads.collect::<io::Result<_>>()?;
    println!("http://{address}");
    for thread in threads.iter().cycle() {
        let (connection, _) = Listener::accept(&mut listener).await;
        thread.send(connection.into_std()?)?;
    }
    Ok(())
}

type Connection = std::net::TcpStream;

/// Starts a thread that serves the connections which are sent to it.
fn start_thread(app: Router, address: SocketAddr) -> io::Result<UnboundedSender<Connection>> {
    let (sender, connections) = unbounded_channel();
    let accepted = Accepted {
        connections,
        address,
    };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || runtime.block_on(axum::serve(accepted, app).into_future()));
    Ok(sender)
}

/// The connections of one thread.
struct Accepted {
    connections: UnboundedReceiver<Connection>,
    address: SocketAddr,
}

impl Listener for Accepted {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let connection = self.connections.recv().await;
        let connection = connection.expect("connections are accepted until the program ends");
        let connection = TcpStream::from_std(connection).expect("it was one of tokio's before");
        (connection, self.address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn visit(session: Session) -> Result<String, SessionFailed> {
    session.update("visits", |visits: &mut u64| *visits += 1)?;
    let visits: u64 = session.get("visits")?.unwrap_or_default();
    Ok(match session.principal() {
        Some(user) => format!("Visit {visits} of {}.", user.as_str()),
        None => format!("Visit {visits} of a stranger."),
    })
}

/// An application looks at a password first.
async fn login(session: Session) -> Result<&'static str, SessionFailed> {
    session.login("ada")?;
    Ok("Hello Ada.")
}

async fn logout(session: Session) -> Result<&'static str, SessionFailed> {
    session.logout()?;
    Ok("Goodbye.")
}
