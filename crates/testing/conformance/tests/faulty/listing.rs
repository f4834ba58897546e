//! What sessions there are: of a principal, or of all in pages.

use bytes::Bytes;
use fasthttpsession_core::{Cursor, Handle, Page, Principal, Record, Timestamp};

use super::data::is_live;
use super::{Fault, Faulty};

impl Faulty {
    pub(super) fn listed(&self, principal: &Principal, now: Timestamp) -> Vec<(Handle, Record)> {
        let caseless = self.is(Fault::PrincipalsIgnoreCase);
        let fold = |principal: &Principal| {
            let text = principal.as_str();
            if caseless {
                text.to_lowercase()
            } else {
                text.to_owned()
            }
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
        sessions.retain(|(handle, _)| {
            let indexed = data.principals.get(handle).cloned().flatten();
            indexed.is_some_and(|indexed| fold(&indexed) == fold(principal))
        });
        sessions
    }

    pub(super) fn page(&self, after: Option<&Cursor>, limit: usize, now: Timestamp) -> Page {
        let sessions = self.live_sessions(now, self.is(Fault::ScansExpired));
        let limit = if self.is(Fault::PageUnbounded) {
            usize::MAX
        } else {
            limit
        };
        if self.is(Fault::ScanByPosition) {
            let start: usize = after.map_or(0, |cursor| {
                std::str::from_utf8(&cursor.0).unwrap().parse().unwrap()
            });
            let page: Vec<_> = sessions.iter().skip(start).take(limit).cloned().collect();
            let next =
                (page.len() == limit).then(|| Cursor(Bytes::from((start + limit).to_string())));
            return Page {
                sessions: page,
                next,
            };
        }
        let beyond =
            |handle: &Handle| after.is_none_or(|cursor| handle.as_bytes()[..] > cursor.0[..]);
        let mut page: Vec<_> = sessions
            .into_iter()
            .filter(|(handle, _)| beyond(handle))
            .take(limit)
            .collect();
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

    pub(super) fn live_sessions(&self, now: Timestamp, all: bool) -> Vec<(Handle, Record)> {
        let data = self.data();
        let live = data
            .records
            .iter()
            .filter(|(_, record)| all || is_live(record, now, self.fault));
        live.map(|(handle, record)| (*handle, record.clone()))
            .collect()
    }
}
