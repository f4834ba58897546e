//! On what was measured: the machine, how busy it was, and the versions.

use std::fs::read_to_string;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// What is measured and the drivers below it, as the lock files name them.
const PACKAGES: [&str; 11] = [
    "fasthttpsession",
    "rusqlite",
    "libsqlite3-sys",
    "tokio-postgres",
    "mysql_async",
    "redis",
    "tower-sessions",
    "tower-sessions-redis-store",
    "fred",
    "axum_session",
    "actix-session",
];
/// Likewise of the peers that have a program of their own.
const SQLX_PEERS: [&str; 3] = ["tower-sessions-sqlx-store", "sqlx", "libsqlite3-sys"];

/// What figures depend on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Machine {
    /// The processor's model.
    pub processor: String,
    /// How many of them.
    pub cores: usize,
    /// The compiler.
    pub compiler: String,
    /// What is measured, and the drivers below it.
    pub versions: Vec<String>,
    /// Likewise of the peers on sqlx.
    pub versions_of_sqlx_peers: Vec<String>,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Self {
            processor: processor(),
            cores: available_parallelism().map_or(1, usize::from),
            compiler: compiler(),
            versions: versions(include_str!("../Cargo.lock"), &PACKAGES),
            versions_of_sqlx_peers: versions(include_str!("../sqlx-peers/Cargo.lock"), &SQLX_PEERS),
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

/// Bytes of this process that are in memory. Fails where the system does not say.
pub fn resident() -> Result<u64> {
    let status = read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.context("the system does not say what is in memory")?;
    let kilobytes: u64 = line.trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
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

/// Those of `packages` that `lock` has, in each version that it has.
fn versions(lock: &str, packages: &[&str]) -> Vec<String> {
    let versions = |package: &&str| {
        let start = format!("\nname = \"{package}\"\nversion = \"");
        let found = lock
            .split(&start)
            .skip(1)
            .filter_map(|rest| rest.split('"').next());
        found
            .map(|version| format!("{package} {version}"))
            .collect::<Vec<_>>()
    };
    packages.iter().flat_map(versions).collect()
}
