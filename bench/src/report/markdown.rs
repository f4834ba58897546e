//! The report as a page: pictures first, what was promised, then all the figures.

use std::fmt::Write as _;

use anyhow::Result;
use contestants::{Contestant, Library, Scenario};

use super::table::{grid, precise};
use super::{Report, below_http, lost, promises, served, weight};
use crate::in_process::{self, Size};
use crate::instructions::Count;
use crate::machine::Machine;
use crate::pictures::Picture;
use crate::samples::Row;

impl Report {
    /// The page, with links to `pictures` that lie beside it.
    pub fn markdown(&self, pictures: &[Picture]) -> Result<String> {
        let mut text = String::new();
        self.preamble(&mut text)?;
        for Picture { name, title, .. } in pictures {
            writeln!(text, "\n![{title}]({name}.svg)")?;
        }
        promises::write(&mut text, &self.targets)?;
        lost::write(&mut text, &self.stores)?;
        served::write(&mut text, &self.stores)?;
        if let Some(rows) = &self.in_process_us {
            text += IN_PROCESS;
            costs(&mut text, &in_process::contestants(), rows, 3)?;
        }
        if let Some(rows) = &self.small_in_process_us {
            text += SMALL;
            costs(&mut text, &Size::Small.contestants(), rows, 3)?;
        }
        if let Some(counts) = &self.instructions {
            text += INSTRUCTIONS;
            instructions(&mut text, counts)?;
        }
        self.core(&mut text)?;
        below_http::write(&mut text, &self.stores)?;
        weight::write(&mut text, &self.weight)?;
        self.details(&mut text)?;
        Ok(text)
    }

    fn preamble(&self, text: &mut String) -> Result<()> {
        let Machine {
            processor, cores, ..
        } = &self.machine;
        write!(
            text,
            "# Beside its peers\n\nMade by `{}` on {cores} cores of {processor}, which the load, the servers and the databases \
            shared.",
            self.command
        )?;
        if let [Some(before), Some(after)] = self.load {
            write!(
                text,
                " Other work shows in figures of time: the load average of the last minute was {before} before and {after} after."
            )?;
        }
        text.push('\n');
        Ok(())
    }

    fn details(&self, text: &mut String) -> Result<()> {
        let Machine {
            memory_gb,
            kernel,
            commit,
            compiler,
            versions,
            versions_of_sqlx_peers,
            ..
        } = &self.machine;
        text.push_str(DETAILS);
        for library in Library::ALL {
            writeln!(text, "- {}: {}.", library.label(), library.note())?;
        }
        let memory = memory_gb.map(|gigabytes| format!("{gigabytes:.1} GB of memory"));
        let commit = commit
            .as_ref()
            .map(|commit| format!("this library at {commit}"));
        let on: Vec<_> = [kernel.clone(), memory, commit]
            .into_iter()
            .flatten()
            .collect();
        writeln!(text, "- On: {}.", on.join(", "))?;
        writeln!(text, "- Compiler: {compiler}.")?;
        writeln!(
            text,
            "- Versions: {}; peers on sqlx: {}.",
            versions.join(", "),
            versions_of_sqlx_peers.join(", ")
        )?;
        Ok(())
    }
}

const IN_PROCESS: &str = "
## CPU per call of the router, µs

The same routers on memory stores called as services on one thread, without a socket: beyond a route outside the layer.
";

const SMALL: &str = "
The same on sessions of a user and a counter:
";

const INSTRUCTIONS: &str = "
## Instructions per call of the router

Beyond a route outside the layer. Counted by valgrind, which offers programs no SHA instructions. This library hashes the \
token of a session that is asked for; in software, as counted here, that is some 3,400 instructions, and far fewer where a \
processor has them.
";

const DETAILS: &str = "
## How it was measured

- All servers of a store run at once and have their turns one after another, round by round, in an order that is shuffled for each \
kind of request and the same in every run; the first round is not counted. Figures are medians of rounds, ± the median distance \
from them.
- The same handlers for all, over HTTP/1.1 on connections that are kept open. Sessions have ten values of 100 bytes and a \
counter. The load comes from the benchmark's own process.
- Each connection asks again once it is answered. So from 32 connections on, times of answers mostly repeat the requests a \
second. At 1 connection they are mostly what two processors take to wake: kept on one (`taskset -c 0`), the same servers \
answer more. Where the scheduler puts both ends on one by itself, a row stands out.
- Without \"slow\", whether requests meet that never wait is luck, and differs from run to run.
- No peer was measured in axum with a runtime on each thread, which might serve it as well: compare ours-per-thread with ours alone.
- tower-sessions' memory store, whose page recommends it for tests and not for real applications, copies a session's values at \
each load and each save. So what it costs grows with them; small sessions stand below the table of routers.
- Before each use, sqlx asks a connection whether it is still there (`test_before_acquire`, by default), which is another round trip \
to PostgreSQL and MariaDB. On SQLite, peers have its defaults: a cache of 2 MB for each connection, and checkpoints amid commits, \
each 1,000 pages. This library's store gives its writer 64 MiB, and a thread makes checkpoints, each 4,000 pages.
";

/// What is added to a route outside the layer, and that route's own first.
pub fn costs(
    text: &mut String,
    contestants: &[Contestant],
    rows: &[Row],
    digits: usize,
) -> Result<()> {
    by_scenario(text, contestants, |contestant, scenario| {
        let row = rows
            .iter()
            .find(|row| (row.contestant, row.scenario) == (contestant, scenario))?;
        let is_plain = scenario == scenario.baseline();
        let spread = if is_plain { row.total } else { row.over_plain };
        Some(precise(spread, digits))
    })
}

fn instructions(text: &mut String, counts: &[Count]) -> Result<()> {
    by_scenario(text, &in_process::contestants(), |contestant, scenario| {
        let count = counts
            .iter()
            .find(|count| (count.contestant, count.scenario) == (contestant, scenario))?;
        let is_plain = scenario == scenario.baseline();
        let figure = if is_plain {
            count.total
        } else {
            count.over_plain
        };
        Some(format!("{figure:.0}"))
    })
}

/// A line for each scenario that anybody was asked for.
fn by_scenario(
    text: &mut String,
    contestants: &[Contestant],
    cell: impl Fn(Contestant, Scenario) -> Option<String>,
) -> Result<()> {
    let rows = Scenario::ALL.map(|scenario| {
        let cells: Vec<_> = contestants.iter().map(|who| cell(*who, scenario)).collect();
        (scenario.title().to_owned(), cells)
    });
    grid(text, contestants, rows)
}
