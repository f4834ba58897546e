//! What is done for one session, or for none in particular: statement by statement.

use std::future::Future;

use fasthttpsession_core::{
    Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, StoreError, Timestamp,
    Touched,
};
use fasthttpsession_store_common::{cursor_after, handle_at, settle};
use futures_util::FutureExt as _;
use mysql_async::Value;

use crate::error::{Failure, contended, too_large};
use crate::link::{Lease, Link};
use crate::row;
use crate::statements::Statements;

/// The most rows that a transaction of a purge deletes.
const MOST_DELETED: usize = 1000;

/// What a writer does next: it has its answer, or tries again.
type Attempt<T> = Result<Option<T>, Failure>;

/// The operations of a store.
pub(crate) struct Operations {
    pub(crate) link: Link,
    pub(crate) sql: Statements,
    /// The largest body that the server takes.
    pub(crate) largest_body: usize,
}

impl Operations {
    pub(crate) async fn load(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Option<Record>, StoreError> {
        let doing = "loading a session";
        let rows = self
            .link
            .rows(doing, &self.sql.load, [row::key(handle)])
            .await?;
        let sessions = row::live(rows, now).map_err(|wrong| Failure::from(wrong).of(doing))?;
        Ok(sessions.into_iter().next().map(|(_, record)| record))
    }

    pub(crate) async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.fits(record)?;
        let doing = "creating a session";
        again(doing, || self.try_create(doing, handle, record, now)).await
    }

    async fn try_create(
        &self,
        doing: &str,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Attempt<Created> {
        let mut lease = self.link.lease(doing).await?;
        if self.insert(&mut lease, handle, record, now).await? {
            lease.finish();
            return Ok(Some(Created::Created));
        }
        let rows = lease.rows(&self.sql.load, [row::key(handle)]).await?;
        lease.finish();
        if !row::live(rows, now)?.is_empty() {
            return Ok(Some(Created::Exists));
        }
        // A record that has expired already may be equal to the one that it overwrites, and then no row changes.
        Ok((!record.is_live(now)).then_some(Created::Created))
    }

    /// Inserts, or overwrites what has expired. Neither can be done when a row was there that has gone since.
    async fn insert(
        &self,
        lease: &mut Lease,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let inserted = lease.change(&self.sql.insert, written(record, handle));
        match inserted.await {
            Err(failure) if failure.is_duplicate() => {}
            inserted => return inserted.map(|_| true),
        }
        let overwritten = with(written(record, handle), [row::moment(now)]);
        Ok(lease.change(&self.sql.overwrite, overwritten).await? > 0)
    }

    /// Whoever asks has seen that the record [`fits`](Self::fits).
    pub(crate) async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let doing = "replacing a session";
        again(doing, || {
            self.try_replace(doing, handle, expected, record, now)
        })
        .await
    }

    async fn try_replace(
        &self,
        doing: &str,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Attempt<Replaced> {
        let mut lease = self.link.lease(doing).await?;
        let values = with(
            written(record, handle),
            [row::number(expected), row::moment(now)],
        );
        // A swap changes the version, so it changes its row, and counts also where equal rows don't.
        if lease.change(&self.sql.replace, values).await? > 0 {
            lease.finish();
            return Ok(Some(Replaced::Replaced));
        }
        let rows = lease.rows(&self.sql.load, [row::key(handle)]).await?;
        lease.finish();
        Ok(match row::live(rows, now)?.into_iter().next() {
            None => Some(Replaced::Gone),
            Some((_, record)) if record.header.version == expected => None,
            Some((_, record)) => Some(Replaced::Conflict(record)),
        })
    }

    pub(crate) async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let doing = "touching a session";
        let deadline = row::moment(idle_deadline);
        let values = [
            deadline.clone(),
            deadline.clone(),
            row::key(handle),
            row::number(version),
            deadline,
            row::moment(now),
        ];
        let attempt = || self.try_touch(doing, handle, &values, version, idle_deadline, now);
        again(doing, attempt).await
    }

    async fn try_touch(
        &self,
        doing: &str,
        handle: Handle,
        values: &[Value],
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Attempt<Touched> {
        let mut lease = self.link.lease(doing).await?;
        if lease.change(&self.sql.touch, values).await? > 0 {
            lease.finish();
            return Ok(Some(Touched::Touched));
        }
        let rows = lease.rows(&self.sql.load, [row::key(handle)]).await?;
        lease.finish();
        let found = row::live(rows, now)?.into_iter().next();
        Ok(match found.map(|(_, record)| record.header) {
            None => Some(Touched::Gone),
            // A row that should have moved was made after the statement had looked for it.
            Some(held) if held.version == version && held.idle_deadline < idle_deadline => None,
            Some(_) => Some(Touched::Touched),
        })
    }

    pub(crate) async fn delete(
        &self,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Deleted, StoreError> {
        let doing = "deleting a session";
        again(doing, || self.try_delete(doing, handle, now)).await
    }

    async fn try_delete(&self, doing: &str, handle: Handle, now: Timestamp) -> Attempt<Deleted> {
        let mut lease = self.link.lease(doing).await?;
        let values = [row::key(handle), row::moment(now)];
        let deleted = lease.change(&self.sql.delete, values).await? > 0;
        lease.finish();
        Ok(Some(if deleted {
            Deleted::Deleted
        } else {
            Deleted::Gone
        }))
    }

    pub(crate) async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let doing = "listing the sessions of a principal";
        let values = [Value::Bytes(principal.as_str().into()), row::moment(now)];
        let rows = self.link.rows(doing, &self.sql.sessions_of, values).await?;
        row::live(rows, now).map_err(|wrong| Failure::from(wrong).of(doing))
    }

    pub(crate) async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let doing = "scanning sessions";
        let first = handle_at(after)?.unwrap_or(Handle::from_bytes([0; Handle::BYTES]));
        let limit = limit.max(1);
        let values = [row::key(first), row::number(limit as u64)];
        let rows = self.link.rows(doing, &self.sql.scan, values).await?;
        let is_full = rows.len() >= limit;
        let wrong = |wrong| Failure::from(wrong).of(doing);
        let mut sessions = rows
            .into_iter()
            .map(row::session)
            .collect::<Result<Vec<_>, _>>()
            .map_err(wrong)?;
        let last = sessions.last().filter(|_| is_full);
        let next = last.and_then(|(handle, _)| cursor_after(*handle));
        sessions.retain(|(_, record)| record.is_live(now));
        Ok(Page { sessions, next })
    }

    pub(crate) async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        let doing = "counting sessions";
        let rows = self
            .link
            .rows(doing, &self.sql.count, [row::moment(now)])
            .await?;
        row::only_number(rows).map_err(|wrong| Failure::from(wrong).of(doing))
    }

    pub(crate) async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let doing = "purging expired sessions";
        let mut purged = 0;
        while purged < limit {
            let batch = (limit - purged).min(MOST_DELETED);
            let deleted = again(doing, || self.try_purge(doing, batch, now)).await?;
            purged += deleted;
            if deleted < batch {
                break;
            }
        }
        Ok(purged as u64)
    }

    /// Two purges at once may end up waiting for each other: a scan for locks takes entries of an index whose rows it then
    /// passes over.
    async fn try_purge(&self, doing: &str, limit: usize, now: Timestamp) -> Attempt<usize> {
        let mut lease = self.link.lease(doing).await?;
        let locked = lease.script(self.sql.lock_expired(limit, now)).await?;
        let rows = locked
            .into_iter()
            .next_back()
            .map_or(Vec::new(), |done| done.rows);
        let handles: Vec<_> = rows
            .into_iter()
            .map(row::only_handle)
            .collect::<Result<_, _>>()?;
        let sql = match handles[..] {
            [] => crate::statements::ROLLBACK.to_owned(),
            _ => self.sql.delete_expired(handles, now),
        };
        let deleted: u64 = lease
            .script(sql)
            .await?
            .iter()
            .map(|done| done.affected)
            .sum();
        lease.finish();
        Ok(Some(usize::try_from(deleted).unwrap_or(limit)))
    }

    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let doing = "checking the MySQL store";
        self.link.rows(doing, &self.sql.check, []).await.map(drop)
    }

    /// The record is not larger than the server takes.
    pub(crate) fn fits(&self, record: &Record) -> Result<(), StoreError> {
        let bytes = record.body.len();
        if bytes > self.largest_body {
            return Err(too_large(bytes, self.largest_body));
        }
        Ok(())
    }
}

/// Makes attempts until one has an answer: also after one that was the victim of a deadlock, which another writer got
/// through.
async fn again<T, F>(doing: &str, mut attempt: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Attempt<T>>,
{
    let settled = |tried: Attempt<T>| match tried {
        Err(failure) if failure.is_deadlock() => Ok(None),
        tried => tried.map_err(|failure| failure.of(doing)),
    };
    settle(|| attempt().map(settled), || contended(doing)).await
}

/// A record and its handle, in the order of the statements that write them.
fn written(record: &Record, handle: Handle) -> Vec<Value> {
    with(row::values(record).into(), [row::key(handle)])
}

fn with(mut values: Vec<Value>, more: impl IntoIterator<Item = Value>) -> Vec<Value> {
    values.extend(more);
    values
}
