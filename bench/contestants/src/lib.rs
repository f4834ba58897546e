//! Who is measured: the same routes with every library's layer around them, each on the stores it has.
//!
//! A new library is a file beside these, and a line in each place where the compiler asks for it.

pub mod actix_session;
pub mod axum_session;
mod contestant;
mod on_actix;
pub mod ours;
pub mod ours_on_actix;
mod routes;
mod scenario;
mod serve;
mod store;
pub mod tower_sessions;

pub use contestant::{Contestant, Library};
pub use routes::{Api, COUNTER, READ, VALUE_BYTES, VALUES, cpu};
pub use scenario::Scenario;
pub use serve::{serve, serve_per_thread};
pub use store::Store;
