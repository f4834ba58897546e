//! What is under a handle, as a reader is told.

use std::time::Duration;

use fasthttpsession_core::{
    Clock, Handle, Record, StoreError, StoreErrorKind, SystemClock, Timestamp,
};
use tokio::task::yield_now;

use super::data::Data;
use super::{Fault, Faulty};

impl Faulty {
    /// The last bytes of a handle do not count for some of the faults.
    pub(super) fn key(&self, handle: Handle) -> Handle {
        let mut bytes = *handle.as_bytes();
        if self.is(Fault::HandlesEndAtZero) {
            let end = bytes.iter().position(|byte| *byte == 0);
            bytes[end.unwrap_or(Handle::BYTES)..].fill(0);
        }
        if self.is(Fault::HandlesIgnoreLastByte) {
            bytes[15] = 0;
        }
        Handle::from_bytes(bytes)
    }

    pub(super) fn unplanted(&self, handle: Handle) -> Result<(), StoreError> {
        let planted = self.data().planted.get(&handle).cloned();
        let Some(bytes) = planted.filter(|_| !self.is(Fault::CorruptIsEmpty)) else {
            return Ok(());
        };
        let error = StoreError::new(StoreErrorKind::Corrupt, "what is there is not a record");
        let source = String::from_utf8(bytes).err();
        Err(match source.filter(|_| self.is(Fault::CorruptIsShown)) {
            Some(source) => error.with_source(source),
            None => error,
        })
    }

    pub(super) fn found(&self, handle: Handle, now: Timestamp) -> Option<Record> {
        let data = self.data();
        let mut record = data.live(handle, now, self.fault).cloned()?;
        let lives = record.header.expires_at().since(now);
        let removed = self.removed_by_server(&data, handle, &record);
        let overflown =
            self.is(Fault::LongLivesAreShort) && lives > Duration::from_secs(30 * 86_400);
        if self.is(Fault::BodyCut) {
            record.body.truncate(1000);
        }
        (!removed && !overflown).then_some(record)
    }

    /// Whether the server's own clock has ended the record.
    pub(super) fn removed_by_server(&self, data: &Data, handle: Handle, record: &Record) -> bool {
        let (due, end) = (data.due.get(&handle), record.header.expires_at());
        let end = match self.fault {
            Some(
                Fault::ServerClockIgnoresTouch
                | Fault::ServerClockFollowsConflict
                | Fault::ServerClockFollowsEarlierTouch
                | Fault::ServerClockFollowsRefusedCreation,
            ) => due.copied().unwrap_or(end),
            // A time to live of no seconds is one without an end.
            Some(Fault::ServerClockCountsSeconds)
                if end.since(record.header.created_at) < Duration::from_secs(1) =>
            {
                Timestamp::MAX
            }
            _ => end,
        };
        let passed = Duration::from_secs(if self.is(Fault::ServerClockIsFarOn) {
            15 * 60
        } else {
            0
        });
        data.server_clock && end <= SystemClock.now().after(passed)
    }

    /// Writes find nothing where the server's own clock has ended the record.
    pub(super) fn end_by_server(&self, data: &mut Data, handle: Handle) {
        let record = data.records.get(&handle);
        if record.is_some_and(|record| self.removed_by_server(data, handle, record)) {
            data.records.remove(&handle);
        }
    }

    /// The answer to a load comes over a line that answers in order, also to those who have left.
    pub(super) async fn load_in_line(&self, handle: Handle, now: Timestamp) -> Option<Record> {
        let _turn = self.line.lock().await;
        let found = self.found(handle, now);
        self.answers.lock().unwrap().push_back(found);
        yield_now().await;
        self.answers.lock().unwrap().pop_front().flatten()
    }

    pub(super) fn remembered(&self, handle: Handle, found: Option<Record>) -> Option<Record> {
        if !self.is(Fault::SecondClientRemembers) {
            return found;
        }
        self.seen
            .lock()
            .unwrap()
            .entry(handle)
            .or_insert(found)
            .clone()
    }
}
