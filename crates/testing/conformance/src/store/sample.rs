//! Handles and records to write: each body is unlike every other, so that a record in the wrong place is noticed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, Label, Principal, Record, Timestamp};

/// Far enough from the present that a server's own clock never gets there while a check runs.
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn hours(count: usize) -> Duration {
    HOUR * u32::try_from(count).expect("a check counts few hours")
}

/// The last moment at which what is over at `deadline` is not.
pub(crate) fn just_before(deadline: Timestamp) -> Timestamp {
    Timestamp::from_millis(deadline.as_millis() - 1)
}

/// A handle that nothing was ever written under.
pub(crate) fn handle() -> Handle {
    Handle::from_bytes(std::array::from_fn(|_| fastrand::u8(..)))
}

/// A body that no other record has.
pub(crate) fn body() -> Bytes {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Bytes::from(format!("body {}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// A body of at least so many bytes that no other record has.
pub(crate) fn body_of(size: usize) -> Bytes {
    let mut bytes = Vec::from(body());
    bytes.resize(bytes.len().max(size), b'.');
    bytes.into()
}

/// A new session of nobody: idle for an hour, over after a day.
pub(crate) fn record(now: Timestamp) -> Record {
    let header = Header {
        version: 1,
        created_at: now,
        idle_deadline: now.after(HOUR),
        absolute_deadline: now.after(24 * HOUR),
        principal: None,
        label: None,
    };
    Record {
        header,
        body: body(),
    }
}

/// A new session of `principal`.
pub(crate) fn record_of(principal: &Principal, now: Timestamp) -> Record {
    let mut record = record(now);
    record.header.principal = Some(principal.clone());
    record
}

/// The longest principal and label, of characters of three bytes, with quotes and separators.
pub(crate) fn fullest_record(now: Timestamp) -> Record {
    let mut record = record_of(&principal_named(&"語".repeat(85)), now);
    record.header.label = Some(label_named(&format!(
        "'\";:,|%\\/{{}}$1 {}",
        "é".repeat(119)
    )));
    record
}

/// A new session that is over at `deadline`, by idleness; its absolute deadline is later.
pub(crate) fn record_until(deadline: Timestamp, now: Timestamp) -> Record {
    let mut record = record(now);
    record.header.idle_deadline = deadline;
    record.header.absolute_deadline = deadline.after(24 * HOUR);
    record
}

/// What a commit on top of `record` writes: the next version, another body.
pub(crate) fn successor(record: &Record) -> Record {
    let mut next = record.clone();
    next.header.version += 1;
    next.body = body();
    next
}

/// `record` as a touch to `idle_deadline` leaves it.
pub(crate) fn touched(record: &Record, idle_deadline: Timestamp) -> Record {
    let mut touched = record.clone();
    touched.header.idle_deadline = idle_deadline;
    touched
}

/// A principal that nobody else has, so that checks on one server don't meet.
pub(crate) fn principal() -> Principal {
    principal_named(&format!("user-{:016x}", fastrand::u64(..)))
}

pub(crate) fn principal_named(text: &str) -> Principal {
    Principal::new(text).expect("the suite's principals are short texts")
}

pub(crate) fn label_named(text: &str) -> Label {
    Label::new(text).expect("the suite's labels are short texts")
}

/// What a failure says of a record that is not as it should be: both, and the fields in which they differ.
pub(crate) fn instead_of(found: Option<&Record>, want: Option<&Record>) -> String {
    let both = format!("{} instead of {}", describe(found), describe(want));
    match found.zip(want) {
        Some((found, want)) => {
            format!("{both}; they differ in {}", fields_that_differ(found, want))
        }
        None => both,
    }
}

/// What a failure says of the first session that is not as it should be, if there is one.
pub(crate) fn first_difference(
    found: &BTreeMap<Handle, Record>,
    want: &BTreeMap<Handle, Record>,
) -> Option<String> {
    let handle = found
        .keys()
        .chain(want.keys())
        .find(|handle| found.get(handle) != want.get(handle))?;
    let difference = instead_of(found.get(handle), want.get(handle));
    Some(format!("for {handle} there was {difference}"))
}

fn fields_that_differ(one: &Record, other: &Record) -> String {
    let (a, b) = (&one.header, &other.header);
    let fields = [
        ("`version`", a.version != b.version),
        ("`created_at`", a.created_at != b.created_at),
        ("`idle_deadline`", a.idle_deadline != b.idle_deadline),
        (
            "`absolute_deadline`",
            a.absolute_deadline != b.absolute_deadline,
        ),
        ("`principal`", a.principal != b.principal),
        ("`label`", a.label != b.label),
        ("`body`", one.body != other.body),
    ];
    let differ = fields
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name));
    differ.collect::<Vec<_>>().join(" and ")
}

/// What a failure says of a record. The suite's bodies are no secrets.
pub(crate) fn describe(record: Option<&Record>) -> String {
    let Some(record) = record else {
        return "nothing".to_owned();
    };
    let shown = &record.body[..record.body.len().min(40)];
    format!(
        "{:?} with {} bytes \"{}\"",
        record.header,
        record.body.len(),
        shown.escape_ascii()
    )
}
