//! The proxy as a test holds it: its address, and what it is told.

use std::fmt;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime;
use tokio::sync::{mpsc::UnboundedReceiver, mpsc::UnboundedSender, mpsc::unbounded_channel, watch};
use tokio::task::JoinSet;

use crate::connection::{Plan, carry};
use crate::fault::Fault;
use crate::seen::Seen;

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A proxy to one server. It ends with all its connections when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    upstream: SocketAddr,
    seed: u64,
    requests: watch::Sender<Fault>,
    answers: watch::Sender<Fault>,
    seen: watch::Receiver<Seen>,
    orders: UnboundedSender<(Order, mpsc::Sender<()>)>,
}

/// What is to be done at once, about connections as a whole.
enum Order {
    /// Accept new ones from now on.
    Accept,
    /// Refuse new ones from now on.
    Refuse,
    /// Close those that are open.
    Close,
}

impl Proxy {
    /// A proxy to the server at `upstream`, without faults. Random numbers begin with `FAULTS_SEED`, or another number
    /// each time, which is printed.
    ///
    /// # Panics
    ///
    /// When no port is free, or `FAULTS_SEED` is no number.
    pub fn start(upstream: SocketAddr) -> Self {
        let seed = match std::env::var("FAULTS_SEED") {
            Ok(seed) => seed.parse().expect("FAULTS_SEED is a whole number"),
            Err(_) => fastrand::u64(..),
        };
        Self::seeded(upstream, seed)
    }

    /// As [`start`](Self::start), with random numbers that begin with `seed`.
    ///
    /// # Panics
    ///
    /// When no port is free.
    pub fn seeded(upstream: SocketAddr, seed: u64) -> Self {
        eprintln!("a proxy to {upstream} begins with FAULTS_SEED={seed}");
        let (requests, told_requests) = watch::channel(Fault::None);
        let (answers, told_answers) = watch::channel(Fault::None);
        let (counting, counts) = watch::channel(Seen::default());
        let (orders, told_orders) = unbounded_channel();
        let (ready, address) = mpsc::channel();
        let plan = Plan {
            upstream,
            requests: told_requests,
            answers: told_answers,
            seen: counting,
            seed,
        };
        thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be made");
            runtime.block_on(serve(&ready, told_orders, &plan));
        });
        Self {
            address: address.recv().expect("a port is free"),
            upstream,
            seed,
            requests,
            answers,
            seen: counts,
            orders,
        }
    }

    /// Where it listens: a port of 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `url` with its own address in place of the server's.
    ///
    /// # Panics
    ///
    /// When `url` does not name the server as `address:port`.
    pub fn url(&self, url: &str) -> String {
        let upstream = self.upstream.to_string();
        assert!(url.contains(&upstream), "the URL does not name {upstream}");
        url.replacen(&upstream, &self.address.to_string(), 1)
    }

    /// Where its random numbers began.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What happens from now on to bytes that clients send, also on connections that are open.
    pub fn requests(&self, fault: Fault) {
        self.requests.send_replace(fault);
    }

    /// What happens from now on to bytes that the server sends, also on connections that are open.
    pub fn answers(&self, fault: Fault) {
        self.answers.send_replace(fault);
    }

    /// Refuses new connections, from when this returns. Those that are open stay.
    pub fn refuse(&self) {
        self.order(Order::Refuse);
    }

    /// Closes all connections that are open, before this returns. What waits in them is lost; new ones are accepted as before.
    pub fn close(&self) {
        self.order(Order::Close);
    }

    /// Ends all faults, and accepts new connections from when this returns. What waited goes on; what was swallowed is
    /// lost, and so is all that follows it on its connection.
    pub fn heal(&self) {
        self.requests(Fault::None);
        self.answers(Fault::None);
        self.order(Order::Accept);
    }

    /// What it has done by now. It counts what it has passed on, so that a client may have it before it is counted.
    pub fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    /// Waits until `enough` holds of what it has done.
    ///
    /// # Panics
    ///
    /// When it does not within 20 s, with what it has done.
    pub async fn until(&self, mut enough: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        let waiting = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| enough(seen)));
        let Ok(seen) = waiting.await else {
            panic!("within {PATIENCE:?} the proxy did only {:?}", self.seen());
        };
        *seen.expect("its thread lives as long as the proxy")
    }

    /// The thread needs no runtime of the test to answer, so that waiting for it blocks nobody for long.
    fn order(&self, order: Order) {
        let (done, is_done) = mpsc::channel();
        let told = self.orders.send((order, done));
        told.expect("it serves as long as the proxy lives");
        is_done.recv().expect("it answers");
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("address", &self.address)
            .field("upstream", &self.upstream)
            .field("seed", &self.seed)
            .field("seen", &self.seen())
            .finish_non_exhaustive()
    }
}

/// Serves until nobody can tell it anything any more.
async fn serve(
    ready: &mpsc::Sender<SocketAddr>,
    mut orders: UnboundedReceiver<(Order, mpsc::Sender<()>)>,
    plan: &Plan,
) {
    // Never listens: it keeps the port while nobody else does, so that connecting to it is refused.
    let reserved = bound(SocketAddr::from(([127, 0, 0, 1], 0)));
    let address = reserved.local_addr().expect("it was bound");
    let mut listener = Some(listen(address));
    let mut connections = JoinSet::new();
    let mut number = 0;
    // Whoever started it may have given up.
    let _ = ready.send(address);
    loop {
        tokio::select! {
            order = orders.recv() => {
                let Some((order, done)) = order else { return };
                match order {
                    Order::Accept => listener = listener.or_else(|| Some(listen(address))),
                    Order::Refuse => listener = None,
                    Order::Close => connections.shutdown().await,
                }
                let _ = done.send(());
            }
            accepted = accept(listener.as_ref()) => if let Ok((client, _)) = accepted {
                number += 1;
                connections.spawn(carry(client, number, plan.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(
    listener: Option<&TcpListener>,
) -> std::io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

fn listen(address: SocketAddr) -> TcpListener {
    bound(address).listen(BACKLOG).expect("it listens")
}

/// Several may be bound to one port as long as one of them listens.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.set_reuseaddr(true).expect("it is a TCP socket");
    socket.bind(address).expect("a port is free");
    socket
}
