//! What a memory store promises beyond the conformance suite.

#[cfg(test)]
mod capacity;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod sample;
