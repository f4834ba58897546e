//! What a library weighs before the first request: how many crates it brings, and how long a clean build takes. Each is
//! built in a project of its own that has nothing but the library and its framework.

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tempfile::TempDir;

/// What one project weighs.
#[derive(Clone, Debug, Serialize)]
pub struct Weight {
    /// What it has.
    pub of: &'static str,
    /// How many crates are built for it, its framework's included.
    pub crates: usize,
    /// How many of them its framework alone does not bring.
    pub crates_added: usize,
    /// How long a clean build without optimisation takes, in s; `None` if it was left out.
    pub build_s: Option<f64>,
    /// What of that the framework alone does not take, in s.
    pub build_added_s: Option<f64>,
}

/// A library in its framework.
struct Project {
    of: &'static str,
    framework: &'static str,
    library: String,
}

const AXUM: &str = "axum = \"0.8\"\n";
const ACTIX: &str =
    "actix-web = { version = \"4\", default-features = false, features = [\"macros\"] }\n";

/// Every library with its default features and what its framework needs; `with_builds`, each is built once.
pub fn measure(with_builds: bool) -> Result<Vec<Weight>> {
    projects()
        .iter()
        .map(|project| project.weight(with_builds))
        .collect()
}

fn projects() -> [Project; 4] {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/fasthttpsession");
    let ours = |feature| {
        let path = ours.display();
        format!("fasthttpsession = {{ path = \"{path}\", features = [\"{feature}\"] }}\n")
    };
    let project = |of, framework, library| Project {
        of,
        framework,
        library,
    };
    [
        project("fasthttpsession, axum", AXUM, ours("axum")),
        project(
            "tower-sessions, axum",
            AXUM,
            "tower-sessions = \"0.14\"\n".to_owned(),
        ),
        project("fasthttpsession, actix-web", ACTIX, ours("actix")),
        project(
            "actix-session, actix-web",
            ACTIX,
            "actix-session = { version = \"0.11\", features = [\"cookie-session\"] }\n".to_owned(),
        ),
    ]
}

impl Weight {
    /// Whether it is this library's.
    pub fn is_ours(&self) -> bool {
        self.of.starts_with("fasthttpsession")
    }
}

impl Project {
    fn weight(&self, with_build: bool) -> Result<Weight> {
        eprintln!("{}: its weight", self.of);
        let framework = folder(self.framework)?;
        let whole = folder(&format!("{}{}", self.framework, self.library))?;
        let crates = crates(whole.path())?;
        let seconds = |folder: &TempDir| with_build.then(|| build(folder.path())).transpose();
        let (build_s, alone_s) = (seconds(&whole)?, seconds(&framework)?);
        Ok(Weight {
            of: self.of,
            crates,
            crates_added: crates.saturating_sub(self::crates(framework.path())?),
            build_s,
            build_added_s: build_s.zip(alone_s).map(|(whole, alone)| whole - alone),
        })
    }
}

/// A program without a line, with these dependencies in the versions that this benchmark has of them.
fn folder(dependencies: &str) -> Result<TempDir> {
    let folder = TempDir::new()?;
    let manifest = format!(
        "[package]\nname = \"weight\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n[workspace]\n"
    );
    fs::write(folder.path().join("Cargo.toml"), manifest)?;
    fs::write(
        folder.path().join("Cargo.lock"),
        include_str!("../Cargo.lock"),
    )?;
    fs::create_dir(folder.path().join("src"))?;
    fs::write(folder.path().join("src/main.rs"), "fn main() {}\n")?;
    Ok(folder)
}

/// How many crates are built, the program itself left out.
fn crates(folder: &Path) -> Result<usize> {
    let tree = cargo(
        folder,
        &[
            "tree",
            "--prefix",
            "none",
            "--edges",
            "normal,build",
            "--format",
            "{p}",
        ],
    )?;
    let mut crates: Vec<_> = tree
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty())
        .collect();
    crates.sort_unstable();
    crates.dedup();
    Ok(crates.len().saturating_sub(1))
}

fn build(folder: &Path) -> Result<f64> {
    cargo(folder, &["fetch"])?;
    let began = Instant::now();
    cargo(folder, &["build"])?;
    Ok(began.elapsed().as_secs_f64())
}

/// Runs cargo on the project, with a target folder of its own.
fn cargo(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .arg("--quiet")
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .context("cargo does not start")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "cargo {arguments:?} failed: {said}"
    );
    Ok(String::from_utf8(output.stdout)?)
}
