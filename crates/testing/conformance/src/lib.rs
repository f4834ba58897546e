//! What every store of `fasthttpsession` must pass, also a third party's: one named test per promise.
//!
//! [`store`] says how a store runs it and lists the checks.

pub mod http;
pub mod store;
