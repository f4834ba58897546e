//! The tables of what was measured in this process, without HTTP.

use std::fmt::Write as _;

use anyhow::Result;

use super::OnStore;

/// Each table that has rows.
pub fn write(text: &mut String, stores: &[OnStore]) -> Result<()> {
    limits(text, stores)?;
    contention(text, stores)
}

const LIMIT: &str = "
## Beside the bare driver

The store as `Sessions` calls it, and its driver doing the same commands, in one process without HTTP: 64 tasks on 2 threads, \
in turns. CPU is this process's. Of memory, the floor is maps behind locks; of files, reading, and writing and renaming. The \
floors of memory and files know no versions, deadlines or purging.

| store | operation | ours, a second | bare, a second | ours, CPU µs | bare, CPU µs | ours / bare |
| --- | --- | --: | --: | --: | --: | --: |
";

fn limits(text: &mut String, stores: &[OnStore]) -> Result<()> {
    let rows: Vec<_> = stores.iter().flat_map(|on| &on.limit).collect();
    if !rows.is_empty() {
        text.push_str(LIMIT);
    }
    for row in rows {
        let (store, operation) = (row.store.title(), row.operation.label());
        let (ours, bare, ratio) = (row.ours, row.bare, row.ratio);
        writeln!(
            text,
            "| {store} | {operation} | {:.0} | {:.0} | {:.2} | {:.2} | **{ratio:.2}** |",
            ours.per_second, bare.per_second, ours.cpu_us, bare.cpu_us
        )?;
    }
    Ok(())
}

const CONTENTION: &str = "
## Many writers on one session

Each adds one to the same counter over and over, through `Sessions` in one process without HTTP.

| store | writers | requests a second | store calls per request | longest request, ms | lost |
| --- | --: | --: | --: | --: | --: |
";

fn contention(text: &mut String, stores: &[OnStore]) -> Result<()> {
    let rows: Vec<_> = stores.iter().flat_map(|on| &on.contention).collect();
    if !rows.is_empty() {
        text.push_str(CONTENTION);
    }
    for row in rows {
        writeln!(
            text,
            "| {} | {} | {:.0} | {:.2} | {:.1} | {} |",
            row.store.title(),
            row.writers,
            row.per_second,
            row.calls_per_commit,
            row.longest_ms,
            row.lost
        )?;
    }
    Ok(())
}
