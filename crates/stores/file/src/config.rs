//! The settings of a file store.

use std::path::PathBuf;
use std::time::Duration;

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::{Purging, StoreUrl, millis, misconfigured};
use serde::Deserialize;

use crate::store::FileStore;

/// Settings of a [`FileStore`], from a program, from a URL, or from a file by `serde`.
///
/// ```
/// use fasthttpsession_file::{FileConfig, SyncPolicy};
///
/// let config = FileConfig::new("/var/lib/app/sessions").sync(SyncPolicy::Full).migrate(true);
/// let same = FileConfig::from_url("file:/var/lib/app/sessions?sync=full&migrate=true")?;
/// assert_eq!(config, same);
/// # Ok::<(), fasthttpsession_core::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct FileConfig {
    pub(crate) folder: PathBuf,
    pub(crate) migrate: bool,
    pub(crate) sync: SyncPolicy,
    #[serde(rename = "lock_timeout_ms", with = "millis")]
    pub(crate) lock_timeout: Duration,
    #[serde(rename = "timeout_ms", with = "millis")]
    pub(crate) timeout: Duration,
    pub(crate) threads: usize,
    #[serde(rename = "purge_every_ms", with = "millis")]
    pub(crate) purge_every: Duration,
    pub(crate) purge_batch: usize,
}

/// What an acknowledged write outlives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SyncPolicy {
    /// The end of the process, also by `kill -9`, but not that of the machine: after a loss of power the writes of
    /// about the last half-minute may be undone, a logout among them, and sessions that were written in that time may be
    /// [lost](crate#what-none-may-lose), also those that were there before. The default, because a write then takes some
    /// microseconds.
    #[default]
    None,
    /// Also a loss of power: every write waits until it is on the disk, some milliseconds.
    Full,
}

impl FileConfig {
    /// Sessions in `folder`, which should hold nothing else, with the default settings.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            migrate: false,
            sync: SyncPolicy::default(),
            lock_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            threads: 32,
            purge_every: Purging::DEFAULT.every,
            purge_batch: Purging::DEFAULT.batch,
        }
    }

    /// Reads `file:folder?setting=value&…`: the path as it stands, and the settings by the names in the
    /// [table](crate#settings). `file:///folder` is the same as `file:/folder`. What can't be read is an error of kind
    /// [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured).
    pub fn from_url(url: &str) -> Result<Self, StoreError> {
        let url = StoreUrl::of(url);
        let config: Self = url.read("file")?;
        if !config.folder.as_os_str().is_empty() {
            return Err(misconfigured(
                "the URL of a file store names its folder before the `?`, not as a setting",
            ));
        }
        let folder = folder_of(url.place)?.into();
        Ok(Self { folder, ..config })
    }

    /// Whether opening makes the folder and what belongs into it, or brings an older layout up to date. Default: no, so
    /// that a wrong path is an error and not an empty store.
    pub fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// What an acknowledged write outlives. Default: [`SyncPolicy::None`].
    pub fn sync(mut self, sync: SyncPolicy) -> Self {
        self.sync = sync;
        self
    }

    /// How long an operation waits for its turn: for other operations of this process and others on sessions of the
    /// same shard, and for one of the [`threads`](Self::threads). Then it is refused as
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout) without effect. Default: 5 s, as whoever has the turn
    /// needs some microseconds.
    pub fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.lock_timeout = lock_timeout;
        self
    }

    /// How long an operation waits for the disk. Then it is answered with
    /// [`Timeout`](fasthttpsession_core::StoreErrorKind::Timeout), and may take effect yet. Default: 10 s, as a disk
    /// that is well answers in some milliseconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many threads for blocking work may be in use at once, of the 512 that a tokio runtime has: 1 to 1024,
    /// anything else counts as the nearer of them. Default: 32, so that a disk that hangs leaves the rest to others.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// How long to rest between purges in the background; zero turns them off. Default: a minute.
    pub fn purge_every(mut self, purge_every: Duration) -> Self {
        self.purge_every = purge_every;
        self
    }

    /// The most sessions that one purge in the background removes before it looks again; 0 counts as 1. Default: 1000.
    pub fn purge_batch(mut self, purge_batch: usize) -> Self {
        self.purge_batch = purge_batch;
        self
    }

    /// Opens the store. Needs a tokio runtime.
    ///
    /// # Errors
    /// Of kind [`Misconfigured`](fasthttpsession_core::StoreErrorKind::Misconfigured) if the folder is missing, is no
    /// folder of sessions, lacks a part, has another layout, or is one in which all users may write; the message says what
    /// to do.
    pub async fn open(self) -> Result<FileStore, StoreError> {
        FileStore::open(self).await
    }
}

impl Default for FileConfig {
    /// No folder, which [`open`](FileConfig::open) refuses.
    fn default() -> Self {
        Self::new("")
    }
}

fn folder_of(place: &str) -> Result<&str, StoreError> {
    let path = place.strip_prefix("file:").unwrap_or(place);
    match path.strip_prefix("//") {
        Some(path) if path.starts_with('/') => Ok(path),
        Some(_) => Err(misconfigured(
            "the URL of a file store names no host: write file:folder or file:/folder",
        )),
        None if path.is_empty() => Err(misconfigured(
            "the URL of a file store names no folder: write file:folder or file:/folder",
        )),
        None => Ok(path),
    }
}
