//! What is special to this store: groups, checkpoints, locks of other processes, damaged and full files,
//! purging, the files themselves and who may write to them, what waits for the disk.

mod checkpoints;
mod damage;
mod file;
mod full;
mod groups;
mod locks;
mod processes;
mod purging;
#[cfg(target_os = "linux")]
mod rights;
mod runtimes;
#[cfg(target_os = "linux")]
mod shared_memory;
#[path = "../support/mod.rs"]
mod support;
#[cfg(target_os = "linux")]
mod sync;
