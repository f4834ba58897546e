//! How the client's errors become this library's: the only place that knows both.

use fasthttpsession_core::{Handle, StoreError, StoreErrorKind};
use fasthttpsession_memcached_client::{Error, ErrorKind};

/// What became of a request. The sentence names the server.
pub(crate) fn store_error(error: &Error) -> StoreError {
    use StoreErrorKind::{Full, Internal, Misconfigured, Timeout, TooLarge, Unavailable};
    let kind = match error.kind() {
        ErrorKind::Unreachable | ErrorKind::Disconnected | ErrorKind::Overloaded => Unavailable,
        ErrorKind::Timeout => Timeout,
        ErrorKind::TooLarge => TooLarge,
        ErrorKind::OutOfMemory => Full,
        ErrorKind::Authentication | ErrorKind::Invalid => Misconfigured,
        _ => Internal,
    };
    let store_error = StoreError::new(kind, error.to_string());
    if error.may_have_applied() {
        store_error
    } else {
        store_error.not_applied()
    }
}

/// What lies under the key of `handle` is not a record.
pub(crate) fn corrupt(handle: Handle, why: impl std::fmt::Display) -> StoreError {
    let message = format!("what memcached holds for session {handle} is not a record: {why}");
    StoreError::new(StoreErrorKind::Corrupt, message)
}

/// Others were first, again and again.
pub(crate) fn contended() -> StoreError {
    let message = "others changed the session again and again, for as long as an answer may take";
    StoreError::new(StoreErrorKind::Timeout, message).not_applied()
}
