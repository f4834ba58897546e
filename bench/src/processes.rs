//! The CPU time of other processes, as the system accounts for it.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

/// User and system time that the process `root` and those below it have used so far; nothing on systems without `/proc`.
/// Counted in steps of 10 ms.
pub fn cpu(root: u32) -> Duration {
    let all = all();
    let Some(first) = all.iter().find(|process| process.id == root) else {
        return Duration::ZERO;
    };
    let ticks = first.ticks_of_ended_children + ticks(first, &all);
    // What Linux counts in whatever its own clock, on every processor.
    Duration::from_millis(ticks * 10)
}

struct Process {
    id: u32,
    parent: u32,
    ticks: u64,
    ticks_of_ended_children: u64,
}

fn ticks(process: &Process, all: &[Process]) -> u64 {
    let children = all.iter().filter(|child| child.parent == process.id);
    process.ticks + children.map(|child| ticks(child, all)).sum::<u64>()
}

fn all() -> Vec<Process> {
    let entries = read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            parse(id, &read_to_string(entry.path().join("stat")).ok()?)
        })
        .collect()
}

/// The line of `/proc/<id>/stat`; its second field, the name, may hold anything, but only it holds parentheses.
fn parse(id: u32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Process {
        id,
        parent: fields.get(1)?.parse().ok()?,
        ticks: number(11)? + number(12)?,
        ticks_of_ended_children: number(13)? + number(14)?,
    })
}
