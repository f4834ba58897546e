//! One connection through the proxy: two directions, each with the fault that it has at the time.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::fault::Fault;
use crate::seen::{OneWay, Seen};

/// The most bytes of a piece.
const PIECE: usize = 16 * 1024;

/// What the connections of a proxy share.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) upstream: SocketAddr,
    pub(crate) requests: watch::Receiver<Fault>,
    pub(crate) answers: watch::Receiver<Fault>,
    pub(crate) seen: watch::Sender<Seen>,
    pub(crate) seed: u64,
}

/// Why a connection ended.
enum Ending {
    /// One of its ends ended it.
    Closed,
    Cut,
    Reset,
}

/// Passes bytes between `client` and a connection to the server until one of the three ends it.
pub(crate) async fn carry(mut client: TcpStream, number: u64, plan: Plan) {
    let Ok(mut server) = TcpStream::connect(plan.upstream).await else {
        // The server is not there, which the client is to notice.
        let _ = client.set_zero_linger();
        return;
    };
    let open = Open::new(&plan.seen);
    let ending = exchange(&mut client, &mut server, number, &plan).await;
    if matches!(ending, Ending::Reset) {
        let _ = (client.set_zero_linger(), server.set_zero_linger());
    }
    drop((client, server));
    plan.seen.send_modify(|seen| {
        seen.cut += u64::from(matches!(ending, Ending::Cut));
        seen.reset += u64::from(matches!(ending, Ending::Reset));
    });
    drop(open);
}

/// Counts a connection as open as long as it is there, however that ends.
struct Open<'a>(&'a watch::Sender<Seen>);

impl<'a> Open<'a> {
    fn new(seen: &'a watch::Sender<Seen>) -> Self {
        seen.send_modify(|seen| {
            seen.connections += 1;
            seen.open += 1;
        });
        Self(seen)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|seen| seen.open -= 1);
    }
}

async fn exchange(
    client: &mut TcpStream,
    server: &mut TcpStream,
    number: u64,
    plan: &Plan,
) -> Ending {
    // A piece is to be one on the wire, too.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let client_spoke = AtomicBool::new(false);
    let way = |from, to, is_client, seen: fn(&mut Seen) -> &mut OneWay, seed: u64| Way {
        from,
        to,
        is_client,
        client_spoke: &client_spoke,
        waiting: BytesMut::with_capacity(PIECE),
        silent: false,
        random: fastrand::Rng::with_seed(seed),
        all: &plan.seen,
        seen,
    };
    // So that one proxy's connections, and their directions, differ.
    let seed = plan.seed.wrapping_add(number << 1);
    let requests = way(
        from_client,
        to_server,
        true,
        |seen| &mut seen.requests,
        seed,
    );
    let answers = way(
        from_server,
        to_client,
        false,
        |seen| &mut seen.answers,
        seed + 1,
    );
    tokio::select! {
        ending = requests.under_all(plan.requests.clone()) => ending,
        ending = answers.under_all(plan.answers.clone()) => ending,
    }
}

/// One direction.
struct Way<'a> {
    from: ReadHalf<'a>,
    to: WriteHalf<'a>,
    is_client: bool,
    /// Whether it was the client that spoke last.
    client_spoke: &'a AtomicBool,
    /// What was read and is not yet passed on.
    waiting: BytesMut,
    /// Something was swallowed, so that nothing may come any more.
    silent: bool,
    random: fastrand::Rng,
    all: &'a watch::Sender<Seen>,
    seen: fn(&mut Seen) -> &mut OneWay,
}

impl Way<'_> {
    /// Passes bytes on under whatever fault there is.
    async fn under_all(mut self, mut faults: watch::Receiver<Fault>) -> Ending {
        loop {
            let fault = *faults.borrow_and_update();
            tokio::select! {
                // What comes after a change is under the new fault.
                biased;
                changed = faults.changed() => if changed.is_err() {
                    return Ending::Closed;
                },
                ending = self.under(fault) => return ending,
            }
        }
    }

    /// Passes bytes on under `fault`. May be dropped: what was read is not lost.
    async fn under(&mut self, fault: Fault) -> Ending {
        match self.obey(fault).await {
            Ok(ending) => ending,
            // Whoever hears nothing does not hear of the end, as long as anything is wrong.
            Err(_) if self.silent && fault != Fault::None => pending().await,
            Err(_) => Ending::Closed,
        }
    }

    async fn obey(&mut self, fault: Fault) -> io::Result<Ending> {
        match fault {
            Fault::Hang => pending().await,
            Fault::Cut(_) | Fault::Reset(_) => self.end(fault).await,
            Fault::None | Fault::Delay(_) | Fault::Split(_) | Fault::Swallow => loop {
                self.fill().await?;
                self.pass(fault).await?;
            },
            Fault::AtRandom(odds) => loop {
                self.fill().await?;
                match odds.draw(&mut self.random, self.waiting.len()) {
                    last @ (Fault::Cut(_) | Fault::Reset(_)) => return self.end(last).await,
                    fault => self.pass(fault).await?,
                }
            },
        }
    }

    /// Waits until there is something to pass on.
    async fn fill(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            self.waiting.reserve(PIECE);
            if self.from.read_buf(&mut self.waiting).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    /// Passes on what waits.
    async fn pass(&mut self, fault: Fault) -> io::Result<()> {
        let most = match fault {
            Fault::Split(most) => most.max(1),
            _ => usize::MAX,
        };
        if let Fault::Delay(time) = fault {
            sleep(time).await;
        }
        self.silent |= fault == Fault::Swallow;
        while !self.waiting.is_empty() {
            self.write(most).await?;
            yield_now().await;
        }
        Ok(())
    }

    /// Passes on as many more bytes as `fault` says, and says how the connection ends.
    async fn end(&mut self, fault: Fault) -> io::Result<Ending> {
        let (mut left, ending) = match fault {
            Fault::Reset(after) => (after, Ending::Reset),
            Fault::Cut(after) => (after, Ending::Cut),
            _ => unreachable!("no other fault ends a connection"),
        };
        while left > 0 {
            self.fill().await?;
            left -= self.write(left).await?;
        }
        Ok(ending)
    }

    /// Passes on at most `most` of the bytes that wait, and returns how many.
    async fn write(&mut self, most: usize) -> io::Result<usize> {
        let most = most.min(self.waiting.len());
        let done = if self.silent {
            most
        } else {
            self.to.write(&self.waiting[..most]).await?
        };
        self.waiting.advance(done);
        let client_spoke = self.client_spoke.swap(self.is_client, Ordering::Relaxed);
        self.all.send_modify(|all| {
            all.round_trips += u64::from(self.is_client && !client_spoke);
            let seen = (self.seen)(all);
            if self.silent {
                seen.swallowed += done as u64;
            } else {
                seen.bytes += done as u64;
                seen.pieces += 1;
            }
        });
        Ok(done)
    }
}
