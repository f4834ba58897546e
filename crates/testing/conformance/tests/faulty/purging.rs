//! Purge: what is due goes.

use std::time::Duration;

use fasthttpsession_core::{Handle, Record, Timestamp};
use tokio::task::yield_now;

use super::data::Data;
use super::{Fault, Faulty};

impl Faulty {
    /// How many went.
    pub(super) async fn remove_due(&self, limit: usize, now: Timestamp) -> u64 {
        let limit = match self.fault {
            Some(Fault::PurgeUnbounded) => usize::MAX,
            Some(Fault::PurgeStopsEarly) => limit.min(3),
            _ => limit,
        };
        if self.is(Fault::PurgeOnlyHides) {
            return self.hide_due(limit, now);
        }
        let mut chosen = self.due(&self.data(), limit, now);
        let looks_first = self.overlooks().is_some();
        let reports_first = self.is(Fault::PurgeReportsWhatItSaw);
        if looks_first || reports_first {
            yield_now().await;
        }
        let mut data = self.data();
        if !looks_first && !reports_first {
            chosen = self.due(&data, limit, now);
        }
        let mut removed = 0;
        for handle in chosen {
            let current = data.records.get(&handle);
            let overlooked = self
                .overlooks()
                .zip(current)
                .is_some_and(|(all, current)| all(current, now));
            let still_due = overlooked || self.is_due(&data, handle, now);
            let gone = still_due.then(|| data.records.remove(&handle)).flatten();
            removed += u64::from(gone.is_some() || reports_first);
            if self.purges_damage() {
                data.planted.remove(&handle);
            }
            data.purged.extend(gone.map(|record| (handle, record)));
        }
        if removed < limit as u64 {
            data.purged_at = data.purged_at.max(now);
        }
        if self.is(Fault::PurgeRemovesCorrupt) {
            data.planted.clear();
        }
        removed
    }

    /// Which writes since it looked a purge that looks first does not notice, by what is there now.
    fn overlooks(&self) -> Option<fn(&Record, Timestamp) -> bool> {
        match self.fault {
            Some(Fault::PurgeLooksThenRemoves) => Some(|_, _| true),
            Some(Fault::PurgeOverlooksReplacements) => Some(|record, _| record.header.version > 1),
            Some(Fault::PurgeOverlooksTouches) => {
                Some(|record, now| record.header.version == 1 && record.header.created_at < now)
            }
            _ => None,
        }
    }

    fn hide_due(&self, limit: usize, now: Timestamp) -> u64 {
        let mut data = self.data();
        let hidden = self.due(&data, limit, now);
        let never = Timestamp::from_millis(u64::MAX);
        data.due
            .extend(hidden.iter().map(|handle| (*handle, never)));
        hidden.len() as u64
    }

    /// The first of those that are due; what is damaged is not, and in nobody's way.
    fn due(&self, data: &Data, limit: usize, now: Timestamp) -> Vec<Handle> {
        let looked_at = if self.is(Fault::PurgeLimitsWhatItLooksAt) {
            limit
        } else {
            usize::MAX
        };
        let due = data.records.keys().copied().take(looked_at);
        let due = due.filter(|handle| self.is_due(data, *handle, now));
        if self.purges_damage() {
            return due.take(limit).collect();
        }
        let whole = |handle: &Handle| !data.planted.contains_key(handle);
        if self.is(Fault::PurgeStopsAtCorrupt) {
            return due.take_while(whole).take(limit).collect();
        }
        due.filter(whole).take(limit).collect()
    }

    fn purges_damage(&self) -> bool {
        self.is(Fault::PurgesDamageAtOnce) || self.is(Fault::PurgesDamageWhenDue)
    }

    fn is_due(&self, data: &Data, handle: Handle, now: Timestamp) -> bool {
        let end = |record: &Record| record.header.expires_at();
        match self.fault {
            Some(Fault::PurgesDamageAtOnce) if data.planted.contains_key(&handle) => true,
            Some(Fault::PurgesASecondEarly) => {
                data.due[&handle] <= now.after(Duration::from_secs(1))
            }
            Some(Fault::PurgeNeverLooksBack) => {
                data.purged_at <= data.due[&handle] && data.due[&handle] <= now
            }
            // Their purge is right, their lists are not.
            Some(Fault::ReplaceLeavesListDeadline | Fault::ServerClockEndsListing) => {
                end(&data.records[&handle]) <= now
            }
            _ => data.due[&handle] <= now,
        }
    }
}
