//! Keeps sessions in files, one a session: for services on one machine that want no database, with as many processes as
//! they like. Unix only.
//!
//! ```
//! use fasthttpsession_core::{Clock, Handle, Store, SystemClock};
//! use fasthttpsession_file::FileConfig;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), fasthttpsession_core::StoreError> {
//! # let temporary = tempfile::tempdir().unwrap();
//! # let folder = temporary.path().join("sessions");
//! let store = FileConfig::new(folder).migrate(true).open().await?;
//!
//! // `Sessions` makes these calls; whoever operates a store can, too.
//! let now = SystemClock.now();
//! assert_eq!(store.count(now).await?, 0);
//! assert!(store.load(Handle::from_bytes([7; 16]), now).await?.is_none());
//! # Ok(())
//! # }
//! ```
//!
//! Clones of a [`FileStore`] are the same store. It needs a tokio runtime with timers, in which it is opened and used:
//! outside of one it answers with an error.
//!
//! # What it promises
//!
//! The numbers are those of `ARCHITECTURE.md` in the repository. What is not listed holds for every store.
//!
//! | | |
//! | --- | --- |
//! | G1, no lost update | between tasks and between processes: a writer holds the lock of the session's shard |
//! | G2, logout is final | as far as [a write lasts](#what-a-write-outlives); see [below](#how-a-logout-can-be-undone) |
//! | G5, no secret at rest | files are 0600 in folders 0700, whatever the umask; names come from handles, digests and times only |
//! | G7, both clocks | a record past a deadline is absent to every operation, purged or not; only the time that an operation is told decides |
//! | G8, an error is no empty session | bytes that are no record are [`Corrupt`] to all but `delete` and stay; a folder that was removed, a full disk, too many open files are errors of their own |
//! | G9, durability | `kill -9` at any moment leaves whole records, and all that was acknowledged; a loss of power as [set](#what-a-write-outlives) |
//! | G10, purging costs what has expired | see [below](#expiry) |
//! | G13, bounded | records of at most [16 MiB](FileStore::MAX_RECORD_BYTES), and limits for every wait and for threads |
//!
//! # What it can do
//!
//! | capability | | costs |
//! | --- | --- | --- |
//! | [`load`] | yes | opening, reading and closing a file; no lock, and [no thread](#threads) if the kernel has it in memory |
//! | [`replace`], [`touch`] | yes | two locks, the same reading, and writing one copy in place; [no thread](#threads) as long as the disk is quick |
//! | [`create`] | yes | a new file, and a link for each index |
//! | [`delete`] | yes | removing these |
//! | [`sessions_of`] | yes | the sessions that the principal has, and 1/65,536 of all that have a principal |
//! | [`scan`] | yes, by handle | for each page the names of 1/256 of all sessions, and its records |
//! | [`count`] | yes | **reading every record**, some microseconds each if they are in memory: nothing to do at each request |
//! | [`purge`] | yes | what has expired |
//! | survives a restart | yes | |
//! | shared by several processes | yes, of one machine | |
//!
//! A list that comes upon a file that holds no record answers [`Corrupt`] and names its handle, so that it can be
//! deleted; a purge leaves it alone and goes on.
//!
//! # What a write outlives
//!
//! | [`sync`](FileConfig::sync) | `kill -9` of the process | loss of power |
//! | --- | --- | --- |
//! | `none`, the default | every acknowledged write is there, every record is whole | the writes of about the last half-minute may be undone, and a session that was written in that time may be lost, [however old it is](#what-none-may-lose) |
//! | `full` | the same | every acknowledged write is there, if the disk tells the truth |
//!
//! With `full` a write waits for the disk: one `fdatasync`, a creation for that of the file and of its folders too;
//! some milliseconds where `none` takes microseconds. A purge, and the removal of entries that are left over, wait in
//! neither.
//!
//! A wait that failed leaves a record that can be read, but which the disk may not have; so does whoever is killed while
//! they wait, and whoever writes with `none`. Before an answer of a store with `full` counts on such a record it gets a
//! new file, which is waited for; and before it says that there was none to delete, it waits for the folder. So a write
//! that is sent again, as its first answer was an error, is not taken for done because it can be seen.
//!
//! ## What `none` may lose
//!
//! What the kernel has in its memory it writes to the disk when it likes, in any order: by default some half a minute
//! later, on most disks. If the power fails before that,
//!
//! * a session that was created since may be missing, or be an empty file, which is [`Corrupt`] until it is deleted;
//! * one that was written once since, into its file, is whole, as it was or as it became;
//! * one that was written more often since is as it was at any of these times, or [`Corrupt`]: its two copies were both
//!   written over, and the disk may have a part of each;
//! * one that got a new file since, because it outgrew the old one, is as it was or as it became where the file system
//!   writes a file before the name that it takes over (ext4 by default, btrfs); elsewhere (XFS, ext4 with
//!   `noauto_da_alloc`) it may be an empty file;
//! * an entry of an index may be missing, so that a list or a purge misses a session.
//!
//! A session that was not written since is as it was. If that won't do, use `full`, in all processes that share the
//! folder: what one acknowledged with `full`, another may write over with `none`.
//!
//! # How a logout can be undone
//!
//! * By a loss of power within half a minute, with `sync=none`. With `sync=full` it can't.
//! * By a folder that is restored from a copy: what was in the copy is back. Leave the sessions out of
//!   the copy.
//! * By a folder that is copied between machines, each with its own processes: they don't see each other's logouts.
//!   Locks work on one machine; on a file system of a network only as far as its `flock` does, and as its clients agree
//!   on what is in a file. This store is not made for it.
//!
//! # What lies where
//!
//! ```text
//! folder/                             as it was, or made with 0700
//! ├── fasthttpsession                 "a folder of sessions, layout 1"
//! ├── sessions/3f/                    256 shards, by the first byte of the handle
//! │   ├── lock                        locked by whoever writes in the shard; never replaced
//! │   ├── new                         a file that is being made; whoever has the lock has the name
//! │   └── 3f0c…                       a session: its handle, 32 hexadecimal digits
//! ├── expiry/68c6/13e/3f0c…           an entry a session, by when it ends: 19 hours, 16 seconds
//! └── principals/a1/b2/c3…-3f0c…      an entry a session that has a principal, by its SHA-256
//! ```
//!
//! The owner of `folder`, and whoever may write in it or in one above it, can move the sessions away and put others in their
//! place. So a folder in which all users may write, such as one with 0777 or 1777, is refused; its owner, its group and the
//! folders above are up to you: have it made in a folder of your own.
//!
//! A store keeps `folder` open, wherever it is moved. When it is removed, all operations fail until the store is opened
//! anew, also once a copy lies at its place.
//!
//! Whatever else is in there is left alone, and no link is followed. Entries are links to the lock of their shard, so
//! that they cost the disk no more than a name; where a file can have no more links they are empty files.
//!
//! A session's file holds two copies of its record, which are written in turn, each with a number and a check of its
//! own. Whoever reads takes the newer one that is whole. So a writer who is killed in the middle has written nothing,
//! and readers need no lock. A record that outgrows its file, or shrinks far below it, gets a new one: written as
//! `new`, then renamed. With `sync=full` a copy is marked once it is known to be on the disk.
//!
//! Each operation is these steps in this order, so that a kill between any two of them does no harm:
//!
//! | | |
//! | --- | --- |
//! | `create` | entry by time, entry by principal, file as `new`, its name |
//! | `replace`, `touch` | entry by time if it moves earlier; entry of a new principal; the copy; entry by time if it moves later; entry of the old principal |
//! | `delete`, `purge` | file, entry by principal, entry by time |
//!
//! A record is never without its entries. An entry that is left over is removed when it is seen: by a purge once it is
//! due, by a list of its principal. An unfinished file is removed by the next who creates in its shard, or by a purge.
//!
//! # Why in place
//!
//! The usual way to write a file as a whole, a new one that is renamed, costs a new inode for each write, and on ext4
//! starts writing to the disk at once. Measured there, a rename over 4,000 files in turn took 88 µs of processor at
//! first, and over 500 µs after some ten thousand of them, because ext4 passes over the inodes that were freed lately;
//! writing in place takes 5 µs, always. New sessions pay that price once: 20 µs, and on a busy ext4 several hundred.
//!
//! ```sh
//! cargo run --release -p fasthttpsession-file --example speed -- /var/tmp
//! ```
//!
//! That tells what the operations cost on your disk, beside a new file each time. On a two-core virtual machine that
//! was busy with other work, a load took 4 to 6 µs of processor and a replacement 12 to 13; asking a thread is 11 to 20.
//!
//! # Threads
//!
//! What may wait for the disk runs on tokio's threads for blocking work, a whole operation at a time, on at most
//! [`threads`](FileConfig::threads) of them. Asking such a thread takes longer than reading or writing a small file that
//! is in memory.
//!
//! So a load first asks the kernel for what it has there, by calls that refuse to wait: `openat2` with
//! `RESOLVE_CACHED`, `preadv2` with `RWF_NOWAIT`. Only if they refuse does it ask a thread. They do on kernels before
//! 5.12, on file systems that can't, and on other systems than Linux. Nor does it ask them for more than a file of 8 KiB:
//! one that was made for a record of up to 3,255 bytes, its header included, in which that may grow to 4,068. What may
//! remain is closing a file that somebody removes at that very moment: then the file is freed there.
//!
//! A replacement or a touch writes into the kernel's memory, for which there is no call that refuses to wait. With
//! `sync=none` it is done at once if the shard is free, and timed; as soon as more than one write in 32 has taken 2 ms
//! or longer, writes are for threads until they have been quick again for a while. So a disk that falls behind holds up
//! a thread of the runtime once or twice. One that hangs altogether holds up those that were about to write, until it goes
//! on, and with all of them the runtime: where that may happen, as on a network, take `sync=full`. With that, writes are
//! always for threads, as are creations and deletions.
//!
//! Within a process tasks wait for a shard without a thread, and those of a runtime that does not run hold up no others:
//! a thread holds the shard. While another process has the lock one of them asks again each millisecond, up to
//! [`lock_timeout`](FileConfig::lock_timeout). The files of the locks are opened when they are first needed and stay
//! open: up to 256 of them, and two for each operation under way. Whoever has locked one looks whether it still lies at
//! its place. If somebody has removed it, a write, and a read that finds one amid its work, is an error that asks for
//! `migrate`; if that has made another, all lock that one.
//!
//! # Expiry
//!
//! A purge goes through the slots of 16 seconds that have begun, the oldest first, and looks at their sessions; others
//! it never sees. The entry of a session that is used moves along, once in 16 seconds at most. Two purges at once take
//! different slots. A purge lets others have the thread each time it has looked at 128 entries, and leaves what
//! somebody is writing to the next one. What can't be read or removed it passes over; it fails with that only if it removed
//! nothing. On ext4, removing 10,000 sessions took 0.44 s among 100,000 that live and 0.56
//! s among a million:
//!
//! ```sh
//! cargo run --release -p fasthttpsession-file --example file_purge -- /var/tmp
//! ```
//!
//! # Settings
//!
//! | in a URL or a file | default | |
//! | --- | --- | --- |
//! | the path, or `folder` | | [where](FileConfig::new) |
//! | `migrate` | `false` | [make the folder, or bring it up to date](FileConfig::migrate) |
//! | `sync` | `none` | [what a write outlives](FileConfig::sync) |
//! | `lock_timeout_ms` | 5000 | [how long to wait for a turn](FileConfig::lock_timeout) |
//! | `timeout_ms` | 10000 | [how long to wait for the disk](FileConfig::timeout) |
//! | `threads` | 32 | [how many may wait for the disk](FileConfig::threads) |
//! | `purge_every_ms` | 60000 | [how long to rest between purges](FileConfig::purge_every); 0 turns them off |
//! | `purge_batch` | 1000 | [how much a purge removes at once](FileConfig::purge_batch) |
//!
//! Names of files can't be set: they say which files are the store's.
//!
//! [`Corrupt`]: fasthttpsession_core::StoreErrorKind::Corrupt
//! [`load`]: fasthttpsession_core::Store::load
//! [`create`]: fasthttpsession_core::Store::create
//! [`replace`]: fasthttpsession_core::Store::replace
//! [`touch`]: fasthttpsession_core::Store::touch
//! [`delete`]: fasthttpsession_core::Store::delete
//! [`sessions_of`]: fasthttpsession_core::Store::sessions_of
//! [`scan`]: fasthttpsession_core::Store::scan
//! [`count`]: fasthttpsession_core::Store::count
//! [`purge`]: fasthttpsession_core::Store::purge

#[cfg(not(unix))]
compile_error!("the feature `file` needs Unix: take `sqlite`, `postgres` or `mysql`");

mod cached;
mod config;
mod copies;
mod error;
mod expiry;
mod folder;
mod layout;
mod listing;
mod locks;
mod names;
mod records;
mod store;

pub use config::{FileConfig, SyncPolicy};
pub use store::FileStore;
