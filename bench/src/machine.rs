//! On what was measured: the machine, how busy it was, and the versions.

use std::fs::read_to_string;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// What is measured and the drivers below it, as the lock files name them.
const PACKAGES: [&str; 16] = [
    "fasthttpsession",
    "axum",
    "actix-web",
    "tokio",
    "rusqlite",
    "libsqlite3-sys",
    "tokio-postgres",
    "mysql_async",
    "redis",
    "tower-sessions",
    "tower-sessions-redis-store",
    "fred",
    "axum_session",
    "axum_session_redispool",
    "redis_pool",
    "actix-session",
];
/// Likewise of the peers that have a program of their own.
const SQLX_PEERS: [&str; 8] = [
    "axum",
    "tokio",
    "tower-sessions",
    "tower-sessions-sqlx-store",
    "axum_session",
    "axum_session_sqlx",
    "sqlx",
    "libsqlite3-sys",
];

/// What figures depend on.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Machine {
    /// The processor's model.
    pub processor: String,
    /// How many of them.
    pub cores: usize,
    /// Gigabytes of memory; `None` where the system does not say.
    pub memory_gb: Option<f64>,
    /// Which kernel; `None` where the system does not say.
    pub kernel: Option<String>,
    /// Which commit of this library, and whether files differ from it; `None` outside a repository.
    pub commit: Option<String>,
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
            memory_gb: memory_gb(),
            kernel: kernel(),
            commit: commit(),
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

fn memory_gb() -> Option<f64> {
    let info = read_to_string("/proc/meminfo").ok()?;
    let kilobytes = info
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: f64 = kilobytes.trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1024.0 / 1e9)
}

fn kernel() -> Option<String> {
    let version = read_to_string("/proc/sys/kernel/osrelease").ok()?;
    Some(format!("Linux {}", version.trim()))
}

fn commit() -> Option<String> {
    let mut git = Command::new("git");
    said(git.args([
        "-C",
        env!("CARGO_MANIFEST_DIR"),
        "describe",
        "--always",
        "--dirty",
    ]))
}

fn compiler() -> String {
    said(Command::new("rustc").arg("--version")).unwrap_or_else(|| "unknown".to_owned())
}

/// What a program said; `None` where it is not there or failed.
fn said(program: &mut Command) -> Option<String> {
    let output = program.output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
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
