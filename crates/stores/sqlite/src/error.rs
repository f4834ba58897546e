//! How the driver's errors become this library's: the only place that knows both.

use std::path::Path;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

use crate::rights::denied;

/// `SQLITE_IOERR_SHMSIZE`: the file beside the database that readers share can't grow, which a full disk does.
const NO_ROOM_FOR_SHARED_MEMORY: i32 = 0x0a | (0x13 << 8);

/// What the driver said while `doing` (as in "loading a session").
///
/// Counts as applied or not by its kind; who knows better says so.
pub(crate) fn store_error(doing: &str, error: rusqlite::Error) -> StoreError {
    let (kind, what) = describe(&error);
    StoreError::new(kind, format!("{doing}: {what}")).with_source(error)
}

/// [`store_error`] of a store that is being opened. It names the database, if that is known, and what the system denies to the
/// user of the process, which somebody has to mend.
pub(crate) fn opening_error(
    doing: &str,
    database: Option<&Path>,
    error: rusqlite::Error,
) -> StoreError {
    let (mut kind, what) = describe(&error);
    let mut sentence = format!("{doing}: {what}");
    let mut found = database.map(|path| path.display().to_string());
    let is_denied = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
    );
    if is_denied && let Some((file, reason)) = database.and_then(denied) {
        kind = StoreErrorKind::Misconfigured;
        found = Some(format!("{}: {reason}", file.display()));
    }
    if let Some(found) = found {
        sentence = format!("{sentence}: {found}");
    }
    if is_denied && kind == StoreErrorKind::Misconfigured {
        sentence.push_str(
            "; the user of this process must be able to read and write the file, those that SQLite keeps beside it (-wal \
             and -shm), and their folder",
        );
    }
    StoreError::new(kind, sentence).with_source(error)
}

/// [`store_error`] of a statement that reads.
pub(crate) fn read_error(doing: &str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::TooBig) => corrupt("it is larger than any record"),
        _ => store_error(doing, error),
    }
}

/// A row that is no record: `what` is wrong with it.
pub(crate) fn corrupt(what: &str) -> StoreError {
    let sentence = format!("a row of the SQLite store is no record: {what}");
    StoreError::new(StoreErrorKind::Corrupt, sentence)
}

/// An operation that gave no answer within its time.
pub(crate) fn timed_out(doing: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Timeout,
        format!("{doing}: no answer within the limit"),
    )
}

/// The thread or the runtime that was to answer has ended.
pub(crate) fn abandoned(doing: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        format!("{doing}: the SQLite store has stopped"),
    )
}

/// Whether another connection was in the way, for now.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// Whether reading or writing a file failed, for whatever reason; that the disk is full is one only for the file that
/// readers share.
pub(crate) fn is_of_disk(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

fn describe(error: &rusqlite::Error) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Corrupt, Full, Internal, Misconfigured, Timeout, TooLarge, Unavailable};
    let (code, message) = match error {
        rusqlite::Error::SqliteFailure(code, message) => (code, message.as_deref()),
        // What it says of a place in a statement.
        rusqlite::Error::SqlInputError { error, msg, .. } => (error, Some(msg.as_str())),
        _ => return (Internal, "the SQLite driver failed"),
    };
    match code.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (Timeout, "another connection has the database locked")
        }
        ErrorCode::DiskFull => (Full, "the disk or the database is full"),
        ErrorCode::SystemIoFailure if code.extended_code == NO_ROOM_FOR_SHARED_MEMORY => {
            (Full, "the disk is full")
        }
        ErrorCode::TooBig => (TooLarge, "the record is larger than 16 MiB"),
        ErrorCode::DatabaseCorrupt => (Corrupt, "the database file is damaged"),
        ErrorCode::NotADatabase => (
            Misconfigured,
            "the file is no SQLite database, or is encrypted with another key",
        ),
        ErrorCode::ReadOnly => (Misconfigured, "the database can't be written to"),
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (Misconfigured, "SQLite was denied access")
        }
        ErrorCode::CannotOpen => (Unavailable, "SQLite can't open a file of the database"),
        ErrorCode::SystemIoFailure => (Unavailable, "reading or writing the disk failed"),
        ErrorCode::OutOfMemory => (Unavailable, "SQLite has no memory left"),
        _ if lacks_table(message) => (
            Misconfigured,
            "the table of the sessions has gone or changed",
        ),
        _ if keeps_name(message) => (
            Misconfigured,
            "the table can't have its name, which SQLite keeps for itself",
        ),
        _ => (Internal, "SQLite failed"),
    }
}

fn lacks_table(message: Option<&str>) -> bool {
    message.is_some_and(|message| {
        message.starts_with("no such table")
            || message.starts_with("no such column")
            || message.contains(" has no column named ")
    })
}

/// Of all statements, only the table's name is not this library's own.
fn keeps_name(message: Option<&str>) -> bool {
    message.is_some_and(|message| {
        message.ends_with("syntax error") || message.starts_with("object name reserved")
    })
}
