//! Sessions for what is measured below HTTP: records as of ten values of 100 bytes, and handles that can be told again from
//! their number; and the URL of a place for them.

use std::time::Duration;

use bytes::Bytes;
use fasthttpsession::{Clock as _, Handle, Header, Record, SystemClock, Timestamp};

const HOUR: Duration = Duration::from_secs(3600);
/// Ten values of 100 bytes with their keys, and what the core adds.
const BODY: [u8; 1_160] = [7; 1_160];

/// The same for the same number, and otherwise as good as random.
pub fn handle(number: u64) -> Handle {
    // Two steps of splitmix64.
    let half = |number: u64| {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let bytes = [half(2 * number + 1), half(2 * number + 2)].map(u64::to_le_bytes);
    Handle::from_bytes(bytes.concat().try_into().expect("it is twice 8 bytes"))
}

/// Of this version, and for an hour from now: the end of a session that is used moves with each write.
pub fn record(version: u64) -> Record {
    let now = SystemClock.now();
    let header = Header {
        version,
        created_at: Timestamp::from_millis(1),
        idle_deadline: now.after(HOUR),
        absolute_deadline: now.after(24 * HOUR),
        principal: None,
        label: None,
    };
    Record {
        header,
        body: Bytes::from_static(&BODY),
    }
}

/// The same URL, with the tables or folders made. Stores without them know no such setting.
pub fn with_tables(url: &str) -> String {
    let tables = ["sqlite:", "file:", "postgres:", "mysql:"];
    let migrate = tables.iter().any(|scheme| url.starts_with(scheme));
    if migrate {
        format!("{url}?migrate=true")
    } else {
        url.to_owned()
    }
}
