//! Private real servers for tests: started on free sockets, stopped again.
//!
//! ```no_run
//! use fasthttpsession_servers::Postgres;
//!
//! let database = Postgres::shared().database(); // fresh and empty; the server lives as long as this value
//! println!("{} or {}", database.url(), database.socket_url());
//!
//! let server = Postgres::start(); // of this test alone
//! server.kill(); // SIGKILL, all its processes
//! server.restart(); // on the same data, sockets and port
//! ```
//!
//! [`Mariadb`] offers the same, and [`Redis`] most of it: it has no SQL, and instead [`RedisCluster`] and
//! [`RedisSentinel`] with several servers each. All servers listen on a Unix socket and on a free port of 127.0.0.1,
//! want a password (one that has to be percent-encoded in a URL), and accept TLS with a certificate for `localhost` and
//! `127.0.0.1`; of Redis, those that were started for it.
//!
//! # Shared and private servers
//!
//! A runner that gives each test a process of its own would start hundreds of servers. So **shared** servers outlive
//! the process that started them, and each test makes its own databases on them. Shared servers are fast and not
//! durable. **Private** servers ([`Postgres::start`], [`Mariadb::start`]) are durable, for tests that kill or stop them.
//!
//! # What is where
//!
//! Everything is in `fasthttpsession-<uid>` in the folder for temporary files. `<kind>` stands for the kind of server
//! with a hash of the program and of its settings, so that two versions never meet.
//!
//! | | |
//! | --- | --- |
//! | `<kind>.lock` | held exclusively by whoever starts or ends a server |
//! | `<kind>.template/` | the data folder of a new server and its certificates; made once, copied for each server |
//! | `<kind>.current` | link to the shared server, if there is one |
//! | `<kind>.<random>/` | one server: its data, log, socket, process id |
//! | `<kind>.<random>/users` | each test process holds a shared lock on it while it uses the server |
//!
//! A **keeper**, a detached shell script, waits until nobody holds `users`; then it ends the server and removes its
//! folder, after some seconds for a shared one, at once for a private one. The kernel releases the locks of processes
//! that are killed, so nothing outlives the tests. What is left over after a crash of the machine, or when a keeper was
//! killed, is removed at the next start.
//!
//! A server starts in about a second, for its data folder is a copy; `cargo run -p fasthttpsession-servers --example
//! times` measures it.
//!
//! # Requirements
//!
//! Linux, and the Debian packages `postgresql`, `mariadb-server`, `redis-server`, `memcached`, `openssl` and `util-linux`.
//! Whoever is root needs the users `postgres`, `mysql`, `redis` and `memcache` that these packages make, for some servers
//! refuse to run as root. A test fails when its server is not installed.

mod certificates;
mod database;
mod home;
mod instance;
mod kind;
mod mariadb;
mod memcached;
mod ports;
mod postgres;
mod processes;
mod program;
mod redis;
mod server;
mod sockets;

pub use database::Database;
pub use mariadb::Mariadb;
pub use memcached::{Memcached, MemcachedServer};
pub use postgres::Postgres;
pub use redis::{Redis, RedisCluster, RedisSentinel, RedisServer};
pub use server::Server;
pub use sockets::{connections_to, keepalives};
