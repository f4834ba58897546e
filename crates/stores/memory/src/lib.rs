//! Keeps sessions in the memory of one process.
mod config;
mod cursor;
mod entry;
mod expiry;
mod key;
mod principals;
mod room;
mod shard;
mod slab;
mod store;

pub use config::{MemoryConfig, WhenFull};
pub use store::MemoryStore;
