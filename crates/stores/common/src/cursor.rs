//! Where a scan goes on, in stores that scan in the order of the handles.

use fasthttpsession_core::{Cursor, Handle, StoreError, StoreErrorKind};

/// The cursor of a scan that goes on at `handle`.
pub fn cursor_at(handle: Handle) -> Cursor {
    Cursor(handle.as_bytes().to_vec().into())
}

/// The handle that `after` was made of; `None` where a scan begins. A cursor of another store is an error of kind
/// [`Internal`](StoreErrorKind::Internal).
pub fn handle_at(after: Option<&Cursor>) -> Result<Option<Handle>, StoreError> {
    let Some(Cursor(bytes)) = after else {
        return Ok(None);
    };
    let bytes = <[u8; Handle::BYTES]>::try_from(&bytes[..]).map_err(|_| foreign_cursor())?;
    Ok(Some(Handle::from_bytes(bytes)))
}

/// The error about a cursor of another store.
pub fn foreign_cursor() -> StoreError {
    let sentence = "scanning sessions: the cursor was not made by this store";
    StoreError::new(StoreErrorKind::Internal, sentence).not_applied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_goes_on_where_its_cursor_was_made() {
        let handle = Handle::from_bytes([7; Handle::BYTES]);
        let read = handle_at(Some(&cursor_at(handle)));
        assert_eq!(read.expect("it was made here"), Some(handle));
        assert_eq!(handle_at(None).expect("a scan begins"), None);
    }

    #[test]
    fn a_cursor_of_another_store_is_an_error() {
        let error = handle_at(Some(&Cursor(b"another".to_vec().into())));
        let error = error.expect_err("it has 7 bytes");
        assert_eq!(error.kind(), StoreErrorKind::Internal);
        assert!(!error.may_have_applied());
    }
}
