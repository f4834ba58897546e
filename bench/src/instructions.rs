//! Instructions per request and per hot path of the core, counted by valgrind: the only figure here that noise does not
//! reach. It differs from time where valgrind hides what a processor can do (it has no SHA instructions), and says nothing of cache misses.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use contestants::{Contestant, Library, Scenario, Store};
use serde::Serialize;
use serde_json::Value;

use crate::core_paths::{self, CorePath};
use crate::in_process::{self, Size, Subject};
use crate::machine::Machine;

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

/// What is reported of one hot path of the core.
#[derive(Clone, Debug, Serialize)]
pub struct CoreCount {
    /// Which.
    pub path: CorePath,
    /// Instructions, with those of its baseline.
    pub total: f64,
    /// Its own.
    pub instructions: f64,
    /// The least of its own until now, by the report from before: `None` if that has none, or is of another processor or
    /// compiler.
    pub earlier: Option<f64>,
    /// The least of its own, with this count.
    pub least: f64,
}

/// Instructions per request of everyone; `None` without valgrind.
pub fn measure() -> Result<Option<Vec<Count>>> {
    if !is_there() {
        return Ok(None);
    }
    let mut counts: Vec<Count> = Vec::new();
    for contestant in in_process::contestants() {
        let serves = |scenario: &Scenario| contestant.library.serves(*scenario);
        for scenario in Scenario::simple().filter(serves) {
            let (library, asked) = (contestant.library.label(), scenario.label());
            let total = per_turn(&["loop", "--library", library, "--scenario", asked])?;
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
    Subject::new(contestant, SESSIONS, Size::Usual)
        .await?
        .ask(scenario, count)
        .await
}

/// Instructions of each hot path of the core; `None` without valgrind. Compared with those of the report that the results
/// have from before, if it is of such a processor.
pub fn measure_core() -> Result<Option<Vec<CoreCount>>> {
    if !is_there() {
        return Ok(None);
    }
    let earlier = earlier();
    let mut counts: Vec<CoreCount> = Vec::new();
    for path in CorePath::ALL {
        let total = per_turn(&["core", "--path", path.label()])?;
        let baseline = counts
            .iter()
            .find(|count| path.baseline() == Some(count.path));
        let instructions = total - baseline.map_or(0.0, |baseline| baseline.total);
        let earlier = earlier
            .iter()
            .find_map(|(name, least)| (name == path.label()).then_some(*least));
        counts.push(CoreCount {
            path,
            total,
            instructions,
            earlier,
            least: earlier.map_or(instructions, |least| least.min(instructions)),
        });
    }
    Ok(Some(counts))
}

/// What a counted run of a hot path does.
#[tokio::main(flavor = "current_thread")]
pub async fn run_core(path: CorePath, count: usize) -> Result<()> {
    core_paths::Subject::with(1).await?.run(path, count).await
}

/// The names of paths and the least instructions that they took; nothing where there was no report of such a processor and
/// compiler, or it counted none: with another, the same source takes other instructions.
fn earlier() -> Vec<(String, f64)> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/report.json");
    let text = fs::read_to_string(file).unwrap_or_default();
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    let (then, now) = (&report["machine"], Machine::this());
    if then["processor"] != now.processor || then["compiler"] != now.compiler {
        return Vec::new();
    }
    let counts = report["core"].as_array().into_iter().flatten();
    let count = |count: &Value| {
        let path = count["path"].as_str()?.to_owned();
        // Reports had no least at first.
        let least = count["least"].as_f64();
        Some((path, least.or_else(|| count["instructions"].as_f64())?))
    };
    counts.filter_map(count).collect()
}

/// Whether instructions can be counted.
pub fn is_there() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok()
}

/// What each of many turns costs, without what comes before them.
fn per_turn(arguments: &[&str]) -> Result<f64> {
    let (few, many) = (counted(arguments, FEW)?, counted(arguments, MANY)?);
    Ok((many - few) / f64::from(MANY - FEW))
}

fn counted(arguments: &[&str], count: u32) -> Result<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(arguments)
        .args(["--count", &count.to_string()])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "valgrind failed: {said}");
    collected(&said)
}

/// How many instructions a program has executed, by what valgrind said at its end.
pub fn collected(said: &str) -> Result<f64> {
    let line = said.lines().find_map(|line| line.split_once("Collected :"));
    let (_, number) = line.with_context(|| format!("valgrind counted nothing: {said}"))?;
    Ok(number.trim().parse()?)
}
