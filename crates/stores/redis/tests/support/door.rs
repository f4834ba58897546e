//! A port that leads to one server, and later to another one, as a name does that is given to a new primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use fasthttpsession_servers::RedisServer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Ends when it is dropped; connections through it go on.
pub(crate) struct Door {
    pub(crate) port: u16,
    leads_to: Arc<AtomicU16>,
    listening: JoinHandle<()>,
}

impl Door {
    pub(crate) async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let leads_to = Arc::new(AtomicU16::new(server.port()));
        let to = Arc::clone(&leads_to);
        let listening = tokio::spawn(async move {
            while let Ok((ours, _)) = listener.accept().await {
                tokio::spawn(join(ours, to.load(Ordering::SeqCst)));
            }
        });
        Self {
            port,
            leads_to,
            listening,
        }
    }

    /// Connections that are there stay with the server that they lead to.
    pub(crate) fn now_to(&self, server: &RedisServer) {
        self.leads_to.store(server.port(), Ordering::SeqCst);
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn join(mut ours: TcpStream, port: u16) {
    if let Ok(mut theirs) = TcpStream::connect(("127.0.0.1", port)).await {
        // Until either side ends it.
        let _ = copy_bidirectional(&mut ours, &mut theirs).await;
    }
}
