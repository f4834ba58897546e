//! A thin client of memcached: the commands that sessions need, over its meta protocol, pipelined.
//!
//! ```no_run
//! use bytes::Bytes;
//! use fasthttpsession_memcached_client::{Added, ClientConfig, Deleted, Expiry, Swapped};
//! use std::time::Duration;
//!
//! # async fn example() -> Result<(), fasthttpsession_memcached_client::Error> {
//! let client = ClientConfig::new(["127.0.0.1:11211".parse()?]).open()?;
//! let hour = Expiry::after(Duration::from_secs(3600));
//!
//! let added = client.add("greeting", Bytes::from("hello"), hour).await?;
//! assert!(matches!(added, Added::Added(_)));
//!
//! let item = client.get("greeting").await?.expect("it was just added");
//! match client.swap("greeting", item.cas, Bytes::from("good day"), hour).await? {
//!     Swapped::Swapped(_cas) => println!("nobody else was there"),
//!     Swapped::Changed => println!("somebody else was first; read it again"),
//!     Swapped::Missing => println!("it has gone"),
//! }
//! assert_eq!(client.delete("greeting", None).await?, Deleted::Deleted);
//! # Ok(()) }
//! ```
//!
//! # Commands
//!
//! `O…` is a number that the reply repeats, `c` asks for the value's `cas`, `T…` sets the seconds that it lasts.
//!
//! | method | lines |
//! | --- | --- |
//! | [`get`](Client::get) | `mg key v c O7` |
//! | [`add`](Client::add) | `ms key 5 ME c T3602 O7`, value |
//! | [`swap`](Client::swap) | `ms key 5 C42 c T3602 O7`, value |
//! | [`delete`](Client::delete) | `md key C42 O7`, or `md key O7` |
//! | [`ping`](Client::ping) | `mn` |
//! | a new connection | with credentials `set credentials 0 -1 n` and `user password`; then `stats settings` and `mn` |
//!
//! # What can be relied on
//!
//! * **Pipelined.** Any number of tasks share a connection; nobody waits for another's answer before sending. What
//!   comes while the connection is busy is sent together.
//! * **Nobody gets another's reply.** Replies come in the order of the requests, and each repeats its request's number.
//!   One that does not ends the connection, and everybody who waited on it gets an error. A caller that gives up keeps
//!   its place, and its reply is thrown away when it comes.
//! * **Bounded.** A connection has at most 4096 requests without answer, of at most 32 MiB, those included whose callers
//!   gave up or whose time is over; one more is [`Overloaded`](ErrorKind::Overloaded). The values that are read, the
//!   time to connect and the time to answer are bounded by [`ClientConfig`]. What is over a bound is an [`Error`], never
//!   a wait without end.
//! * **Connects by itself**, when there is something to send. A new connection must answer before a request is sent on
//!   it, so a server that hangs is noticed while nothing is at stake. When it can't be made, the next is tried in the
//!   background, after 50 ms, then twice as long each time, up to 1 s, each shortened at random by up to half; and
//!   until one is there requests are refused at once.
//! * **Nothing is written that would cost what is there.** To a value that it can't hold, a server answers by removing
//!   the one that it has. So each connection asks for the server's limit, and what is over it is
//!   [`TooLarge`](ErrorKind::TooLarge) before it is sent. One that has no memory left, as with `-M`, does the same, and
//!   that can't be known before: [`OutOfMemory`](ErrorKind::OutOfMemory).
//! * **A server that hangs** costs each request its time and no more: [`Timeout`](ErrorKind::Timeout). If nothing comes
//!   at all for that long, or for twice as long no answer to a request, whatever else comes, the connection is closed and
//!   another is made. On a connection that is silent for 30 s the system asks whether the server is still there (TCP
//!   keepalive).
//! * **Errors say whether the request may have been carried out**: [`Error::may_have_applied`].
//! * **Whatever a server sends**, memory stays bounded and nothing panics.
//!
//! # Several servers
//!
//! Each key has one server, by rendezvous hashing: of all servers the one whose number for the key is highest. The
//! number is FNV-1a with 64 bits over the server's [`Address`] as text, a zero byte and the key, mixed by the finalizer
//! of `MurmurHash3`. So the order of the list plays no role; a server that leaves the list takes only its own keys with
//! it, and one that joins takes an equal part from each.
//!
//! A key's server never changes while the list stays the same, whether the server answers or not: an error is an error.
//! A value that went elsewhere meanwhile would be hidden by the old one when the server is back.
//!
//! # Requirements
//!
//! memcached 1.6.18 or later, with `cas` (no `-C`); a tokio runtime with time and I/O. TLS with the feature `tls`.
//! Unix only.

#[cfg(not(unix))]
compile_error!("the feature `memcached` needs Unix: take `sqlite`, `postgres` or `mysql`");

mod address;
mod choice;
mod client;
mod config;
mod error;
mod expiry;
mod lane;
mod link;
mod pipe;
mod reply;
mod request;
mod stream;
mod tls;

pub use address::Address;
pub use client::{Added, Client, Deleted, Swapped};
pub use config::{ClientConfig, TlsConfig};
pub use error::{Error, ErrorKind};
pub use expiry::Expiry;
pub use request::Item;
