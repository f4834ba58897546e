//! Instructions per request, counted by valgrind: the only figure here that noise does not reach. It differs from time
//! where valgrind hides what a processor can do (it has no SHA instructions), and says nothing of cache misses.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use contestants::{Contestant, Library, Scenario, Store};
use serde::Serialize;

use crate::in_process::Subject;

/// Sessions in the store of a counted run.
const SESSIONS: usize = 100;
/// The difference of two runs is what these many requests cost, without starting and seeding.
const FEW: u32 = 200;
const MANY: u32 = 1200;

/// What is reported of one contestant and scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    /// Who.
    pub contestant: Contestant,
    /// What.
    pub scenario: Scenario,
    /// Instructions per request.
    pub total: f64,
    /// Beyond those of the scenario's baseline.
    pub over_plain: f64,
}

/// Instructions per request of everyone; `None` without valgrind.
pub fn measure() -> Result<Option<Vec<Count>>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(None);
    }
    let mut counts: Vec<Count> = Vec::new();
    for contestant in Store::Memory.contestants() {
        for scenario in Scenario::ALL {
            let total = per_request(contestant, scenario)?;
            let baseline = counts.iter().find(|count| {
                (count.contestant, count.scenario) == (contestant, scenario.baseline())
            });
            let over_plain = baseline.map_or(0.0, |baseline| total - baseline.total);
            counts.push(Count {
                contestant,
                scenario,
                total,
                over_plain,
            });
        }
    }
    Ok(Some(counts))
}

/// What a counted run does: seeds a store in memory, and sends `count` requests.
#[tokio::main(flavor = "current_thread")]
pub async fn run(library: Library, scenario: Scenario, count: u32) -> Result<()> {
    let contestant = Contestant {
        library,
        store: Store::Memory,
    };
    Subject::new(contestant, SESSIONS)
        .await?
        .ask(scenario, count)
        .await
}

fn per_request(contestant: Contestant, scenario: Scenario) -> Result<f64> {
    let (few, many) = (
        counted(contestant, scenario, FEW)?,
        counted(contestant, scenario, MANY)?,
    );
    Ok((many - few) / f64::from(MANY - FEW))
}

fn counted(contestant: Contestant, scenario: Scenario, count: u32) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([
            "loop",
            "--library",
            contestant.library.label(),
            "--scenario",
            scenario.label(),
        ])
        .args(["--count", &count.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed: {said}");
    let line = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, number) = line.with_context(|| format!("valgrind counted nothing: {said}"))?;
    Ok(number.trim().parse()?)
}
