//! What servers under load took, store by store.

use std::fmt::Write as _;

use anyhow::Result;
use contestants::{Contestant, Scenario, Store};

use super::OnStore;
use super::markdown::costs;
use super::table::{grid, precise};
use crate::serving::{CONNECTIONS, Kind, MANY, Served, costs as cpu_costs};

const STORES: &str = "
## Servers under load, store by store

CPU is user and system time of the server process per request, asked by 32 connections; of all but the routes outside the layer, \
what is added to those in the same round. Speed and time: sessions are asked for by a skewed distribution, the one of rank n in \
proportion to 1/n. Mixed load: of 100 requests 90 read, 9 write, and 1 signs in or out. Where a session is \
gone, the handler panics, and its connection is closed.
";

const TIMES: &str = "
Time of an answer, ms: half of them within, 99 of 100, and of all rounds together 999 of 1000, where at least a hundred took longer:
";

/// Each store on which servers were measured.
pub fn write(text: &mut String, stores: &[OnStore]) -> Result<()> {
    let mut measured = stores
        .iter()
        .filter(|on| !(on.serving.is_empty() && on.tail.is_empty()))
        .peekable();
    if measured.peek().is_some() {
        text.push_str(STORES);
    }
    measured.try_for_each(|on| store(text, on))
}

fn store(text: &mut String, on: &OnStore) -> Result<()> {
    writeln!(text, "\n### {}\n\n{}.", on.store.title(), on.settings)?;
    if let Some(Served { sessions, .. }) = on.serving.first() {
        writeln!(text, "\nCPU per request, µs, on {sessions} sessions:")?;
        costs(text, &on.store.served(), &cpu_costs(&on.serving), 2)?;
        database(text, on)?;
    }
    if let Some(Served { sessions, .. }) = on.tail.first() {
        writeln!(text, "\nRequests a second, on {sessions} sessions:")?;
        by_kind(text, on.store, &on.tail, |served| {
            precise(served.per_second, 0)
        })?;
        text.push_str(TIMES);
        by_kind(text, on.store, &on.tail, times)?;
    }
    let mut contestants = on.store.served().into_iter();
    contestants.try_for_each(|who| failed(text, on, who))
}

fn database(text: &mut String, on: &OnStore) -> Result<()> {
    if !on.store.has_processes() {
        return Ok(());
    }
    text.push_str("\nThe database's own CPU for it, µs:\n");
    let contestants = on.store.served();
    let rows = Scenario::ALL.map(|scenario| {
        let cell = |who: &Contestant| {
            let served = find(&on.serving, *who, (scenario, MANY))?;
            served.database_cpu_us.map(|cpu| precise(cpu, 0))
        };
        let cells = contestants.iter().map(cell).collect();
        (scenario.title().to_owned(), cells)
    });
    let layered = rows
        .into_iter()
        .zip(Scenario::ALL)
        .filter(|(_, scenario)| *scenario != scenario.baseline());
    grid(text, &contestants, layered.map(|(row, _)| row))
}

/// A line for each number of connections and what they ask for.
fn by_kind(
    text: &mut String,
    store: Store,
    served: &[Served],
    cell: impl Fn(&Served) -> String,
) -> Result<()> {
    let contestants = store.contestants();
    let kinds = CONNECTIONS
        .into_iter()
        .flat_map(|connections| Scenario::ALL.map(|scenario| (scenario, connections)));
    let rows = kinds.map(|kind| {
        let found = contestants.iter().map(|who| find(served, *who, kind));
        (title(kind), found.map(|found| found.map(&cell)).collect())
    });
    grid(text, &contestants, rows)
}

fn title((scenario, connections): Kind) -> String {
    let ending = if connections == 1 { "" } else { "s" };
    format!("{connections} connection{ending}: {}", scenario.title())
}

fn times(served: &Served) -> String {
    let within_999 = served
        .within_999_us
        .map(|micros| format!("{:.2}", micros / 1e3));
    format!(
        "{:.2} / **{:.2}** / {}",
        served.median_us.median / 1e3,
        served.within_99_us.median / 1e3,
        within_999.as_deref().unwrap_or("–")
    )
}

fn find(served: &[Served], who: Contestant, kind: Kind) -> Option<&Served> {
    let wanted = (who, kind);
    served
        .iter()
        .find(|served| (served.contestant, (served.scenario, served.connections)) == wanted)
}

fn failed(text: &mut String, on: &OnStore, who: Contestant) -> Result<()> {
    let all = on.serving.iter().chain(&on.tail);
    let theirs = all.filter(|served| served.contestant == who);
    for served in theirs {
        let kind = title((served.scenario, served.connections));
        for (what, failed) in &served.failed {
            let library = who.library.label();
            writeln!(text, "\n{library}, {kind}: {failed} times {what}.")?;
        }
    }
    Ok(())
}
