//! What growth may cost: a purge costs what has expired, not what is stored.

use super::Target;
use crate::scale::Scale;

const PROMISE: &str = "purging 10 000 takes at most twice as long among ten times as many";

/// The target of a store: the last two sizes decide it, of which the second is ten times the first. `None` of small ones.
pub fn of_scale(scale: &[Scale]) -> Option<Target> {
    let [.., fewer, more] = scale else {
        return None;
    };
    // Among few, what expires is most of what there is.
    if fewer.sessions < 100_000 {
        return None;
    }
    let times = more.purge_ms? / fewer.purge_ms?;
    let measured_by = "purge among the most sessions";
    Some(Target::at_most(
        more.store,
        PROMISE,
        measured_by,
        (times, "times"),
        2.0,
    ))
}
