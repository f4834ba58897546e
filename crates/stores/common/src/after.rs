//! Where a scan goes on behind a handle, in stores that ask for the handles from one on.

use fasthttpsession_core::{Cursor, Handle};

use crate::cursor_at;

/// The cursor of a scan that has got as far as `handle`, at the one that follows; `None` after the last there can be.
///
/// So a scan begins at the handle of all zeros, and has that one too.
pub fn cursor_after(handle: Handle) -> Option<Cursor> {
    let next = u128::from_be_bytes(*handle.as_bytes()).checked_add(1)?;
    Some(cursor_at(Handle::from_bytes(next.to_be_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_goes_on_at_the_next_handle_and_ends_with_the_last() {
        let mut bytes = [0; Handle::BYTES];
        for (last, next) in [([0, 0], [0, 1]), ([0, 0xff], [1, 0])] {
            bytes[14..].copy_from_slice(&last);
            let cursor = cursor_after(Handle::from_bytes(bytes));
            bytes[14..].copy_from_slice(&next);
            assert_eq!(cursor, Some(cursor_at(Handle::from_bytes(bytes))));
        }
        assert_eq!(
            cursor_after(Handle::from_bytes([0xff; Handle::BYTES])),
            None
        );
    }
}
