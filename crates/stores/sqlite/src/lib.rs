//! Keeps sessions in an SQLite file: for services on one machine, with as many processes as they like and nothing to
//! operate.
//!
//! ```
//! use fasthttpsession_core::{Clock, Handle, Store, SystemClock};
//! use fasthttpsession_sqlite::SqliteConfig;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), fasthttpsession_core::StoreError> {
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("sessions.db");
//! let store = SqliteConfig::new(path).migrate(true).open().await?;
//!
//! // `Sessions` makes these calls; whoever operates a store can, too.
//! let now = SystemClock.now();
//! assert_eq!(store.count(now).await?, 0);
//! assert!(store.load(Handle::from_bytes([7; 16]), now).await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! Clones of an [`SqliteStore`] are the same store. It needs a tokio runtime with timers, in which it is opened and used:
//! outside of one it answers with an error. And it needs a local disk: the file is in WAL mode, whose processes share memory.
//!
//! SQLite itself is compiled in, and a program has it once: rusqlite 0.38 to 0.40 may stand beside this crate, and what
//! needs the same `libsqlite3-sys`, such as sqlx 0.9 or diesel 2; sqlx 0.8 with its feature `sqlite`, and what is built
//! on it, may not.
//!
//! # What it promises
//!
//! The numbers are those of `ARCHITECTURE.md` in the repository. What is not listed holds for every store.
//!
//! | | |
//! | --- | --- |
//! | G1, no lost update | between tasks and between processes: what a write has read is still so when it writes, for it has SQLite's write lock |
//! | G2, logout is final | as far as [a write lasts](#what-a-write-outlives); see [below](#how-a-logout-can-be-undone) |
//! | G5, no secret at rest | the file that `migrate` makes, and those beside it, are 0600 whatever the umask, on Unix; elsewhere their folder says who may read them |
//! | G7, both clocks | a record past a deadline is absent to every operation, purged or not; only the time that an operation is told decides |
//! | G8, an error is no empty session | a row that is no record is [`Corrupt`] to all but `delete` and stays; a locked, full, damaged or foreign file are errors of their own |
//! | G9, durability | an answer goes out after `COMMIT` has returned; `kill -9` at any moment leaves whole records and all that was acknowledged; a loss of power as [set](#what-a-write-outlives) |
//! | G10, purging costs what has expired | see [below](#expiry) |
//! | G13, bounded | records of at most 16 MiB, past which they are [`TooLarge`], and a row whose principal, label or body is larger is [`Corrupt`] without being read, to `delete` as well, until it is purged; limits for every wait and for what may queue up |
//!
//! # What it can do
//!
//! | capability | | costs |
//! | --- | --- | --- |
//! | [`load`] | yes | a look-up by primary key, on the thread of the task that asks; no lock |
//! | [`create`], [`replace`], [`touch`], [`delete`] | yes | one statement, or two, in a transaction shared with all that has queued up |
//! | [`sessions_of`] | yes | the sessions that the principal has |
//! | [`scan`] | yes, by handle | the records of the page |
//! | [`count`] | yes | **reading the primary key's index**, some tens of milliseconds a million; nothing to do at each request |
//! | [`purge`] | yes | what has expired |
//! | survives a restart | yes | |
//! | shared by several processes | yes, of one machine | |
//!
//! # One writer
//!
//! SQLite lets one connection write at a time. So one thread of the store has it, takes all calls that have queued up
//! while it committed the last group, and commits them together: the busier the store, the larger the groups. As what
//! was answered together calls again at about the same time, a group after one of five or more waits for as many, at most
//! 100 microseconds. Each call has its own answer, and a lone call is committed at once. Reads go on beside it on
//! connections of their own.
//!
//! Writing the log back to the database, a [checkpoint](https://www.sqlite.org/wal.html#ckpt), takes tens of milliseconds:
//! each 4000 pages (16 MiB of the usual size) a thread of its own makes one beside the writer. Only where writes come
//! without pauses is there something left for the writer: when the log has twice as many it writes back what was added
//! meanwhile, and waits for the disk, so that the log can begin anew; where the disk can't keep up, writes wait when it has
//! three times as many. While another process reads in one long transaction the log grows; once it begins anew it is cut
//! to 64 MiB.
//!
//! So keep some 128 MiB of the disk free beside the database (three times 16 MiB, and one group of writes), more where sessions
//! have more than 64 KiB. Where there is none, all writes fail as [`Full`], logouts too, for what they write goes to the log
//! first, and no room comes of them before a checkpoint.
//!
//! Another process gets its turn: a store that is busy all the time leaves a gap of two milliseconds every fifty. While
//! another process has the lock the writer asks again each millisecond, up to [`timeout`](SqliteConfig::timeout).
//!
//! ```sh
//! cargo run --release -p fasthttpsession-sqlite --example throughput
//! ```
//!
//! tells what that comes to on your disk.
//!
//! # What a write outlives
//!
//! | [`synchronous`](SqliteConfig::synchronous) | `kill -9` of the process | loss of power |
//! | --- | --- | --- |
//! | `normal`, the default | every acknowledged write is there, every record is whole | the last writes may be undone, a logout among them; the file is whole |
//! | `full` | the same | every acknowledged write is there, if the disk tells the truth |
//!
//! With `full` each group waits for the disk once. SQLite's own words on both are
//! [here](https://www.sqlite.org/pragma.html#pragma_synchronous).
//!
//! # How a logout can be undone
//!
//! * By a loss of power, with `synchronous=normal`. With `full` it can't.
//! * By a file that is restored from a copy: what was in the copy is back. Keep sessions in a file apart from what is
//!   backed up, or delete the table's rows after restoring.
//! * By copying over the file while a process has it open, which SQLite
//!   [warns of](https://www.sqlite.org/howtocorrupt.html).
//!
//! # Who may write
//!
//! The user of the process must be able to read and write the file, those that SQLite keeps beside it (`-wal` and `-shm`), and
//! their folder, in which SQLite makes them. Opening looks, without waiting for whoever has the lock: what is denied is a
//! [`Misconfigured`] that names the file or folder and has the system's reason. Whoever loses the right later finds out by the
//! first write.
//!
//! # A file that goes
//!
//! A file that is removed, renamed or replaced while a store has it open lives on without its name, and what is written to
//! it is gone in the end. So each group of writes first looks, by a `stat`, whether the file is still at
//! its place, and so does [`check`]. If it is not, writes fail as [`Misconfigured`] until it is there again or the
//! service is restarted; reads go on, on what the store has open. A process that leaves the folders it can see, by
//! `chroot`, does so before it opens the store. Connections of the application's own are not looked after.
//!
//! # Expiry
//!
//! A purge looks at the rows that are due, the oldest first, at most a hundred in one transaction, so that no write
//! waits long for it; others it never sees. Two processes that purge at once take their slices in turn. Purging in the
//! background begins with the store, ends with its last clone or with the runtime that the store was opened in, and can be
//! [off](SqliteConfig::purge_every).
//!
//! ```sh
//! cargo run --release -p fasthttpsession-sqlite --example sqlite_purge
//! ```
//!
//! removes 10,000 sessions among others that live. On two cores that were busy with other things, the middle of five
//! runs each:
//!
//! | live | milliseconds | of them processor time | the same in memory (`/dev/shm`) | processor time |
//! | --- | --- | --- | --- | --- |
//! | 100,000 | 219 | 112 | 92 | 80 |
//! | 1,000,000 | 310 | 160 | 165 | 106 |
//!
//! So ten times as many sessions cost 1.3 to 1.4 times the processor time; the time on the clock differed by a factor
//! of two from run to run. What grows is mostly writing the log back: each removal changes one page of the primary key's
//! index, and handles are random, so in a small index many changes meet on a page that is written back once; in a large
//! one each has a page of its own, and that is the most there can be.
//!
//! # Settings
//!
//! | in a URL or a file | default | | because |
//! | --- | --- | --- | --- |
//! | the path, or `path` | | [where](SqliteConfig::new) | |
//! | `table` | `fasthttpsession` | [the table's name](SqliteConfig::table) | it can stand beside the application's own |
//! | `migrate` | `false` | [make the file and the table, or bring it up to date](SqliteConfig::migrate) | a mistyped path should be an error |
//! | `synchronous` | `normal` | [what a write outlives](SqliteConfig::synchronous) | a write then waits for no disk |
//! | `readers` | 4 | [how many reads at once](SqliteConfig::readers) | a read takes microseconds |
//! | `read_in_place` | `true` | [read on the thread that asks](SqliteConfig::read_in_place) | handing a read to another thread costs more than the read |
//! | `queue` | 4096 | [how many writes may wait](SqliteConfig::queue) | some tenths of a second of them |
//! | `timeout_ms` | 5000 | [how long an operation may wait](SqliteConfig::timeout) | longer than another process should have the lock |
//! | `purge_every_ms` | 60000 | [how long to rest between purges](SqliteConfig::purge_every); 0 turns them off | what has expired is absent anyway and takes only room |
//! | `purge_batch` | 1000 | [how much a purge removes at once](SqliteConfig::purge_batch) | other tasks get their turn |
//!
//! Connections of the application's own, for encryption or for another VFS: [`SqliteConfig::open_on`] takes a function
//! that makes them, not a connection, because reads go on beside the writer only on others.
#![doc = include_str!("statements.md")]
//!
//! [`Full`]: fasthttpsession_core::StoreErrorKind::Full
//! [`Misconfigured`]: fasthttpsession_core::StoreErrorKind::Misconfigured
//! [`check`]: fasthttpsession_core::Store::check
//! [`Corrupt`]: fasthttpsession_core::StoreErrorKind::Corrupt
//! [`TooLarge`]: fasthttpsession_core::StoreErrorKind::TooLarge
//! [`load`]: fasthttpsession_core::Store::load
//! [`create`]: fasthttpsession_core::Store::create
//! [`replace`]: fasthttpsession_core::Store::replace
//! [`touch`]: fasthttpsession_core::Store::touch
//! [`delete`]: fasthttpsession_core::Store::delete
//! [`sessions_of`]: fasthttpsession_core::Store::sessions_of
//! [`scan`]: fasthttpsession_core::Store::scan
//! [`count`]: fasthttpsession_core::Store::count
//! [`purge`]: fasthttpsession_core::Store::purge

mod checkpoints;
mod config;
mod connect;
mod error;
mod named;
mod queries;
mod readers;
mod rights;
mod row;
mod schema;
mod statements;
mod store;
mod writer;
mod writes;

pub use config::{SqliteConfig, Synchronous};
pub use rusqlite;
pub use store::SqliteStore;
