//! Load without a tool to install: so many connections, each asking again as soon as it has its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use contestants::Scenario;
use tokio::task::JoinSet;

use crate::http::{Connection, request};

/// The connections to one server, and the sessions it has.
pub struct Load {
    connections: Vec<Connection>,
    cookies: Vec<String>,
    /// Which session is the next request's.
    next: Arc<AtomicUsize>,
}

/// What was answered.
pub struct Answers {
    /// How long each answer took.
    latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Load {
    /// Opens `connections` to `port` and makes so many sessions, which requests with a session take in turn.
    pub async fn new(port: u16, connections: usize, sessions: usize) -> Result<Self> {
        let mut load = Self {
            connections: Vec::new(),
            cookies: Vec::new(),
            next: Arc::default(),
        };
        for _ in 0..connections {
            load.connections.push(Connection::open(port).await?);
        }
        load.seed(sessions).await?;
        Ok(load)
    }

    /// Keeps `connections` busy with `scenario` for so `long`, and then waits for the last answers. Any status but 200 is
    /// an error.
    pub async fn run(
        &mut self,
        scenario: Scenario,
        connections: usize,
        long: Duration,
    ) -> Result<Answers> {
        let requests = Arc::new(self.requests(scenario));
        let start = Instant::now();
        let mut all = JoinSet::new();
        for mut connection in self.connections.drain(..connections) {
            let (requests, next) = (Arc::clone(&requests), Arc::clone(&self.next));
            all.spawn(async move {
                let mut latencies = Vec::new();
                let mut now = start;
                while now - start < long {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    connection.send(&requests[number % requests.len()]).await?;
                    let answered = Instant::now();
                    latencies.push(answered - now);
                    now = answered;
                }
                anyhow::Ok((connection, latencies))
            });
        }
        let mut latencies = Vec::new();
        while let Some(done) = all.join_next().await {
            let (connection, took) = done??;
            self.connections.push(connection);
            latencies.extend(took);
        }
        let elapsed = start.elapsed();
        latencies.sort_unstable();
        Ok(Answers { latencies, elapsed })
    }

    async fn seed(&mut self, sessions: usize) -> Result<()> {
        let mut all = JoinSet::new();
        let made = Arc::new(AtomicUsize::new(0));
        for mut connection in self.connections.drain(..) {
            let made = Arc::clone(&made);
            all.spawn(async move {
                let mut cookies = Vec::new();
                while made.fetch_add(1, Ordering::Relaxed) < sessions {
                    cookies.push(connection.get("/seed", None).await?.cookie());
                }
                anyhow::Ok((connection, cookies))
            });
        }
        while let Some(done) = all.join_next().await {
            let (connection, cookies) = done??;
            self.connections.push(connection);
            self.cookies.extend(cookies);
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

impl Answers {
    /// How many there were.
    pub fn count(&self) -> usize {
        self.latencies.len()
    }

    /// How long the slowest of the fastest `percent` took.
    pub fn within(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() - 1) * percent / 100]
    }
}
