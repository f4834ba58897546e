//! What is special to this store.

#[path = "../support/mod.rs"]
mod support;

mod counter;
mod demoted;
mod limits;
mod own;
mod principals;
mod replicas;
mod restarting;
mod round_trips;
mod servers;
mod slow;
mod swaps;
