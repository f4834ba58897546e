//! The built command, run as users run it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

/// A demo on a free port, in a folder of its own where it keeps its sessions. It is killed when this is dropped.
pub(crate) struct Demo {
    process: Child,
    folder: Arc<TempDir>,
    /// Where it says that it listens.
    pub(crate) address: SocketAddr,
}

impl Demo {
    /// Starts it, and returns when it has said where it listens: from then on it answers.
    pub(crate) fn start() -> Self {
        Self::start_in(Arc::new(
            TempDir::new().expect("there is a place for folders"),
        ))
    }

    /// The same in the folder of another one, so that it finds the sessions of that.
    pub(crate) fn start_in(folder: Arc<TempDir>) -> Self {
        let mut process = command(&["demo", "--listen", "127.0.0.1:0"])
            .current_dir(&*folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command was built");
        let output = process.stdout.take().expect("its output is piped");
        let greeting = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains("http://"))
            .expect("it says where it listens before it ends");
        Self {
            process,
            folder,
            address: address_in(&greeting),
        }
    }

    /// Where it keeps its sessions.
    pub(crate) fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// Sends a signal by name: `TERM`, `INT`.
    pub(crate) fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &line]).status();
        assert!(sent.expect("there is a shell").success());
    }

    /// Sends a signal, and waits until the process has ended.
    pub(crate) fn end_by(mut self, signal: &str) -> ExitStatus {
        self.signal(signal);
        self.process.wait().expect("it is our child")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the command with `arguments` until it ends by itself, where it leaves nothing behind.
pub(crate) fn refused(arguments: &[&str]) -> Output {
    let folder = TempDir::new().expect("there is a place for folders");
    let mut command = command(arguments);
    command.current_dir(folder.path());
    command.output().expect("the command was built")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fasthttpsession"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn address_in(greeting: &str) -> SocketAddr {
    let (_, rest) = greeting.split_once("http://").expect("a URL");
    let address = rest.split(' ').next().unwrap_or(rest);
    address.parse().expect("an address and a port")
}
