//! Sessions without a server, a framework or a runtime: what `fasthttpsession` is made of.
//!
//! Applications depend on `fasthttpsession`, which re-exports all of this. Who writes a store or a framework adapter
//! depends on this crate alone.
//!
//! * [`Sessions`] is what an application builds once, from a [`Store`] and settings.
//! * An [`Exchange`] is one request and its response: [`Sessions::begin`] it, [`finish`](Exchange::finish) it.
//! * A [`Session`] is what a handler holds in between. Its reads and writes are synchronous; it keeps a log of what was
//!   done, and the end of the request applies that log to the record by compare-and-swap.
//!
//! # Any server in twenty lines
//!
//! ```
//! use fasthttpsession_core::{Error, HeaderEdit, Sessions};
//!
//! /// Counts visits; `headers` are the request's, the result is the body and the headers to send.
//! async fn handle(
//!     sessions: &Sessions,
//!     headers: &[(&str, &str)],
//! ) -> Result<(String, Vec<HeaderEdit>), Error> {
//!     let exchange = sessions.begin(headers.iter().copied(), None);
//!     let session = exchange.session().await?;
//!     session.update("visits", |visits: &mut u64| *visits += 1)?;
//!     let body = format!("visit number {}", session.get::<u64>("visits")?.unwrap_or_default());
//!     Ok((body, exchange.finish().await?))
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! # let sessions = Sessions::new(fasthttpsession_memory::MemoryStore::new());
//! # let (body, edits) = handle(&sessions, &[("host", "example.org")]).await?;
//! # assert_eq!(body, "visit number 1");
//! # assert!(matches!(&edits[1], HeaderEdit::SetCookie { name, .. } if name == "__Host-id"));
//! # Ok(()) }
//! ```
//!
//! # Values
//!
//! Anything that serde knows, under a string or under a typed [`Key`]. A whole struct under one key changes as one:
//!
//! ```
//! use fasthttpsession_core::{Error, Key, Session};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Basket { items: Vec<u32>, coupon: Option<String> }
//!
//! const BASKET: Key<Basket> = Key::new("basket");
//!
//! fn add(session: &Session, item: u32) -> Result<(), Error> {
//!     session.update(BASKET, move |basket| basket.items.push(item))
//! }
//! ```
//!
//! Two requests that `add` at once both find their item in the basket. A coupon that may be redeemed once is taken with
//! [`Session::transact`]: of all requests that try, one gets it.
//!
//! ```
//! # use fasthttpsession_core::{Error, Session, TransactError};
//! async fn redeem(session: &Session) -> Result<Option<String>, TransactError<Error>> {
//!     session.transact(|values| values.take("coupon")).await
//! }
//! ```

mod codec;
mod commit;
mod cookie;
mod error;
mod exchange;
mod key;
mod lifetimes;
mod limits;
mod random;
mod record;
mod session;
mod sessions;
mod store;
mod time;
mod token;
mod values;
mod wire;

pub use codec::Codec;
pub use cookie::{Cookie, SameSite};
pub use error::{BuildError, Error, Unreadable};
pub use exchange::{Exchange, HeaderEdit};
pub use key::{Key, ValueKey};
pub use lifetimes::Lifetimes;
pub use limits::Limits;
pub use record::{Header, InvalidText, Label, Principal, Record};
pub use session::{Outcome, Saved, Session, TransactError, UpdateResult};
pub use sessions::{Sessions, SessionsBuilder, Snapshot};
pub use store::{
    AnyStore, Capabilities, Created, Cursor, Deleted, Page, Replaced, Store, StoreError,
    StoreErrorKind, Touched,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use token::{Handle, InvalidHandle};
pub use values::Values;
