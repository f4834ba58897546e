//! HTTP sessions that never lose a write and never come back from the dead.
//!
//! Two requests that change one session at once both count, whatever the store; a session that was logged out stays so,
//! whatever was under way; a leaked database opens no session.
//!
//! ```no_run
//! # #[cfg(feature = "axum")]
//! # mod program {
//! use axum::{Router, routing::get};
//! use fasthttpsession::tower::{Session, SessionFailed, SessionLayer};
//! use fasthttpsession::{Sessions, connect};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let sessions = Sessions::new(connect("memory:").await?);
//!     let app = Router::new().route("/", get(visits)).layer(SessionLayer::new(sessions));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:8086").await?;
//!     Ok(axum::serve(listener, app).await?)
//! }
//!
//! async fn visits(session: Session) -> Result<String, SessionFailed> {
//!     session.update("visits", |visits: &mut u64| *visits += 1)?;
//!     Ok(format!("This is visit {}.", session.get::<u64>("visits")?.unwrap_or_default()))
//! }
//! # }
//! ```
//!
//! # Where to read on
//!
//! * [`Sessions`]: what an application builds once, and its [settings](SessionsBuilder).
//! * [`Session`]: what a handler can do.
//! * [`tower`](https://docs.rs/fasthttpsession-tower): the layer for axum, hyper and everything on tower, and what
//!   happens on streams, errors and panics.
//! * [`Exchange`]: any other server, in twenty lines.
//! * [`Store`]: the contract, for a store of your own.
//!
//! # Features
//!
//! | feature | |
//! | --- | --- |
//! | `memory` (default) | `MemoryStore`, and `connect("memory:")` |
//! | `tower` | `SessionLayer`, for hyper and everything on tower |
//! | `axum` | `tower`, and its extractor for axum |
//! | `messagepack`, `cbor` | codecs beside JSON |
//! | `testing` | a replaceable system generator |

mod connect;

pub use connect::{ConnectError, connect};
pub use fasthttpsession_core::*;
#[cfg(feature = "memory")]
pub use fasthttpsession_memory as memory;
#[cfg(feature = "tower")]
pub use fasthttpsession_tower as tower;

/// The programs in the README are compiled with the tests of the documentation.
#[cfg(all(doctest, feature = "axum"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
