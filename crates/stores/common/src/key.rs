//! The keys of records in stores that keep one value a key.

use std::fmt::Write as _;

use fasthttpsession_core::Handle;

/// The key of the record of `handle`: `prefix`, and the handle's 22 characters. Takes one allocation.
pub fn record_key(prefix: &str, handle: Handle) -> String {
    let mut key = String::with_capacity(prefix.len() + Handle::TEXT_BYTES);
    write!(key, "{prefix}{handle}").expect("a string takes all");
    key
}
