//! What is special to this store: groups, commits that fail, rows that are no record, rows that others hold, servers that
//! fail, pools of the application's own, encryption, limits, purging.

mod commits;
mod damage;
mod groups;
mod limits;
mod locks;
mod pools;
mod purging;
mod refusals;
mod runtimes;
mod servers;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "tls")]
mod tls;
