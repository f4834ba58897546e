//! Sessions without a server, a framework or a runtime: what `fasthttpsession` is made of.
//!
//! Applications depend on `fasthttpsession`, which re-exports all of this. Stores and framework adapters
//! depend on this crate alone.
//!
//! * [`Sessions`] is what an application builds once, from a [`Store`] and settings.
//! * An [`Exchange`] is one request and its response: [`Sessions::begin`] it, [`finish`](Exchange::finish) it. Dropped
//!   before that, it commits nothing.
//! * A [`Session`] is what a handler holds in between. Its reads and writes are synchronous; it keeps a log of what was
//!   done, and the end of the request applies that log to the record by compare-and-swap.
//!
//! # Any server in twenty lines
//!
//! ```
//! use fasthttpsession_core::{Error, Exchange, HeaderEdit, Sessions};
//!
//! /// Counts visits; `headers` are the request's, the result is the status, the body and the headers to send.
//! async fn handle(sessions: &Sessions, headers: &[(&str, &str)]) -> (u16, String, Vec<HeaderEdit>) {
//!     let exchange = sessions.begin(headers.iter().copied(), None);
//!     match answer(&exchange).await {
//!         Ok((body, edits)) => (200, body, edits),
//!         // What was saved on the way is committed, and the client has to learn of its token.
//!         Err(error) => (error.status(), String::new(), exchange.abandon()),
//!     }
//! }
//!
//! async fn answer(exchange: &Exchange) -> Result<(String, Vec<HeaderEdit>), Error> {
//!     let session = exchange.session().await?;
//!     session.update("visits", |visits: &mut u64| *visits += 1)?;
//!     let body = format!("visit number {}", session.get::<u64>("visits")?.unwrap_or_default());
//!     Ok((body, exchange.finish().await?))
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! # let sessions = Sessions::new(fasthttpsession_memory::MemoryStore::new());
//! # let (status, body, edits) = handle(&sessions, &[("host", "example.org")]).await;
//! # assert_eq!((status, &*body), (200, "visit number 1"));
//! # assert!(matches!(&edits[1], HeaderEdit::SetCookie { name, .. } if name == "__Host-id"));
//! # }
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
//!
//! A type may name its own key, and say what becomes of values that an older program wrote: a [`SessionValue`].
//!
//! # Watching
//!
//! [`Sessions::events`] tells the application what happens to sessions. With the feature `tracing`, all of it goes there too,
//! under the target `fasthttpsession`:
//!
//! | | level | fields |
//! | --- | --- | --- |
//! | span `session store` | debug | `operation`, `store` |
//! | event: what happens to a session; a wrong secret and an unreadable record warn | debug, warn | `event` (an [`EventKind::name`]), `handle`, `store` |
//! | event: what a commit meets | debug | `outcome` (`committed`, `conflict`, `resent`, `superseded`, `gone`), `handle`, `store` |
//! | event: a store fails | warn | `operation`, `store`, `took`, `error` |
//!
//! With the feature `metrics`:
//!
//! | | | labels |
//! | --- | --- | --- |
//! | `fasthttpsession_events_total` | counter | `event`: `created`, `rotated`, `destroyed`, `missing`, `wrong_secret`, `unreadable`; `store` |
//! | `fasthttpsession_commits_total` | counter, swaps | `outcome`, as above; `store` |
//! | `fasthttpsession_store_seconds` | histogram; its count is that of the operations that [`Sessions`] called, and of purges | `operation`: `load`, `create`, `replace`, `touch`, `delete`, `sessions_of`, `scan`, `count`, `purge`, `check`; `store` |
//! | `fasthttpsession_store_errors_total` | counter | `operation`, `store`, `kind`: `unavailable`, `timeout`, `full`, `corrupt`, `too_large`, `unsupported`, `misconfigured`, `internal` |
//!
//! Nowhere is there a token, a secret or a value in them. They are told to `tracing` 0.1 and `metrics` 0.24: what listens to
//! another version hears nothing.

mod codec;
mod commit;
mod cookie;
mod csrf;
mod error;
mod events;
mod exchange;
mod key;
mod keys;
mod lifetimes;
mod limits;
mod random;
mod record;
mod session;
mod sessions;
#[cfg(feature = "settings")]
mod settings;
mod sign_in_page;
mod stamp;
mod store;
mod time;
mod token;
mod transport;
mod users;
mod values;
mod wire;

pub use codec::Codec;
pub use cookie::{Cookie, SameSite};
pub use error::{BuildError, Error, Unreadable};
pub use events::{Event, EventKind, Events};
pub use exchange::{Exchange, HeaderEdit, RequestSession};
pub use key::{Key, ValueKey};
pub use keys::{Keys, KeysError};
pub use lifetimes::Lifetimes;
pub use limits::Limits;
pub use record::{Header, InvalidRecord, InvalidText, Label, Principal, Record};
pub use session::{OldValue, Outcome, Session, SessionValue, TransactError, Typed, UpdateResult};
pub use sessions::{Sessions, SessionsBuilder, Snapshot};
#[cfg(feature = "settings")]
pub use settings::Settings;
pub use sign_in_page::SignInPage;
pub use store::{
    AnyStore, Capabilities, Created, Cursor, Deleted, Page, Replaced, Store, StoreError,
    StoreErrorKind, Touched, TwoStores,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use token::codec::TokenCodec;
pub use token::{Handle, InvalidHandle};
pub use transport::Transport;
pub use users::{UserSession, Users};
pub use values::Values;
