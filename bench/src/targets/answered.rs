//! Which requests under load may fail: none.

use contestants::Store;

use super::Target;
use crate::serving::Served;

/// The target of `store`; none where none of this library's servers was under load. What fails would otherwise show nowhere:
/// times of answers are of those that came, and cost is of all that were asked for.
pub fn of_answers<'a>(store: Store, served: impl Iterator<Item = &'a Served>) -> Option<Target> {
    let ours = served.filter(|served| served.contestant.library.is_ours());
    let failed = ours.map(|served| served.failed.values().sum::<usize>());
    let failed = failed.reduce(|one, other| one + other)?;
    #[allow(clippy::cast_precision_loss, reason = "it is 0, or a few")]
    let figure = (failed as f64, "requests");
    let (promise, measured_by) = ("no request fails", "every server of ours, under every load");
    Some(Target::at_most(store, promise, measured_by, figure, 0.0))
}
