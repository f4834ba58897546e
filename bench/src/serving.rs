//! What serving costs a server process, from the system's accounting of its user and system time, and how fast it goes,
//! over real connections. Beside it what it costs the database's processes, for a store can move work there.

use std::time::Duration;

use anyhow::Result;
use contestants::{Contestant, Scenario, Store};
use serde::Serialize;

use crate::backend::Backend;
use crate::load::{Answers, Load};
use crate::samples::{Row, Spread};
use crate::server::Server;

/// How many connections ask at once, where there are many.
pub const MANY: usize = 32;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How often each server has its turn.
    pub rounds: usize,
    /// How long a turn takes.
    pub turn: Duration,
    /// Sessions in each store.
    pub sessions: usize,
}

/// What is reported of one contestant, scenario and number of connections.
#[derive(Clone, Debug, Serialize)]
pub struct Served {
    /// Who.
    pub contestant: Contestant,
    /// What.
    pub scenario: Scenario,
    /// How many asked at once.
    pub connections: usize,
    /// CPU time of the server process per request, in µs.
    pub server_cpu_us: Spread,
    /// The same beyond that of the scenario's baseline in the same round.
    pub over_plain_us: Spread,
    /// CPU time of the database's processes per request, in µs; `None` where it has none of its own.
    pub database_cpu_us: Option<Spread>,
    /// Requests a second.
    pub per_second: Spread,
    /// How long an answer took, in µs: half of them at most this.
    pub median_us: Spread,
    /// 99 of 100 at most this.
    pub within_99_us: Spread,
}

/// Everyone on one store. All servers run at once and have their turns one after another; a first round is not counted.
pub async fn measure(backend: &Backend, plan: Plan) -> Result<Vec<Served>> {
    let mut subjects = Vec::new();
    for contestant in backend.store.contestants() {
        subjects.push(Subject::start(contestant, backend, plan.sessions).await?);
    }
    for round in 0..=plan.rounds {
        for (index, (scenario, connections)) in kinds(backend.store).into_iter().enumerate() {
            // Nobody always comes first.
            for who in 0..subjects.len() {
                let who = (who + round) % subjects.len();
                let subject = &mut subjects[who];
                let turn = subject
                    .turn(scenario, connections, plan.turn, backend)
                    .await?;
                if round > 0 {
                    subject.turns[index].push(turn);
                }
            }
        }
    }
    Ok(subjects.iter().flat_map(Subject::rows).collect())
}

/// The costs of those that were asked by many.
pub fn costs(served: &[Served]) -> Vec<Row> {
    let by_many = served.iter().filter(|served| served.connections == MANY);
    let row = |served: &Served| Row {
        contestant: served.contestant,
        scenario: served.scenario,
        total: served.server_cpu_us,
        over_plain: served.over_plain_us,
    };
    by_many.map(row).collect()
}

/// What is asked for and by how many at once; each after its baseline.
fn kinds(store: Store) -> Vec<(Scenario, usize)> {
    use Scenario::{Layered, Plain, Read, Write};
    match store {
        // Where a route that does not ask, a visitor and a layer are most of what there is to see.
        Store::Memory => Scenario::ALL.map(|scenario| (scenario, MANY)).to_vec(),
        _ => vec![
            (Plain, MANY),
            (Layered, MANY),
            (Read, MANY),
            (Write, MANY),
            (Plain, 1),
            (Read, 1),
            (Write, 1),
        ],
    }
}

struct Subject {
    contestant: Contestant,
    server: Server,
    load: Load,
    /// For each of the [`kinds`].
    turns: Vec<Vec<Turn>>,
}

/// The figures of one turn, as [`Served`] has them.
struct Turn {
    server_cpu_us: f64,
    database_cpu_us: f64,
    per_second: f64,
    median_us: f64,
    within_99_us: f64,
}

impl Subject {
    async fn start(contestant: Contestant, backend: &Backend, sessions: usize) -> Result<Self> {
        let server = Server::start(contestant, backend).await?;
        let load = Load::new(server.port, MANY, sessions).await?;
        let turns = kinds(contestant.store).iter().map(|_| Vec::new()).collect();
        Ok(Self {
            contestant,
            server,
            load,
            turns,
        })
    }

    async fn turn(
        &mut self,
        scenario: Scenario,
        connections: usize,
        long: Duration,
        backend: &Backend,
    ) -> Result<Turn> {
        let before = (self.server.cpu().await?, backend.cpu());
        let answers = self.load.run(scenario, connections, long).await?;
        let server = self.server.cpu().await?.saturating_sub(before.0);
        let database = backend.cpu().saturating_sub(before.1);
        Ok(Turn::of(&answers, server, database))
    }

    fn rows(&self) -> impl Iterator<Item = Served> {
        let kinds = kinds(self.contestant.store);
        let plain = |(scenario, connections): (Scenario, usize)| {
            let baseline = (scenario.baseline(), connections);
            kinds.iter().position(|kind| *kind == baseline)
        };
        let row = |(kind, turns): (&(Scenario, usize), &Vec<Turn>)| {
            let plain = plain(*kind).expect("each kind's baseline is one of them");
            self.row(*kind, turns, &self.turns[plain])
        };
        kinds
            .iter()
            .zip(&self.turns)
            .map(row)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn row(
        &self,
        (scenario, connections): (Scenario, usize),
        turns: &[Turn],
        plain: &[Turn],
    ) -> Served {
        let spread = |figure: fn(&Turn) -> f64| Spread::of(turns.iter().map(figure));
        let over_plain = turns.iter().zip(plain);
        Served {
            contestant: self.contestant,
            scenario,
            connections,
            server_cpu_us: spread(|turn| turn.server_cpu_us),
            over_plain_us: Spread::of(
                over_plain.map(|(turn, plain)| turn.server_cpu_us - plain.server_cpu_us),
            ),
            database_cpu_us: self
                .contestant
                .store
                .has_processes()
                .then(|| spread(|turn| turn.database_cpu_us)),
            per_second: spread(|turn| turn.per_second),
            median_us: spread(|turn| turn.median_us),
            within_99_us: spread(|turn| turn.within_99_us),
        }
    }
}

impl Turn {
    #[allow(
        clippy::cast_precision_loss,
        reason = "there are not that many requests"
    )]
    fn of(answers: &Answers, server: Duration, database: Duration) -> Self {
        let count = answers.count() as f64;
        Self {
            server_cpu_us: micros(server) / count,
            database_cpu_us: micros(database) / count,
            per_second: count / answers.elapsed.as_secs_f64(),
            median_us: micros(answers.within(50)),
            within_99_us: micros(answers.within(99)),
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
