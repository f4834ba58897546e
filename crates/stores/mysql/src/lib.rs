//! Keeps sessions in MySQL or MariaDB: for services that have one, on as many machines as they like.
//!
//! ```no_run
//! use fasthttpsession_core::{Clock, Store, SystemClock};
//! use fasthttpsession_mysql::MysqlConfig;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), fasthttpsession_core::StoreError> {
//! let store = MysqlConfig::from_url("mysql://web:password@db.example/shop?migrate=true")?.open().await?;
//!
//! // `Sessions` makes these calls; whoever operates a store can, too.
//! println!("{} sessions", store.count(SystemClock.now()).await?);
//! # Ok(())
//! # }
//! ```
//!
//! Clones of a [`MysqlStore`] are the same store. It needs a tokio runtime, and MariaDB 10.6 or MySQL 8.0 or later, for
//! `SKIP LOCKED`. Its tests run on MariaDB 10.11, and by `cargo xtask relatives` on MySQL 9.7; MySQL 8 has not been run.
//!
//! # What it promises
//!
//! The numbers are those of `ARCHITECTURE.md` in the repository. What is not listed holds for every store.
//!
//! | | |
//! | --- | --- |
//! | G1, no lost update | between tasks, processes and machines: a swap names the version that it replaces |
//! | G2, logout is final | as far as [a write lasts](#what-a-write-outlives); see [below](#how-a-logout-can-be-undone) |
//! | G5, no secret at rest | no password in what is printed, and neither the driver's nor the server's messages are passed on, for they may quote values; a program that turns on the feature `tracing` of `mysql_async` has it show whole statements at level DEBUG |
//! | G7, both clocks | a record past a deadline is absent to every operation, purged or not; only the time that an operation is told decides |
//! | G8, an error is no empty session | a row that is no record is [`Corrupt`] to whatever reads or would change it, and stays until it is deleted, or purged once its `expires_at` has passed; a server that is down, hangs, is full or refuses is an error of its own kind |
//! | G9, durability | as the server is [set](#what-a-write-outlives); each write is one transaction, so no record is torn |
//! | G10, purging costs what has expired | see [below](#expiry) |
//! | G13, bounded | records as large as the server's `max_allowed_packet`, past which they are [`TooLarge`] before they are sent; limits for every wait and for connections, and for the loads and swaps that may queue up |
//!
//! # What it can do
//!
//! | capability | | costs |
//! | --- | --- | --- |
//! | [`load`] | yes | one round trip, shared with others that come meanwhile |
//! | [`replace`] | yes | one round trip alone, two in a group; one more that tells what is there if it is not made |
//! | [`create`], [`touch`], [`delete`] | yes | one round trip |
//! | [`sessions_of`] | yes | the sessions that the principal has, by an index |
//! | [`scan`] | yes, by handle | the records of the page |
//! | [`count`] | yes | **reading an index**; nothing to do at each request |
//! | [`purge`] | yes | what has expired |
//! | survives a restart | yes | |
//! | shared by several processes | yes | |
//!
//! # Groups
//!
//! A call that finds no other of its kind under way is made at once, alone; just after a group of several began, with
//! those of other tasks that are ready. Those that come meanwhile go together when one under way has ended, or, if those
//! are fewer than four groups, when 32 wait, or after 2 ms at most: loads in one statement; four swaps or more in one
//! transaction, which locks the rows that nobody holds, looks at their versions, and writes them by one statement. Swaps
//! that something is in the way of go on alone, so nobody waits for somebody else's row. Deadlocks are tried again.
//!
//! On a two-core virtual machine with a durable server, 64 tasks made 38,300 swaps a second this way and 21,600 one by
//! one; a lone task 3,600 either way.
//!
//! ```sh
//! cargo run --release -p fasthttpsession-mysql --example mysql_groups
//! ```
//!
//! A swap that changed no row says nothing by that, for on some connections a row that was given its old values counts
//! as unchanged. What became of the session is read by a statement of its own, in no transaction, so it sees what is there
//! by then.
//!
//! # What a write outlives
//!
//! | the server's setting | a crash of the server | loss of power |
//! | --- | --- | --- |
//! | `innodb_flush_log_at_trx_commit=1`, its default | every acknowledged write is there | the same, if the disk tells the truth |
//! | `2` | the same | the last second may be undone |
//! | `0` | the last second may be undone | the same |
//!
//! # How a logout can be undone
//!
//! * By the last second that is lost with another setting than `1`, above.
//! * By a replica that takes over before it has heard of the logout. Semi-synchronous replication
//!   (`rpl_semi_sync_master_wait_point=AFTER_SYNC`), a Galera cluster or group replication narrow or prevent it.
//! * By a backup that is restored: what was in it is back. Delete the table's rows after restoring.
//!
//! Of a cluster, lead all connections to one node, or have each node wait until it has what the others acknowledged:
//! `wsrep_sync_wait=7` (Galera), `group_replication_consistency=BEFORE_AND_AFTER`. By default none waits: a logout
//! at one may not find a session that another has just made, and is answered as done, and that one lives on.
//!
//! Reads go to where the writes go, and must: a proxy that sends `SELECT` to replicas would show sessions that were logged
//! out, so leave this store out of it. Nothing checks that the server takes writes until a write is refused; so a
//! primary that was set `read_only` when another took over goes on showing what it had. End its connections, and have its
//! name lead to the other one.
//!
//! # Waits
//!
//! An operation waits at most [`pool_timeout`](MysqlConfig::pool_timeout) for a connection, of which
//! [`connect_timeout`](MysqlConfig::connect_timeout) if a new one is needed or one is asked whether it answers, then
//! [`statement_timeout`](MysqlConfig::statement_timeout) for its answers. The error says whether the write may have been
//! made. Connections that broke are replaced by themselves; a server that is back is used again without a restart. A
//! connection unused for 50 ms is asked before anything else is sent on it, which is a round trip of its own.
//!
//! # Rights
//!
//! The user of a service needs `SELECT, INSERT, UPDATE, DELETE` on the table. Whoever makes the table needs `SELECT`
//! and `CREATE`, and to bring it up to date also `ALTER` and `INDEX`:
//!
//! ```sql
//! CREATE USER 'migrator'@'%' IDENTIFIED BY 'one';
//! GRANT SELECT, CREATE, ALTER, INDEX ON shop.* TO 'migrator'@'%';
//! CREATE USER 'web'@'%' IDENTIFIED BY 'another';
//! GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO 'web'@'%';
//! ```
//!
//! A table is nobody's: who was granted a right to it by its name, or to the database, has it whoever made or changed
//! the table. Once it is there, the last can be granted `ON shop.fasthttpsession` alone. With `migrate=true`, a user
//! needs no more rights as long as the table is up to date. Opening fails for a user who may not even see the columns;
//! any other right that is missing is [`Misconfigured`] from each operation that needs it.
//!
//! # Expiry
//!
//! A purge locks the rows that have expired, found by their index, as long as nobody holds them, and deletes them by their
//! handles, at most 1,000 in a transaction; it waits for nobody, and two that purge at once share the work. It looks at
//! nothing that lives. Purging in the background begins with the store and ends with its last clone, or with the runtime
//! that the store was opened in. Removing 10,000 sessions took 0.58 s among 100,000 that live and 0.96 s among a million,
//! on a busy two-core virtual machine and with a buffer pool that holds them all: handles are random, so each deletion
//! reads and writes another page of the primary key, and of a large table fewer of them are shared. With a buffer pool of
//! 32 MiB, a tenth of the larger table, it took 1.6 and 4.5 s.
//!
//! ```sh
//! cargo run --release -p fasthttpsession-mysql --example mysql_purge
//! ```
//!
//! # Settings
//!
//! | in a URL or a file | default | |
//! | --- | --- | --- |
//! | `host`, `port`, `user`, `password`, `database`; in a URL before the `?` | `localhost`, 3306 | [where](MysqlConfig::new) |
//! | `socket` | | [a Unix socket](MysqlConfig::socket) |
//! | `tls` | `off` | [whether connections are encrypted](MysqlConfig::tls): `off` or `verified`, by the feature `tls` |
//! | `ca_file` | | [whom to trust](MysqlConfig::ca_file) |
//! | `table` | `fasthttpsession` | [the table's name](MysqlConfig::table) |
//! | `migrate` | `false` | [make the table, or bring it up to date](MysqlConfig::migrate) |
//! | `max_connections` | 16 | [the most connections](MysqlConfig::max_connections) of each process; 0 counts as 1 |
//! | `idle_connections` | 4 | [how many of them stay open unused](MysqlConfig::idle_connections) |
//! | `connect_timeout_ms` | 5000 | [for a new connection](MysqlConfig::connect_timeout) |
//! | `pool_timeout_ms` | 5000 | [for a connection](MysqlConfig::pool_timeout) |
//! | `statement_timeout_ms` | 5000 | [for the answers](MysqlConfig::statement_timeout) |
//! | `purge_every_ms` | 60000 | [how long to rest between purges](MysqlConfig::purge_every); 0 turns them off |
//! | `purge_batch` | 1000 | [how much a purge removes at once](MysqlConfig::purge_batch) |
//!
//! By TLS too a user signs in by its password: there is no certificate of the client's, which `REQUIRE X509` asks for.
//!
//! Character set and collation can't be set, for nothing depends on them, as long as the server does not convert what it is
//! sent: texts are kept as bytes and compared byte by byte. A pool of the application's own: [`MysqlConfig::open_on`].
#![doc = include_str!("statements.md")]
//!
//! [`Misconfigured`]: fasthttpsession_core::StoreErrorKind::Misconfigured
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

mod config;
mod connection;
mod error;
mod groups;
mod link;
mod literals;
mod operations;
mod row;
mod schema;
mod statements;
mod store;

pub use config::{MysqlConfig, Tls};
pub use mysql_async;
pub use store::MysqlStore;
