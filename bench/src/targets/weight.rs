//! What libraries may weigh: no more than the leanest peer.

use contestants::Store;

use super::Target;
use crate::weight::Weight;

const CRATES: &str = "brings no more crates than the leanest peer";
const BUILD: &str = "adds no more to a clean build than the leanest peer";

/// The targets that programs of every library can decide: this library's on axum is the one that is meant.
pub fn of_weight(weights: &[Weight]) -> Vec<Target> {
    #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
    let crates = |weight: &Weight| Some(weight.crates_added as f64);
    let crates = target(weights, CRATES, "crates", crates);
    let build = target(weights, BUILD, "s", |weight| {
        Some(weight.build_added_s?.median)
    });
    crates.into_iter().chain(build).collect()
}

/// `None` when it was not measured.
fn target(
    weights: &[Weight],
    promise: &'static str,
    unit: &'static str,
    figure: impl Fn(&Weight) -> Option<f64>,
) -> Option<Target> {
    let ours = figure(weights.iter().find(|weight| weight.is_ours())?)?;
    let peers = weights.iter().filter(|weight| !weight.is_ours());
    let leanest = peers.filter_map(&figure).min_by(f64::total_cmp)?;
    let measured_by = "a store in memory or cookies, beyond the framework";
    let target = Target::at_most(Store::Memory, promise, measured_by, (ours, unit), leanest);
    let programs = weights.iter().filter_map(|weight| {
        let figure = figure(weight)?;
        Some(format!("{}: {figure:.1} {unit}", weight.of))
    });
    Some(target.below(Some(programs.collect::<Vec<_>>().join("; "))))
}
