//! Opens a connection to the first address of a name that takes it.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

/// How often a silent connection is asked whether the other side is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// A connection to `host`, which is an address or a name, for one who gives up after `limit`. It sends at once (`TCP_NODELAY`),
/// and after 30 s of silence the system asks whether the other side is still there (`SO_KEEPALIVE`).
///
/// # Errors
/// That the name has no address, or why the last of its addresses took no connection. Nothing here ends with `limit`: the last
/// address is tried for as long as the caller waits.
pub async fn connect(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let began = Instant::now();
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    let left = limit.saturating_sub(began.elapsed());
    let stream = connect_to_any(&addresses, left).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(stream)
}

/// Each address has its share of the time that is left, for one that is silent must leave some to the others. The last has
/// as long as the caller waits, and if none takes the connection its error is told.
async fn connect_to_any(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let Some((last, others)) = addresses.split_last() else {
        return Err(io::Error::other("the name has no address"));
    };
    let began = Instant::now();
    for (at, address) in others.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let share = limit.saturating_sub(began.elapsed()) / left;
        if let Ok(Ok(stream)) = timeout(share, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    TcpStream::connect(last).await
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// Enough for one that takes connections, on a machine that may be busy.
    const SHORT: Duration = Duration::from_secs(1);

    /// A listener that drops who comes, because its queue is full, with those who are in it.
    async fn silent() -> (TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().expect("there is room");
        let any_port = "127.0.0.1:0".parse().expect("it is an address");
        socket.bind(any_port).expect("a port is free");
        let listener = socket.listen(0).expect("it is bound");
        let address = listener.local_addr().expect("it is bound");
        let mut queue = Vec::new();
        while let Ok(waiting) = timeout(SHORT, TcpStream::connect(address)).await {
            queue.push(waiting.expect("there is room"));
        }
        (listener, queue)
    }

    #[tokio::test]
    async fn an_address_that_drops_who_comes_leaves_time_to_the_next() {
        let (silent, _queue) = silent().await;
        let open = TcpListener::bind("127.0.0.1:0").await;
        let open = open.expect("a port is free");
        let address = |listener: &TcpListener| listener.local_addr().expect("it is bound");
        let addresses = [address(&silent), address(&open)];
        let limit = 2 * SHORT;
        let connected = timeout(limit, connect_to_any(&addresses, limit)).await;
        let stream = connected.expect("there is time left");
        let stream = stream.expect("the second takes it");
        let reached = stream.peer_addr().expect("it is connected");
        assert_eq!(reached, address(&open));
    }
}
