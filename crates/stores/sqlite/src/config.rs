//! The settings of an SQLite store.

use std::path::PathBuf;
use std::time::Duration;

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::{Purging, StoreUrl, TableName, millis, misconfigured};
use serde::Deserialize;

use crate::connect::{Connect, File};
use crate::store::SqliteStore;

/// Settings of an [`SqliteStore`], from a program, from a URL, or from a file by `serde`.
///
/// ```
/// use fasthttpsession_sqlite::{SqliteConfig, Synchronous};
///
/// let config = SqliteConfig::new("sessions.db").synchronous(Synchronous::Full).migrate(true);
/// let same = SqliteConfig::from_url("sqlite:sessions.db?synchronous=full&migrate=true")?;
/// assert_eq!(config, same);
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct SqliteConfig {
    pub(crate) path: PathBuf,
    pub(crate) table: TableName,
    pub(crate) migrate: bool,
    pub(crate) synchronous: Synchronous,
    pub(crate) readers: usize,
    pub(crate) read_in_place: bool,
    pub(crate) queue: usize,
    #[serde(rename = "timeout_ms", with = "millis")]
    pub(crate) timeout: Duration,
    #[serde(rename = "purge_every_ms", with = "millis")]
    pub(crate) purge_every: Duration,
    pub(crate) purge_batch: usize,
}

/// What an acknowledged write outlives: SQLite's setting of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Synchronous {
    /// The end of the process, also by `kill -9`, but not that of the machine: after a loss of power the last writes may
    /// be undone, a logout among them. The file is never damaged. The default, because a write then waits for no disk.
    #[default]
    Normal,
    /// Also a loss of power: each group of writes waits until it is on the disk.
    Full,
}

impl SqliteConfig {
    /// Sessions in the database file at `path`, with the default settings.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }

    /// Reads `sqlite:path?setting=value&…`: the path as it stands, and the settings by the names in the
    /// [table](crate#settings). `sqlite:///path` is the same as `sqlite:/path`. What can't be read is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let url = StoreUrl::of(url);
        let config: Self = url.read("sqlite")?;
        if !config.path.as_os_str().is_empty() {
            return Err(misconfigured(
                "the URL of an SQLite store names its file before the `?`, not as a setting",
            ));
        }
        let path = path_of(url.place)?.into();
        Ok(Self { path, ..config })
    }

    /// The table of the sessions, which must be in the main database of the file. Default: `fasthttpsession`. What could
    /// be more than a name is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn table(self, name: &str) -> Result<Self, StoreError> {
        let table = TableName::new(name)?;
        Ok(Self { table, ..self })
    }

    /// Whether opening makes the file and the table, or brings the table up to date. Default: no, because a service
    /// should not need the right to, and a mistyped path should be an error.
    pub fn migrate(self, migrate: bool) -> Self {
        Self { migrate, ..self }
    }

    /// What an acknowledged write outlives. Default: [`Synchronous::Normal`].
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Self {
            synchronous,
            ..self
        }
    }

    /// How many connections read single sessions, and so how many reads there can be at once; 0 counts as 1. Default: 4,
    /// because a read takes some microseconds. Listings have two of their own.
    pub fn readers(self, readers: usize) -> Self {
        Self { readers, ..self }
    }

    /// Whether a session is read on the thread of the task that asks, as long as that is quick. Default: yes, because
    /// handing a read to another thread costs several times what the read does. Turn it off where the disk may stop
    /// answering: a thread of the runtime would wait with it.
    pub fn read_in_place(self, read_in_place: bool) -> Self {
        Self {
            read_in_place,
            ..self
        }
    }

    /// How many writes may wait for the writer; 0 counts as 1. One more is refused as
    /// [`Unavailable`](fasthttpsession_core::StoreErrorKind::Unavailable). Default: 4096, some tenths of a second.
    pub fn queue(self, queue: usize) -> Self {
        Self { queue, ..self }
    }

    /// How long an operation may wait: for a connection, for another process that has the database locked, for an
    /// answer. Past it the answer is a [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout). Opening as a whole may
    /// take so long and a second. Default: 5 s. More than 24 days count as so many.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// How often expired records are removed; zero turns it off. Default: once a minute.
    pub fn purge_every(self, purge_every: Duration) -> Self {
        Self {
            purge_every,
            ..self
        }
    }

    /// How many records one call of a purge in the background removes at most; 0 counts as 1. Default: 1000.
    pub fn purge_batch(self, purge_batch: usize) -> Self {
        Self {
            purge_batch,
            ..self
        }
    }

    /// Opens the file. Needs a tokio runtime.
    ///
    /// A file or a table that is missing or not as this version needs it, a folder that is missing, a path that names no
    /// file, and files or a folder that the user of the process can't [write to](crate#who-may-write) are errors of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) that say what would mend them. A disk that
    /// hangs, or another process that keeps the database locked, is a
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout).
    pub async fn open(self) -> Result<SqliteStore, StoreError> {
        let file = File::new(&self.path, self.migrate)?;
        self.check()?;
        SqliteStore::open(self, Connect::File(file)).await
    }

    /// Opens the store on connections that `connect` makes, which needs the same version of `rusqlite`
    /// ([re-exported](crate::rusqlite)): to give a key for encryption, or to share a file whose settings are the
    /// application's. The path is not used.
    ///
    /// It is called once for the writer, once for checkpoints, once for each reader and twice for listings, and must open
    /// the same file each time, to read and write. The store sets the journal mode, `synchronous` and the time to wait
    /// for locks, and makes the checkpoints.
    pub async fn open_on(
        self,
        connect: impl Fn() -> rusqlite::Result<rusqlite::Connection> + Send + Sync + 'static,
    ) -> Result<SqliteStore, StoreError> {
        self.check()?;
        SqliteStore::open(self, Connect::Function(Box::new(connect))).await
    }

    fn check(&self) -> Result<(), StoreError> {
        match self.table.schema() {
            None => Ok(()),
            Some(_) => Err(misconfigured(
                "the table of the SQLite store is in the main database of its file: its name has no dot",
            )),
        }
    }
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            table: TableName::default(),
            migrate: false,
            synchronous: Synchronous::default(),
            readers: 4,
            read_in_place: true,
            queue: 4096,
            timeout: Duration::from_secs(5),
            purge_every: Purging::DEFAULT.every,
            purge_batch: Purging::DEFAULT.batch,
        }
    }
}

fn path_of(place: &str) -> Result<&str, StoreError> {
    let path = place
        .strip_prefix("sqlite:")
        .map(|path| match path.strip_prefix("//") {
            Some(absolute) if absolute.starts_with('/') => Some(absolute),
            Some(_) => None,
            None => Some(path),
        });
    path.flatten().ok_or_else(|| {
        misconfigured(
            "the URL of an SQLite store is sqlite:path, or sqlite:///path from the root; there is no host",
        )
    })
}
