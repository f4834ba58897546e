//! What all clients of a store share, and what still changes it when a caller has gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fasthttpsession_core::{Handle, Principal, Record, Timestamp};
use tokio::task::yield_now;

use super::fault::Fault;

/// The records, and whatever a fault needs to know of them.
#[derive(Default)]
pub(super) struct Data {
    pub(super) records: BTreeMap<Handle, Record>,
    /// What each record was before its last replacement.
    pub(super) before: BTreeMap<Handle, Record>,
    /// Principals and deadlines as they were when a session was created or last indexed.
    pub(super) principals: BTreeMap<Handle, Option<Principal>>,
    pub(super) due: BTreeMap<Handle, Timestamp>,
    pub(super) planted: BTreeMap<Handle, Vec<u8>>,
    /// The latest time that a purge was told.
    pub(super) purged_at: Timestamp,
    /// Expired records that a purge removed, with whose sessions they were.
    pub(super) purged: BTreeMap<Handle, Record>,
    /// How many deletions saw a record that another one removed.
    pub(super) seen_in_vain: u64,
    /// How many damaged records were deleted.
    pub(super) damage_deleted: u64,
    pub(super) locked: bool,
    /// Whether records also go when they are due by the real clock.
    pub(super) server_clock: bool,
}

impl Data {
    pub(super) fn live(
        &self,
        handle: Handle,
        now: Timestamp,
        fault: Option<Fault>,
    ) -> Option<&Record> {
        self.records
            .get(&handle)
            .filter(|record| is_live(record, now, fault))
    }

    pub(super) fn write(&mut self, handle: Handle, record: Record) {
        self.principals
            .insert(handle, record.header.principal.clone());
        self.due.insert(handle, record.header.expires_at());
        if let Some(before) = self.records.insert(handle, record) {
            self.before.insert(handle, before);
        }
    }

    pub(super) fn bytes(&self, handle: Handle) -> Option<Vec<u8>> {
        let written = self
            .records
            .get(&handle)
            .map(|record| format!("{record:?}").into_bytes());
        self.planted.get(&handle).cloned().or(written)
    }
}

pub(super) fn is_live(record: &Record, now: Timestamp, fault: Option<Fault>) -> bool {
    match fault {
        Some(Fault::IdleDeadlineIgnored) => now < record.header.absolute_deadline,
        Some(Fault::AbsoluteDeadlineIgnored) => now < record.header.idle_deadline,
        _ => record.is_live(now),
    }
}

/// Whether the record lives to an operation that takes its deadline and the time in whole seconds.
pub(super) fn lives_in_seconds(record: &Record, now: Timestamp) -> bool {
    now.as_millis() / 1000 < record.header.expires_at().as_millis() / 1000
}

/// What a late retry of a creation does when nobody waits for it any more.
pub(super) fn create_again_later(data: &Arc<Mutex<Data>>, handle: Handle, record: Record) {
    let data = Arc::clone(data);
    tokio::spawn(async move {
        for _ in 0..20 {
            yield_now().await;
        }
        data.lock().unwrap().records.entry(handle).or_insert(record);
    });
}

/// Creates again when it is dropped, unless its record was taken.
pub(super) struct Retry {
    pub(super) data: Arc<Mutex<Data>>,
    pub(super) handle: Handle,
    pub(super) record: Option<Record>,
}

impl Drop for Retry {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            create_again_later(&self.data, self.handle, record);
        }
    }
}

/// Writes when it was dropped a while ago, unless its record was taken: whatever is there by then.
pub(super) struct LateSwap {
    pub(super) data: Arc<Mutex<Data>>,
    pub(super) handle: Handle,
    pub(super) record: Option<Record>,
}

impl Drop for LateSwap {
    fn drop(&mut self) {
        let Some(record) = self.record.take() else {
            return;
        };
        let (data, handle) = (Arc::clone(&self.data), self.handle);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let mut data = data.lock().unwrap();
            if data.records.contains_key(&handle) {
                data.write(handle, record);
            }
        });
    }
}
