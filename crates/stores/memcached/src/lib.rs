//! Keeps sessions in memcached: compare-and-swap by its own `cas`, on one server or several.
//!
//! ```no_run
//! use fasthttpsession_core::Sessions;
//! use fasthttpsession_memcached::MemcachedConfig;
//!
//! # async fn example() -> Result<(), fasthttpsession_core::StoreError> {
//! let store = MemcachedConfig::from_url("memcached://cache-1,cache-2?prefix=shop:")?.open().await?;
//! let sessions = Sessions::new(store);
//! # Ok(()) }
//! ```
//!
//! Clones of a [`MemcachedStore`] are the same store. Unix only.
//!
//! # When not to choose it
//!
//! memcached is a cache. It forgets all sessions when it restarts, and the least used ones when its memory is full,
//! without telling anybody: their users are signed out. It can't say whose sessions it holds, so nobody can be shown
//! their sessions, and "sign out everywhere" does not exist: a configuration that needs either is refused when it is
//! built. If a user must stay signed in over a restart, if sessions hold what is nowhere else, or if a password change
//! must end other sessions, take another store. Choose memcached if it runs already, has memory to spare, and a lost
//! session costs a sign-in and nothing more.
//!
//! # What it promises
//!
//! The numbers are those of `ARCHITECTURE.md` in the repository. What is not listed holds for every store.
//!
//! | | |
//! | --- | --- |
//! | G1, no lost update | by `cas`: a swap succeeds only over the very value that was read |
//! | G2, logout is final | as long as the list of servers stays as it is; see [below](#how-a-logout-can-be-undone) |
//! | G6, one round trip | each operation, as long as nobody else is at the session; see [below](#what-it-can-do-and-costs) |
//! | G7, both clocks | a record past a deadline is absent to every operation; the server drops it up to four seconds later |
//! | G8, an error is not an empty session | a server that does not answer, and bytes that are no record, are typed errors; a write that is refused leaves what is there, but with `-M`, see [Memory](#memory). **A session that the server has dropped can't be told from one that has ended** |
//! | G9, durability | **none**: an acknowledged commit is there until the server restarts or needs the room. No torn record |
//! | G10, purging | the server's own |
//! | G13, bounded | requests, bytes, records, connections and every wait; see the [settings](#settings) |
//!
//! # What it can do and costs
//!
//! | operation | | round trips |
//! | --- | --- | --- |
//! | [`load`] | yes | 1 |
//! | [`create`] | yes | 1 |
//! | [`replace`], [`touch`], [`delete`] | yes | 1 after a load or a write by this process, else 2 |
//! | the same, when another process was at the session meanwhile | | 2 to learn of a conflict; 3 if it was only touched |
//! | [`sessions_of`], [`scan`], [`count`] | no | an error of kind `Unsupported` that says so |
//! | [`purge`] | no | its server does it |
//! | survives a restart | no | |
//! | shared by several processes | yes | |
//!
//! memcached compares its own number, the `cas`, not the record's version. So a store notes what it last saw of a
//! session: its `cas` and its record, at most 16 MiB of all sessions together. A request loads its session before it
//! writes, and so finds the note; what was pushed out of it costs one look. A note is only a guess, which the swap
//! proves: what it says is never an answer. A touch writes the whole record, for the idle deadline is part of it.
//!
//! The conformance suite runs on one server and on three; round trips are counted in the server's `stats`.
//!
//! # Lines
//!
//! A session is one item: its key is the prefix and the handle's 22 characters, its value
//! [`Record::to_bytes`](fasthttpsession_core::Record::to_bytes). `O…` is a number that the reply repeats.
//!
//! | operation | lines |
//! | --- | --- |
//! | [`load`] | `mg session:<handle> v c O7` |
//! | [`create`] | `ms session:<handle> <bytes> ME c T3602 O7`; over an expired record then `mg` and `ms … C42` |
//! | [`replace`], [`touch`] | `ms session:<handle> <bytes> C42 c T3602 O7`, before it `mg` if nothing is noted |
//! | [`delete`] | `md session:<handle> C42 O7`, before it `mg` if nothing is noted; without `C42` once others were first 8 times |
//! | [`check`] | `mn` to every server |
//! | a new connection | with a user `set credentials 0 -1 <bytes>`; `stats settings`, `mn` |
//!
//! `T` is the time until the earlier deadline, with two seconds for a server's clock that lags. Over 30 days memcached
//! takes it for a date, so it is sent as one; then the clocks of both machines have to agree, whatever
//! [`Clock`](fasthttpsession_core::Clock) deadlines go by. After January 2038, the
//! last date that memcached knows, it is left out, and only the deadlines in the record count.
//!
//! # Several servers
//!
//! Each handle belongs to one server, by rendezvous hashing over the servers' addresses as they are spelled in the
//! list. The order of the list plays no role; the spelling does: all processes need the same. Put one memcached behind
//! each address, no proxy that shares keys out anew: `cas` numbers of different servers have nothing to do with each
//! other.
//!
//! * **A handle's server never changes while the list stands.** If it does not answer, every operation on its sessions
//!   is an error, logout included. Nothing is written elsewhere, where it would hide a newer value or be hidden by an
//!   older one.
//! * **New sessions avoid a server that does not answer**: another handle is drawn, until one belongs to a server that
//!   does. Once a server has failed, requests to it fail at once, until a connection that is tried in the background
//!   answers.
//! * **Changing the list loses sessions**: those of the server that leaves, and of each server the part that moves to
//!   one that joins. Change it in all processes at once; while they differ, a session that moves is there for some and
//!   gone for others.
//! * **Flush a server before it is added again** (`flush_all`, or restart it). What it held when it left would be back.
//!
//! # How a logout can be undone
//!
//! A deletion is done when it is acknowledged, and nothing that is in flight can bring the session back: everything but
//! a creation is a swap, which fails on a missing item. What remains:
//!
//! * **A list of servers that changes**, and changes back: a session that was ended on its new server is still on the
//!   old one. Flush a server before it joins.
//! * **A server that restores its memory**: one started with `-e` and restarted in good order has what it had when it
//!   stopped. That is after all deletions that it acknowledged, so nothing is undone; a copy of that file brings
//!   sessions back.
//!
//! # Memory
//!
//! * **Eviction.** A full server drops what was used least recently, and those sessions are gone, not errors. Watch
//!   `evictions` in `stats`; give it memory until it stays 0. An item takes about 60 bytes more than key and record,
//!   rounded up to a size class.
//! * **`-M`**, which refuses instead of dropping, is worse: a new session is an error of kind `Full`, but when a
//!   *replacement* finds no room, memcached removes the session that was there.
//! * **Record size.** A record that the server can't hold would also cost the session that it was to replace. So each
//!   connection asks for the server's limit (`item_size_max`, 1 MiB unless `-I` says otherwise), and what is over it is
//!   an error of kind `TooLarge` before it is sent. To hold larger ones, raise both `-I` and `max_record_bytes`.
//!
//! # Settings
//!
//! From a program by [`MemcachedConfig`], from a file by `serde`, and from a URL:
//!
//! | URL | |
//! | --- | --- |
//! | `memcached://host:port,host` | TCP; without a port it is 11211 |
//! | `memcached+tls://user:password@host` | TLS, with the feature `tls`; a user (`memcached -Y`) with a percent-encoded password |
//! | `memcached+unix:///run/a.sock,/run/b.sock` | Unix sockets |
//!
//! What stands before the `?` can't be a setting as well. TLS shows servers no certificate of the client's, which
//! `ssl_verify_mode=2` asks for.
//!
//! | setting | default | |
//! | --- | --- | --- |
//! | [`servers`](MemcachedConfig::new) | | in a file: hosts and sockets, with commas between them |
//! | [`username`](MemcachedConfig::username), [`password`](MemcachedConfig::password) | none | sent as they are unless there is TLS |
//! | [`tls`](MemcachedConfig::tls) | `false` | as the URL's scheme says |
//! | [`ca_file`](MemcachedConfig::ca_file) | the system's | whom TLS trusts |
//! | [`prefix`](MemcachedConfig::prefix) | `session:` | at most 228 bytes |
//! | [`connections`](MemcachedConfig::connections) | 1 | to each server by each tokio runtime that uses the store, made when needed and kept; requests are pipelined |
//! | [`connect_timeout_ms`](MemcachedConfig::connect_timeout) | 1000 | |
//! | [`response_timeout_ms`](MemcachedConfig::response_timeout) | 2000 | of a request; an operation takes at most a few |
//! | [`max_record_bytes`](MemcachedConfig::max_record_bytes) | 1048576 | and what the server holds |
//!
//! Of a connection that is silent for 30 s the system asks whether the server is still there (TCP keepalive). It has at
//! most 4096 requests without answer, of at most 32 MiB; one more is an error of kind `Unavailable`.
//!
//! # Servers
//!
//! memcached 1.6.18 or later, as Debian 12 has it, with `cas` (no `-C`). Everybody who reaches its port can read,
//! change and end all sessions, unless it has users or listens on a socket: keep it on a private network. Values hold
//! no secrets that open a session, only their hashes, and what the application puts there.
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
//! [`check`]: fasthttpsession_core::Store::check

mod config;
mod error;
mod place;
mod seen;
mod store;

pub use config::MemcachedConfig;
pub use store::MemcachedStore;
