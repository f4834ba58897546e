//! The bytes of a record in stores that keep one value a key.

use fasthttpsession_core::{Record, StoreError, StoreErrorKind};

/// The bytes of `record`. More than `limit`, the setting `max_record_bytes` of the store, are an error of kind
/// [`TooLarge`](StoreErrorKind::TooLarge).
pub fn record_bytes(record: &Record, limit: usize) -> Result<Vec<u8>, StoreError> {
    let bytes = record.to_bytes();
    if bytes.len() > limit {
        let held = bytes.len();
        let sentence = format!("a record of {held} bytes is larger than max_record_bytes, {limit}");
        return Err(StoreError::new(StoreErrorKind::TooLarge, sentence));
    }
    Ok(bytes)
}
