//! Sessions for what is measured below HTTP: ten values of 100 bytes, as such or as records with handles that can be told
//! again from their number; and the URL of a place for them.

use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use fasthttpsession::{
    Clock as _, Handle, Header, HeaderEdit, Record, Sessions, SystemClock, Timestamp,
};

/// The key of a number that begins at 0.
pub const COUNTER: &str = "count";

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

/// Makes a session of ten values of 100 bytes and a counter; returns its cookie.
pub async fn with_session(sessions: &Sessions) -> Result<String> {
    let exchange = sessions.begin([("host", "example.org")], None);
    let session = exchange.session().await?;
    for number in 0..10 {
        session.set(format!("key{number}"), &"x".repeat(100))?;
    }
    session.set(COUNTER, &0_u64)?;
    let edits = exchange.finish().await?;
    let cookie = edits.into_iter().find_map(|edit| match edit {
        HeaderEdit::SetCookie { value, .. } => Some(value),
        _ => None,
    });
    let cookie = cookie.context("a new session has a cookie")?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
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
