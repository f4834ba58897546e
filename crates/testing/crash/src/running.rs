//! A running writer: its process, and what it has told so far.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::journal::{self, Answer, Entry, Order};

/// How long to wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running writer. Killed when dropped.
pub(crate) struct Running {
    process: Child,
    stdin: Option<ChildStdin>,
    told: Receiver<Entry>,
    journal: Vec<Entry>,
    acknowledged: usize,
    failed: usize,
}

impl Running {
    /// Starts `command`, and orders it to write.
    pub(crate) fn start(mut command: Command, order: &Order) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the writer can be started");
        let mut stdin = process.stdin.take().expect("it is piped");
        let order = serde_json::to_string(order).expect("orders are JSON");
        // A writer that ends at once tells why.
        let _ = writeln!(stdin, "{order}");
        let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let (tell, told) = channel();
        thread::spawn(move || {
            let entries = stdout
                .lines()
                .map_while(Result::ok)
                .filter_map(|line| journal::read(&line));
            entries.map(|entry| tell.send(entry)).find(Result::is_err)
        });
        Self {
            process,
            stdin: Some(stdin),
            told,
            journal: Vec::new(),
            acknowledged: 0,
            failed: 0,
        }
    }

    /// Waits until `count` more operations were acknowledged.
    pub(crate) fn wait_for(&mut self, count: usize) -> Result<(), String> {
        self.wait_until(count, |writer| writer.acknowledged)
    }

    /// Waits until `count` more operations were acknowledged or failed.
    pub(crate) fn wait_for_ends(&mut self, count: usize) -> Result<(), String> {
        self.wait_until(count, |writer| writer.acknowledged + writer.failed)
    }

    fn wait_until(&mut self, count: usize, done: fn(&Self) -> usize) -> Result<(), String> {
        self.drain();
        let goal = done(self) + count;
        let start = Instant::now();
        while done(self) < goal {
            match self
                .told
                .recv_timeout(PATIENCE.saturating_sub(start.elapsed()))
            {
                Ok(entry) => self.take(entry)?,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.complaint("got no answers for a minute"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.complaint("ended by itself"));
                }
            }
        }
        Ok(())
    }

    /// Kills it at once, and returns all that it told.
    pub(crate) fn kill(mut self) -> Vec<Entry> {
        self.process.kill().expect("it can be killed");
        self.rest()
    }

    /// Lets it finish what it does, and returns all that it told.
    pub(crate) fn stop(mut self) -> Result<Vec<Entry>, String> {
        drop(self.stdin.take());
        let journal = self.rest();
        let status = self.process.wait().expect("it is our child");
        if status.success() {
            Ok(journal)
        } else {
            Err(format!("a writer ended with {status}"))
        }
    }

    /// What it tells until its output ends.
    fn rest(&mut self) -> Vec<Entry> {
        while let Ok(entry) = self.told.recv() {
            self.journal.push(entry);
        }
        self.process.wait().expect("it is our child");
        std::mem::take(&mut self.journal)
    }

    /// What it has told by now, so that what is waited for comes later.
    fn drain(&mut self) {
        while let Ok(entry) = self.told.try_recv() {
            // A fault is found again when the journal is entered.
            let _ = self.take(entry);
        }
    }

    fn take(&mut self, entry: Entry) -> Result<(), String> {
        let fault = match &entry {
            Entry::Fault { what } => Err(what.clone()),
            Entry::End {
                answer: Answer::Failed { .. },
                ..
            }
            | Entry::Trouble { .. } => {
                self.failed += 1;
                Ok(())
            }
            Entry::End { .. } => {
                self.acknowledged += 1;
                Ok(())
            }
            _ => Ok(()),
        };
        self.journal.push(entry);
        fault
    }

    fn complaint(&self, what: &str) -> String {
        let last: Vec<String> = self
            .journal
            .iter()
            .rev()
            .take(5)
            .map(|entry| format!("{entry:?}"))
            .collect();
        format!("a writer {what}; it last told: {}", last.join("; "))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
