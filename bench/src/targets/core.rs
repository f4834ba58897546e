//! How many instructions the core may take: no more than before.

use contestants::Store;

use super::Target;
use crate::instructions::CoreCount;

/// The targets of paths that the report from before has too. Counts repeat within a percent.
pub fn of_core(counts: &[CoreCount]) -> Vec<Target> {
    let target = |count: &CoreCount| {
        let ours = (count.instructions, "instructions");
        let most = 1.02 * count.earlier?;
        let promise = "takes at most 2 % more instructions than in the report before";
        let path = count.path.label();
        Some(Target::at_most(Store::Memory, promise, path, ours, most))
    };
    counts.iter().filter_map(target).collect()
}
