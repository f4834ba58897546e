//! What every durable store must survive: kill -9 of its process and of its server.
//!
//! A **writer** is a process that uses many sessions from many tasks at once, through the library: it opens, renews and
//! ends sessions, signs principals in, and adds to values that have to agree with each other. Before each operation it
//! tells what it begins, and after it what the library answered. A [`Trial`] kills writers and servers at random
//! moments, and compares what is in the store with what they told:
//!
//! * Each acknowledged commit is there, none twice (G9, G14), and nothing that was refused.
//! * No values that contradict each other: no record is torn.
//! * Each session whose end was acknowledged is gone and stays so, and its tokens open nothing (G2). The same holds for
//!   those that were once seen to be gone.
//! * A renewal that was acknowledged leaves one token that opens the session.
//! * A scan, a count, the lists of principals and a purge say the same.
//! * Meanwhile, each task finds what it was told to be there; no request fails when only another writer was killed; and
//!   after the death of a server writers go on by themselves.
//!
//! What was begun and not acknowledged may have happened or not.
//!
//! [`Trial::disturb`] kills nobody, and disturbs the network instead; the tests of `fasthttpsession-faults` use it.
//!
//! The tests of this crate hold trials of all durable stores; run with `--run-ignored all`, or `--ignored`, they include
//! long ones. `CRASH_SEED` sets where random numbers begin, and each failure prints it. It repeats what tasks do and
//! after how many answers something is killed; who is faster it can't repeat.

mod check;
mod journal;
mod ledger;
mod running;
mod trial;
mod values;
mod writer;

pub use journal::Order;
pub use trial::Trial;
pub use writer::write;
