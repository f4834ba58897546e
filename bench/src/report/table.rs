//! Tables with a column for each library.

use std::fmt::Write as _;

use anyhow::Result;
use contestants::{Contestant, Library};

use crate::samples::Spread;

/// A table of these rows: a head and a cell for each contestant. What nobody has a cell for is left out.
pub fn grid(
    text: &mut String,
    contestants: &[Contestant],
    rows: impl IntoIterator<Item = (String, Vec<Option<String>>)>,
) -> Result<()> {
    let heads: Vec<_> = contestants
        .iter()
        .map(|who| match who.library {
            Library::Ours => "**ours**",
            library => library.label(),
        })
        .collect();
    let columns = " --: |".repeat(heads.len());
    writeln!(text, "\n| | {} |\n| --- |{columns}", heads.join(" | "))?;
    for (head, cells) in rows {
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(Option::unwrap_or_default);
            let cells: Vec<_> = cells.collect();
            writeln!(text, "| {head} | {} |", cells.join(" | "))?;
        }
    }
    Ok(())
}

/// A median that stands out, and its spread.
pub fn precise(spread: Spread, digits: usize) -> String {
    let Spread { median, deviation } = spread;
    format!("**{median:.digits$}** ±{deviation:.digits$}")
}
