//! On what was measured: the machine, how busy it was, and the versions.

use std::fs::read_to_string;
use std::process::Command;
use std::thread::available_parallelism;

use serde::Serialize;

use crate::contestants::Name;

/// What figures depend on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Machine {
    /// The processor's model.
    pub processor: String,
    /// How many of them.
    pub cores: usize,
    /// The compiler.
    pub compiler: String,
    /// Each contestant's crate and version.
    pub versions: Vec<String>,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Self {
            processor: processor(),
            cores: available_parallelism().map_or(1, usize::from),
            compiler: compiler(),
            versions: Name::ALL.into_iter().map(version).collect(),
        }
    }
}

/// How many processes were running or waiting for a processor, on average over the last minute; `None` where the system
/// does not say.
pub fn load() -> Option<f64> {
    read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

fn processor() -> String {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    model.map_or_else(
        || "unknown".to_owned(),
        |model| model.trim_start_matches(['\t', ' ', ':']).to_owned(),
    )
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

fn version(name: Name) -> String {
    let package = name.package();
    let lock = include_str!("../Cargo.lock");
    let entry = lock
        .split("[[package]]")
        .find(|entry| entry.contains(&format!("name = \"{package}\"\n")));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    format!("{package} {}", version.unwrap_or("?"))
}
