//! What the report shows in pictures: what requests cost, how long the slowest answers take, and what is lost.

use contestants::Scenario;

use super::{OnStore, Report};
use crate::loss::{AT_ONCE, Losses};
use crate::pictures::{Bar, Group, Picture};
use crate::serving::{MANY, Served};

impl Report {
    /// Those for which something was measured.
    pub fn pictures(&self) -> Vec<Picture> {
        let mut pictures = vec![lost(&self.stores), cost(&self.stores), tail(&self.stores)];
        pictures.retain(|picture| !picture.groups.is_empty());
        pictures
    }
}

fn lost(stores: &[OnStore]) -> Picture {
    let bars = |losses: &[Losses], lost: fn(&Losses) -> (usize, usize)| {
        losses
            .iter()
            .map(|losses| loss_bar(losses, lost(losses)))
            .collect()
    };
    let group = |on: &OnStore| Group {
        name: on.store.title(),
        cells: vec![
            bars(&on.loss, |losses| {
                (
                    losses.increments + losses.slow_increments,
                    2 * (AT_ONCE + 1),
                )
            }),
            bars(&on.loss, |losses| {
                (losses.keys + losses.slow_keys, 2 * AT_ONCE)
            }),
            bars(&on.loss, |losses| (losses.back_after_logout, 1)),
        ],
    };
    Picture {
        name: "lost",
        title: "Lost and revived",
        note: "64 requests at once on one session; a logout during a slow request. Of all that was acknowledged.",
        columns: vec!["lost increments", "lost keys", "sessions back after logout"],
        groups: groups(stores, |on| on.loss.is_empty(), group),
    }
}

fn loss_bar(losses: &Losses, (lost, a_round): (usize, usize)) -> Bar {
    let library = losses.contestant.library;
    let part = part(lost, losses.rounds * a_round);
    Bar {
        label: library.label(),
        is_ours: library.is_ours(),
        part,
        text: match lost {
            0 => "none".to_owned(),
            _ => format!("{:.0} %", part * 100.0),
        },
    }
}

#[allow(clippy::cast_precision_loss, reason = "some thousands")]
fn part(of: usize, all: usize) -> f64 {
    of as f64 / all.max(1) as f64
}

fn cost(stores: &[OnStore]) -> Picture {
    let micros = |served: &Served| served.over_plain_us.map(|spread| spread.median);
    let text = |micros: f64| format!("{micros:.1} µs");
    let columns = [
        (Scenario::Read, "reading a value"),
        (Scenario::Write, "reading and adding one"),
    ];
    let group = |on: &OnStore| Group {
        name: on.store.title(),
        cells: columns
            .map(|(scenario, _)| bars(&on.serving, scenario, micros, text))
            .into(),
    };
    Picture {
        name: "cost",
        title: "Server CPU per request, beyond a route without sessions",
        note: "Asked by 32 connections; ten values of 100 bytes. Shorter is better; each comparison has a scale of its own.",
        columns: columns.map(|(_, head)| head).into(),
        groups: groups(stores, |on| on.serving.is_empty(), group),
    }
}

fn tail(stores: &[OnStore]) -> Picture {
    let millis = |served: &Served| Some(served.within_99_us.median / 1e3);
    let text = |millis: f64| format!("{millis:.2} ms");
    let columns = [
        (Scenario::Read, "reading a value"),
        (Scenario::Write, "reading and adding one"),
        (Scenario::Mixed, "mixed load"),
    ];
    let group = |on: &OnStore| Group {
        name: on.store.title(),
        cells: columns
            .map(|(scenario, _)| bars(&on.tail, scenario, millis, text))
            .into(),
    };
    Picture {
        name: "tail",
        title: "99 of 100 answers come within",
        note: "32 connections, some sessions asked for far more often. Shorter is better; each comparison has a scale of its own.",
        columns: columns.map(|(_, head)| head).into(),
        groups: groups(stores, |on| on.tail.is_empty(), group),
    }
}

fn groups(
    stores: &[OnStore],
    is_left_out: fn(&OnStore) -> bool,
    group: impl Fn(&OnStore) -> Group,
) -> Vec<Group> {
    let stores = stores.iter().filter(|on| !is_left_out(on));
    stores.map(group).collect()
}

fn bars(
    served: &[Served],
    scenario: Scenario,
    figure: impl Fn(&Served) -> Option<f64>,
    text: impl Fn(f64) -> String,
) -> Vec<Bar> {
    let asked = served
        .iter()
        .filter(|served| (served.scenario, served.connections) == (scenario, MANY));
    let figures = asked.filter_map(|served| {
        let library = served.contestant.library;
        Some((library.label(), library.is_ours(), figure(served)?))
    });
    Bar::beside_each_other(figures, text)
}
