//! Purge: what is due goes.

use fasthttpsession_core::{Handle, Timestamp};
use tokio::task::yield_now;

use super::data::Data;
use super::{Fault, Faulty};

impl Faulty {
    /// How many went.
    pub(super) async fn remove_due(&self, limit: usize, now: Timestamp) -> u64 {
        let limit = if self.is(Fault::PurgeUnbounded) {
            usize::MAX
        } else {
            limit
        };
        let limit = if self.is(Fault::PurgeStopsEarly) {
            limit.min(3)
        } else {
            limit
        };
        let due = |data: &Data| -> Vec<Handle> {
            let due = data.records.keys().filter(|handle| data.due[handle] <= now);
            due.take(limit).copied().collect()
        };
        if self.is(Fault::PurgeOnlyHides) {
            let mut data = self.data();
            let hidden = due(&data);
            data.due.extend(
                hidden
                    .iter()
                    .map(|handle| (*handle, Timestamp::from_millis(u64::MAX))),
            );
            return hidden.len() as u64;
        }
        let mut chosen = due(&self.data());
        if self.is(Fault::PurgeLooksThenRemoves) || self.is(Fault::PurgeReportsWhatItSaw) {
            yield_now().await;
        }
        let mut data = self.data();
        if !self.is(Fault::PurgeLooksThenRemoves) && !self.is(Fault::PurgeReportsWhatItSaw) {
            chosen = due(&data);
        }
        let mut removed = 0;
        for handle in chosen {
            let still_due = self.is(Fault::PurgeLooksThenRemoves) || data.due[&handle] <= now;
            let gone = still_due && data.records.remove(&handle).is_some();
            removed += u64::from(gone || self.is(Fault::PurgeReportsWhatItSaw));
        }
        removed
    }
}
