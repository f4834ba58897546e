//! The table of the core's hot paths.

use std::fmt::Write as _;

use anyhow::Result;

use super::Report;
use crate::core_paths::CorePath;
use crate::core_times::MANY;
use crate::samples::Spread;

/// What stands above the table.
fn head() -> String {
    format!("
## Paths of the core

Each alone, through `Sessions` on a memory store: CPU of the thread on one session, so that all it needs is in the processor's \
caches, and on {MANY} in turn; and instructions on one, counted as above. Earlier is the least that was \
counted before this report, on such a processor and with such a compiler.

| path | µs, on one | µs, on {MANY} | instructions | earlier |
| --- | --: | --: | --: | --: |
")
}

impl Report {
    /// What was measured of them; nothing if nothing was.
    pub(super) fn core(&self, text: &mut String) -> Result<()> {
        if self.core_us.is_some() || self.core.is_some() {
            text.push_str(&head());
            CorePath::ALL
                .into_iter()
                .try_for_each(|path| self.path(text, path))?;
        }
        Ok(())
    }

    fn path(&self, text: &mut String, path: CorePath) -> Result<()> {
        let mut times = self.core_us.iter().flatten();
        let time = times.find(|time| time.path == path);
        let mut counts = self.core.iter().flatten();
        let count = counts.find(|count| count.path == path);
        let earlier = count.and_then(|count| count.earlier);
        let micros = |spread: Option<Spread>| {
            spread
                .map(|spread| format!("{spread:.3}"))
                .unwrap_or_default()
        };
        let whole = |count: f64| format!("{count:.0}");
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            path.title(),
            micros(time.map(|time| time.own_us)),
            micros(time.and_then(|time| time.among_many_us)),
            count
                .map(|count| whole(count.instructions))
                .unwrap_or_default(),
            earlier.map(whole).unwrap_or_default()
        )?;
        Ok(())
    }
}
