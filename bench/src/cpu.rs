//! The CPU that a server spends on a request, from the server process's own accounting: user and system time, over
//! real connections.

use anyhow::Result;

use crate::contestants::Name;
use crate::load::Load;
use crate::routes::Scenario;
use crate::samples::{Row, Samples};
use crate::server::Server;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How often each server has its turn.
    pub rounds: usize,
    /// Requests a turn.
    pub requests: u32,
    /// Sessions in each store.
    pub sessions: usize,
}

struct Subject {
    name: Name,
    server: Server,
    load: Load,
}

/// Microseconds per request. All servers run at once and have their turns one after another; a first round is not
/// counted.
pub async fn measure(plan: Plan) -> Result<Vec<Row>> {
    let mut subjects = Vec::new();
    for name in Name::ALL {
        subjects.push(Subject::start(name, plan.sessions).await?);
    }
    let mut samples = Samples::default();
    for round in 0..=plan.rounds {
        for scenario in Scenario::ALL {
            for subject in &mut subjects {
                let sample = subject.sample(scenario, plan.requests).await?;
                if round > 0 {
                    samples.push(subject.name, scenario, sample);
                }
            }
        }
        // Nobody always comes first.
        subjects.rotate_left(1);
    }
    Ok(samples.rows())
}

impl Subject {
    async fn start(name: Name, sessions: usize) -> Result<Self> {
        let mut server = Server::start(name).await?;
        let mut cookies = Vec::new();
        for _ in 0..sessions {
            cookies.push(server.seed().await?);
        }
        let load = Load::new(server.port, cookies).await?;
        Ok(Self { name, server, load })
    }

    async fn sample(&mut self, scenario: Scenario, requests: u32) -> Result<f64> {
        let before = self.server.cpu().await?;
        self.load.run(scenario, requests as usize).await?;
        let spent = self.server.cpu().await?.saturating_sub(before);
        Ok(spent.as_secs_f64() * 1e6 / f64::from(requests))
    }
}
