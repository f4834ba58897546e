//! HTTP sessions that never lose a write.

mod connect;

pub use connect::{ConnectError, connect};
pub use fasthttpsession_core::*;
#[cfg(feature = "memory")]
pub use fasthttpsession_memory as memory;
#[cfg(feature = "tower")]
pub use fasthttpsession_tower as tower;
