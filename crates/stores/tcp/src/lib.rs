//! TCP connections to the servers of stores that speak a protocol of their own: to the first address of a name that takes
//! one, and after an attempt that failed not at once again.

mod connect;
mod pause;

pub use connect::connect;
pub use pause::pause;
