//! One command for each habit. `cargo xtask help` lists them.

mod architecture;
mod install;
mod named_tests;
mod relatives;
mod step;

use std::env;
use std::process::ExitCode;

use step::{Failed, Steps};

const HELP: &str = "\
One command for each habit of this repository.

Usage: cargo xtask <command>

  test          the test suite: lints, architecture, tests, documentation; what CI runs.
                On Debian, as root, it installs what is missing; elsewhere it says what to install.
  lint          format and clippy
  architecture  which way the dependencies run, and whether the tests that documents name are run
  docs          build the documentation without warnings, and run its examples
  relatives     the tests of MariaDB and Redis, on MySQL and Valkey instead. It fetches both from Debian unstable, so
                it needs Debian, and root
  bench [...]   this library beside its peers; arguments go to the benchmark, try --help
  help          this page";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<_> = arguments.collect();
    match run(&command, &rest) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(sentence)) => {
            eprintln!("\ncargo xtask {command}: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, rest: &[String]) -> Result<(), Failed> {
    let mut steps = Steps::default();
    match command {
        "test" => test(&mut steps)?,
        "lint" => lint(&mut steps)?,
        "architecture" => architecture(&mut steps)?,
        "docs" => docs(&mut steps)?,
        "relatives" => relatives::test(&mut steps)?,
        "bench" => {
            return step::replace(
                "cargo run --release --quiet --manifest-path bench/Cargo.toml --",
                rest,
            );
        }
        "help" | "--help" | "-h" => println!("{HELP}"),
        "" => return Err(Failed(format!("a command is missing\n\n{HELP}"))),
        unknown => return Err(Failed(format!("{unknown:?} is no command\n\n{HELP}"))),
    }
    steps.print_summary();
    Ok(())
}

fn test(steps: &mut Steps) -> Result<(), Failed> {
    steps.check("what the tests need", install::what_the_tests_need)?;
    lint(steps)?;
    architecture(steps)?;
    features(steps)?;
    if step::succeeds("cargo nextest --version") {
        steps.run(
            "tests",
            "cargo nextest run --workspace --all-features --no-fail-fast",
        )?;
    } else {
        steps.run(
            "tests",
            "cargo test --workspace --all-features --lib --bins --tests --examples --no-fail-fast",
        )?;
    }
    steps.run(
        "tests of what is refused without the feature `encryption`",
        "cargo test -p fasthttpsession-core --no-default-features --features=settings --test sessions unencrypted",
    )?;
    // Anything else would go over the network in the clear.
    steps.run(
        "tests that TLS is refused without the feature `tls`",
        "cargo test -p fasthttpsession-postgres -p fasthttpsession-mysql -p fasthttpsession-memcached-client \
         -p fasthttpsession-memcached --no-default-features --test config --test doors that_was_not",
    )?;
    docs(steps)
}

fn lint(steps: &mut Steps) -> Result<(), Failed> {
    steps.run("format", "cargo fmt --all --check")?;
    steps.run(
        "clippy",
        "cargo clippy --workspace --all-targets --all-features -- --deny warnings",
    )
}

fn architecture(steps: &mut Steps) -> Result<(), Failed> {
    steps.check("architecture", architecture::check)?;
    steps.check("tests that documents name", named_tests::check)
}

/// Each feature must build alone, for a feature may lean on another by mistake.
fn features(steps: &mut Steps) -> Result<(), Failed> {
    for (package, features) in architecture::FEATURES {
        for feature in [""].iter().chain(*features) {
            let name = format!(
                "{package} with {}",
                if feature.is_empty() {
                    "no feature"
                } else {
                    feature
                }
            );
            steps.run(
                &name,
                &format!("cargo check -p {package} --no-default-features --features={feature}"),
            )?;
        }
    }
    Ok(())
}

fn docs(steps: &mut Steps) -> Result<(), Failed> {
    steps.run(
        "documentation",
        "cargo doc --workspace --all-features --no-deps",
    )?;
    steps.run(
        "examples in the documentation",
        "cargo test --workspace --all-features --doc",
    )
}
