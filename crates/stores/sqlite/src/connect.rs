//! Opens connections to the database, each set up for its work.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::misconfigured;
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags, ffi};

use crate::config::{SqliteConfig, Synchronous};
use crate::error::{is_busy, opening_error};
use crate::named::Named;
use crate::statements::{BEGIN, ROLLBACK};

/// What the log is cut to after something kept it from being written back in time.
const LOG_BYTES: u32 = 64 << 20;
/// KiB of pages that the writer keeps. Readers have SQLite's 2 MiB: each commit empties them anyway.
const WRITER_CACHE_KIB: u32 = 64 << 10;
/// On macOS an `fsync` leaves what it was told of in the memory of the disk, and what is in the log may be overwritten only
/// when it is in the database. Nothing elsewhere.
const WHOLE_CHECKPOINTS: &str = "PRAGMA checkpoint_fullfsync = ON";
/// The largest record, all columns together. SQLite reads no larger value, whoever wrote it, and writes none: its own limit
/// of a gigabyte is more than a read of one session may cost.
const RECORD_BYTES: i32 = 16 << 20;
/// More than any connection uses.
const STATEMENTS: usize = 32;
/// How long to rest between attempts at what SQLite does not wait for itself.
const REST: Duration = Duration::from_millis(5);

/// Where connections come from.
pub(crate) enum Connect {
    File(File),
    Function(Box<dyn Fn() -> rusqlite::Result<Connection> + Send + Sync>),
}

/// A path that can be a database file.
pub(crate) struct File {
    path: PathBuf,
    create: bool,
}

impl Connect {
    /// The file, as the writer has it open: before, a file system of layers may show another.
    pub(crate) fn opened(&self) -> Result<Named, StoreError> {
        match self {
            Self::File(file) => Named::of(&file.path).map_err(|error| file.not_found(&error)),
            Self::Function(_) => Ok(Named::unknown()),
        }
    }

    /// A connection that writes: the log is on, and `synchronous` is what was set. What SQLite notes down to take a
    /// statement back stays in memory: no sessions are in files elsewhere.
    pub(crate) fn writer(&self, config: &SqliteConfig) -> Result<Connection, StoreError> {
        if let Self::File(file) = self {
            file.prepare()?;
        }
        let db = self.connect(config.timeout)?;
        let failed = |error| self.failed("setting up the connection that writes", error);
        let no_log = |error| self.failed("turning the write-ahead log on", error);
        write_ahead(&db, config.timeout, no_log)?;
        self.check_rights(&db, config.timeout)?;
        let synchronous = match config.synchronous {
            Synchronous::Normal => "PRAGMA synchronous = NORMAL",
            Synchronous::Full => "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON",
        };
        db.execute_batch(&format!(
            "{synchronous}; {WHOLE_CHECKPOINTS}; PRAGMA journal_size_limit = {LOG_BYTES}; \
             PRAGMA cache_size = -{WRITER_CACHE_KIB}; PRAGMA temp_store = MEMORY;"
        ))
        .map_err(failed)?;
        Ok(db)
    }

    /// A connection that makes checkpoints, and waits for the disk before what is in the log may be overwritten.
    pub(crate) fn checkpointer(&self, patience: Duration) -> Result<Connection, StoreError> {
        let db = self.connect(patience)?;
        let failed = |error| self.failed("setting up the connection that makes checkpoints", error);
        db.execute_batch(&format!("PRAGMA synchronous = NORMAL; {WHOLE_CHECKPOINTS}"))
            .map_err(failed)?;
        Ok(db)
    }

    /// A connection that reads, and waits at most `patience` for a lock.
    pub(crate) fn reader(&self, patience: Duration) -> Result<Connection, StoreError> {
        let db = self.connect(patience)?;
        db.execute_batch("PRAGMA query_only = ON")
            .map_err(|error| self.failed("setting up a connection that reads", error))?;
        Ok(db)
    }

    fn connect(&self, patience: Duration) -> Result<Connection, StoreError> {
        let connection = match self {
            Self::File(file) => file.connect(),
            Self::Function(connect) => connect(),
        };
        let failed = |error| self.failed("opening the database", error);
        let db = connection.map_err(failed)?;
        db.busy_timeout(patience).map_err(failed)?;
        db.set_limit(Limit::SQLITE_LIMIT_LENGTH, RECORD_BYTES)
            .map_err(failed)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(db)
    }

    /// Files that can only be read would show at the first write. SQLite looks at that before it takes the lock, so whoever
    /// has it is not waited for.
    fn check_rights(&self, db: &Connection, patience: Duration) -> Result<(), StoreError> {
        let can_write = || {
            // What begins then would only read.
            if db.is_readonly("main")? {
                let code = ffi::Error::new(ffi::SQLITE_READONLY);
                return Err(rusqlite::Error::SqliteFailure(code, None));
            }
            db.busy_timeout(Duration::ZERO)?;
            match db.execute_batch(BEGIN) {
                Err(error) if is_busy(&error) => {}
                begun => begun.and_then(|()| db.execute_batch(ROLLBACK))?,
            }
            db.busy_timeout(patience)
        };
        can_write()
            .map_err(|error| self.failed("seeing whether the database can be written to", error))
    }

    fn failed(&self, doing: &str, error: rusqlite::Error) -> StoreError {
        let database = match self {
            Self::File(file) => Some(file.path.as_path()),
            Self::Function(_) => None,
        };
        opening_error(doing, database, error)
    }
}

impl File {
    /// Takes a path that several connections can share.
    pub(crate) fn new(path: &Path, create: bool) -> Result<Self, StoreError> {
        let text = path.to_string_lossy();
        if text.is_empty() || text == ":memory:" {
            return Err(misconfigured(
                "the SQLite store needs a file: each of its connections would have a memory of its own; for sessions in \
                 memory there is the memory store",
            ));
        }
        if text.starts_with("file:") {
            return Err(misconfigured(
                "the SQLite store takes the path of a file, not an SQLite URI; settings of a connection are made by \
                 `open_on`",
            ));
        }
        if text.starts_with("//") || text.starts_with("\\\\") {
            return Err(misconfigured(
                "the SQLite store needs a local disk: over a network, connections can't share memory and locks",
            ));
        }
        let path = path.to_owned();
        Ok(Self { path, create })
    }

    /// The file is there: made now, for its owner alone, or before.
    fn prepare(&self) -> Result<(), StoreError> {
        match fs::metadata(&self.path) {
            Ok(found) if found.is_file() => Ok(()),
            Ok(_) => Err(misconfigured(format!(
                "{} is no file that the SQLite store can use",
                self.path.display()
            ))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(),
            Err(error) => Err(self.not_found(&error)),
        }
    }

    fn make(&self) -> Result<(), StoreError> {
        if self.create {
            return create_private(&self.path).map_err(|error| self.not_made(&error));
        }
        Err(misconfigured(format!(
            "there is no database file {}; migrate=true makes it",
            self.path.display()
        )))
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(&self.path, flags)
    }

    fn not_found(&self, error: &io::Error) -> StoreError {
        misconfigured(format!(
            "the database file {} can't be looked at: {error}; the user of this process must be able to enter its folder \
             and those above",
            self.path.display()
        ))
    }

    fn not_made(&self, error: &io::Error) -> StoreError {
        misconfigured(format!(
            "the database file {} can't be made: {error}; its folder must exist, and the user of this process must be \
             able to write to it",
            self.path.display()
        ))
    }
}

/// Turns the log on. Of several processes that do so at the same moment, SQLite sends some away without waiting.
fn write_ahead(
    db: &Connection,
    patience: Duration,
    failed: impl Fn(rusqlite::Error) -> StoreError,
) -> Result<(), StoreError> {
    let deadline = Instant::now() + patience;
    loop {
        let mode = db.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        });
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(misconfigured(format!(
                    "the SQLite store needs a file on a local disk that can have a write-ahead log; the journal mode \
                     of this database is {mode} and can't be changed"
                )));
            }
            Err(error) if is_busy(&error) && Instant::now() < deadline => sleep(REST),
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Makes an empty file with mode 0600, whatever the umask takes away. SQLite gives the files beside it the same.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => keep_private(&file),
        // Another process made it meanwhile.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn keep_private(file: &fs::File) -> io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))
}

#[cfg(not(unix))]
fn keep_private(_: &fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_on(db: &Connection, setting: &str) -> bool {
        let sql = format!("PRAGMA {setting}");
        db.query_row(&sql, [], |row| row.get(0)).expect(setting)
    }

    /// Only macOS makes a difference.
    #[test]
    fn what_waits_for_the_disk_waits_for_its_memory_too() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("sessions.db");
        for (synchronous, each_commit) in [(Synchronous::Normal, false), (Synchronous::Full, true)]
        {
            let config = SqliteConfig::new(&path).synchronous(synchronous);
            let connect = Connect::File(File::new(&path, true).expect("it is a path"));
            let writer = connect.writer(&config).expect("it opens");
            let checkpointer = connect.checkpointer(config.timeout).expect("it opens");
            assert!(is_on(&writer, "checkpoint_fullfsync"));
            assert!(is_on(&checkpointer, "checkpoint_fullfsync"));
            assert_eq!(is_on(&writer, "fullfsync"), each_commit);
        }
    }
}
