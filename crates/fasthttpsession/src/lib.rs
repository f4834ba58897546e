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
//! * [`guide`]: getting started, choosing a store, security, devices, testing, operations, coming from elsewhere.
//! * [`Sessions`]: what an application builds once, and its [settings](SessionsBuilder), also from a
//!   [file and the environment](Settings).
//! * [`Session`]: what a handler can do.
//! * [`tower`]: the layer for axum, hyper and everything on tower; who must be signed in, the order of middleware, and what
//!   happens on streams, errors and panics.
//! * [`actix`]: the same for actix-web.
//! * [`Exchange`]: any other server, in twenty lines.
//! * [`Store`]: the contract, for a store of your own.
//!
//! # Features
//!
//! | feature | |
//! | --- | --- |
//! | `memory` (default) | `MemoryStore`, and `connect("memory:")` |
//! | `sqlite` | `SqliteStore`, and `connect("sqlite:…")` |
//! | `file` | `FileStore`, and `connect("file:…")`; on Unix alone |
//! | `postgres` | `PostgresStore`, and `connect("postgres://…")` |
//! | `mysql` | `MysqlStore`, and `connect("mysql://…")`, for MariaDB too |
//! | `redis` | `RedisStore`, and `connect("redis://…")`, for Valkey, Cluster and Sentinel too; on Unix alone |
//! | `memcached` | `MemcachedStore`, and `connect("memcached://…")`; on Unix alone |
//! | `tls` | encrypted connections to PostgreSQL, MySQL and memcached, [if the URL asks for them](crate::connect); Redis needs no feature |
//! | `tower` | `SessionLayer`, for hyper and everything on tower |
//! | `axum` | `tower`, and its extractor for axum |
//! | `actix` | `SessionMiddleware` and the extractor for actix-web |
//! | `encryption` | `TokenCodec::encrypted` and `SessionsBuilder::encrypt_records`: tokens and records others can't read |
//! | `messagepack`, `cbor` | codecs beside JSON |
//! | `settings` | `Settings` and `open`: sessions and their store from a [file and the environment](guide::operations) |
//! | `tracing`, `metrics` | [what happens](guide::operations), told to these crates |
//!
#![cfg_attr(not(feature = "tower"), doc = "[`tower`]: #features")]
#![cfg_attr(not(feature = "actix"), doc = "[`actix`]: #features")]

mod connect;
pub mod guide;
#[cfg(feature = "settings")]
mod open;
mod stores;

pub use connect::{ConnectError, connect};
#[cfg(feature = "actix")]
pub use fasthttpsession_actix as actix;
pub use fasthttpsession_core::*;
#[cfg(feature = "file")]
pub use fasthttpsession_file as file;
#[cfg(feature = "memcached")]
pub use fasthttpsession_memcached as memcached;
#[cfg(feature = "memory")]
pub use fasthttpsession_memory as memory;
#[cfg(feature = "mysql")]
pub use fasthttpsession_mysql as mysql;
#[cfg(feature = "postgres")]
pub use fasthttpsession_postgres as postgres;
#[cfg(feature = "redis")]
pub use fasthttpsession_redis as redis;
#[cfg(feature = "sqlite")]
pub use fasthttpsession_sqlite as sqlite;
#[cfg(feature = "tower")]
pub use fasthttpsession_tower as tower;
#[cfg(feature = "settings")]
pub use open::{OpenError, open};
pub use stores::Stores;

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The programs in the README are compiled with the tests of the documentation.
#[cfg(all(doctest, feature = "actix", feature = "axum"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
