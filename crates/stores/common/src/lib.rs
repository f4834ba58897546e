//! What stores on disks and servers have in common. Applications have no need of this crate; authors of stores may.
//!
//! * [`StoreUrl`]: a store's settings from a URL, by the same serde type that reads them from a file.
//! * [`Hidden`]: what a configuration does not show, such as a password.
//! * [`TableName`]: the only text of a configuration that gets into a statement.
//! * [`Purging`]: removes what has expired, in the background, as long as the store is there.
//! * [`Pace`]: whether a disk is quick enough to be asked without a thread.
//! * [`Grouped`]: calls that wait for each other anyway, made together.
//! * [`PerRuntime`]: what each runtime has of its own, like connections.
//! * [`RuntimePool`]: connections of several runtimes, with one bound.
//! * [`Turns`]: a queue in which nobody waits for long for a runtime that does not run.
//! * [`record_key`] and [`record_bytes`]: the name of a record in stores that keep one value a key, and the value.
//! * [`cursor_at`], [`cursor_after`] and [`handle_at`]: where a scan goes on that follows the handles; [`foreign_cursor`]: that
//!   it can't.
//! * [`bigint`]: a number of a record as databases keep it.
//! * [`Load`], [`Create`], [`Replace`], [`Touch`] and [`Delete`]: the operations on one session as values.
//! * [`misconfigured`]: the error that says what somebody has to mend.
//! * [`in_runtime`] and [`in_runtime_with_io`]: an error in place of a panic outside of tokio, and without its timers or
//!   its I/O.
//! * [`settle`]: attempts at what other writers are in the way of.
//! * [`within`]: an end for every wait.

mod after;
mod bigint;
mod bytes;
mod calls;
mod cursor;
mod error;
mod grouped;
mod hidden;
mod key;
pub mod millis;
mod pace;
mod per_runtime;
mod purging;
mod runtime;
mod runtime_pool;
mod settings;
mod settle;
mod table;
mod turns;
mod url;
mod within;

pub use after::cursor_after;
pub use bigint::bigint;
pub use bytes::record_bytes;
pub use calls::{Create, Delete, Load, Replace, Touch};
pub use cursor::{cursor_at, foreign_cursor, handle_at};
pub use error::misconfigured;
pub use grouped::{Group, GroupLimits, Grouped};
pub use hidden::Hidden;
pub use key::record_key;
pub use pace::Pace;
pub use per_runtime::PerRuntime;
pub use purging::{PurgeTask, Purging};
pub use runtime::{in_runtime, in_runtime_with_io};
pub use runtime_pool::{Pooled, Room, RuntimePool, Taken};
pub use settle::settle;
pub use table::TableName;
pub use turns::{Turn, Turns};
pub use url::StoreUrl;
pub use within::within;
