//! What the operating system refuses, as errors of the store. Names of files are made of handles and digests, so
//! messages may show them.

use fasthttpsession_core::{Handle, StoreError, StoreErrorKind};
use fasthttpsession_store_common::misconfigured;
use rustix::io::Errno;

/// A failure before anything took effect: the record is as it was.
pub(crate) fn refused(doing: &str, errno: Errno) -> StoreError {
    failed(doing, errno).not_applied()
}

/// A failure after which the disk may hold what was written, or may not, whatever the kind: all who read find it.
pub(crate) fn unsure(doing: &str, errno: Errno) -> StoreError {
    failed(doing, errno).maybe_applied()
}

fn failed(doing: &str, errno: Errno) -> StoreError {
    let message = format!("{doing}: {}", std::io::Error::from(errno));
    StoreError::new(kind_of(errno), message)
}

/// What lies under `handle` is not a record.
pub(crate) fn corrupt(handle: Handle, why: impl std::fmt::Display) -> StoreError {
    let message = format!("what the file of session {handle} holds is not a record: {why}");
    StoreError::new(StoreErrorKind::Corrupt, message)
}

/// What lies in the folder from the beginning is not there.
pub(crate) fn missing(name: &str) -> StoreError {
    misconfigured(format!(
        "in the folder of the file store {name} is missing; open the store once with `migrate`, which makes it"
    ))
}

fn kind_of(errno: Errno) -> StoreErrorKind {
    match errno {
        Errno::NOSPC | Errno::DQUOT => StoreErrorKind::Full,
        Errno::FBIG => StoreErrorKind::TooLarge,
        // Handles of files, memory, a server of files that is gone: what may be there again later.
        Errno::MFILE
        | Errno::NFILE
        | Errno::NOMEM
        | Errno::NOBUFS
        | Errno::INTR
        | Errno::AGAIN
        | Errno::STALE => StoreErrorKind::Unavailable,
        Errno::ROFS | Errno::ACCESS | Errno::PERM | Errno::NOENT | Errno::NOTDIR => {
            StoreErrorKind::Misconfigured
        }
        _ => StoreErrorKind::Internal,
    }
}
