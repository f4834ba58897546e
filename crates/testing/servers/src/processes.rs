//! Signals to a server and to all its processes.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How often to look whether something has happened that nobody tells.
pub(crate) const POLL: Duration = Duration::from_millis(5);

/// Waits until `done`, and returns whether it was within `patience`.
pub(crate) fn wait_until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > patience {
            return false;
        }
        sleep(POLL);
    }
    true
}

/// The process of the server in `folder`, if it runs. Its command line names the folder, so that a process that got
/// the same id later is never taken for it.
pub(crate) fn server_in(folder: &Path) -> Option<Pid> {
    let id: i32 = fs::read_to_string(folder.join("pid"))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let command_line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let data = folder.join("data").display().to_string();
    String::from_utf8_lossy(&command_line)
        .contains(&data)
        .then(|| Pid::from_raw(id))?
}

/// Stops `server` and all its children where they are, and returns them, parent first.
pub(crate) fn pause(server: Pid) -> Vec<Pid> {
    signal(server, Signal::STOP);
    // A server that has stopped makes no more children.
    wait_until(Duration::from_secs(5), || {
        matches!(state(server), Some('T') | None)
    });
    let mut all = vec![server];
    all.extend(children(server));
    for process in &all {
        signal(*process, Signal::STOP);
    }
    all
}

/// Lets `server` and all its children go on.
pub(crate) fn resume(server: Pid) {
    children(server)
        .into_iter()
        .chain([server])
        .for_each(|process| signal(process, Signal::CONT));
}

/// Kills `server` and all its children at once, and returns when all are gone.
pub(crate) fn kill(server: Pid) {
    let all = pause(server);
    for process in &all {
        signal(*process, Signal::KILL);
    }
    let gone = wait_until(Duration::from_secs(10), || {
        all.iter()
            .all(|process| matches!(state(*process), None | Some('Z')))
    });
    assert!(
        gone,
        "processes of a killed server are still there: {all:?}"
    );
}

fn signal(process: Pid, signal: Signal) {
    // One that has just ended is as good.
    let _ = kill_process(process, signal);
}

fn children(parent: Pid) -> Vec<Pid> {
    let id = parent.as_raw_nonzero();
    let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|child| Pid::from_raw(child.parse().ok()?))
        .collect()
}

/// The letter that the kernel uses for the state of `process`; `None` if there is none.
fn state(process: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    // The name before it may hold anything, also parentheses.
    stat.rsplit_once(") ")?.1.chars().next()
}
