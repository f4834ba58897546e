//! The checks, a module for each of their subjects.

pub mod cookies;
pub mod costs;
pub mod deadlines;
pub mod errors;
pub mod layers;
pub mod lifecycle;
pub mod login;
pub mod logout;
pub mod rotation;
pub mod strangers;
pub mod tokens;
pub mod traffic;
pub mod transports;
