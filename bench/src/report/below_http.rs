//! The tables of what was measured in this process, without HTTP.

use std::fmt::Write as _;

use anyhow::Result;

use super::OnStore;

/// Each table that has rows.
pub fn write(text: &mut String, stores: &[OnStore]) -> Result<()> {
    limits(text, stores)?;
    redis_instructions(text, stores)?;
    contention(text, stores)?;
    scale(text, stores)
}

const LIMIT: &str = "
## Beside the bare driver

The store as `Sessions` calls it, and its driver doing the same commands, in one process without HTTP: 64 tasks on 2 \
threads, in turns. CPU is this process's. Records are the same, and so are statements and scripts. Where the store makes \
calls of many tasks together, the driver does so too, in groups as large, on as many connections as make it fastest: one \
transaction in SQLite, one statement in PostgreSQL, one text in MariaDB. Of memcached, the driver is the client that the \
store is built on. Of memory, the floor is maps behind locks; of files, reading, and writing over what is there, both on the thread that \
asks, as the store does while the kernel has it all in memory. The floors of memory and files know no versions, deadlines or \
purging, and that of files leaves half a record if it is killed.

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

const REDIS: &str = "
## Instructions of Redis

What Redis itself executes for each session, counted by valgrind. It has one thread, for which every request waits. A record is \
one of ten values of 100 bytes whose deadlines stay.

| what it is asked for | instructions |
| --- | --: |
";

fn redis_instructions(text: &mut String, stores: &[OnStore]) -> Result<()> {
    let mut rows = stores
        .iter()
        .flat_map(|on| &on.redis_instructions)
        .peekable();
    if rows.peek().is_some() {
        text.push_str(REDIS);
    }
    for row in rows {
        writeln!(text, "| {} | {:.0} |", row.work.title(), row.instructions)?;
    }
    Ok(())
}

const CONTENTION: &str = "
## Many writers on one session

Each adds one to the same counter over and over, through `Sessions` in one process without HTTP.

| store | writers | requests a second | store calls per request | longest request, ms | lost | doubled |
| --- | --: | --: | --: | --: | --: | --: |
";

fn contention(text: &mut String, stores: &[OnStore]) -> Result<()> {
    let rows: Vec<_> = stores.iter().flat_map(|on| &on.contention).collect();
    if !rows.is_empty() {
        text.push_str(CONTENTION);
    }
    for row in rows {
        writeln!(
            text,
            "| {} | {} | {:.0} | {:.2} | {:.1} | {} | {} |",
            row.store.title(),
            row.writers,
            row.per_second,
            row.calls_per_commit,
            row.longest_ms,
            row.lost,
            row.doubled
        )?;
    }
    Ok(())
}

const SCALE: &str = "
## More and more sessions

µs of CPU an operation, this process's and the database's, for 10 000 sessions at even distances with 64 under way at once; in \
brackets the µs until the next is done. Sessions have bodies of 312 bytes; what one takes is by how much the store has grown. A \
purge removes 10 000 expired sessions, 1000 at a time; Redis and memcached do so by themselves.

| store | sessions | bytes each | load | replace | touch | delete | create | purge, ms |
| --- | --: | --: | --: | --: | --: | --: | --: | --: |
";

fn scale(text: &mut String, stores: &[OnStore]) -> Result<()> {
    let rows: Vec<_> = stores.iter().flat_map(|on| &on.scale).collect();
    if !rows.is_empty() {
        text.push_str(SCALE);
    }
    for row in rows {
        let costs = row.operations.iter();
        let costs: Vec<_> = costs
            .map(|cost| format!("{:.1} ({:.1})", cost.cpu_us, cost.wall_us))
            .collect();
        let purge = row.purge_ms.map(|millis| format!("{millis:.1}"));
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            row.store.title(),
            row.sessions,
            row.bytes_each,
            costs.join(" | "),
            purge.unwrap_or_default()
        )?;
    }
    Ok(())
}
