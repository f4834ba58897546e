//! A TCP proxy that misbehaves, for tests of what is behind a network.
//!
//! It listens on a port of its own on 127.0.0.1, and passes bytes on to one server. What else it does to them is told
//! for each direction, and may change at any time:
//!
//! ```
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! use fasthttpsession_faults::{Fault, Proxy};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let proxy = Proxy::start(server.local_addr()?);
//! let mut client = TcpStream::connect(proxy.address())?;
//! let (mut at_server, _) = server.accept()?;
//!
//! proxy.requests(Fault::Hang); // what the client sends waits in the proxy
//! client.write_all(b"hello")?;
//! proxy.heal(); // and goes on
//! let mut hello = [0; 5];
//! at_server.read_exact(&mut hello)?;
//!
//! proxy.answers(Fault::Swallow); // what the server sends never arrives
//! at_server.write_all(b"and good bye")?;
//! proxy.until(|seen| seen.answers.swallowed == 12).await;
//! # std::io::Result::Ok(()) }).unwrap();
//! # std::io::Result::Ok(())
//! ```
//!
//! [`Fault`] lists what it can do to bytes; [`Proxy::refuse`] has it turn new connections away. [`Proxy::until`] waits
//! for what it has done, so that a test need not sleep. It runs in a thread of its own, and ends when it is dropped,
//! with all its connections.
//!
//! It stays within what TCP promises, as a bad network does: what arrives on a connection is what was sent, in order
//! and without a gap. So a direction of a connection in which bytes were swallowed stays silent until the connection
//! ends, also when the fault is over.
//!
//! # Again the same
//!
//! What [`Fault::AtRandom`] draws begins with `FAULTS_SEED`, or another number each time, and each proxy prints it. It
//! repeats what is done to the n-th piece of the n-th connection; what comes in a piece, and on which connection, it
//! can't repeat.
//!
//! # The suite
//!
//! The tests of this crate put the proxy between the library and real servers, and show of every store there:
//!
//! * No call gets the answer to another, also when callers give up half-way: each history of calls has an order that
//!   explains it (`replies`).
//! * What two processes commit through the library while the network misbehaves is there afterwards: each acknowledged
//!   commit once, each other one at most once; and what has ended stays so (`trials`, by `fasthttpsession-crash`).
//! * Each call of a store and each request ends in time, with an error that says that it may pass (`limits`).
//! * The very same store answers again once the network does (`recovery`).
//! * A session that others write all the time is deleted all the same (`deletes`).
//! * A request takes one round trip to read its session, and one more if it writes (`round_trips`).
//! * Stores that are broken on purpose fail (`wrong`).

mod connection;
mod fault;
mod proxy;
mod seen;

pub use fault::{Fault, Odds};
pub use proxy::Proxy;
pub use seen::{OneWay, Seen};
