//! Steps: commands that are shown, timed and stopped at when they fail.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Why a command of this program failed, as a sentence.
pub(crate) struct Failed(pub(crate) String);

/// What was done, and how long it took.
#[derive(Default)]
pub(crate) struct Steps(Vec<(String, Duration)>);

impl Steps {
    /// Runs a program; its arguments are separated by spaces.
    pub(crate) fn run(&mut self, name: &str, line: &str) -> Result<(), Failed> {
        self.run_command(name, line, command(line))
    }

    /// As [`run`](Self::run); the programs that it starts are looked for in `folder` first.
    pub(crate) fn run_finding_first(
        &mut self,
        folder: &Path,
        name: &str,
        line: &str,
    ) -> Result<(), Failed> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = [folder.to_owned()]
            .into_iter()
            .chain(env::split_paths(&path));
        let path = env::join_paths(folders)
            .map_err(|error| Failed(format!("{}: {error}", folder.display())))?;
        let mut command = command(line);
        command.env("PATH", path);
        self.run_command(name, line, command)
    }

    fn run_command(&mut self, name: &str, line: &str, mut command: Command) -> Result<(), Failed> {
        self.timed(name, line, || {
            let status = command
                .status()
                .map_err(|error| Failed(format!("{line:?} can't be started: {error}")))?;
            if status.success() {
                Ok(())
            } else {
                Err(Failed(format!("{name}: {line:?} failed ({status})")))
            }
        })
    }

    /// Runs a check of this program.
    pub(crate) fn check(
        &mut self,
        name: &str,
        check: impl FnOnce() -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        self.timed(name, "", check)
    }

    pub(crate) fn print_summary(&self) {
        println!();
        for (name, took) in &self.0 {
            println!("{:>7.1} s  {name}", took.as_secs_f64());
        }
    }

    fn timed(
        &mut self,
        name: &str,
        line: &str,
        act: impl FnOnce() -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        println!("\n== {name} {line}");
        let start = Instant::now();
        act()?;
        self.0.push((name.to_owned(), start.elapsed()));
        Ok(())
    }
}

/// Runs a program in place of this one, with further arguments.
pub(crate) fn replace(line: &str, rest: &[String]) -> Result<(), Failed> {
    let status = command(line)
        .args(rest)
        .status()
        .map_err(|error| Failed(format!("{line:?} can't be started: {error}")))?;
    std::process::exit(status.code().unwrap_or(1))
}

/// Whether a program runs and ends well; shows nothing.
pub(crate) fn succeeds(line: &str) -> bool {
    command(line)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a program prints.
pub(crate) fn output(line: &str) -> Result<String, Failed> {
    let output = command(line)
        .output()
        .map_err(|error| Failed(format!("{line:?} can't be started: {error}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failed(format!(
        "{line:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    )))
}

fn command(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().expect("a line names a program"));
    command.args(words).env("RUSTDOCFLAGS", "--deny warnings");
    command
}
