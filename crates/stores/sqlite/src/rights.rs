//! What the system denies to the user of the process. SQLite says that it can't open a file, or not write to it, but neither
//! which one nor why.

use std::io;
use std::path::{Path, PathBuf};

/// What SQLite puts beside the name of a database to name the other files.
const FILES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// The first of the files of `database`, or else their folder, that may not be read and written, and why. Opens none of them:
/// closing a file would give up the locks that this process has on it.
pub(crate) fn denied(database: &Path) -> Option<(PathBuf, io::Error)> {
    // The other files are where a link leads.
    let database = match database.canonicalize() {
        Ok(database) => database,
        Err(error) => return Some((database.to_owned(), error)),
    };
    let file = |suffix: &str| {
        let mut path = database.clone().into_os_string();
        path.push(suffix);
        refusal(path.into(), Use::File)
    };
    let folder = || refusal(database.parent()?.to_owned(), Use::Folder);
    FILES.into_iter().find_map(file).or_else(folder)
}

#[derive(Clone, Copy)]
enum Use {
    File,
    Folder,
}

#[cfg(unix)]
fn refusal(path: PathBuf, to: Use) -> Option<(PathBuf, io::Error)> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let access = match to {
        Use::File => Access::READ_OK | Access::WRITE_OK,
        Use::Folder => Access::WRITE_OK | Access::EXEC_OK,
    };
    let error: io::Error = accessat(CWD, &path, access, AtFlags::EACCESS).err()?.into();
    let can_tell = !matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput
    );
    can_tell.then_some((path, error))
}

#[cfg(not(unix))]
fn refusal(path: PathBuf, to: Use) -> Option<(PathBuf, io::Error)> {
    let is_read_only = match to {
        Use::File => path.metadata().ok()?.permissions().readonly(),
        Use::Folder => false,
    };
    is_read_only.then(|| (path, io::ErrorKind::PermissionDenied.into()))
}
