//! The store's operations, each as a caller meets it: over the network, to the data, and back.

use std::sync::Arc;

use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, StoreErrorKind, Timestamp, Touched,
};
use tokio::task::yield_now;

use super::data::{LateSwap, Retry, create_again_later};
use super::{Fault, Faulty};

impl Store for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::all();
        capabilities.scan = !self.is(Fault::HidesScanItHas);
        capabilities
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        self.travel().await;
        self.lock().await;
        self.unplanted(handle)?;
        let handle = self.key(handle);
        if self.is(Fault::AnswersOfDroppedLoadsKept) {
            return Ok(self.load_in_line(handle, now).await);
        }
        let mut found = self.found(handle, now);
        self.travel().await;
        if self.is(Fault::LoadReadsInTwoSteps) {
            let body = self
                .data()
                .records
                .get(&handle)
                .map(|record| record.body.clone());
            found
                .iter_mut()
                .zip(body)
                .for_each(|(record, body)| record.body = body);
        }
        Ok(self.remembered(handle, found))
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.travel().await;
        self.lock().await;
        if self.is(Fault::CorruptIsOverwritten) {
            self.data().planted.remove(&handle);
        }
        if let Err(error) = self.unplanted(handle) {
            return self.instead(Fault::CorruptCreationExists, Created::Exists, error);
        }
        self.fitting(handle, record)?;
        let handle = self.key(handle);
        if self.is(Fault::CreateLooksThenWrites) {
            if self.found(handle, now).is_some() {
                return Ok(Created::Exists);
            }
            yield_now().await;
        }
        if self.insert(handle, record, now) == Created::Exists {
            return Ok(Created::Exists);
        }
        if self.is(Fault::CreateComesAgainLater) {
            create_again_later(&self.data, handle, record.clone());
        }
        let mut retry = self.is(Fault::DroppedCreateLandsTwice).then(|| Retry {
            data: Arc::clone(&self.data),
            handle,
            record: Some(record.clone()),
        });
        self.travel().await;
        if let Some(retry) = &mut retry {
            retry.record = None;
        }
        Ok(Created::Created)
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        if self.is(Fault::SwapsNeverAnswer) {
            std::future::pending::<()>().await;
        }
        self.travel().await;
        self.lock().await;
        if let Err(error) = self.unplanted(handle) {
            return self.instead(Fault::CorruptReplacementIsGone, Replaced::Gone, error);
        }
        self.fitting(handle, record)?;
        if self.is(Fault::LogsRecords) {
            log::debug!("replacing by {:?}", &record.body[..]);
        }
        let handle = self.key(handle);
        let mut late = self.is(Fault::DroppedSwapLandsLate).then(|| LateSwap {
            data: Arc::clone(&self.data),
            handle,
            record: Some(record.clone()),
        });
        let answer = self.swap(handle, expected, record, now);
        self.travel().await;
        if let Some(late) = &mut late {
            late.record = None;
        }
        let later = matches!(
            self.fault,
            Some(Fault::ReplaceLooksThenWrites | Fault::ReplaceWritesInTwoSteps)
        );
        if later && answer == Replaced::Replaced {
            self.data().write(handle, record.clone());
        }
        if self.is(Fault::PrincipalIndexFollowsLater) && answer == Replaced::Replaced {
            self.data()
                .principals
                .insert(handle, record.header.principal.clone());
        }
        self.lose(answer, || self.swap(handle, expected, record, now))
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.travel().await;
        self.lock().await;
        if let Err(error) = self.unplanted(handle) {
            return self.instead(Fault::CorruptTouchIsGone, Touched::Gone, error);
        }
        let handle = self.key(handle);
        let current = self
            .found(handle, now)
            .is_some_and(|record| record.header.version == version);
        if self.is(Fault::TouchWritesWholeRecord) && current {
            return Ok(self.touch_whole(handle, idle_deadline, now).await);
        }
        let answer = self.move_deadline(handle, version, idle_deadline, now);
        self.travel().await;
        let is_there = self.found(handle, now).is_some();
        if self.is(Fault::TouchGivesUp) && answer == Touched::Gone && is_there {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                "it is not gone",
            ));
        }
        Ok(answer)
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        self.travel().await;
        self.lock().await;
        if self.unplanted(handle).is_err() {
            return Ok(self.remove_planted(handle));
        }
        let handle = self.key(handle);
        let live = self.data().live(handle, now, self.fault).cloned();
        if self.is(Fault::DeleteLooksThenRemoves) || self.is(Fault::CountOfDeletionsSeen) {
            yield_now().await;
        }
        let answer = self.remove(handle, live, now);
        self.travel().await;
        Ok(answer)
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        self.travel().await;
        if self.is(Fault::ListsByPosition) {
            return Ok(self.listed_by_position(principal, now).await);
        }
        Ok(self.listed(principal, now))
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        if self.is(Fault::DeclaresScanWithoutHavingIt) {
            return Err(StoreError::new(StoreErrorKind::Unsupported, "no scan"));
        }
        self.travel().await;
        self.countable(limit)?;
        self.made_here(after)?;
        Ok(self.page(after, limit, now))
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.travel().await;
        Ok(self.counted(now))
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        self.travel().await;
        self.countable(limit)?;
        Ok(self.remove_due(limit, now).await)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.travel().await;
        Ok(())
    }
}

impl Faulty {
    /// The `answer` of this `fault`, or else the error.
    fn instead<T>(&self, fault: Fault, answer: T, error: StoreError) -> Result<T, StoreError> {
        if self.is(fault) {
            Ok(answer)
        } else {
            Err(error)
        }
    }

    fn made_here(&self, after: Option<&Cursor>) -> Result<(), StoreError> {
        let is_foreign = after.is_some_and(|Cursor(bytes)| bytes.len() != Handle::BYTES);
        // A position is no handle.
        let takes_any = self.is(Fault::ForeignCursorBeginsAnew) || self.is(Fault::ScanByPosition);
        if !is_foreign || takes_any {
            return Ok(());
        }
        let error = StoreError::new(StoreErrorKind::Internal, "a cursor of another store");
        if self.is(Fault::ForeignCursorMayHaveApplied) {
            return Err(error);
        }
        Err(error.not_applied())
    }

    fn countable(&self, limit: usize) -> Result<(), StoreError> {
        if self.is(Fault::LimitsAreSigned) && isize::try_from(limit).is_err() {
            return Err(StoreError::new(StoreErrorKind::Internal, "a limit below 0"));
        }
        Ok(())
    }
}
