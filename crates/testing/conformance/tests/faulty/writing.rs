//! What changes under a handle: creations, swaps, touches and deletions.

use bytes::Bytes;
use fasthttpsession_core::{
    Created, Deleted, Handle, Header, Record, Replaced, StoreError, StoreErrorKind, Timestamp,
    Touched,
};
use tokio::task::yield_now;

use super::data::{is_live, lives_in_seconds};
use super::{Fault, Faulty, MAX_BODY};

impl Faulty {
    pub(super) fn fitting(&self, handle: Handle, record: &Record) -> Result<(), StoreError> {
        let largest = match self.fault {
            Some(Fault::LargestIsRefused) => MAX_BODY - 1,
            Some(Fault::LargestRecordIsRefused) if record.header.label.is_some() => MAX_BODY - 1,
            _ => MAX_BODY,
        };
        if record.body.len() <= largest || self.is(Fault::TooLargeIsKept) {
            return Ok(());
        }
        if self.is(Fault::TooLargeRemovesOld) {
            self.data().records.remove(&handle);
        }
        let message = if self.is(Fault::TooLargeIsShown) {
            let beginning = String::from_utf8_lossy(&record.body[..100]).into_owned();
            format!("the record {beginning} is too large")
        } else {
            "the record is too large".to_owned()
        };
        Err(StoreError::new(StoreErrorKind::TooLarge, message))
    }

    fn same_version(&self, one: u64, other: u64) -> bool {
        #[allow(clippy::cast_precision_loss, clippy::float_cmp)]
        let same_float = one as f64 == other as f64;
        one == other
            || self.is(Fault::ReplaceIgnoresVersion)
            || (self.is(Fault::VersionsAreFloats) && same_float)
            || (self.is(Fault::VersionsAreShort) && one % (1 << 32) == other % (1 << 32))
    }

    /// Whether a record that lives does to an operation that may have this fault.
    fn counts(&self, fault: Fault, record: &Record, now: Timestamp) -> bool {
        !self.is(fault) || lives_in_seconds(record, now)
    }

    pub(super) fn insert(&self, handle: Handle, record: &Record, now: Timestamp) -> Created {
        let mut data = self.data();
        let overwrites = self.is(Fault::CreateOverwrites) || self.is(Fault::CreateLooksThenWrites);
        let live = data.live(handle, now, self.fault);
        let live = live.filter(|old| self.counts(Fault::CreateCountsSeconds, old, now));
        if live.is_some() && !overwrites {
            if self.is(Fault::ServerClockFollowsRefusedCreation) {
                data.due.insert(handle, record.header.expires_at());
            }
            if self.is(Fault::ExistingIsListed) {
                data.principals
                    .insert(handle, record.header.principal.clone());
            }
            return Created::Exists;
        }
        data.write(handle, record.clone());
        Created::Created
    }

    /// What is damaged goes, whatever it was.
    pub(super) fn remove_planted(&self, handle: Handle) -> Deleted {
        if !self.is(Fault::CorruptStaysAfterDeletion) {
            let mut data = self.data();
            data.planted.remove(&handle);
            data.records.remove(&handle);
            data.damage_deleted += 1;
        }
        Deleted::Deleted
    }

    /// `before` is what was there when the deletion began to look.
    pub(super) fn remove(&self, handle: Handle, before: Option<Record>, now: Timestamp) -> Deleted {
        let mut data = self.data();
        let live = data.live(handle, now, self.fault).cloned();
        let live = live.filter(|old| self.counts(Fault::DeleteCountsSeconds, old, now));
        data.seen_in_vain += u64::from(before.is_some() && live.is_none());
        let live = if self.is(Fault::DeleteLooksThenRemoves) {
            before
        } else {
            live
        };
        let expired = live.is_none() && data.records.contains_key(&handle);
        if expired && self.is(Fault::DeleteOfExpiredAnswersDeleted) {
            return Deleted::Deleted;
        }
        let Some(record) = live else {
            return if self.is(Fault::DeleteOfNothingAnswersDeleted) && !expired {
                Deleted::Deleted
            } else {
                Deleted::Gone
            };
        };
        if !self.is(Fault::DeleteNeedsFirstVersion) || record.header.version == 1 {
            data.records.remove(&handle);
        }
        if self.is(Fault::DeletedStaysListed) {
            data.before.insert(handle, record);
        }
        Deleted::Deleted
    }

    /// Looks, and writes unless the fault is to write later.
    pub(super) fn swap(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Replaced {
        let mut data = self.data();
        self.end_by_server(&mut data, handle);
        let live_or_not = data.records.get(&handle);
        let live = live_or_not
            .filter(|old| self.is(Fault::ExpiredIsReplaced) || is_live(old, now, self.fault))
            .filter(|old| self.counts(Fault::ReplaceCountsSeconds, old, now));
        let Some(current) = live.cloned() else {
            if self.is(Fault::ReplaceMakesRecords) {
                data.write(handle, record.clone());
                return Replaced::Replaced;
            }
            return Replaced::Gone;
        };
        if self.is(Fault::RepeatedReplaceSucceeds) && current == *record {
            return Replaced::Replaced;
        }
        if !self.same_version(current.header.version, expected) {
            let before = data
                .before
                .get(&handle)
                .filter(|_| self.is(Fault::ConflictShowsOldRecord));
            let shown = before.cloned().unwrap_or(current);
            if self.is(Fault::ServerClockFollowsConflict) {
                data.due.insert(handle, record.header.expires_at());
            }
            if self.is(Fault::ConflictIsListed) {
                data.principals
                    .insert(handle, record.header.principal.clone());
            }
            return Replaced::Conflict(shown);
        }
        let due = data.due.get(&handle).copied();
        let indexed = data.principals.get(&handle).cloned();
        match self.fault {
            Some(Fault::ReplaceLooksThenWrites) => {}
            Some(Fault::ReplaceWritesInTwoSteps) => {
                data.write(
                    handle,
                    Record {
                        body: current.body,
                        ..record.clone()
                    },
                );
            }
            Some(Fault::ReplaceKeepsPrincipal) => {
                let mut mixed = record.clone();
                mixed.header.principal = current.header.principal;
                data.write(handle, mixed);
            }
            _ => data.write(handle, record.clone()),
        }
        let stays = [
            Fault::DeadlinesNotInPurgeIndex,
            Fault::ReplaceLeavesListDeadline,
            Fault::ServerClockEndsListing,
        ];
        if stays.into_iter().any(|fault| self.is(fault)) {
            data.due.extend(due.map(|due| (handle, due)));
        }
        if self.is(Fault::PrincipalOfCreationListed) || self.is(Fault::PrincipalIndexFollowsLater) {
            data.principals
                .extend(indexed.map(|principal| (handle, principal)));
        }
        Replaced::Replaced
    }

    pub(super) fn move_deadline(
        &self,
        handle: Handle,
        version: u64,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Touched {
        let mut data = self.data();
        self.end_by_server(&mut data, handle);
        let fault = self.fault;
        let live = data.records.get_mut(&handle);
        let live = live.filter(|old| self.counts(Fault::TouchCountsSeconds, old, now));
        let Some(record) =
            live.filter(|old| self.is(Fault::ExpiredIsTouched) || is_live(old, now, fault))
        else {
            if self.is(Fault::TouchMakesRecords) {
                let header = Header {
                    version,
                    created_at: now,
                    idle_deadline: deadline,
                    absolute_deadline: deadline,
                    principal: None,
                    label: None,
                };
                let body = Bytes::new();
                data.write(handle, Record { header, body });
            }
            return Touched::Gone;
        };
        let header = &mut record.header;
        let current = header.version == version || self.is(Fault::TouchOfAnyVersion);
        let current = current && !self.is(Fault::TouchDoesNothing);
        if current && (header.idle_deadline < deadline || self.is(Fault::TouchShortens)) {
            header.idle_deadline = deadline;
            header.version += u64::from(self.is(Fault::TouchBumpsVersion));
            if self.is(Fault::TouchMovesAbsoluteDeadline) {
                header.absolute_deadline = header.absolute_deadline.max(deadline);
            }
            let due = header.expires_at();
            let stays = [
                Fault::DeadlinesNotInPurgeIndex,
                Fault::ListsWithoutTouches,
                Fault::ServerClockEndsListing,
                Fault::ServerClockIgnoresTouch,
            ];
            if !stays.into_iter().any(|fault| self.is(fault)) {
                data.due.insert(handle, due);
            }
        }
        if self.is(Fault::ServerClockFollowsEarlierTouch) {
            data.due.insert(handle, deadline);
        }
        Touched::Touched
    }

    pub(super) async fn touch_whole(
        &self,
        handle: Handle,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Touched {
        let Some(mut record) = self.found(handle, now) else {
            return Touched::Gone;
        };
        yield_now().await;
        record.header.idle_deadline = record.header.idle_deadline.max(deadline);
        self.data().write(handle, record);
        Touched::Touched
    }
}
