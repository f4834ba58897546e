//! What the tests need beside Rust: installed on Debian by root, named elsewhere.

use std::fs;
use std::path::PathBuf;

use crate::step::{Failed, Steps, output, succeeds};

/// A program that the tests run, and the Debian package that has it.
const NEEDED: [(&str, &str); 10] = [
    ("chromium", "chromium"),
    ("chromedriver", "chromium-driver"),
    ("initdb", "postgresql"),
    ("mariadbd", "mariadb-server"),
    ("pgbouncer", "pgbouncer"),
    ("redis-server", "redis-server"),
    ("memcached", "memcached"),
    ("openssl", "openssl"),
    ("flock", "util-linux"),
    ("strace", "strace"),
];

/// Where Debian puts servers that no user calls by hand.
const SERVERS: &str = "/usr/sbin";
/// Where it puts those of PostgreSQL, in a folder a version.
const POSTGRES: &str = "/usr/lib/postgresql";

pub(crate) fn what_the_tests_need() -> Result<(), Failed> {
    for component in ["clippy", "fmt"] {
        if !succeeds(&format!("cargo {component} --version")) {
            return Err(Failed(format!(
                "cargo {component} is missing; run \"rustup component add clippy rustfmt\""
            )));
        }
    }
    programs(&NEEDED)?;
    allowed()
}

/// Sees that tests may mount, where nobody else sees it, and look at what a process asks of the system: most containers
/// forbid it.
fn allowed() -> Result<(), Failed> {
    let mounting = if is_root() {
        "unshare --mount true"
    } else {
        "unshare --mount --user --map-root-user true"
    };
    match [mounting, "strace -o /dev/null true"]
        .iter()
        .find(|line| !succeeds(line))
    {
        Some(line) => Err(Failed(format!(
            "the tests must be allowed to run {line:?}; be root, and in a container start it with \"--privileged\""
        ))),
        None => Ok(()),
    }
}

/// Sees that these programs are there, each from the package beside it.
pub(crate) fn programs(needed: &[(&str, &str)]) -> Result<(), Failed> {
    let missing: Vec<_> = needed
        .iter()
        .filter(|(program, _)| !is_installed(program))
        .map(|(_, package)| *package)
        .collect();
    match missing.join(" ") {
        packages if packages.is_empty() => Ok(()),
        packages if is_root() && succeeds("apt-get --version") => apt_get(&packages),
        packages => Err(Failed(format!(
            "the tests need more; on Debian, run \"sudo apt-get install {packages}\""
        ))),
    }
}

fn apt_get(packages: &str) -> Result<(), Failed> {
    let mut steps = Steps::default();
    steps.run("package lists", "apt-get update --quiet --quiet")?;
    let install = "env DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --quiet --no-install-recommends";
    steps.run("packages", &format!("{install} {packages}"))
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from(SERVERS)])
        .chain(postgres_versions())
        .any(|folder| folder.join(program).is_file())
}

fn postgres_versions() -> impl Iterator<Item = PathBuf> {
    let versions = fs::read_dir(POSTGRES).into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin"))
}

fn is_root() -> bool {
    output("id -u").is_ok_and(|id| id.trim() == "0")
}
