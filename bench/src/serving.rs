//! What serving costs a server process, from the system's accounting of its user and system time, and how fast it goes,
//! over real connections. Beside it what it costs the database's processes, for a store can move work there.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use contestants::{Contestant, Scenario, Store};
use serde::Serialize;

use crate::backend::Backend;
use crate::load::{Answers, Failures, Load, Order, add_failures, within};
use crate::samples::{Row, Spread};
use crate::server::Server;

/// How many connections ask at once, where there are many.
pub const MANY: usize = 32;

/// At how many connections answers are timed.
pub const CONNECTIONS: [usize; 3] = [1, MANY, 256];

/// What is measured, and how much of it.
pub struct Plan {
    /// Who.
    pub contestants: Vec<Contestant>,
    /// What is asked for and by how many at once; each after its baseline, if that is among them.
    pub kinds: Vec<Kind>,
    /// How often each server has its turn.
    pub rounds: usize,
    /// How long a turn takes.
    pub turn: Duration,
    /// Sessions in each store, and which is asked for next.
    pub order: Order,
}

/// What is asked for, and by how many at once.
pub type Kind = (Scenario, usize);

/// What is reported of one contestant, scenario and number of connections.
#[derive(Clone, Debug, Serialize)]
pub struct Served {
    /// Who.
    pub contestant: Contestant,
    /// What.
    pub scenario: Scenario,
    /// How many asked at once.
    pub connections: usize,
    /// How many sessions were asked for.
    pub sessions: usize,
    /// CPU time of the server process per request, in µs.
    pub server_cpu_us: Spread,
    /// The same beyond that of the scenario's baseline in the same round; `None` where that was not measured.
    pub over_plain_us: Option<Spread>,
    /// CPU time of the database's processes per request, in µs; `None` where it has none of its own.
    pub database_cpu_us: Option<Spread>,
    /// Requests a second.
    pub per_second: Spread,
    /// How long an answer took, in µs: half of them at most this.
    pub median_us: Spread,
    /// 99 of 100 at most this.
    pub within_99_us: Spread,
    /// 999 of 1000 at most this, of all rounds together: a turn has too few to tell. `None` where they have too few as well.
    pub within_999_us: Option<f64>,
    /// Requests that had another answer than asked for, or none.
    pub failed: Failures,
}

/// Everyone on one store. All servers run at once and have their turns one after another; a first round is not counted.
pub async fn measure(backend: &Backend, plan: &Plan) -> Result<Vec<Served>> {
    let mut subjects = Vec::new();
    for contestant in &plan.contestants {
        subjects.push(Subject::start(*contestant, backend, plan).await?);
    }
    plan.announce(backend.store, subjects.len());
    let mut orders = fastrand::Rng::with_seed(0);
    for round in 0..=plan.rounds {
        for (index, kind) in plan.kinds.iter().enumerate() {
            // Nobody always comes after the same one, who may have put work off.
            orders.shuffle(&mut subjects);
            for subject in subjects.iter_mut().filter(|has| has.serves(*kind)) {
                let turn = subject.turn(*kind, plan.turn, backend).await?;
                if round > 0 {
                    subject.turns[index].push(turn);
                }
            }
        }
    }
    Ok(rows(&subjects, plan))
}

/// Each kind of request once, by many: for what it costs.
pub fn each_by_many(store: Store) -> Vec<Kind> {
    let has = |scenario: &Scenario| {
        // To be seen only where the store does not drown it.
        *scenario != Scenario::EmptyLayer || store == Store::Memory
    };
    Scenario::simple()
        .filter(has)
        .map(|scenario| (scenario, MANY))
        .collect()
}

/// What visitors who are signed in ask for, by one, by many and by very many: for how long it takes.
pub fn by_few_and_many() -> Vec<Kind> {
    let by = |connections| {
        [Scenario::Read, Scenario::Write, Scenario::Mixed].map(|scenario| (scenario, connections))
    };
    CONNECTIONS.into_iter().flat_map(by).collect()
}

/// The costs of those that were asked by many.
pub fn costs(served: &[Served]) -> Vec<Row> {
    let by_many = served.iter().filter(|served| served.connections == MANY);
    let row = |served: &Served| {
        Some(Row {
            contestant: served.contestant,
            scenario: served.scenario,
            total: served.server_cpu_us,
            over_plain: served.over_plain_us?,
        })
    };
    by_many.filter_map(row).collect()
}

impl Plan {
    /// Tells who waits how long it takes.
    fn announce(&self, store: Store, servers: usize) {
        let turns = (self.rounds + 1) * self.kinds.len() * servers;
        let seconds = (self.turn * u32::try_from(turns).unwrap_or(u32::MAX)).as_secs();
        eprintln!(
            "{}: {servers} servers under load, some {seconds} s",
            store.title()
        );
    }
}

struct Subject {
    contestant: Contestant,
    server: Server,
    load: Load,
    /// For each kind.
    turns: Vec<Vec<Turn>>,
}

/// The figures of one turn, as [`Served`] has them.
struct Turn {
    server_cpu_us: f64,
    database_cpu_us: f64,
    per_second: f64,
    answers: Answers,
}

impl Subject {
    async fn start(contestant: Contestant, backend: &Backend, plan: &Plan) -> Result<Self> {
        let (library, store) = (contestant.library.label(), contestant.store.title());
        let server = Server::start(contestant, backend).await?;
        let most = plan.kinds.iter().map(|(_, connections)| *connections).max();
        let load = Load::new(server.port, most.unwrap_or_default(), plan.order.clone());
        let load = load
            .await
            .with_context(|| format!("{library} on {store} has no sessions to ask for"))?;
        Ok(Self {
            contestant,
            server,
            load,
            turns: plan.kinds.iter().map(|_| Vec::new()).collect(),
        })
    }

    fn serves(&self, (scenario, _): Kind) -> bool {
        self.contestant.library.serves(scenario)
    }

    async fn turn(
        &mut self,
        (scenario, connections): Kind,
        long: Duration,
        backend: &Backend,
    ) -> Result<Turn> {
        let before = (self.server.cpu().await?, backend.cpu());
        let answers = self.load.run(scenario, connections, long).await?;
        ensure!(
            !answers.latencies.is_empty(),
            "{} answered no request for {} with status 200",
            self.contestant.library.label(),
            scenario.label()
        );
        let server = self.server.cpu().await?.saturating_sub(before.0);
        let database = backend.cpu().saturating_sub(before.1);
        Ok(Turn::of(answers, server, database))
    }

    /// What was seen of the plan's kind of this number.
    fn row(&self, kind: usize, plan: &Plan) -> Served {
        let (scenario, connections) = plan.kinds[kind];
        let turns = &self.turns[kind];
        let spread = |figure: fn(&Turn) -> f64| Spread::of(turns.iter().map(figure));
        let has_processes = self.contestant.store.has_processes();
        Served {
            contestant: self.contestant,
            scenario,
            connections,
            sessions: plan.order.sessions(),
            server_cpu_us: spread(|turn| turn.server_cpu_us),
            over_plain_us: self.over_plain(kind, &plan.kinds),
            database_cpu_us: has_processes.then(|| spread(|turn| turn.database_cpu_us)),
            per_second: spread(|turn| turn.per_second),
            median_us: spread(|turn| micros(turn.answers.within(500))),
            within_99_us: spread(|turn| micros(turn.answers.within(990))),
            within_999_us: within_999(turns).map(micros),
            failed: failed(turns),
        }
    }

    fn over_plain(&self, kind: usize, kinds: &[Kind]) -> Option<Spread> {
        let (scenario, connections) = kinds[kind];
        let baseline = (scenario.baseline(), connections);
        let plain = kinds.iter().position(|kind| *kind == baseline)?;
        let both = self.turns[kind].iter().zip(&self.turns[plain]);
        Some(Spread::of(both.map(|(turn, plain)| {
            turn.server_cpu_us - plain.server_cpu_us
        })))
    }
}

/// Contestant by contestant.
fn rows(subjects: &[Subject], plan: &Plan) -> Vec<Served> {
    let contestants = plan.contestants.iter();
    let subjects = contestants
        .filter_map(|contestant| subjects.iter().find(|has| has.contestant == *contestant));
    let rows = |subject: &Subject| {
        let kinds = plan.kinds.iter().enumerate();
        let asked = kinds.filter(|(_, kind)| subject.serves(**kind));
        asked
            .map(|(kind, _)| subject.row(kind, plan))
            .collect::<Vec<_>>()
    };
    subjects.flat_map(rows).collect()
}

fn failed(turns: &[Turn]) -> Failures {
    let mut failed = Failures::new();
    for turn in turns {
        add_failures(&mut failed, &turn.answers.failed);
    }
    failed
}

/// `None` where fewer than a hundred took longer: a few slow ones by chance would decide it.
fn within_999(turns: &[Turn]) -> Option<Duration> {
    let latencies = turns.iter().map(|turn| turn.answers.latencies.as_slice());
    let mut latencies = latencies.collect::<Vec<_>>().concat();
    latencies.sort_unstable();
    (latencies.len() >= 100_000).then(|| within(&latencies, 999))
}

impl Turn {
    #[allow(
        clippy::cast_precision_loss,
        reason = "there are not that many requests"
    )]
    fn of(answers: Answers, server: Duration, database: Duration) -> Self {
        // What failed has cost something too.
        let failed: usize = answers.failed.values().sum();
        let asked = (answers.latencies.len() + failed) as f64;
        Self {
            server_cpu_us: micros(server) / asked,
            database_cpu_us: micros(database) / asked,
            per_second: answers.latencies.len() as f64 / answers.elapsed.as_secs_f64(),
            answers,
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
