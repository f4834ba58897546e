//! A server process as the benchmark starts it.

use std::future::IntoFuture as _;
use std::io::{self, Read as _};
use std::net::SocketAddr;
use std::thread;

use axum::Router;
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Serves `router` on a free port, which it prints, until the standard input is closed.
pub async fn serve(router: Router) -> io::Result<()> {
    end_with_parent();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?.port());
    axum::serve(listener, router).await
}

/// Serves `router` as [`serve`] does, but by a thread for each processor, of which each has a runtime of its own. Connections go
/// to them in turn and stay there.
pub async fn serve_per_thread(router: Router) -> io::Result<()> {
    end_with_parent();
    let mut listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let processors = thread::available_parallelism()?.get();
    let threads = (0..processors).map(|_| serving_thread(router.clone(), address));
    let threads: Vec<_> = threads.collect::<io::Result<_>>()?;
    announce(address.port());
    for thread in threads.iter().cycle() {
        let (stream, _) = Listener::accept(&mut listener).await;
        // It serves until the process ends.
        let _ = thread.send(stream.into_std()?);
    }
    Ok(())
}

/// Starts a thread that serves what is sent to it.
fn serving_thread(
    router: Router,
    address: SocketAddr,
) -> io::Result<UnboundedSender<std::net::TcpStream>> {
    let (sender, streams) = unbounded_channel();
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handed = Handed { streams, address };
    thread::spawn(move || runtime.block_on(axum::serve(handed, router).into_future()));
    Ok(sender)
}

/// Connections that another thread has accepted.
struct Handed {
    streams: UnboundedReceiver<std::net::TcpStream>,
    address: SocketAddr,
}

impl Listener for Handed {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let stream = self.streams.recv().await;
        let stream = stream.expect("connections are accepted until the process ends");
        let stream = TcpStream::from_std(stream).expect("it was one of tokio's before");
        (stream, self.address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Tells the benchmark where it listens. From now on it counts what fails: the panics of peers need not be printed.
pub(crate) fn announce(port: u16) {
    std::panic::set_hook(Box::new(|_| {}));
    println!("{port}");
}

/// So that no server outlives a benchmark that was killed.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
}
