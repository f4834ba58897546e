//! How many instructions the core may take: no more than they ever took.

use contestants::Store;

use super::Target;
use crate::instructions::CoreCount;

/// The targets of paths that the report from before has too, held against the least that reports had, so that one that
/// misses does not lower the bar for the next. A path is counted together with its baseline, which the compiler
/// lays out anew with it: in two builds between which neither changed, `get` took 338 and 361 more than its baseline's 10 200.
pub fn of_core(counts: &[CoreCount]) -> Vec<Target> {
    let target = |count: &CoreCount| {
        let ours = (count.instructions, "instructions");
        let baseline = count.total - count.instructions;
        let most = 1.02 * count.earlier? + 0.005 * baseline;
        let promise =
            "takes at most 2 % more instructions than it ever took, and 0.5 % of its baseline's";
        let path = count.path.label();
        Some(Target::at_most(Store::Memory, promise, path, ours, most))
    };
    counts.iter().filter_map(target).collect()
}
