//! Load without a tool to install: so many connections, each asking again as soon as it has its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::task::JoinSet;

use crate::http::{Connection, request};
use crate::routes::Scenario;

/// How many ask at once.
const CONNECTIONS: usize = 32;

/// The connections to one server, and the sessions it has.
pub struct Load {
    connections: Vec<Connection>,
    cookies: Vec<String>,
    /// How many requests were sent: which session is the next one's.
    sent: usize,
}

impl Load {
    /// Connects to `port`; requests with a session take `cookies` in turn.
    pub async fn new(port: u16, cookies: Vec<String>) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(port).await?);
        }
        Ok(Self {
            connections,
            cookies,
            sent: 0,
        })
    }

    /// Sends `count` requests and waits for all answers. Any status but 200 is an error.
    pub async fn run(&mut self, scenario: Scenario, count: usize) -> Result<()> {
        let requests = Arc::new(self.requests(scenario));
        let next = Arc::new(AtomicUsize::new(self.sent));
        self.sent += count;
        let end = self.sent;
        let mut all = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&next));
            all.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= end {
                        return anyhow::Ok(connection);
                    }
                    connection.send(&requests[number % requests.len()]).await?;
                }
            });
        }
        while let Some(connection) = all.join_next().await {
            self.connections.push(connection??);
        }
        Ok(())
    }

    fn requests(&self, scenario: Scenario) -> Vec<Vec<u8>> {
        if !scenario.has_cookie() {
            return vec![request(scenario.path(), None)];
        }
        self.cookies
            .iter()
            .map(|cookie| request(scenario.path(), Some(cookie)))
            .collect()
    }
}
