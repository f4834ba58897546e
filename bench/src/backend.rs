//! What holds the sessions while they are measured: a folder, or a private database server that is stopped again. Both
//! libraries use the same one, each a place of its own in it.

use std::fs::read_to_string;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use contestants::Store;
use fasthttpsession_servers::{
    Mariadb, Memcached, MemcachedServer, Postgres, Redis, RedisServer, Server,
};
use tempfile::TempDir;

use crate::{machine, processes};

/// A started backend.
pub struct Backend {
    /// Of which kind.
    pub store: Store,
    running: Running,
    /// Its first process, if it is a program of its own.
    process: Option<u32>,
    /// How many places it has given out.
    places: AtomicUsize,
}

enum Running {
    /// What a library needs nobody else for.
    Folder(TempDir),
    Database(Server),
    Redis(RedisServer),
    Memcached(MemcachedServer),
}

impl Backend {
    /// Starts one that is empty.
    pub fn start(store: Store) -> Result<Self> {
        let running = match store {
            Store::Memory | Store::Sqlite | Store::File | Store::Cookie => {
                Running::Folder(TempDir::new()?)
            }
            Store::Postgres => Running::Database(Postgres::start()),
            Store::Mariadb => Running::Database(mariadb_with_room()),
            Store::Redis => Running::Redis(redis_in_memory()),
            Store::Memcached => Running::Memcached(Memcached::start_with(&["-m", "1024"])),
        };
        let process = running.process(store)?;
        Ok(Self {
            store,
            running,
            process,
            places: AtomicUsize::new(0),
        })
    }

    /// The URL of an empty place for sessions.
    pub fn place(&self) -> String {
        let place = self.places.fetch_add(1, Ordering::Relaxed);
        match &self.running {
            Running::Database(server) => server.database().url(),
            Running::Redis(server) => redis_database(server, place),
            Running::Memcached(server) => server.url(),
            Running::Folder(folder) => {
                let path = folder.path().join(place.to_string());
                match self.store {
                    Store::Memory => "memory:".to_owned(),
                    store => format!("{}:{}", store.label(), path.display()),
                }
            }
        }
    }

    /// The bytes that it holds with all that is kept for them, in memory or on the disk. Comparable with itself alone: what
    /// sessions take is by how much it grows.
    pub fn held(&self) -> Result<u64> {
        Ok(match &self.running {
            Running::Database(server) if self.store == Store::Postgres => {
                query(server, POSTGRES_HELD).parse()?
            }
            Running::Database(server) => query(server, MARIADB_HELD).parse()?,
            Running::Redis(server) => {
                word(&server.cli(&["INFO", "memory"]), "used_memory:").parse()?
            }
            Running::Memcached(server) => server.stat("bytes"),
            Running::Folder(_) if self.store == Store::Memory => machine::resident()?,
            Running::Folder(folder) => on_disk(folder.path())?,
        })
    }

    /// How durable it is, for a report.
    pub fn settings(&self) -> String {
        match &self.running {
            Running::Database(server) if self.store == Store::Postgres => {
                query(server, POSTGRES_SETTINGS)
            }
            Running::Database(server) => query(server, MARIADB_SETTINGS),
            Running::Redis(server) => format!(
                "Redis {}, in its memory alone (`appendonly` {}, `save` \"{}\"), through TCP",
                word(&server.cli(&["INFO", "server"]), "redis_version:"),
                setting(server, "appendonly"),
                setting(server, "save"),
            ),
            Running::Memcached(_) => "memcached, in its memory alone, through TCP".to_owned(),
            Running::Folder(_) => match self.store {
                Store::Memory => "Nothing outlives the server process",
                Store::Sqlite => "`journal_mode` WAL, `synchronous` NORMAL, for all",
                Store::Cookie => {
                    "The session is in the client's cookie; this library keeps none there"
                }
                _ => "With the default, `sync=none`: outlives the process, not a loss of power",
            }
            .to_owned(),
        }
    }

    /// The CPU time that the database's processes have used so far; nothing where the server process does it all.
    pub fn cpu(&self) -> Duration {
        self.process.map_or(Duration::ZERO, processes::cpu)
    }
}

impl Running {
    fn process(&self, store: Store) -> Result<Option<u32>> {
        let process = match self {
            Self::Folder(_) => return Ok(None),
            Self::Database(server) => {
                let file = if store == Store::Postgres {
                    query(server, POSTGRES_PROCESS)
                } else {
                    query(server, MARIADB_PROCESS)
                };
                let file = read_to_string(file)?;
                file.lines().next().unwrap_or_default().parse()?
            }
            Self::Redis(server) => word(&server.cli(&["INFO", "server"]), "process_id:").parse()?,
            Self::Memcached(server) => server.stat("pid").try_into()?,
        };
        Ok(Some(process))
    }
}

/// What is read and written is in its memory, as on a server that was made for its data, and there are connections enough for
/// all servers at once; that of tests is small.
fn mariadb_with_room() -> Server {
    let server = Mariadb::start();
    for room in [
        "max_connections = 1000",
        "innodb_buffer_pool_size = 1073741824",
        "innodb_log_file_size = 268435456",
    ] {
        server.database().run_sql(&format!("SET GLOBAL {room}"));
    }
    server
}

/// As durable as memcached, so that both are measured alike: private servers log each change otherwise.
fn redis_in_memory() -> RedisServer {
    let server = Redis::start();
    server.cli(&["CONFIG", "SET", "appendonly", "no", "save", ""]);
    server
}

/// By its number: the server's own URLs name one by chance, often beyond what every client takes.
fn redis_database(server: &RedisServer, number: usize) -> String {
    let url = server.url();
    let (server, _) = url.rsplit_once('/').expect("it names a database");
    format!("{server}/{number}")
}

fn setting(server: &RedisServer, name: &str) -> String {
    let answer = server.cli(&["CONFIG", "GET", name]);
    answer.lines().nth(1).unwrap_or_default().trim().to_owned()
}

/// The bytes of the disk that the files below `folder` take.
fn on_disk(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in folder.read_dir()? {
        let entry = entry?;
        let file = entry.metadata()?;
        bytes += if file.is_dir() {
            on_disk(&entry.path())?
        } else {
            file.blocks() * 512
        };
    }
    Ok(bytes)
}

/// What follows `name` in the same line of `text`.
fn word(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().to_owned()
}

fn query(server: &Server, sql: &str) -> String {
    server.database().run_sql(sql).trim().to_owned()
}

/// Queries for a file that begins with the id of the server's first process.
const POSTGRES_PROCESS: &str = "SELECT current_setting('data_directory') || '/postmaster.pid'";
const MARIADB_PROCESS: &str = "SELECT @@pid_file";

/// Of the largest database: all but the one that is filled have next to nothing.
const POSTGRES_HELD: &str = "SELECT max(pg_database_size(oid)) FROM pg_database";
const MARIADB_HELD: &str = "SELECT SUM(file_size) FROM information_schema.innodb_sys_tablespaces";

const POSTGRES_SETTINGS: &str = "
    SELECT 'PostgreSQL ' || current_setting('server_version')
        || ', `fsync` ' || current_setting('fsync')
        || ', `synchronous_commit` ' || current_setting('synchronous_commit')
        || ', `full_page_writes` ' || current_setting('full_page_writes')
        || ', `shared_buffers` ' || current_setting('shared_buffers')
        || ', through TCP'";
const MARIADB_SETTINGS: &str = "
    SELECT CONCAT('MariaDB ', @@version,
        ', `innodb_flush_log_at_trx_commit` ', @@innodb_flush_log_at_trx_commit,
        ', `innodb_flush_method` ', @@innodb_flush_method,
        ', `innodb_doublewrite` ', @@innodb_doublewrite,
        ', `innodb_buffer_pool_size` ', @@innodb_buffer_pool_size DIV 1048576, ' MB',
        ', `innodb_log_file_size` ', @@innodb_log_file_size DIV 1048576, ' MB',
        ', `log_bin` ', @@log_bin,
        ', through TCP')";
