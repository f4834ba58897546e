//! Load without a tool to install: so many connections, each asking again as soon as it has its answer. It runs in this
//! process, so that its CPU is in no server's account.

mod client;
mod order;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use contestants::Scenario;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::Connection;
use client::{Client, Seen};

pub use order::Order;

/// How long answers may take beyond the turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// As many as any server can store at once.
const SEEDING: usize = 32;

/// The connections to one server, and the sessions it has.
pub struct Load {
    connections: Vec<Connection>,
    sessions: Arc<Sessions>,
}

/// What requests can ask for.
struct Sessions {
    /// The `Cookie` header of each.
    cookies: Vec<String>,
    order: Order,
    sent: AtomicUsize,
    /// The cookies of those that a mixed load signed in and has not signed out: none or a few.
    signed_in: Mutex<Vec<String>>,
}

/// How many requests failed, by what was wrong.
pub type Failures = BTreeMap<String, usize>;

/// What was answered.
pub struct Answers {
    /// How long each answer with status 200 took, the shortest first.
    pub latencies: Vec<Duration>,
    /// Other answers, and requests without one.
    pub failed: Failures,
    /// From the first request to the last answer.
    pub elapsed: Duration,
}

impl Load {
    /// Opens `connections` to `port` and makes as many sessions as `order` is over.
    pub async fn new(port: u16, connections: usize, order: Order) -> Result<Self> {
        let cookies = seed(port, order.sessions()).await?;
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(Connection::open(port).await?);
        }
        Ok(Self {
            connections: opened,
            sessions: Arc::new(Sessions {
                cookies,
                order,
                sent: AtomicUsize::new(0),
                signed_in: Mutex::default(),
            }),
        })
    }

    /// Keeps `connections` busy with `scenario` for so `long`, and then waits for the last answers.
    pub async fn run(
        &mut self,
        scenario: Scenario,
        connections: usize,
        long: Duration,
    ) -> Result<Answers> {
        let start = Instant::now();
        let mut clients = JoinSet::new();
        for connection in self.connections.drain(..connections) {
            let client = Client::new(connection, Arc::clone(&self.sessions));
            clients.spawn(client.keep_busy(scenario, start + long));
        }
        let all = timeout(long + PATIENCE, clients.join_all()).await;
        let all = all.with_context(|| format!("{} was not answered", scenario.label()))?;
        let elapsed = start.elapsed();
        let mut answers = Answers {
            latencies: Vec::new(),
            failed: Failures::new(),
            elapsed,
        };
        for (connection, seen) in all {
            self.connections.push(connection);
            answers.add(seen);
        }
        answers.latencies.sort_unstable();
        Ok(answers)
    }
}

/// Makes so many sessions; returns the `Cookie` header of each.
async fn seed(port: u16, sessions: usize) -> Result<Vec<String>> {
    let begun = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..SEEDING {
        let begun = Arc::clone(&begun);
        clients.spawn(async move {
            let mut connection = Connection::open(port).await?;
            let mut cookies = Vec::new();
            while begun.fetch_add(1, Ordering::Relaxed) < sessions {
                cookies.push(connection.get("/seed", None).await?.cookie());
            }
            anyhow::Ok(cookies)
        });
    }
    let made: Result<Vec<_>> = clients.join_all().await.into_iter().collect();
    Ok(made?.concat())
}

impl Sessions {
    fn next_request(&self) -> usize {
        self.sent.fetch_add(1, Ordering::Relaxed)
    }

    /// The cookie of the session whose turn it is at this request.
    fn cookie(&self, request: usize) -> &str {
        &self.cookies[self.order.session(request)]
    }

    fn sign_in(&self, cookie: String) {
        self.signed_in.lock().expect(WHOLE).push(cookie);
    }

    fn sign_out(&self) -> Option<String> {
        self.signed_in.lock().expect(WHOLE).pop()
    }
}

const WHOLE: &str = "nobody panics while holding it";

impl Answers {
    fn add(&mut self, seen: Seen) {
        self.latencies.extend(seen.latencies);
        add_failures(&mut self.failed, &seen.failed);
    }

    /// How long the slowest of the fastest so many of 1000 took.
    pub fn within(&self, of_1000: usize) -> Duration {
        within(&self.latencies, of_1000)
    }
}

/// Adds `more` to `failed`.
pub fn add_failures(failed: &mut Failures, more: &Failures) {
    for (what, count) in more {
        *failed.entry(what.clone()).or_default() += count;
    }
}

/// How long the slowest of the fastest so many of 1000 took; 0 without any. The shortest comes first.
pub fn within(latencies: &[Duration], of_1000: usize) -> Duration {
    let last = latencies.len().saturating_sub(1);
    let found = latencies.get(last * of_1000 / 1000);
    found.copied().unwrap_or_default()
}
