//! Records and handles for tests.

use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, Principal, Record, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn handle(number: u64) -> Handle {
    let mut bytes = [0; Handle::BYTES];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Handle::from_bytes(bytes)
}

/// An anonymous record that is used until `left` from [`NOW`].
pub(crate) fn record(left: Duration) -> Record {
    Record {
        header: Header {
            version: 1,
            created_at: NOW,
            idle_deadline: NOW.after(left),
            absolute_deadline: NOW.after(24 * HOUR),
            principal: None,
            label: None,
        },
        body: Bytes::from_static(b"body"),
    }
}

pub(crate) fn record_of(name: &str, left: Duration) -> Record {
    let mut record = record(left);
    record.header.principal = Some(principal(name));
    record
}

/// `record` as the next version of what it was.
pub(crate) fn next(mut record: Record) -> (u64, Record) {
    let expected = record.header.version;
    record.header.version += 1;
    (expected, record)
}

pub(crate) fn principal(name: &str) -> Principal {
    Principal::new(name).unwrap()
}
