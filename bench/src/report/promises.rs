//! The table of what was promised.

use std::fmt::Write as _;

use anyhow::Result;

use crate::targets::{Bound, Target};

/// All targets; nothing if nothing was measured that decides one.
pub fn write(text: &mut String, targets: &[Target]) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n## Targets\n\nMet: {} figures of cost and speed, and {} promises of correctness, of which nothing may go wrong.\n",
        met(targets, |target| !target.is_of_correctness()),
        met(targets, Target::is_of_correctness)
    )?;
    text.push_str("| store | promise | measured by | ours | promised | |\n| --- | --- | --- | --: | --: | --- |\n");
    for target in targets {
        line(text, target)?;
    }
    Ok(())
}

/// How many of one kind.
fn met(targets: &[Target], is_one: fn(&Target) -> bool) -> String {
    let (met, missed): (Vec<_>, Vec<_>) = targets
        .iter()
        .filter(|target| is_one(target))
        .partition(|target| target.hit);
    format!("{} of {}", met.len(), met.len() + missed.len())
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
    let verdict = match target.missed_by() {
        None => "met".to_owned(),
        Some(missed) => format!("**missed by {missed}**"),
    };
    let also = [&target.limit, &target.beside].into_iter().flatten();
    let parts: Vec<_> = [&verdict]
        .into_iter()
        .chain(also)
        .map(String::as_str)
        .collect();
    parts.join("; ")
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

    fn hit() -> Target {
        Target {
            beside: Some("in actix-web 13 ms".to_owned()),
            ..Target::at_most(Store::Memory, "is quick", "clock", (11.0, "ms"), 12.0)
        }
    }

    #[test]
    fn a_hit_says_what_other_servers_take() {
        assert_eq!(verdict(&hit()), "met; in actix-web 13 ms");
    }

    #[test]
    fn promises_of_correctness_are_counted_apart() {
        let kept = Target::at_most(Store::Memory, "loses nothing", "count", (0.0, "times"), 0.0);
        let mut text = String::new();
        write(&mut text, &[hit(), kept]).unwrap();
        assert!(
            text.contains("1 of 1 figures of cost and speed, and 1 of 1 promises of correctness"),
            "{text}"
        );
    }

    #[test]
    fn a_miss_says_by_how_much() {
        assert_eq!(verdict_of(15.0, 12.0), "**missed by 25 %**");
        assert_eq!(verdict_of(3.0, 0.0), "**missed by 3**");
        assert_eq!(verdict_of(12.0, 12.0), "met");
    }
}
