//! The table of what was promised.

use std::fmt::Write as _;

use anyhow::Result;

use crate::targets::{Bound, Target};

/// All targets; nothing if nothing was measured that decides one.
pub fn write(text: &mut String, targets: &[Target]) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    let met = targets.iter().filter(|target| target.hit).count();
    writeln!(text, "\n## Targets\n\n{met} of {} met.\n", targets.len())?;
    text.push_str("| store | promise | measured by | ours | promised | |\n| --- | --- | --- | --: | --: | --- |\n");
    for target in targets {
        line(text, target)?;
    }
    Ok(())
}

fn line(text: &mut String, target: &Target) -> Result<()> {
    let promised = match target.promised {
        Bound::AtMost(limit) => format!("≤ {}", figure(limit)),
        Bound::AtLeast(limit) => format!("≥ {}", figure(limit)),
    };
    writeln!(
        text,
        "| {} | {} | {} | {} {} | {promised} | {} |",
        target.store.title(),
        target.promise,
        target.measured_by,
        figure(target.ours),
        target.unit,
        verdict(target)
    )?;
    Ok(())
}

fn verdict(target: &Target) -> String {
    let limit = target.limit.as_deref().map(|limit| format!("; {limit}"));
    match target.missed_by() {
        None => "met".to_owned(),
        Some(missed) => format!("**missed by {missed}**{}", limit.unwrap_or_default()),
    }
}

impl Target {
    /// How far it was missed, as a part of what was promised; `None` if it was met.
    fn missed_by(&self) -> Option<String> {
        let (Bound::AtMost(promised) | Bound::AtLeast(promised)) = self.promised;
        let distance = (self.ours - promised).abs();
        let missed = if promised == 0.0 {
            figure(distance)
        } else {
            format!("{:.0} %", (100.0 * distance / promised.abs()).max(1.0))
        };
        (!self.hit).then_some(missed)
    }
}

/// With as many digits as tell it from its neighbours.
fn figure(figure: f64) -> String {
    match figure {
        _ if figure.fract() == 0.0 => format!("{figure:.0}"),
        ..10.0 => format!("{figure:.2}"),
        10.0..1000.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use contestants::Store;

    use super::*;

    fn verdict_of(ours: f64, limit: f64) -> String {
        verdict(&Target::at_most(
            Store::Memory,
            "is quick",
            "clock",
            (ours, "ms"),
            limit,
        ))
    }

    #[test]
    fn a_miss_says_by_how_much() {
        assert_eq!(verdict_of(15.0, 12.0), "**missed by 25 %**");
        assert_eq!(verdict_of(3.0, 0.0), "**missed by 3**");
        assert_eq!(verdict_of(12.0, 12.0), "met");
    }
}
