//! A contestant's server in a process of its own: this program, run again, or the one of peers on sqlx.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use contestants::Contestant;
use tokio::time::timeout;

use crate::backend::Backend;
use crate::http::Connection;
use crate::sqlx_peers;

/// How long handlers may take to come to the gate.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropping it ends it.
pub struct Server {
    process: Child,
    /// Where it listens on this machine.
    pub port: u16,
    control: Connection,
}

impl Server {
    /// Starts the server of `contestant`, with an empty store.
    pub async fn start(contestant: Contestant, backend: &Backend) -> Result<Self> {
        let mut process = command(contestant)?
            .args(["--store", contestant.store.label()])
            .args(["--url", &backend.place()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("it was piped")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let port = line
            .trim()
            .parse()
            .context("the server did not say its port")?;
        let control = Connection::open(port).await?;
        Ok(Self {
            process,
            port,
            control,
        })
    }

    /// The CPU time that the server has used so far.
    pub async fn cpu(&mut self) -> Result<Duration> {
        Ok(Duration::from_nanos(
            self.control.get("/cpu", None).await?.body.parse()?,
        ))
    }

    /// Makes a session with all its values; returns its `Cookie` header.
    pub async fn seed(&mut self) -> Result<String> {
        Ok(self.control.get("/seed", None).await?.cookie())
    }

    /// Asks for `path`; returns the body.
    pub async fn get(&mut self, path: &str, cookie: &str) -> Result<String> {
        Ok(self.control.get(path, Some(cookie)).await?.body.to_owned())
    }

    /// Waits until `count` handlers wait at the gate.
    pub async fn wait_for(&mut self, count: usize) -> Result<()> {
        let arrived = async {
            while self.waiting().await? < count {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        timeout(PATIENCE, arrived)
            .await
            .with_context(|| format!("{count} handlers did not come to wait"))?
    }

    async fn waiting(&mut self) -> Result<usize> {
        Ok(self
            .control
            .get("/gate/waiting", None)
            .await?
            .body
            .parse()?)
    }

    /// Lets all handlers that wait at the gate go on.
    pub async fn open_gate(&mut self) -> Result<()> {
        self.control.get("/gate/open", None).await?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program that serves `contestant`, to be told where.
fn command(contestant: Contestant) -> Result<Command> {
    let mut program = if contestant.is_on_sqlx() {
        Command::new(sqlx_peers::program()?)
    } else {
        let mut this = Command::new(env::current_exe()?);
        this.arg("serve");
        this
    };
    program.args(["--library", contestant.library.label()]);
    Ok(program)
}
