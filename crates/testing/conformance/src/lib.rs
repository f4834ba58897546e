//! What every store and every framework adapter of `fasthttpsession` must pass, also a third party's: one named test
//! per promise.
//!
//! [`store`] says how a store runs its checks and lists them; [`http`] does the same for adapters.

pub mod http;
pub mod store;
