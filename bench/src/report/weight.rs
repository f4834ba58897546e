//! The table of what libraries weigh before the first request.

use std::fmt::Write as _;

use anyhow::Result;

use crate::samples::Spread;
use crate::weight::Weight;

const WEIGHT: &str = "
## Before the first request

Crates of a program that has nothing but the library with its default features and its framework (and actix-session's store in cookies, for by default it \
has none), and a clean build of it without optimisation on this machine, this library's crates built as those of a registry are: the median of five, each beside a build \
of the framework alone. Added is what that does not need.

| program | crates | added | clean build, s | added, s |
| --- | --: | --: | --: | --: |
";

/// The table, if there are rows.
pub fn write(text: &mut String, weights: &[Weight]) -> Result<()> {
    if !weights.is_empty() {
        text.push_str(WEIGHT);
    }
    for weight in weights {
        writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            weight.of,
            weight.crates,
            weight.crates_added,
            seconds(weight.build_s),
            seconds(weight.build_added_s)
        )?;
    }
    Ok(())
}

fn seconds(seconds: Option<Spread>) -> String {
    seconds.map_or_else(String::new, |seconds| format!("{seconds:.1}"))
}
