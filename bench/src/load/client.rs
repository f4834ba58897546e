//! One connection, and what it asks for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use contestants::Scenario;

use super::{Failures, Sessions};
use crate::http::{Connection, request};

/// Whoever asks through one connection.
pub struct Client {
    connection: Connection,
    sessions: Arc<Sessions>,
    request: Vec<u8>,
}

/// What it saw.
#[derive(Default)]
pub struct Seen {
    /// How long each answer with status 200 took.
    pub latencies: Vec<Duration>,
    /// Requests that had another answer, or none.
    pub failed: Failures,
}

impl Client {
    /// One that has asked for nothing yet.
    pub fn new(connection: Connection, sessions: Arc<Sessions>) -> Self {
        Self {
            connection,
            sessions,
            request: Vec::new(),
        }
    }

    /// Asks until `end`; gives the connection back.
    pub async fn keep_busy(mut self, scenario: Scenario, end: Instant) -> (Connection, Seen) {
        let mut seen = Seen::default();
        let mut now = Instant::now();
        while now < end {
            let answered = self.ask(scenario).await;
            let after = Instant::now();
            match answered {
                Ok(()) => seen.latencies.push(after - now),
                Err(error) => {
                    let what = error.root_cause().to_string();
                    *seen.failed.entry(what).or_default() += 1;
                }
            }
            now = after;
        }
        (self.connection, seen)
    }

    async fn ask(&mut self, scenario: Scenario) -> Result<()> {
        let number = self.sessions.next_request();
        match (scenario, number % 100) {
            (Scenario::Mixed, 99) => self.sign_in_or_out().await,
            // Nine of them, spread.
            (Scenario::Mixed, part) if part % 11 == 5 => self.send(Scenario::Write, number).await,
            (Scenario::Mixed, _) => self.send(Scenario::Read, number).await,
            _ => self.send(scenario, number).await,
        }
    }

    async fn send(&mut self, scenario: Scenario, number: usize) -> Result<()> {
        let cookie = scenario.has_cookie().then(|| self.sessions.cookie(number));
        request(&mut self.request, scenario.path(), cookie);
        self.connection.send(&self.request).await.map(drop)
    }

    /// In turn, so that the store doesn't grow.
    async fn sign_in_or_out(&mut self) -> Result<()> {
        if let Some(cookie) = self.sessions.sign_out() {
            let answer = self.connection.get("/logout", Some(&cookie));
            return answer.await.map(drop);
        }
        let path = Scenario::SignIn.path();
        let cookie = self.connection.get(path, None).await?.cookie();
        self.sessions.sign_in(cookie);
        Ok(())
    }
}
