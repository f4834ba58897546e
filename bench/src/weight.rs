//! What a library weighs before the first request: how many crates it brings, and how long a clean build takes. Each is
//! built in a project of its own that has nothing but the library and its framework.

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use tempfile::TempDir;

use crate::samples::Spread;

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
    pub build_s: Option<Spread>,
    /// What of that the framework alone does not take, in s.
    pub build_added_s: Option<Spread>,
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

/// Every library with its default features and what its framework needs, and actix-session with its smallest store, for by
/// default it has none; built in so many rounds. In each, a framework alone is built beside its libraries.
pub fn measure(rounds: usize) -> Result<Vec<Weight>> {
    let mut measured = Vec::new();
    for framework in [AXUM, ACTIX] {
        let alone = Program::new(framework)?;
        let with: Vec<_> = projects()
            .into_iter()
            .filter(|project| project.framework == framework)
            .map(|project| {
                Ok((
                    project.of,
                    Program::new(&format!("{framework}{}", project.library))?,
                ))
            })
            .collect::<Result<_>>()?;
        let mut builds = vec![Vec::new(); with.len()];
        for round in 1..=rounds {
            eprintln!(
                "{}: a clean build, {round} of {rounds}",
                framework.trim_end()
            );
            let alone_s = alone.build()?;
            for ((_, program), builds) in with.iter().zip(&mut builds) {
                let whole_s = program.build()?;
                builds.push((whole_s, whole_s - alone_s));
            }
        }
        for ((of, program), builds) in with.into_iter().zip(builds) {
            measured.push(Weight::new(of, &program, &alone, &builds)?);
        }
    }
    Ok(measured)
}

fn projects() -> [Project; 5] {
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
        project(
            "axum_session, axum",
            AXUM,
            "axum_session = \"0.22\"\n".to_owned(),
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
    /// `builds` are what each took, and what of that the framework alone does not take.
    fn new(
        of: &'static str,
        program: &Program,
        alone: &Program,
        builds: &[(f64, f64)],
    ) -> Result<Self> {
        let crates = program.crates()?;
        let times = |time: fn(&(f64, f64)) -> f64| {
            (!builds.is_empty()).then(|| Spread::of(builds.iter().map(time)))
        };
        Ok(Self {
            of,
            crates,
            crates_added: crates.saturating_sub(alone.crates()?),
            build_s: times(|build| build.0),
            build_added_s: times(|build| build.1),
        })
    }

    /// Whether it is this library's.
    pub fn is_ours(&self) -> bool {
        self.of.starts_with("fasthttpsession")
    }
}

/// A program without a line, which has nothing but its dependencies.
struct Program(TempDir);

impl Program {
    /// With these dependencies, in the versions that this benchmark has of them.
    fn new(dependencies: &str) -> Result<Self> {
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
        Ok(Self(folder))
    }

    /// How many crates are built, the program itself left out.
    fn crates(&self) -> Result<usize> {
        let tree = self.cargo(&[
            "tree",
            "--prefix",
            "none",
            "--edges",
            "normal,build",
            "--format",
            "{p}",
        ])?;
        let mut crates: Vec<_> = tree
            .lines()
            .map(|line| line.trim_end_matches(" (*)"))
            .filter(|line| !line.is_empty())
            .collect();
        crates.sort_unstable();
        crates.dedup();
        Ok(crates.len().saturating_sub(1))
    }

    /// How long a clean build takes, in s.
    fn build(&self) -> Result<f64> {
        self.cargo(&["fetch"])?;
        self.cargo(&["clean"])?;
        let began = Instant::now();
        self.cargo(&["build"])?;
        Ok(began.elapsed().as_secs_f64())
    }

    /// Runs cargo on it, with a target folder of its own.
    fn cargo(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(arguments)
            .arg("--quiet")
            .current_dir(&self.0)
            .env("CARGO_TARGET_DIR", self.0.path().join("target"))
            // What comes from a registry, as for its users, is never built incrementally; this library, by its path, would be.
            .env("CARGO_INCREMENTAL", "0")
            .output()
            .context("cargo does not start")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "cargo {arguments:?} failed: {said}"
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}
