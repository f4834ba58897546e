//! What sessions there are: of a principal, or of all in pages.

use bytes::Bytes;
use fasthttpsession_core::{
    Clock, Cursor, Handle, Page, Principal, Record, SystemClock, Timestamp,
};

use super::data::is_live;
use super::{Fault, Faulty};

impl Faulty {
    pub(super) fn listed(&self, principal: &Principal, now: Timestamp) -> Vec<(Handle, Record)> {
        let fold = |principal: &Principal| match self.fault {
            Some(Fault::PrincipalsIgnoreCase) => principal.as_str().to_lowercase(),
            Some(Fault::PrincipalsAreComposed) => principal.as_str().replace("a\u{301}", "á"),
            _ => principal.as_str().to_owned(),
        };
        let mut sessions = self.live_sessions(now, self.is(Fault::ListsExpired));
        let data = self.data();
        if self.is(Fault::DeletedStaysListed) {
            let deleted = data.before.iter();
            let deleted = deleted.filter(|(handle, _)| !data.records.contains_key(*handle));
            sessions.extend(deleted.map(|(handle, record)| (*handle, record.clone())));
        }
        if self.is(Fault::ListsWithoutTouches) {
            for (handle, record) in &mut sessions {
                record.header.idle_deadline = data.due[handle];
            }
        }
        if self.is(Fault::PurgedStaysListed) {
            let purged = data.purged.iter();
            let purged = purged.filter(|(_, record)| record.is_live(now));
            sessions.extend(purged.map(|(handle, record)| (*handle, record.clone())));
        }
        if self.is(Fault::ServerClockEndsListing) {
            let real = SystemClock.now();
            sessions.retain(|(handle, _)| !data.server_clock || data.due[handle] > real);
        }
        sessions.retain(|(handle, _)| {
            let indexed = data.principals.get(handle).cloned().flatten();
            indexed.is_some_and(|indexed| fold(&indexed) == fold(principal))
        });
        match self.fault {
            Some(Fault::ListsOnePage) => sessions.truncate(1000),
            Some(Fault::ListsOneMegabyte) => cut_to_a_megabyte(&mut sessions),
            _ => {}
        }
        sessions
    }

    /// Page by page, each of which begins where as many were listed before.
    pub(super) async fn listed_by_position(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Vec<(Handle, Record)> {
        let mut sessions = Vec::new();
        loop {
            let page = self.listed(principal, now).into_iter();
            let before = sessions.len();
            sessions.extend(page.skip(before).take(100));
            if sessions.len() < before + 100 {
                return sessions;
            }
            self.travel().await;
        }
    }

    pub(super) fn page(&self, after: Option<&Cursor>, limit: usize, now: Timestamp) -> Page {
        if self.is(Fault::ScanByPosition) {
            return self.page_by_position(after, limit, now);
        }
        let zeros = [0; Handle::BYTES];
        let begin = self.is(Fault::ScanBeginsBehindZeros).then_some(&zeros[..]);
        let start = after.map(|cursor| &cursor.0[..]).or(begin);
        if self.is(Fault::ScanNeedsItsCursor) && start.is_some_and(|start| !self.is_there(start)) {
            return Page::default();
        }
        if self.is(Fault::ScanOfNoneEnds) && limit == 0 {
            return Page::default();
        }
        let limit = limit.max(1);
        let (limit, shown) = match self.fault {
            Some(Fault::PageUnbounded) => (usize::MAX, usize::MAX),
            Some(Fault::ScanEndsAtCappedPage) => (limit, limit.min(100)),
            _ => (limit, limit),
        };
        let mut page = self.scanned(now);
        page.retain(|(handle, _)| start.is_none_or(|start| &handle.as_bytes()[..] > start));
        let deleted = start.is_some_and(|start| !self.is_there(start));
        if self.is(Fault::ScanSkipsAfterDeletion) && deleted && !page.is_empty() {
            page.remove(0);
        }
        page.truncate(shown);
        if self.is(Fault::ScanEndsAtMegabyte) {
            cut_to_a_megabyte(&mut page);
        }
        if self.is(Fault::ScanEndsAtExpiredPage) {
            page.retain(|(_, record)| record.is_live(now));
        }
        let last = page.last().filter(|_| page.len() == limit);
        let next = last.map(|(handle, _)| Cursor(Bytes::copy_from_slice(handle.as_bytes())));
        if self.is(Fault::ScanSkipsEndsOfPages) && next.is_some() {
            page.pop();
        }
        Page {
            sessions: page,
            next,
        }
    }

    fn page_by_position(&self, after: Option<&Cursor>, limit: usize, now: Timestamp) -> Page {
        let start: usize = after.map_or(0, |cursor| {
            std::str::from_utf8(&cursor.0).unwrap().parse().unwrap()
        });
        let page = self.scanned(now).into_iter().skip(start).take(limit);
        let sessions: Vec<_> = page.collect();
        let more = sessions.len() == limit;
        let next = more.then(|| Cursor(Bytes::from((start + limit).to_string())));
        Page { sessions, next }
    }

    fn is_there(&self, handle: &[u8]) -> bool {
        let data = self.data();
        data.records.keys().any(|there| there.as_bytes() == handle)
    }

    /// What a scan goes over, in order.
    fn scanned(&self, now: Timestamp) -> Vec<(Handle, Record)> {
        let all = self.is(Fault::ScansExpired) || self.is(Fault::ScanEndsAtExpiredPage);
        let mut sessions = self.live_sessions(now, all);
        if self.is(Fault::ScanShowsOldRecords) {
            let data = self.data();
            for (handle, record) in &mut sessions {
                *record = data.before.get(handle).unwrap_or(record).clone();
            }
        }
        sessions
    }

    pub(super) fn counted(&self, now: Timestamp) -> u64 {
        let mut sessions = self.live_sessions(now, self.is(Fault::CountOfExpired));
        match self.fault {
            Some(Fault::CountsOnePage) => sessions.truncate(100),
            Some(Fault::CountsOneMegabyte) => cut_to_a_megabyte(&mut sessions),
            _ => {}
        }
        let (count, data) = (sessions.len() as u64, self.data());
        match self.fault {
            Some(Fault::CountOfDeletionsSeen) => count.saturating_sub(data.seen_in_vain),
            Some(Fault::DeletedDamageStaysCounted) => count + data.damage_deleted,
            Some(Fault::PurgedStaysCounted) => count + data.purged.len() as u64,
            _ => count,
        }
    }

    /// What is under damaged bytes is no session.
    fn live_sessions(&self, now: Timestamp, all: bool) -> Vec<(Handle, Record)> {
        let data = self.data();
        let live = |handle: &Handle, record: &Record| {
            let dropped = self.is(Fault::ReplaceLeavesListDeadline) && data.due[handle] <= now;
            let removed = self.removed_by_server(&data, *handle, record);
            is_live(record, now, self.fault) && !removed && !dropped
        };
        let mut sessions: Vec<_> = data
            .records
            .iter()
            .filter(|(handle, record)| all || live(handle, record))
            .map(|(handle, record)| (*handle, record.clone()))
            .collect();
        if self.is(Fault::CorruptHidesNeighbours) {
            let whole = |(handle, _): &(Handle, Record)| !data.planted.contains_key(handle);
            return sessions.into_iter().take_while(whole).collect();
        }
        sessions.retain(|(handle, _)| !data.planted.contains_key(handle));
        sessions
    }
}

/// Some servers answer no more than that, and where to go on.
fn cut_to_a_megabyte(sessions: &mut Vec<(Handle, Record)>) {
    let mut bytes = 0;
    sessions.retain(|(_, record)| {
        bytes += record.body.len();
        bytes <= 1 << 20
    });
}
