//! Keeps sessions in a table of PostgreSQL: for services that have one anyway, on as many machines as they like.
//!
//! ```no_run
//! use fasthttpsession_core::{Clock, Handle, Store, SystemClock};
//! use fasthttpsession_postgres::PostgresConfig;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), fasthttpsession_core::StoreError> {
//! let config = PostgresConfig::from_url("postgres://web:secret@db.example/app")?;
//! let store = config.migrate(true).open().await?;
//!
//! // `Sessions` makes these calls; whoever operates a store can, too.
//! let now = SystemClock.now();
//! let sessions = store.count(now).await?;
//! let session = store.load(Handle::from_bytes([7; 16]), now).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Clones of a [`PostgresStore`] are the same store. It needs a tokio runtime, and PostgreSQL 12 or newer with a
//! database in UTF-8; its tests run on 15, and have passed on 12 and 18.
//!
//! # What it promises
//!
//! The numbers are those of `ARCHITECTURE.md` in the repository. What is not listed holds for every store.
//!
//! | | |
//! | --- | --- |
//! | G1, no lost update | a swap locks its row and writes it only if its version is still the one expected; at READ COMMITTED, or, behind [poolers](#poolers) and on a pool of the application's own, at whatever level is usual there |
//! | G2, logout is final | as far as the server keeps what it acknowledged; see [below](#how-a-logout-can-be-undone) |
//! | G5, no secret at rest | the table has hashes; no error shows a value or a password, not even the details that the server adds; nor does the driver's log of statements and their parameters |
//! | G7, both clocks | a record past a deadline is absent to every operation, purged or not; only the time that an operation is told decides |
//! | G8, an error is no empty session | a server that is down, hangs, refuses or has no room: [an error each](#errors), and the record stays as it was |
//! | G9, durability | what is acknowledged is committed; the server's `synchronous_commit` says what that is worth |
//! | G10, purging costs what has expired | see [below](#expiry) |
//! | G13, bounded | every wait has a [limit](#settings): an operation answers within `pool_timeout_ms` and `statement_timeout_ms` together |
//!
//! # What it can do
//!
//! | capability | | costs |
//! | --- | --- | --- |
//! | [`load`], [`create`], [`replace`], [`touch`], [`delete`] | yes | one statement, shared with others that [come at the same time](#groups). A second one tells what is there instead when a write finds its record changed or gone, for a statement of PostgreSQL sees the table as it was when it began. A third waits if another transaction holds the row |
//! | [`sessions_of`] | yes | an index, and the sessions that the principal has |
//! | [`scan`] | yes, by handle | for each page as many rows |
//! | [`count`] | yes | **reading every row**: nothing to do at each request |
//! | [`purge`] | yes | what has expired |
//! | survives a restart | yes | |
//! | shared by several processes | yes, of any machines | |
//!
//! A record may be as large as the server takes, about a gigabyte. One of over 256 KB travels alone.
//!
//! # How a logout can be undone
//!
//! * By a crash of the server with `synchronous_commit = off`: the last commits, of less than a second, are lost. Leave
//!   it `on`, or turn it on for the store: `ALTER ROLE web SET synchronous_commit = on`.
//! * By a failover to a replica that had not got the logout yet. `synchronous_standby_names`, with `synchronous_commit`
//!   at `on` or `remote_apply`, has each commit wait for the replica; without it, the lag of the replica is what can be
//!   undone. Never let the old primary take writes again. While no replica that counts is there, no commit ends: a write
//!   is a time-out that may have been applied, and the server keeps the connection that was given up for it. Each
//!   `statement_timeout_ms` there may be `max_connections` more of those, until the server has none left for anybody; a
//!   limit for the role, as by `ALTER ROLE web CONNECTION LIMIT 50`, leaves some to others.
//! * By a restore from a backup: what was in it is back. Leave the table out (`pg_dump --exclude-table-data`), or empty
//!   it after a restore; restored to a point in time, it has the sessions of that time.
//! * By `fsync = off`, which may undo or destroy anything.
//!
//! Reads go to where the writes go: a new connection asks its server whether it takes writes, and one that does not is
//! refused; with several hosts, the next is asked. On a pool of the application's own, that is up to its
//! `target_session_attrs`. Where `default_transaction_read_only` is turned on later, connections that are open go on reading.
//! A pooler that sends `SELECT` to replicas would show sessions that were logged out; leave this store out of it.
//!
//! # Groups
//!
//! A commit takes as long as the disk of the server takes to confirm it, and a statement costs the server more than
//! what it does. So while statements of a kind are under way, those that come meanwhile go together in one statement
//! and one commit: up to 256 calls, no two that change one session, in the order of their handles. They wait until one
//! that is under way has ended, though no longer than 2 ms, and not for more than 32 calls, if there may be one more.
//! Each gets its own answer. A lone call waits for nobody.
//!
//! Of each kind, as many statements may be under way as three quarters of the connections, at least one. No group waits
//! for a row that another transaction holds (`SKIP LOCKED`), so nobody else's lock holds up the neighbours, and a group is
//! part of no deadlock: the call that wants the row is made again, alone, and waits up to `statement_timeout_ms`. Such
//! calls use a quarter of the connections at most, which leaves the others to all else; with `max_connections` at 1 they
//! hold up all others. Only a creation waits inside its group, when somebody else is just making or deleting the same
//! handle. If the server refuses one call of a group, each gets a try of its own.
//!
//! ```sh
//! cargo run --release -p fasthttpsession-postgres --example postgres_groups
//! ```
//!
//! That compares it with a plain `UPDATE` a call on as many connections, on a durable server of its own. On a two-core
//! virtual machine that ran the server, too, with PostgreSQL 15:
//!
//! | tasks | | a second | µs each, middle | µs, slowest in 100 |
//! | --- | --- | --- | --- | --- |
//! | 1 | the store | 3207 | 303 | 442 |
//! | 1 | one by one | 3843 | 249 | 375 |
//! | 8 | the store | 13216 | 631 | 995 |
//! | 8 | one by one | 12913 | 589 | 1258 |
//! | 64 | the store | 56393 | 1069 | 2159 |
//! | 64 | one by one | 11695 | 5228 | 7859 |
//!
//! So grouping pays as soon as there are more calls than connections; where there are as many, it makes no difference.
//! A lone call is slower than a plain statement, but not because of grouping: it takes the row only if nobody
//! has it, looks at its deadlines, writes all its columns, and is finished even if its caller gives up.
//!
//! # What is sent
//!
//! The table:
//!
//! ```sql
//! CREATE TABLE fasthttpsession (
//!   handle uuid PRIMARY KEY,
//!   version bigint NOT NULL CHECK (version >= 0),
//!   created_at bigint NOT NULL CHECK (created_at >= 0),
//!   idle_deadline bigint NOT NULL CHECK (idle_deadline >= 0),
//!   absolute_deadline bigint NOT NULL CHECK (absolute_deadline >= 0),
//!   expires_at bigint NOT NULL GENERATED ALWAYS AS (least(idle_deadline, absolute_deadline)) STORED,
//!   purge_at bigint NOT NULL,
//!   principal text COLLATE "C" CHECK (octet_length(principal) BETWEEN 1 AND 255
//!     AND principal !~ '[\u0001-\u001f\u007f-\u009f]'),
//!   label text COLLATE "C" CHECK (octet_length(label) BETWEEN 1 AND 255
//!     AND label !~ '[\u0001-\u001f\u007f-\u009f]'),
//!   body bytea NOT NULL
//! ) WITH (fillfactor = 80);
//! CREATE INDEX fasthttpsession_purge_at ON fasthttpsession (purge_at);
//! CREATE INDEX fasthttpsession_principal ON fasthttpsession (principal) WHERE principal IS NOT NULL;
//! COMMENT ON TABLE fasthttpsession IS 'fasthttpsession schema 1';
//! ```
//!
//! `expires_at` is in no index, so that moving a deadline changes none; `purge_at` is the time by which a [purge](#expiry)
//! looks at the row, never later than its end. The comment is the version of the schema. Opening checks all that, and
//! the role's [rights](#rights); what is missing or different is an error that names the statement which mends it. With
//! [`migrate`](PostgresConfig::migrate), opening makes the table if there is none, and brings one of an older version
//! up to date. All else is left to you: a table that says no version may be somebody else's, and changing a large one
//! takes long.
//!
//! Each operation is a statement of its own and so a transaction of its own. Parameters are arrays with an element a
//! session. What a call alone sends reads its elements, here [`replace`]; the others differ from their groups likewise:
//!
//! ```sql
//! -- load
//! SELECT handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body FROM fasthttpsession
//!     WHERE handle = ANY ($1)
//! ```
//!
//! ```sql
//! -- load, alone
//! SELECT handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body FROM fasthttpsession
//!     WHERE handle = ($1)[1]
//! ```
//!
//! ```sql
//! -- create
//! WITH given AS (
//!   SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) AS given (handle, version, created_at, idle_deadline,
//!     absolute_deadline, principal, label, body, now)
//!   WHERE now BETWEEN 0 AND 9223372036854775807
//! )
//! INSERT INTO fasthttpsession (handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body,
//!     purge_at)
//! SELECT handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body, least(idle_deadline,
//!     absolute_deadline) FROM given
//! ON CONFLICT (handle) DO NOTHING
//! RETURNING handle
//! ```
//!
//! ```sql
//! -- replace
//! WITH given AS (
//!   SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) AS given (handle, version, created_at,
//!     idle_deadline, absolute_deadline, principal, label, body, now, expected)
//!   WHERE now BETWEEN 0 AND 9223372036854775807
//! ), taken AS (
//!   SELECT given.* FROM fasthttpsession AS held JOIN given USING (handle)
//!   WHERE held.version = given.expected AND held.expires_at > given.now
//!   FOR UPDATE OF held SKIP LOCKED
//! )
//! UPDATE fasthttpsession AS held SET
//!   version = taken.version, created_at = taken.created_at, idle_deadline = taken.idle_deadline,
//!   absolute_deadline = taken.absolute_deadline, principal = taken.principal, label = taken.label,
//!   body = taken.body, purge_at = least(held.purge_at, taken.idle_deadline, taken.absolute_deadline)
//! FROM taken
//! WHERE held.handle = taken.handle
//! RETURNING held.handle
//! ```
//!
//! ```sql
//! -- replace, alone
//! WITH given (handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body, now, expected) AS
//!     NOT MATERIALIZED (
//!   SELECT ($1)[1], ($2)[1], ($3)[1], ($4)[1], ($5)[1], ($6)[1], ($7)[1], ($8)[1], ($9)[1], ($10)[1]
//! ), taken AS (
//!   SELECT given.* FROM fasthttpsession AS held JOIN given USING (handle)
//!   WHERE held.version = given.expected AND held.expires_at > given.now
//!   FOR UPDATE OF held SKIP LOCKED
//! )
//! UPDATE fasthttpsession AS held SET
//!   version = taken.version, created_at = taken.created_at, idle_deadline = taken.idle_deadline,
//!   absolute_deadline = taken.absolute_deadline, principal = taken.principal, label = taken.label,
//!   body = taken.body, purge_at = least(held.purge_at, taken.idle_deadline, taken.absolute_deadline)
//! FROM taken
//! WHERE held.handle = taken.handle
//! RETURNING held.handle
//! ```
//!
//! ```sql
//! -- touch
//! WITH given AS (
//!   SELECT * FROM unnest($1, $2, $3, $4) AS given (handle, version, idle_deadline, now)
//!   WHERE now BETWEEN 0 AND 9223372036854775807
//! ), taken AS (
//!   SELECT given.* FROM fasthttpsession AS held JOIN given USING (handle)
//!   WHERE held.version = given.version AND held.idle_deadline < given.idle_deadline
//!     AND held.expires_at > given.now
//!   FOR UPDATE OF held SKIP LOCKED
//! )
//! UPDATE fasthttpsession AS held SET idle_deadline = taken.idle_deadline
//! FROM taken
//! WHERE held.handle = taken.handle
//! RETURNING held.handle
//! ```
//!
//! ```sql
//! -- delete
//! WITH given AS (
//!   SELECT * FROM unnest($1, $2) AS given (handle, now)
//!   WHERE now BETWEEN 0 AND 9223372036854775807
//! ), taken AS (
//!   SELECT given.* FROM fasthttpsession AS held JOIN given USING (handle)
//!   WHERE held.expires_at > given.now
//!   FOR UPDATE OF held SKIP LOCKED
//! )
//! DELETE FROM fasthttpsession AS held USING taken
//! WHERE held.handle = taken.handle
//! RETURNING held.handle
//! ```
//!
//! ```sql
//! -- sessions_of
//! SELECT handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body FROM fasthttpsession
//!     WHERE principal = $1 AND expires_at > $2
//! ```
//!
//! ```sql
//! -- scan
//! SELECT handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body FROM fasthttpsession
//!     WHERE handle >= $1 ORDER BY handle LIMIT $2
//! ```
//!
//! ```sql
//! -- count
//! SELECT count(*) FROM fasthttpsession WHERE expires_at > $1
//! ```
//!
//! ```sql
//! -- purge
//! WITH due AS (
//!   SELECT ctid, expires_at FROM fasthttpsession WHERE purge_at <= $1
//!   ORDER BY purge_at LIMIT $2
//!   FOR UPDATE SKIP LOCKED
//! ), purged AS (
//!   DELETE FROM fasthttpsession WHERE ctid = ANY (ARRAY(SELECT ctid FROM due WHERE expires_at <= $1))
//!   RETURNING 1
//! ), filed AS (
//!   UPDATE fasthttpsession SET purge_at = expires_at
//!   WHERE ctid = ANY (ARRAY(SELECT ctid FROM due WHERE expires_at > $1))
//! )
//! SELECT (SELECT count(*) FROM purged), (SELECT count(*) FROM due)
//! ```
//!
//! ```sql
//! -- check
//! SELECT version FROM fasthttpsession LIMIT 0
//! ```
//!
//! The condition on `now` always holds: it has the planner expect few rows, and so keep its plan. What waits for a row
//! is what a call alone sends, without `SKIP LOCKED`; a creation has this instead of `NOTHING`, to write over a session
//! that has expired:
//!
//! ```sql
//! UPDATE SET
//!   version = excluded.version, created_at = excluded.created_at, idle_deadline = excluded.idle_deadline,
//!   absolute_deadline = excluded.absolute_deadline, principal = excluded.principal, label = excluded.label,
//!   body = excluded.body, purge_at = excluded.purge_at
//! WHERE fasthttpsession.expires_at <= (SELECT now FROM given)
//! ```
//!
//! # Rights
//!
//! The role of a service needs `SELECT, INSERT, UPDATE, DELETE` on the table, and `USAGE` of its schema, which
//! everybody has of `public`. Whoever makes the table needs `CREATE` there, too:
//!
//! ```sql
//! CREATE ROLE migrator LOGIN PASSWORD 'one';
//! GRANT CREATE ON SCHEMA public TO migrator;
//! CREATE ROLE web LOGIN PASSWORD 'another';
//! ALTER DEFAULT PRIVILEGES FOR ROLE migrator GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO web;
//! ```
//!
//! The table is its maker's, who alone, but for superusers, can bring it up to date. Nobody else has a right to it that
//! was not granted: by the last statement before it is made, or afterwards by the `GRANT` that opening names when a
//! right is missing. With `migrate=true`, a role needs no more rights as long as the table is up to date.
//!
//! # Expiry
//!
//! A purge looks at the rows whose `purge_at` has come, and at no others: it removes what has expired, and files what
//! was used meanwhile by its new end. Rows that others hold it passes over, so that two purges share the work and
//! nobody waits for either. Purging in the background begins with the store and ends with its last clone, or with the
//! runtime that the store was opened in. The number of live sessions does not matter; on the same machine, removing
//! 10,000 that had expired took
//!
//! | sessions that live | ms |
//! | --- | --- |
//! | 100,000 | 26.4 |
//! | 1,000,000 | 25.9 |
//!
//! ```sh
//! cargo run --release -p fasthttpsession-postgres --example postgres_purge
//! ```
//!
//! The space of removed rows is used again after a `VACUUM`, which PostgreSQL runs by itself.
//!
//! # Errors
//!
//! | what happens | kind | may have been applied |
//! | --- | --- | --- |
//! | the server can't be reached, or has too many connections | [`Unavailable`] | no |
//! | the connection breaks or the server goes down while a statement is under way, or answers it with `FATAL` or `PANIC` | [`Unavailable`] | yes |
//! | a standby that takes no writes, memory that runs out; a deadlock, or, at levels above READ COMMITTED, a row that others changed, at each of 16 tries, of a list or a count at the first | [`Unavailable`] | no |
//! | no connection is free in time, or the server cancels a statement for its time-out | [`Timeout`] | no |
//! | no answer comes in time | [`Timeout`] | yes |
//! | the disk is full | [`Full`] | no |
//! | a password, right, table, column or certificate is missing or wrong | [`Misconfigured`] | no |
//!
//! When the server is back it is used again, without anybody's doing.
//!
//! # Poolers
//!
//! Behind `PgBouncer` with `pool_mode = transaction`, or whatever gives each transaction another connection, set
//! `prepared=false`. Then statements are neither prepared nor named, at the price of being planned each time, and neither
//! a time-out nor a level of isolation is set on the server: when this library gives up on an answer, the statement may
//! go on. Give the role one: `ALTER ROLE web SET statement_timeout = '4500ms'`. With `pool_mode = session` nothing is to
//! be done but `ignore_startup_parameters = options`, which leaves both to the role, too.
//!
//! A connection to a pooler outlives a failover, and is asked only when it is new whether its server takes writes. So it is the
//! pooler that must be led to the new primary, and told to `RECONNECT`, or reads may go on at the old one.
//!
//! An outage of the server lasts longer behind `PgBouncer`, by `server_login_retry`: for so long, 15 s by default, it refuses
//! whoever comes after it could not reach the server itself. A second is enough.
//!
//! # Encryption
//!
//! Needs the feature `tls`. The default, `sslmode=prefer`, encrypts if both can, and trusts whoever answers;
//! `sslmode=verify-full` is what to use on a network that is not your own, with `sslrootcert` if the authority is your
//! own. It checks the name of the host, too; a Unix socket has none. With any other mode `sslrootcert` is refused, also where
//! libpq would use it. There is no certificate of the client's, which `cert` and `clientcert` in `pg_hba.conf` ask for: a role
//! signs in by its password.
//!
//! # Settings
//!
//! In a URL, `postgres://user:password@host:port/database?setting=value&…`, or in a file by `serde`. What stands before the
//! `?` can't be a setting as well, of which libpq would take the setting: both together are refused.
//!
//! | setting | default | |
//! | --- | --- | --- |
//! | `host` | `localhost` | [where](PostgresConfig::new): names, addresses or folders of Unix sockets, with commas between |
//! | `port` | 5432 | [of hosts without one of their own](PostgresConfig::port) |
//! | `user` | that of the process | [the role](PostgresConfig::user) |
//! | `password` | none | [its password](PostgresConfig::password) |
//! | `database` | named like the user | [the database](PostgresConfig::database) |
//! | `application_name` | `fasthttpsession` | [what connections are listed as](PostgresConfig::application_name) |
//! | `sslmode` | `prefer` | [`disable`, `prefer`, `require` or `verify-full`](SslMode) |
//! | `sslrootcert` | those of the system | [the authorities to trust](PostgresConfig::sslrootcert) |
//! | `table` | `fasthttpsession` | [the table](PostgresConfig::table), with its schema if need be |
//! | `migrate` | `false` | [make the table, or bring it up to date](PostgresConfig::migrate) |
//! | `prepared` | `true` | [prepare statements](PostgresConfig::prepared); off behind [poolers](#poolers) |
//! | `max_connections` | 8 | [the most connections](PostgresConfig::max_connections) of each process; 0 counts as 1 |
//! | `idle_connections` | 8 | [how many of them stay open unused](PostgresConfig::idle_connections) |
//! | `connect_timeout_ms` | 5000 | [how long making a connection may take](PostgresConfig::connect_timeout) |
//! | `pool_timeout_ms` | 5000 | [how long to wait for a connection](PostgresConfig::pool_timeout) |
//! | `statement_timeout_ms` | 5000 | [how long to wait for an answer](PostgresConfig::statement_timeout) |
//! | `purge_every_ms` | 60000 | [how long to rest between purges](PostgresConfig::purge_every); 0 turns them off |
//! | `purge_batch` | 1000 | [how much a purge looks at in one statement](PostgresConfig::purge_batch) |
//!
//! On a pool of the application's own, see [`open_on`](PostgresConfig::open_on).
//!
//! [`Unavailable`]: fasthttpsession_core::StoreErrorKind::Unavailable
//! [`Timeout`]: fasthttpsession_core::StoreErrorKind::Timeout
//! [`Full`]: fasthttpsession_core::StoreErrorKind::Full
//! [`Misconfigured`]: fasthttpsession_core::StoreErrorKind::Misconfigured
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
mod connect;
mod connection;
mod connections;
mod database;
mod error;
mod groups;
mod host;
mod operations;
mod row;
mod schema;
mod statements;
mod store;
mod tls;

pub use config::{PostgresConfig, SslMode};
pub use store::PostgresStore;
