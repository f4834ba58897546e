//! The report as tables.

use std::fmt::Write as _;

use anyhow::Result;

use super::{OnStore, Report};
use contestants::{Contestant, Library, Scenario, Store};

use crate::instructions::Count;
use crate::loss::Losses;
use crate::machine::Machine;
use crate::samples::Row;
use crate::serving::{Served, costs as cpu_costs};
use crate::targets::{Bound, Target};

impl Report {
    /// The tables.
    pub fn markdown(&self) -> Result<String> {
        let mut text = String::new();
        self.preamble(&mut text)?;
        targets(&mut text, &self.targets)?;
        text += STORES;
        for on in &self.stores {
            store(&mut text, on)?;
        }
        if let Some(rows) = &self.in_process_us {
            text += IN_PROCESS;
            costs(&mut text, Store::Memory, rows, 3)?;
        }
        if let Some(counts) = &self.instructions {
            text += INSTRUCTIONS;
            instructions(&mut text, counts)?;
        }
        let lost: Vec<_> = self.stores.iter().flat_map(|on| &on.loss).collect();
        if !lost.is_empty() {
            text += LOSS;
            losses(&mut text, &lost)?;
        }
        Ok(text)
    }

    fn preamble(&self, text: &mut String) -> Result<()> {
        let Machine {
            processor,
            cores,
            compiler,
            versions,
            versions_of_sqlx_peers,
        } = &self.machine;
        writeln!(text, "# Beside its peers\n\nMade by `{}`.\n", self.command)?;
        writeln!(text, "- Machine: {processor}, {cores} cores; {compiler}.")?;
        if let [Some(before), Some(after)] = self.load {
            writeln!(
                text,
                "- Load average of the last minute: {before} before, {after} after."
            )?;
        }
        writeln!(
            text,
            "- Versions: {}; peers on sqlx: {}.",
            versions.join(", "),
            versions_of_sqlx_peers.join(", ")
        )?;
        writeln!(
            text,
            "- Sessions have ten values of 100 bytes and a counter. Figures are medians of rounds in which all have \
            their turns, ± the median distance from them."
        )?;
        for library in Library::ALL {
            writeln!(text, "- {}: {}.", library.label(), library.note())?;
        }
        Ok(())
    }
}

const STORES: &str = "
## Servers under load, store by store

axum over HTTP/1.1 on connections that are kept open; the load, the servers and the databases share the machine. \"CPU\" is user \
and system time of the server process per request, asked by 32 connections. \"Over plain\" is what is added to the same request \
to a route outside the layer, in the same round. \"Database CPU\" is that of the database's processes per request.
";

const IN_PROCESS: &str = "
## CPU per call of the router, µs

The same routers on memory stores called as services on one thread, without a socket.
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

fn targets(text: &mut String, targets: &[Target]) -> Result<()> {
    text.push_str(
        "\n## Targets\n\n| store | promise | measured by | ours | promised | |\n| --- | --- | --- | --: | --: | --- |\n",
    );
    for Target {
        store,
        promise,
        measured_by,
        unit,
        ours,
        promised,
        hit,
    } in targets
    {
        let store = store.title();
        let ours = figure(*ours);
        let promised = match promised {
            Bound::AtMost(limit) => format!("≤ {}", figure(*limit)),
            Bound::AtLeast(limit) => format!("≥ {}", figure(*limit)),
        };
        let verdict = if *hit { "hit" } else { "**miss**" };
        writeln!(
            text,
            "| {store} | {promise} | {measured_by} | {ours} {unit} | {promised} | {verdict} |"
        )?;
    }
    Ok(())
}

fn store(text: &mut String, on: &OnStore) -> Result<()> {
    writeln!(text, "\n### {}\n\n{}.", on.store.title(), on.settings)?;
    if !on.serving.is_empty() {
        text.push_str("\nCPU, µs:\n");
        costs(text, on.store, &cpu_costs(&on.serving), 2)?;
        speeds(text, &on.serving)?;
    }
    Ok(())
}

/// What of the speed is worth a line: of the memory store, the same as of the others.
const FAST: [Scenario; 3] = [Scenario::Plain, Scenario::Read, Scenario::Write];

fn speeds(text: &mut String, served: &[Served]) -> Result<()> {
    text.push_str("\n| | connections | | requests a second | median, ms | 99 of 100 within, ms | database CPU, µs |\n");
    text.push_str("| --- | --: | --- | --: | --: | --: | --: |\n");
    let mut kinds: Vec<_> = Vec::new();
    for served in served
        .iter()
        .filter(|served| FAST.contains(&served.scenario))
    {
        if !kinds.contains(&(served.scenario, served.connections)) {
            kinds.push((served.scenario, served.connections));
        }
    }
    for kind in kinds {
        for served in served
            .iter()
            .filter(|served| (served.scenario, served.connections) == kind)
        {
            speed(text, served)?;
        }
    }
    Ok(())
}

fn speed(text: &mut String, served: &Served) -> Result<()> {
    writeln!(
        text,
        "| {} | {} | {} | {:.0} | {:.2} | {:.2} | {} |",
        served.scenario.label(),
        served.connections,
        served.contestant.library.label(),
        served.per_second,
        served.median_us.median / 1e3,
        served.within_99_us.median / 1e3,
        served
            .database_cpu_us
            .map_or_else(String::new, |cpu| format!("{cpu:.0}")),
    )?;
    Ok(())
}

fn costs(text: &mut String, store: Store, rows: &[Row], digits: usize) -> Result<()> {
    table(text, store, |contestant, scenario| {
        let row = rows
            .iter()
            .find(|row| (row.contestant, row.scenario) == (contestant, scenario))?;
        let (total, over) = (row.total, row.over_plain);
        Some((format!("{total:.digits$}"), format!("{over:.digits$}")))
    })
}

fn instructions(text: &mut String, counts: &[Count]) -> Result<()> {
    table(text, Store::Memory, |contestant, scenario| {
        let count = counts
            .iter()
            .find(|count| (count.contestant, count.scenario) == (contestant, scenario))?;
        Some((
            format!("{:.0}", count.total),
            format!("{:.0}", count.over_plain),
        ))
    })
}

/// A line for each scenario that has cells, a column for each contestant, whose `cell` is a total and what of it is over
/// plain.
fn table(
    text: &mut String,
    store: Store,
    cell: impl Fn(Contestant, Scenario) -> Option<(String, String)>,
) -> Result<()> {
    let contestants = store.contestants();
    let names: Vec<_> = contestants.iter().map(|who| who.library.label()).collect();
    writeln!(
        text,
        "\n| | {} |\n| --- |{}",
        names.join(" | "),
        " --: |".repeat(names.len())
    )?;
    for scenario in Scenario::ALL {
        let cells: Option<Vec<_>> = contestants
            .iter()
            .map(|who| {
                let (total, over) = cell(*who, scenario)?;
                let is_plain = scenario == scenario.baseline();
                Some(if is_plain {
                    total
                } else {
                    format!("{total} (over plain **{over}**)")
                })
            })
            .collect();
        if let Some(cells) = cells {
            writeln!(text, "| {} | {} |", scenario.label(), cells.join(" | "))?;
        }
    }
    Ok(())
}

fn losses(text: &mut String, all: &[&Losses]) -> Result<()> {
    text.push_str(
        "\n| store | | increments | keys | slow increments | slow keys | logout during a slow request |\n",
    );
    text.push_str("| --- | --- | --: | --: | --: | --: | --- |\n");
    for losses in all {
        let (increments, keys) = (65 * losses.rounds, 64 * losses.rounds);
        let Contestant { library, store } = losses.contestant;
        writeln!(
            text,
            "| {} | {} | {} of {increments} | {} of {keys} | {} of {increments} | {} of {keys} | {} |",
            store.title(),
            library.label(),
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

/// With as many digits as tell it from its neighbours.
fn figure(figure: f64) -> String {
    match figure {
        ..10.0 => format!("{figure:.2}"),
        10.0..1000.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}
