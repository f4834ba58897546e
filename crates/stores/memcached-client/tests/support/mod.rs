//! What the tests of this client have in common.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_memcached_client::{Added, Client, ClientConfig, Expiry};
use fasthttpsession_servers::MemcachedServer;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for a machine that has other things to do.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// A client that has all the time in the world.
pub(crate) fn config(addresses: &[String]) -> ClientConfig {
    let addresses = addresses
        .iter()
        .map(|address| address.parse().expect(address));
    ClientConfig::new(addresses)
        .connect_timeout(LONG)
        .timeout(LONG)
}

pub(crate) fn client(server: &MemcachedServer) -> Client {
    config(&[server.address()])
        .open()
        .expect("nothing is wrong with it")
}

pub(crate) async fn add(client: &Client, key: &str, value: &str) -> u64 {
    let value = Bytes::from(value.to_owned());
    match client
        .add(key, value, Expiry::NEVER)
        .await
        .expect("it answers")
    {
        Added::Added(cas) => cas,
        Added::Exists => panic!("{key} is there already"),
    }
}

pub(crate) async fn value(client: &Client, key: &str) -> Option<Bytes> {
    let item = client.get(key).await.expect("it answers");
    item.map(|item| item.value)
}

/// Asks until the server answers again.
pub(crate) async fn until_it_answers(client: &Client) {
    let answers = async {
        while client.ping(&client.servers()[0]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(2 * LONG, answers)
        .await
        .expect("the client recovers");
}

/// A server that answers as a test says.
pub(crate) struct Fake(TcpListener);

/// A connection to a [`Fake`], after the greeting.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Fake {
    pub(crate) async fn new() -> Self {
        Self(
            TcpListener::bind("127.0.0.1:0")
                .await
                .expect("a port is free"),
        )
    }

    pub(crate) fn address(&self) -> String {
        self.0.local_addr().expect("it is bound").to_string()
    }

    pub(crate) fn client(&self) -> Client {
        config(&[self.address()])
            .open()
            .expect("nothing is wrong with it")
    }

    /// Ends the next connection at once.
    pub(crate) async fn refuse(&self) {
        self.0.accept().await.expect("a client comes");
    }

    /// The next connection, greeted.
    pub(crate) async fn accept(&self) -> Wire {
        let (stream, _) = self.0.accept().await.expect("a client comes");
        let mut wire = Wire(BufReader::new(stream));
        assert_eq!(wire.line().await, "stats settings");
        assert_eq!(wire.line().await, "mn");
        wire.say("STAT item_size_max 1048576\r\nSTAT cas_enabled yes\r\nEND\r\nMN\r\n")
            .await;
        wire
    }
}

impl Wire {
    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).await;
        assert!(read.expect("it is text") > 0, "the client is gone");
        line.trim_end().to_owned()
    }

    pub(crate) async fn say(&mut self, text: &str) {
        let said = self.0.get_mut().write_all(text.as_bytes()).await;
        said.expect("the client is there");
    }

    /// Sends a byte each `period` and reads all that comes, until the client has closed the connection. Returns how many
    /// lines came.
    pub(crate) async fn dribble(mut self, period: Duration) -> usize {
        let mut ticks = tokio::time::interval(period);
        let mut lines = 0;
        loop {
            tokio::select! {
                read = self.0.fill_buf() => {
                    let Ok(bytes) = read else { return lines };
                    if bytes.is_empty() {
                        return lines;
                    }
                    lines += bytes.split(|byte| *byte == b'\n').count() - 1;
                    let length = bytes.len();
                    self.0.consume(length);
                }
                _ = ticks.tick() => {
                    // If the client has gone, the next read tells.
                    let _ = self.0.get_mut().write_all(b"x").await;
                }
            }
        }
    }

    /// Ends the connection, and returns when the client has closed it, too.
    pub(crate) async fn end(mut self) {
        let ended = self.0.get_mut().shutdown().await;
        ended.expect("the client is there");
        self.closed().await;
    }

    /// Returns when the client has closed the connection.
    pub(crate) async fn closed(mut self) {
        let mut line = Vec::new();
        while self
            .0
            .read_until(b'\n', &mut line)
            .await
            .is_ok_and(|read| read > 0)
        {}
    }
}
