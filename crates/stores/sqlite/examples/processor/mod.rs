//! Processor time.

use std::time::Duration;

/// What all threads of this process have used, in user and system mode, as the kernel counts it: in hundredths of a
/// second.
pub(crate) fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux has /proc");
    let (_, fields) = stat
        .rsplit_once(')')
        .expect("the name stands in parentheses");
    let ticks = |field: usize| -> u64 {
        let number = fields
            .split_whitespace()
            .nth(field)
            .expect("there are over 50 fields");
        number.parse().expect("it is a number")
    };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
