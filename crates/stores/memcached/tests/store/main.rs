//! What is special to this store.

#[path = "../support/mod.rs"]
mod support;

mod limits;
mod round_trips;
mod servers;
