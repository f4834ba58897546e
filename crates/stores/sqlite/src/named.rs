//! Whether the file that a store has open still lies under its name. What is written to one that does not is gone when the
//! last process closes it, and other processes make or find a file of their own.

use std::fs::{self, Metadata};
use std::io;
use std::path::{self, Path, PathBuf};

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::misconfigured;

/// A file and its name. Where connections are the application's, nothing is known of it.
pub(crate) struct Named(Option<(PathBuf, Identity)>);

impl Named {
    /// The one that now lies at `path`, which may be relative to a folder that the process leaves.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let path = path::absolute(path)?;
        let found = identity(&fs::metadata(&path)?);
        Ok(Self(Some((path, found))))
    }

    pub(crate) fn unknown() -> Self {
        Self(None)
    }

    /// Takes one `stat`. Where it can't be told, as for a user who may no longer look into the folder, nothing is
    /// wrong.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let Some((path, opened)) = &self.0 else {
            return Ok(());
        };
        let is_there = match fs::metadata(path) {
            Ok(found) => identity(&found) == *opened,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if is_there {
            return Ok(());
        }
        Err(misconfigured(format!(
            "the database file {} was removed or replaced while the store is in use: restart the service, as soon as the \
             right one is at its place",
            path.display()
        )))
    }
}

#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(found: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (found.dev(), found.ino())
}

/// Elsewhere a file that is open can't be removed.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}
