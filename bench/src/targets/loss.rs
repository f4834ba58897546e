//! What may be lost or count twice, and which writes refused: none.

use contestants::Library;

use super::Target;
use crate::loss::Losses;

const LOST: &str = "nothing acknowledged is lost or counts twice, in any round";
const ANSWERED: &str = "every write is answered, in every round";
const ENDED: &str = "what was logged out stays so, and nobody else is signed out, in any round";

/// The targets of one store.
pub fn of_loss(losses: &[Losses]) -> Vec<Target> {
    let ours = losses
        .iter()
        .filter(|losses| losses.contestant.library.is_ours());
    ours.flat_map(of).collect()
}

#[allow(clippy::cast_precision_loss, reason = "it is 0, or a few")]
fn of(losses: &Losses) -> [Target; 3] {
    let measured_by = match losses.contestant.library {
        Library::OursPerThread => "64 requests at once, a runtime on each thread",
        Library::OursOnActix => "64 requests at once, in actix-web",
        _ => "64 requests at once",
    };
    let target = |promise, count: usize, unit| {
        Target::at_most(
            losses.contestant.store,
            promise,
            measured_by,
            (count as f64, unit),
            0.0,
        )
    };
    [
        target(LOST, losses.lost() + losses.doubled, "times"),
        target(ANSWERED, losses.refused, "writes without an answer"),
        target(ENDED, losses.revived() + losses.signed_out(), "times"),
    ]
}
