//! Two stores as one: what a change of the store under live traffic goes through.

use futures_util::future::try_join;

use super::{
    Capabilities, Created, Cursor, Deleted, Page, Replaced, Store, StoreError, StoreErrorKind,
    Touched,
};
use crate::record::{Principal, Record};
use crate::time::Timestamp;
use crate::token::Handle;

/// Two stores as one: sessions are created in the first, and those of the second go on where they are.
///
/// So a service changes its store under live traffic, one process after the other, and nobody is signed out:
///
/// 1. Every process gets `TwoStores::new(old, new)`: it creates sessions in the old one, and knows what others will create in
///    the new one.
/// 2. Then every process gets `TwoStores::new(new, old)`: the old one loses sessions and gets no more.
/// 3. Once the old one has none left, every process gets `new` alone.
///
/// A session stays in one store for as long as it lives: there is no moment in which it is in both or in none, and each
/// operation is as atomic as it is there. So nothing may be copied from one to the other meanwhile: of a session that is in
/// both, the first one's record counts until it has expired, and then the second one's.
///
/// An operation on a session of the second store, or on none, asks both, one after the other, and so does each deletion. When
/// one of them fails, so does the operation, for the session may be in the one that did not answer; a deletion is made in the
/// other all the same. Both together can list, scan and count if each can, and purge what can be purged. In errors and in what
/// watches them they go by the name of the first.
#[derive(Clone, Debug)]
pub struct TwoStores<A, B> {
    first: A,
    second: B,
}

impl<A: Store, B: Store> TwoStores<A, B> {
    /// Creates sessions in `first`, and knows those of `second` too.
    pub fn new(first: A, second: B) -> Self {
        Self { first, second }
    }
}

impl<A: Store, B: Store> Store for TwoStores<A, B> {
    /// That of the first.
    fn name(&self) -> &'static str {
        self.first.name()
    }

    fn capabilities(&self) -> Capabilities {
        let (first, second) = (self.first.capabilities(), self.second.capabilities());
        Capabilities {
            sessions_of: first.sessions_of && second.sessions_of,
            scan: first.scan && second.scan,
            count: first.count && second.count,
            purge: first.purge || second.purge,
        }
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        match self.first.load(handle, now).await? {
            None => self.second.load(handle, now).await,
            found => Ok(found),
        }
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.first.create(handle, record, now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        match self.first.replace(handle, expected, record, now).await? {
            Replaced::Gone => self.second.replace(handle, expected, record, now).await,
            answer => Ok(answer),
        }
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        match self
            .first
            .touch(handle, version, idle_deadline, now)
            .await?
        {
            Touched::Gone => self.second.touch(handle, version, idle_deadline, now).await,
            Touched::Touched => Ok(Touched::Touched),
        }
    }

    /// From both, the second one first: what somebody copied in spite of the warning does not outlive its session.
    /// The first one is asked even if that failed: the session may be there.
    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let of_second = self.second.delete(handle, now).await;
        let of_first = self.first.delete(handle, now).await;
        match (of_first, of_second) {
            (Ok(Deleted::Gone), of_second) => of_second,
            (Ok(Deleted::Deleted), Ok(_)) => Ok(Deleted::Deleted),
            (Ok(Deleted::Deleted), Err(error)) | (Err(error), Ok(Deleted::Deleted)) => {
                Err(error.maybe_applied())
            }
            (Err(error), Err(other)) if other.may_have_applied() => Err(error.maybe_applied()),
            (Err(error), Ok(Deleted::Gone) | Err(_)) => Err(error),
        }
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let (mut sessions, more) = try_join(
            self.first.sessions_of(principal, now),
            self.second.sessions_of(principal, now),
        )
        .await?;
        sessions.extend(more);
        Ok(sessions)
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let (of_second, after) = match after {
            None => (false, None),
            Some(cursor) => place(cursor)?,
        };
        let page = if of_second {
            self.second.scan(after.as_ref(), limit, now).await?
        } else {
            self.first.scan(after.as_ref(), limit, now).await?
        };
        let next = match page.next {
            Some(Cursor(next)) if of_second => Some(cursor(IN_SECOND, &next)),
            Some(Cursor(next)) => Some(cursor(IN_FIRST, &next)),
            None if of_second => None,
            None => Some(cursor(BEFORE_SECOND, &[])),
        };
        Ok(Page { next, ..page })
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        let (first, second) = try_join(self.first.count(now), self.second.count(now)).await?;
        Ok(first + second)
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        if !self.capabilities().purge {
            // Which says so.
            return self.first.purge(limit, now).await;
        }
        let mut purged = 0;
        if self.first.capabilities().purge {
            purged = self.first.purge(limit, now).await?;
        }
        let left = limit.saturating_sub(usize::try_from(purged).unwrap_or(usize::MAX));
        if left > 0 && self.second.capabilities().purge {
            purged += self.second.purge(left, now).await?;
        }
        Ok(purged)
    }

    async fn check(&self) -> Result<(), StoreError> {
        try_join(self.first.check(), self.second.check()).await?;
        Ok(())
    }
}

// Where a scan goes on. This stands before the cursor of the store that it is in.
const IN_FIRST: u8 = 1;
const BEFORE_SECOND: u8 = 2;
const IN_SECOND: u8 = 3;

fn cursor(place: u8, after: &[u8]) -> Cursor {
    Cursor([&[place], after].concat().into())
}

/// Whether it is in the second store, and after what.
fn place(Cursor(bytes): &Cursor) -> Result<(bool, Option<Cursor>), StoreError> {
    let after = || Some(Cursor(bytes.slice(1..)));
    match bytes.first() {
        Some(&IN_FIRST) => Ok((false, after())),
        Some(&BEFORE_SECOND) => Ok((true, None)),
        Some(&IN_SECOND) => Ok((true, after())),
        _ => {
            let sentence = "scanning two stores: the cursor was not made by them";
            Err(StoreError::new(StoreErrorKind::Internal, sentence).not_applied())
        }
    }
}
