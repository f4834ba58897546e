//! A server that answers whatever a test wants.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Ends when it is dropped.
pub(crate) struct Fake {
    pub(crate) port: u16,
    /// The name of each command that came.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl Fake {
    /// `answer` is told its own port and the name of a command in upper case; of `CLUSTER`, with what it is asked for.
    pub(crate) async fn start(
        answer: impl Fn(u16, &str) -> String + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let noting = Arc::clone(&seen);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (noting, answer) = (Arc::clone(&noting), answer.clone());
                tokio::spawn(serve(BufReader::new(stream), move |name| {
                    noting.lock().expect("nobody panics").push(name.to_owned());
                    answer(port, name)
                }));
            }
        });
        Self {
            port,
            seen,
            listening,
        }
    }

    /// How often `name` came.
    pub(crate) fn count(&self, name: &str) -> usize {
        let seen = self.seen.lock().expect("nobody panics");
        seen.iter().filter(|seen| *seen == name).count()
    }
}

/// The answer to `CLUSTER SLOTS` by which the node at `port` has them all.
pub(crate) fn all_slots(port: u16) -> String {
    format!("*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n")
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn serve(mut stream: BufReader<TcpStream>, answer: impl Fn(&str) -> String) {
    while let Some(count) = number(&mut stream).await {
        let mut words = Vec::new();
        for _ in 0..count {
            let Some(length) = number(&mut stream).await else {
                return;
            };
            let mut part = vec![0; length + 2];
            if stream.read_exact(&mut part).await.is_err() {
                return;
            }
            let part = String::from_utf8_lossy(&part[..length]).to_uppercase();
            words.push(part);
        }
        let names = if words[0] == "CLUSTER" { 2 } else { 1 };
        let answer = answer(&words[..names].join(" "));
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The number in a line like `*3` or `$5`.
async fn number(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.get(1..)?.trim().parse().ok()
}
