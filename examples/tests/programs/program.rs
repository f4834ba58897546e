//! A built program, run as users run it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// A program that serves on a free port. It is killed when this is dropped.
pub(crate) struct Program {
    process: Child,
    /// Where it says that it listens.
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Starts the program at `path` with `STORE` as `store`, and returns when it has said where it listens: from then
    /// on it answers.
    pub(crate) fn start(path: &str, store: &str) -> Self {
        let mut process = Command::new(path)
            .envs([("LISTEN", "127.0.0.1:0"), ("STORE", store)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was built");
        let output = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("http://")?.parse().ok());
        Self {
            process,
            address: address.expect("it says where it listens before it ends"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
