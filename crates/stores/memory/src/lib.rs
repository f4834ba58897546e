//! Keeps sessions in the memory of one process: for tests, for development, and for services that run as one process
//! and may sign everybody out when they restart.
//!
//! ```
//! use fasthttpsession_core::{Clock, Handle, Store, SystemClock};
//! use fasthttpsession_memory::{MemoryStore, WhenFull};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), fasthttpsession_core::StoreError> {
//! let store = MemoryStore::builder().capacity(100_000).when_full(WhenFull::EvictAnonymous).build();
//!
//! // `Sessions` makes these calls; whoever operates a store can, too.
//! let now = SystemClock.now();
//! assert_eq!(store.count(now).await?, 0);
//! assert!(store.load(Handle::from_bytes([7; 16]), now).await?.is_none());
//! assert_eq!(store.purge(1_000, now).await?, 0);
//! # Ok(())
//! # }
//! ```
//!
//! Clones of a [`MemoryStore`] are the same store.
//!
//! # What it promises
//!
//! The numbers are those of `ARCHITECTURE.md` in the repository. What is not listed holds for every store.
//!
//! | | |
//! | --- | --- |
//! | G2, logout is final | as long as the process runs, and after it there are no sessions at all |
//! | G7, both clocks | a record past a deadline is absent to every operation, purged or not |
//! | G9, durability | **nothing survives the process**; an acknowledged commit is there until the process ends |
//! | G10, purging costs what has expired | see [below](#expiry) |
//! | G13, bounded | at most [`capacity`](MemoryConfig::capacity) sessions; how large one may be is limited above the store |
//!
//! No operation waits for anything but a lock, and no lock is held across an await or for more than a bounded piece of
//! work, with two exceptions. A table that is full doubles, which takes about a millisecond when there are 10 million
//! sessions, and the other 255 shards go on meanwhile. And [`sessions_of`] notes the places of all the sessions
//! of its principal at once, some nanoseconds each.
//!
//! # What it can do
//!
//! | capability | | costs |
//! | --- | --- | --- |
//! | [`load`], [`replace`], [`touch`], [`delete`] | yes | one look-up in one of 256 shards |
//! | [`create`] | yes | the same, and it removes up to two expired records of its shard |
//! | [`sessions_of`] | yes | the sessions that the principal has |
//! | [`scan`] | yes | the places that the page looks at: sessions, and places of sessions that ended |
//! | [`count`] | yes | what is due, which it purges first, and 256 locks; each shard is counted at its own moment |
//! | [`purge`] | yes | what is due |
//! | survives a restart | no | |
//! | shared by several processes | no | |
//!
//! At capacity a creation first takes the place of an expired record, wherever there is one. Only if there is none does
//! it [refuse or evict](WhenFull). An eviction looks at the sessions that seem to expire sooner than the one that it ends,
//! and files anew those that were used since they were filed: mostly a few, at worst all, which the next finds filed. So
//! does the search for expired ones, and each lets others have the thread once it has looked at 128 sessions.
//!
//! # Settings
//!
//! | in a URL | default | |
//! | --- | --- | --- |
//! | `capacity` | 10000000 | [how many sessions there may be](MemoryConfig::capacity) |
//! | `when_full` | `refuse` | [what happens to a new one then](MemoryConfig::when_full): `refuse` or `evict_anonymous` |
//!
//! # Expiry
//!
//! Sessions hang in buckets by their deadlines. A purge looks at the buckets that have started: at sessions that
//! have expired, at those that are within 1/64 of their time of it, and at those that were used since they were filed,
//! which it files anew. So a session is looked at once each time its idle time would have run out, and a few times
//! near its end, however many others there are. A purge lets others have the lock each time it has looked at 128
//! sessions. Two at once begin in different shards.
//!
//! A store that nobody purges does not grow for ever: each creation removes up to two expired records. What a purge
//! adds is that memory is given back when nobody creates sessions any more. The tables keep their size, 86 to 92
//! bytes for each of the most sessions there have been at once; the bodies are given back to the allocator.
//!
//! # Memory and time
//!
//! A session of 200 bytes of encoded values, whose record has a body of 312 bytes, takes 406 to 413 bytes of resident
//! memory from one million sessions on, wherever the tables are in their growth; with a principal of 16 bytes 446 to 462. After
//! a million replacements by bodies of other sizes, 10 million sessions take 423 bytes each: the rest is the
//! allocator's. Measure it on your machine, with `-- --signed-in` for principals:
//!
//! ```sh
//! cargo run --release -p fasthttpsession-memory --example scale
//! ```
//!
//! That also tells the time of a load, a replacement and a touch. With millions of sessions it is the time of four reads
//! that no cache holds, one after the other: two in the table, the entry, the body. On a busy two-core virtual machine a
//! load or a replacement took 0.2 µs among 10,000 sessions, 1.0 to 1.4 µs among a million and 1.5 to 2.0 µs among
//! 10 million; there, one read at random in 4 GB takes about 0.5 µs by itself.
//!
//! [`load`]: fasthttpsession_core::Store::load
//! [`create`]: fasthttpsession_core::Store::create
//! [`replace`]: fasthttpsession_core::Store::replace
//! [`touch`]: fasthttpsession_core::Store::touch
//! [`delete`]: fasthttpsession_core::Store::delete
//! [`sessions_of`]: fasthttpsession_core::Store::sessions_of
//! [`scan`]: fasthttpsession_core::Store::scan
//! [`count`]: fasthttpsession_core::Store::count
//! [`purge`]: fasthttpsession_core::Store::purge

mod config;
mod cursor;
mod entry;
mod expiry;
mod key;
mod principals;
mod room;
mod shard;
mod slab;
mod store;

pub use config::{MemoryConfig, WhenFull};
pub use store::MemoryStore;
