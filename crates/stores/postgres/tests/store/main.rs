//! What is special to this store: groups, rows that others hold, levels of isolation, rows that are no record, servers
//! that fail, answers that get lost, pools, poolers, encryption, purging.

mod damage;
mod deadlocks;
mod groups;
mod isolation;
mod locks;
mod lost;
mod pool;
mod purging;
mod refusals;
mod runtimes;
mod servers;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
mod unprepared;
