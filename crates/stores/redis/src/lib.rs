//! Keeps sessions in Redis or Valkey: one round trip an operation, on one server, on a Cluster, or behind Sentinel.
//!
//! ```no_run
//! use fasthttpsession_core::{Clock, Handle, Store, SystemClock};
//! use fasthttpsession_redis::RedisConfig;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), fasthttpsession_core::StoreError> {
//! let store = RedisConfig::from_url("rediss://web:secret@cache.example/0?prefix=shop:")?.open().await?;
//!
//! // `Sessions` makes these calls; whoever operates a store can, too.
//! let now = SystemClock.now();
//! let session = store.load(Handle::from_bytes([7; 16]), now).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Clones of a [`RedisStore`] are the same store. It needs a tokio runtime, and Redis 6.2 or newer; its tests
//! run on Redis 7.0, have passed on 6.2, and run on Valkey 9.1 by `cargo xtask relatives`. Unix only.
//!
//! # What it promises
//!
//! The numbers are those of `ARCHITECTURE.md` in the repository. What is not listed holds for every store.
//!
//! | | |
//! | --- | --- |
//! | G1, no lost update | a script compares the version and swaps the record; a server runs one script at a time |
//! | G2, logout is final | as far as the servers keep what they acknowledged, which is less than one may think; see [below](#how-a-logout-can-be-undone) |
//! | G5, no secret at rest | records have hashes; no error shows a value or a password, not even what a server says about what it was sent |
//! | G6, one round trip | an operation is one command, and so one round trip, whatever the size of the record; a conflict brings the current record along |
//! | G7, both clocks | a record past a deadline is absent to every operation, whether or not the server has removed it; only the time that an operation is told decides |
//! | G8, an error is no empty session | a server that is down, hangs, refuses or has no room: [an error each](#errors), and the record stays as it was |
//! | G9, durability | what [persistence](#persistence) and [replication](#how-a-logout-can-be-undone) promise; by default of Redis that is not much |
//! | G10, purging costs what has expired | the server removes each record by itself; there is no purge |
//! | G13, bounded | an operation is answered within `connect_timeout_ms` and `response_timeout_ms` together, however many commands it takes and wherever they are sent on to; with [`wait_replicas`](#waiting-for-replicas) `wait_timeout_ms` comes on top |
//!
//! # What it can do
//!
//! | capability | | costs |
//! | --- | --- | --- |
//! | [`load`], [`create`], [`replace`], [`touch`], [`delete`] | yes | one round trip. A server that does not know the script yet, after a start or `SCRIPT FLUSH`, costs a second one, once. A sign-in on a Cluster takes [three](#cluster) |
//! | [`sessions_of`] | yes | a round trip for about 128 entries of the index, and their records in one more, at once |
//! | [`scan`] | yes, in the servers' own order | a round trip for a page's keys, and their records in one more. It passes over all keys of the database: keep other things in another one |
//! | [`count`] | no | Redis could only count by looking at all keys; scan |
//! | [`purge`] | no | nothing: the server expires records |
//! | survives a restart | if the servers [do](#persistence) | |
//! | shared by several processes | yes, of any machines | |
//!
//! Commands are pipelined on [a connection](RedisConfig::connections) to each server; writes that
//! [wait for replicas](#waiting-for-replicas), on one of their own. Each tokio runtime that uses the store
//! has its own, because what one drives for another goes from thread to thread and back: in actix-web each worker, and the
//! one in which the store was opened. They end with their runtimes. A connection that was lost is opened again when it is
//! needed, after pauses that grow from 50 ms to 1 s as long as that fails or nothing is answered on it, each shortened at
//! random by up to half; meanwhile nobody waits. After a time-out it is given up, so that an answer that comes too late is
//! nobody's. Of one that is silent for 30 s the system asks whether the server is still there (TCP keepalive). When a server
//! refuses a write because it has become a replica, all connections to it are opened anew, for its name may lead to its
//! successor; until then what it holds is read. Nothing is sent twice but what a server has refused: whoever gets an error that
//! [may have been applied](#errors) sends the same again, and it counts once.
//!
//! # How a logout can be undone
//!
//! * By a **restart from a snapshot**. As it is installed, Redis writes nothing but a snapshot every now and then, and
//!   after a crash it goes on with the last one, with all sessions that have been logged out since. `appendonly yes`
//!   ends that: then a killed server has lost nothing that it acknowledged, and a machine that loses power about the
//!   last second. With `appendfsync always`, nothing. Without any persistence (`save ""`) a restart ends all sessions,
//!   which undoes no logout.
//! * By a **failover**. Replication is asynchronous: a primary acknowledges before its replica has anything. When a
//!   replica takes over, what it had not got is lost. That is little when a server just dies, and everything since the
//!   beginning of it when the primary had lost its replicas first, or when an old primary goes on beside a new one.
//!   [`wait_replicas`](#waiting-for-replicas) prevents the first. `min-replicas-to-write 1` and `min-replicas-max-lag
//!   2` in the servers' configuration narrow both: a primary without replicas then refuses writes after two seconds.
//! * By a **restore** from a backup: what was in it is back. `FLUSHDB` after it.
//!
//! What that came to, when sixteen tasks committed and logged out as fast as they could and a primary was taken from
//! them, on a two-core virtual machine that ran all servers and other work, with Redis 7.0:
//!
//! | | commits | lost | logouts | undone | nobody got an answer for |
//! | --- | --- | --- | --- | --- | --- |
//! | **one server**, `appendfsync always`, killed three times | 2,087 | 0 | 210 | 0 | 0.2 s |
//! | **Cluster**, a slot that moves | 7,781 | 0 | 790 | 0 | 0.1 s |
//! | a primary killed | 34,114 | 0 | 3,585 | 0 | 4.3 s |
//! | cut off from its replica, 1,000 commits later killed | 35,094 | 83 | 3,586 | **14** | 3.5 s |
//! | the same, with `wait_replicas` 1 | 4,349 | 0 | 439 | 0 | 11.8 s |
//! | **Sentinel**, a primary killed | 6,286 | 0 | 641 | 0 | 2.6 s |
//! | a primary that hangs | 6,175 | 0 | 630 | 0 | 3.3 s |
//! | `SENTINEL FAILOVER` | 8,973 | 97 | 912 | **16** | 0.0 s |
//! | a primary that is never told of its successor | 5,188 | 98 | 519 | **15** | 0.0 s |
//! | cut off from its replicas, 1,000 commits later killed, with sentinels that wait 2 s longer | 4,505 | 106 | 448 | **14** | 4.6 s |
//! | the same, with `wait_replicas` 1 | 3,022 | 0 | 304 | 0 | 7.1 s |
//!
//! ```sh
//! cargo test -p fasthttpsession-redis -- --nocapture --test-threads 1 killed followed left lost
//! ```
//!
//! Lost are acknowledged commits of sessions that should still be there. A killed primary lost nothing
//! here, where primary and replica are on one machine; between two machines what is on the wire is. How long
//! it takes until somebody takes over is up to the servers: here a Cluster took a node for dead after two seconds, and
//! the sentinels after one.
//!
//! ## Waiting for replicas
//!
//! With [`wait_replicas`](RedisConfig::wait_replicas) each write is followed by `WAIT` in the same round trip, and is
//! acknowledged when so many replicas have it in memory. A write that they do not confirm within `wait_timeout_ms` is
//! an error, though the primary has it, and so is each attempt to send it again until they have: a commit or a logout
//! that was acknowledged is then there as long as one of those replicas takes over. Sentinel and Cluster choose the one
//! that has got furthest. When an operator has them fail over, the old primary may still have another replica, which
//! confirms what is about to be lost; only as many as there are replicas rule that out. Loads wait for nobody, and may
//! show what a failover undoes.
//!
//! `WAIT` holds up what follows on the same connection. What it costs, and what the disk does, on the same machine:
//!
//! | tasks | acknowledged | a second | µs each, middle | µs, slowest in 100 |
//! | --- | --- | --- | --- | --- |
//! | 1 | at once | 12814 | 76 | 126 |
//! | 1 | on the disk (`appendfsync always`) | 3784 | 258 | 390 |
//! | 1 | on a replica | 8271 | 128 | 168 |
//! | 1 | on a replica, 16 connections | 9260 | 102 | 176 |
//! | 64 | at once | 164853 | 368 | 782 |
//! | 64 | on the disk (`appendfsync always`) | 71368 | 826 | 1483 |
//! | 64 | on a replica | 29478 | 2374 | 3416 |
//! | 64 | on a replica, 16 connections | 64920 | 912 | 2120 |
//!
//! ```sh
//! cargo run --release -p fasthttpsession-redis --example durability
//! ```
//!
//! # Persistence
//!
//! What a server that keeps sessions should have in its configuration:
//!
//! ```text
//! appendonly yes
//! appendfsync everysec          # or always
//! maxmemory-policy noeviction
//! ```
//!
//! Any other `maxmemory-policy` removes sessions when memory runs out, which signs users out, and indexes, whose
//! sessions
//! [`sessions_of`] then misses: who ends all sessions of a user would not end them all. With `noeviction` a server
//! without room refuses writes ([`Full`]), and leaves sessions as they were; logouts need no room, but where they
//! [wait for replicas](#waiting-for-replicas): one that is sent again has to write something that can be waited for.
//!
//! # Keys
//!
//! | key | type | holds |
//! | --- | --- | --- |
//! | `session:<handle>` | string | a record, as [`Record::to_bytes`] makes it: version, deadlines, principal, label, values. The server removes it at the earlier of its deadlines |
//! | `session:@<principal>` | sorted set | the index of a principal: an entry for each session that was bound to it, of a handle and of the moment when it was made, scored by the absolute deadline. The server removes it an hour after the last of these |
//!
//! `session:` is the [prefix](RedisConfig::prefix). No name of a key comes from a client: a handle is sixteen bytes
//! that were decoded and are written anew, a principal is what the application says.
//!
//! A logout leaves its entry in the index alone, and a session that gets a later absolute deadline the earlier ones that it
//! has. What is left over is removed when it is seen: by [`sessions_of`], which believes no entry but looks at the
//! record, and by whatever makes an entry, which looks at eight others once there are more than sixteen. So an index stays
//! about as large as what is live.
//!
//! # Cluster
//!
//! `redis+cluster://` with a few of the nodes; the others are learned from them. Commands go to the primary that has
//! the key's slot, follow `MOVED` and `ASK` while slots move, and ask the other nodes for who has taken over when a
//! node can't be reached or is cut off from them. Only what certainly was not carried out is sent on. A new session
//! whose node is down gets another handle, and so another node.
//!
//! A record is one key, so commits, touches and logouts are atomic as on one server. **An index is in another slot than
//! its sessions**, and Redis has no transaction over two. There, a sign-in is three round trips: the record's script
//! says that it has to be entered first, the entry is made, and the record is written, if the entry is less than five
//! minutes old. What is atomic is each of the three. So
//!
//! * a live session is never missing from its index, whatever breaks off in between, as long as the clocks of the
//!   servers differ by less than five minutes and no failover loses the entry alone ([`scan`] finds it even then). Nor may
//!   a failover of the record's node [undo a logout](#how-a-logout-can-be-undone): the entry may have been removed
//!   meanwhile, and the session is back without one;
//! * an entry may be left over, of a sign-in that broke off, of a session that has ended or of one that lives longer by
//!   now. It is removed when it is seen, but not before it is ten minutes old.
//!
//! On one server and behind Sentinel, index and record are written by one script: both or neither.
//!
//! A [`scan`] goes through the slots in their order. Where a primary is moving some of them, it asks the node that they are
//! moved to for those keys, too, and when slots have changed hands it begins anew with what is left of them. On this it
//! trusts only a node to which the cluster is up. Only a key that is moved back by hand in the middle may be
//! missed, and what is made elsewhere before a primary that was cut off from the others has noticed that.
//!
//! # Sentinel
//!
//! `redis+sentinel://` with the sentinels and the name that they have for the primary. All are asked at once when a
//! connection is opened, and the server that they name has to say itself that it is a primary. While it is used they
//! are asked again four times a second, for a primary that has a successor need not know of it: after an operator's
//! failover it takes writes for some seconds more, which are lost.
//!
//! # What is sent
//!
//! [`load`] is `GET session:<handle>`; [`check`] is `PING`, to each primary. [`sessions_of`] is `ZRANGEBYSCORE` with
//! `LIMIT 0 128`, or more where so many sessions end in the same millisecond, and a `GET` for each entry; [`scan`] is
//! `INFO server` and `SCAN` with the prefix and at most `COUNT 1000`, and a `GET` for each session. A Cluster is asked
//! `CLUSTER SLOTS`, by [`scan`] with `CLUSTER INFO`, and then each primary `CLUSTER NODES` when it is done; sentinels
//! `SENTINEL GET-MASTER-ADDR-BY-NAME`, and what they name `ROLE`. A connection begins with `AUTH`, `SELECT` or both; with
//! `PING` where there is no password and the database is 0, for a server that hangs takes connections all the same.
//!
//! All else are scripts, by `EVALSHA`, or by `EVAL` when a server does not know one. Opening, except on a Cluster, runs the one
//! of [`delete`] on the session whose handle is all zeros, which nobody has: a sentinel, a replica or a user who may not run
//! scripts is then refused at once. Each consists of one or more of these parts. The first of all of those on a record:
//!
//! ```lua
#![doc = include_str!("scripts/record.lua")]
//! ```
//!
//! Then comes, for [`create`]:
//!
//! ```lua
#![doc = include_str!("scripts/create.lua")]
//! ```
//!
//! for [`replace`]:
//!
//! ```lua
#![doc = include_str!("scripts/replace.lua")]
//! ```
//!
//! which has tried this before all that:
//!
//! ```lua
#![doc = include_str!("scripts/swap.lua")]
#![doc = include_str!("scripts/common.lua")]
//! ```
//!
//! for [`touch`]:
//!
//! ```lua
#![doc = include_str!("scripts/touch.lua")]
//! ```
//!
//! for [`delete`]:
//!
//! ```lua
#![doc = include_str!("scripts/delete.lua")]
//! ```
//!
//! What follows in [`create`] and [`replace`], and comes first in the last two, is about indexes:
//!
//! ```lua
#![doc = include_str!("scripts/index.lua")]
//! ```
//!
//! The end of [`create`] and [`replace`]:
//!
//! ```lua
#![doc = include_str!("scripts/bind.lua")]
//! ```
//!
//! Entering a session into an index of another slot:
//!
//! ```lua
#![doc = include_str!("scripts/enter.lua")]
//! ```
//!
//! Removing what is left over in an index:
//!
//! ```lua
#![doc = include_str!("scripts/tidy.lua")]
//! ```
//!
//! Swaps that would wait for each other go as one script, at most 64 of them, of records of up to 16 KiB: on one server
//! or behind Sentinel, over the store's own connections, and without `wait_replicas`. Two such scripts are under way at
//! most; a lone swap waits for nobody. What is special about one is left to a script of its own, as above. The script has
//! the same `swapped`, and then
//!
//! ```lua
#![doc = include_str!("scripts/swaps.lua")]
//! ```
//!
//! # Rights
//!
//! A user who may do no more than this:
//!
//! ```text
//! ACL SETUSER web on >secret ~session:* +ping +get +eval +evalsha +getrange +strlen +exists +set +setrange +pexpire +pttl +del +unlink +time +zadd +zcard +zrandmember +zremrangebyscore +zrem +zrangebyscore +scan +info +select +cluster|slots +cluster|info +cluster|nodes +asking +role +wait
//! ```
//!
//! # Errors
//!
//! | what happens | kind | may have been applied |
//! | --- | --- | --- |
//! | a server can't be reached, or refuses because it is loading, a replica, cut off, without replicas, without a disk or at its `maxclients` | [`Unavailable`] | no |
//! | the connection breaks while a command is under way | [`Unavailable`] | yes |
//! | too few replicas confirm a write in time, or the primary stops waiting for them | [`Unavailable`] | yes: the primary has it |
//! | an error comes that Redis does not know, as from a proxy that has passed the command on | [`Internal`] | yes |
//! | no connection comes about in time | [`Timeout`] | no |
//! | no answer comes in time | [`Timeout`] | yes |
//! | `maxmemory` is reached, or the disk is full | [`Full`] | no |
//! | a record is larger than `max_record_bytes` | [`TooLarge`] | no |
//! | what lies under the key is no record | [`Corrupt`] | no: only [`delete`] removes it |
//! | a password, right, certificate or kind of server is wrong | [`Misconfigured`] | no |
//!
//! When the server is back it is used again, without anybody's doing.
//!
//! # URLs
//!
//! | | |
//! | --- | --- |
//! | `redis://user:password@host:6379/0` | one server; all but the host may be left out |
//! | `rediss://…` | the same with TLS, checked against the authorities of the system or those in `ca_file` |
//! | `redis+unix:///run/redis.sock?database=0` | one server, by its socket |
//! | `redis+cluster://user:password@a,b:7001,[::1]:7002` | a Cluster, by some of its nodes |
//! | `redis+sentinel://user:password@a,b,c:26379/name/0` | the primary that the sentinels name; user and password are the primary's, those of the sentinels are settings |
//! | `rediss+cluster://…`, `rediss+sentinel://…` | the same with TLS, to sentinels too; certificates have to hold the names or addresses by which servers know each other |
//!
//! User, password, path and name are percent-encoded. TLS shows servers no certificate of the client's, which Redis asks for
//! unless it is told `tls-auth-clients no` or `optional`: a user signs in by its password.
//!
//! # Settings
//!
//! In a URL, `redis://host?setting=value&…`, or in a file by `serde`, there with a `url` of one of the forms above:
//!
//! | setting | default | |
//! | --- | --- | --- |
//! | `username` | that in the URL | [the ACL user](RedisConfig::username) |
//! | `password` | that in the URL | [its password](RedisConfig::password) |
//! | `sentinel_username` | none | [the ACL user of the sentinels](RedisConfig::sentinel_username) |
//! | `sentinel_password` | none | [its password](RedisConfig::sentinel_password) |
//! | `database` | that in the URL, or 0 | [the number of the database](RedisConfig::database) |
//! | `prefix` | `session:` | [what keys begin with](RedisConfig::prefix) |
//! | `ca_file` | those of the system | [the authorities to trust](RedisConfig::ca_file) |
//! | `connections` | 1 | [how many to each server](RedisConfig::connections); with `wait_replicas` twice as many |
//! | `connect_timeout_ms` | 5000 | [how long making a connection may take](RedisConfig::connect_timeout) |
//! | `response_timeout_ms` | 5000 | [how long to wait for an answer](RedisConfig::response_timeout) |
//! | `max_record_bytes` | 16777216 | [the largest record](RedisConfig::max_record_bytes) |
//! | `wait_replicas` | 0 | [how many replicas have to confirm a write](RedisConfig::wait_replicas) |
//! | `wait_timeout_ms` | 1000 | [how long a write waits for them](RedisConfig::wait_timeout) |
//!
//! There is no setting for idle connections: all that there are stay open. On a connection of the application's own, see
//! [`open_on`](RedisConfig::open_on).
//!
//! [`Unavailable`]: fasthttpsession_core::StoreErrorKind::Unavailable
//! [`Timeout`]: fasthttpsession_core::StoreErrorKind::Timeout
//! [`Full`]: fasthttpsession_core::StoreErrorKind::Full
//! [`TooLarge`]: fasthttpsession_core::StoreErrorKind::TooLarge
//! [`Corrupt`]: fasthttpsession_core::StoreErrorKind::Corrupt
//! [`Misconfigured`]: fasthttpsession_core::StoreErrorKind::Misconfigured
//! [`Internal`]: fasthttpsession_core::StoreErrorKind::Internal
//! [`Record::to_bytes`]: fasthttpsession_core::Record::to_bytes
//! [`load`]: fasthttpsession_core::Store::load
//! [`create`]: fasthttpsession_core::Store::create
//! [`replace`]: fasthttpsession_core::Store::replace
//! [`touch`]: fasthttpsession_core::Store::touch
//! [`delete`]: fasthttpsession_core::Store::delete
//! [`sessions_of`]: fasthttpsession_core::Store::sessions_of
//! [`scan`]: fasthttpsession_core::Store::scan
//! [`count`]: fasthttpsession_core::Store::count
//! [`purge`]: fasthttpsession_core::Store::purge
//! [`check`]: fasthttpsession_core::Store::check

#[cfg(not(unix))]
compile_error!("the feature `redis` needs Unix: take `sqlite`, `postgres` or `mysql`");

mod backend;
mod cluster;
mod config;
mod connect;
mod error;
mod gathering;
mod index;
mod keys;
mod lines;
mod link;
mod moving;
mod place;
mod scan;
mod scripts;
mod sentinel;
mod store;
mod swaps;
mod tls;

pub use config::RedisConfig;
pub use store::RedisStore;
