//! Records and handles to test with.

use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Clock as _, Handle, Header, Record, SystemClock, Timestamp};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) fn handle() -> Handle {
    Handle::from_bytes(fastrand::u128(..).to_be_bytes())
}

/// Anonymous, for an hour, at most a day.
pub(crate) fn record() -> Record {
    Record {
        header: Header {
            version: 1,
            created_at: now(),
            idle_deadline: now().after(HOUR),
            absolute_deadline: now().after(24 * HOUR),
            principal: None,
            label: None,
        },
        body: Bytes::from(format!("body {:016x}", fastrand::u64(..))),
    }
}

/// With a body of so many bytes.
pub(crate) fn record_of(bytes: usize) -> Record {
    Record {
        body: Bytes::from(vec![7; bytes]),
        ..record()
    }
}

/// The next version of `record`, with another body.
pub(crate) fn next(record: &Record) -> Record {
    let mut next = Record {
        body: self::record().body,
        ..record.clone()
    };
    next.header.version += 1;
    next
}
