//! The report: tables for people, and the same as JSON for programs.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::contestants::Name;
use crate::instructions::Count;
use crate::loss::Losses;
use crate::machine::{self, Machine};
use crate::routes::Scenario;
use crate::samples::Row;
use crate::targets::{Target, targets};

/// All that was measured. What is `None` was left out.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How this program was called.
    pub command: String,
    /// On what.
    pub machine: Machine,
    /// The load average before and after.
    pub load: [Option<f64>; 2],
    /// Which promises were kept.
    pub targets: Vec<Target>,
    /// Server CPU per request, in µs.
    pub server_cpu_us: Option<Vec<Row>>,
    /// CPU per call of the router, in µs.
    pub in_process_us: Option<Vec<Row>>,
    /// Instructions per call of the router.
    pub instructions: Option<Vec<Count>>,
    /// What was lost.
    pub loss: Option<Vec<Losses>>,
}

impl Report {
    /// Notes what is known before anything was measured.
    pub fn begin(command: String) -> Self {
        let load = [machine::load(), None];
        Self {
            command,
            machine: Machine::this(),
            load,
            ..Self::default()
        }
    }

    /// Draws conclusions, when all was measured.
    pub fn end(&mut self) {
        self.load[1] = machine::load();
        for (by, rows) in [
            ("server CPU", &self.server_cpu_us),
            ("router", &self.in_process_us),
        ] {
            self.targets
                .extend(targets(by, rows.as_deref().unwrap_or_default()));
        }
    }

    /// Writes `report.md` and `report.json` to the results beside this program's manifest; returns where that is.
    pub fn write(&self) -> Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("report.md"), self.markdown()?)?;
        fs::write(
            folder.join("report.json"),
            serde_json::to_string_pretty(self)? + "\n",
        )?;
        Ok(folder)
    }

    /// The tables.
    pub fn markdown(&self) -> Result<String> {
        let mut text = String::new();
        self.preamble(&mut text)?;
        verdicts(&mut text, &self.targets)?;
        if let Some(rows) = &self.server_cpu_us {
            text += SERVER_CPU;
            costs(&mut text, rows, 2)?;
        }
        if let Some(rows) = &self.in_process_us {
            text += IN_PROCESS;
            costs(&mut text, rows, 3)?;
        }
        text += INSTRUCTIONS;
        match &self.instructions {
            Some(counts) => instructions(&mut text, counts)?,
            None => text += "\nLeft out: valgrind is not installed, or they were not asked for.\n",
        }
        if let Some(all) = &self.loss {
            text += LOSS;
            losses(&mut text, all)?;
        }
        Ok(text)
    }

    fn preamble(&self, text: &mut String) -> Result<()> {
        let Machine {
            processor,
            cores,
            compiler,
            versions,
        } = &self.machine;
        writeln!(text, "# Beside its peers\n\nMade by `{}`.\n", self.command)?;
        writeln!(text, "- Machine: {processor}, {cores} cores; {compiler}.")?;
        if let [Some(before), Some(after)] = self.load {
            writeln!(
                text,
                "- Load average of the last minute: {before} before, {after} after."
            )?;
        }
        writeln!(text, "- Versions: {}.", versions.join(", "))?;
        writeln!(
            text,
            "- Sessions have ten values of 100 bytes and a counter. Figures are medians of rounds in which all have \
            their turns, ± the median distance from them."
        )?;
        for name in Name::ALL {
            writeln!(text, "- {}: {}.", name.label(), name.note())?;
        }
        Ok(())
    }
}

const SERVER_CPU: &str = "
## Server CPU per request, µs

User and system time of the server process, axum over HTTP/1.1, 32 connections that are kept open. \"Over plain\" is what is \
added to the same request to a route outside the layer, in the same round.
";

const IN_PROCESS: &str = "
## CPU per call of the router, µs

The same routers called as services on one thread, without a socket.
";

const INSTRUCTIONS: &str = "
## Instructions per call of the router

Counted by valgrind, which offers programs no SHA instructions. This library hashes the token of a session that is asked for; \
in software, as counted here, that is some 3,400 instructions, and far fewer where a processor has them.
";

const LOSS: &str = "
## Acknowledged and lost

64 requests at once on one session, over HTTP. \"Slow\": all handlers have loaded their session before the first goes on, as when \
each waits for a database. Lost of all acknowledged.
";

fn verdicts(text: &mut String, targets: &[Target]) -> Result<()> {
    writeln!(
        text,
        "\n## Targets\n\n| over plain | measured by | ours, µs | at most, µs | |\n| --- | --- | --: | --: | --- |"
    )?;
    for Target {
        promise,
        measured_by,
        ours,
        at_most,
        hit,
    } in targets
    {
        let verdict = if *hit { "hit" } else { "**miss**" };
        writeln!(
            text,
            "| {promise} | {measured_by} | {ours:.3} | {at_most:.3} | {verdict} |"
        )?;
    }
    Ok(())
}

fn costs(text: &mut String, rows: &[Row], digits: usize) -> Result<()> {
    table(text, |name, scenario| {
        let row = rows
            .iter()
            .find(|row| (row.contestant, row.scenario) == (name, scenario))?;
        let (total, over) = (row.total, row.over_plain);
        Some((format!("{total:.digits$}"), format!("{over:.digits$}")))
    })
}

fn instructions(text: &mut String, counts: &[Count]) -> Result<()> {
    table(text, |name, scenario| {
        let count = counts
            .iter()
            .find(|count| (count.contestant, count.scenario) == (name, scenario))?;
        Some((
            format!("{:.0}", count.total),
            format!("{:.0}", count.over_plain),
        ))
    })
}

/// A line for each scenario, a column for each contestant, whose `cell` is a total and what of it is over plain.
fn table(
    text: &mut String,
    cell: impl Fn(Name, Scenario) -> Option<(String, String)>,
) -> Result<()> {
    let names = Name::ALL.map(Name::label).join(" | ");
    writeln!(
        text,
        "\n| | {names} |\n| --- |{}",
        " --: |".repeat(Name::ALL.len())
    )?;
    for scenario in Scenario::ALL {
        let cells = Name::ALL.map(|name| match cell(name, scenario) {
            Some((total, _)) if scenario == scenario.baseline() => total,
            Some((total, over)) => format!("{total} (over plain **{over}**)"),
            None => String::new(),
        });
        writeln!(text, "| {} | {} |", scenario.label(), cells.join(" | "))?;
    }
    Ok(())
}

fn losses(text: &mut String, all: &[Losses]) -> Result<()> {
    text.push_str(
        "\n| | increments | keys | slow increments | slow keys | logout during a slow request |\n",
    );
    text.push_str("| --- | --: | --: | --: | --: | --- |\n");
    for losses in all {
        let (increments, keys) = (65 * losses.rounds, 64 * losses.rounds);
        writeln!(
            text,
            "| {} | {} of {increments} | {} of {keys} | {} of {increments} | {} of {keys} | {} |",
            losses.contestant.label(),
            losses.increments,
            losses.keys,
            losses.slow_increments,
            losses.slow_keys,
            losses.logout()
        )?;
    }
    Ok(())
}

impl Losses {
    fn logout(&self) -> String {
        let Self {
            rounds,
            open_after_logout: open,
            back_after_logout: back,
            ..
        } = self;
        match (open, back) {
            (0, 0) => "final".to_owned(),
            (0, back) => format!("comes back ({back} of {rounds})"),
            (open, 0) => format!("open until the slow request ends ({open} of {rounds})"),
            (open, back) => format!("stays open ({open} of {rounds}), afterwards too ({back})"),
        }
    }
}
