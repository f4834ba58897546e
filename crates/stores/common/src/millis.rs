//! For `#[serde(with = "fasthttpsession_store_common::millis")]` on a [`Duration`]: a whole number of milliseconds, in a
//! field whose name ends in `_ms`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Reads a number of milliseconds.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}
