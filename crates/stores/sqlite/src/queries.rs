//! What the store reads: one type an operation.

use std::sync::Arc;

use fasthttpsession_core::{Cursor, Handle, Page, Principal, Record, StoreError, Timestamp};
use fasthttpsession_store_common::{Load, bigint, cursor_at, handle_at};
use rusqlite::{Connection, Row, ToSql};

use crate::error::{read_error, store_error};
use crate::named::Named;
use crate::readers::Query;
use crate::row::{self, live_record, live_session};
use crate::statements::Statements;

impl Query for Load {
    type Answer = Option<Record>;
    const DOING: &'static str = "loading a session";

    fn run(&self, db: &Connection, sql: &Statements) -> Result<Option<Record>, StoreError> {
        load(db, sql, self.handle, self.now)
    }
}

/// The live record of `handle`. The writer asks, too.
pub(crate) fn load(
    db: &Connection,
    sql: &Statements,
    handle: Handle,
    now: Timestamp,
) -> Result<Option<Record>, StoreError> {
    let failed = |error| read_error(Load::DOING, error);
    let mut statement = db.prepare_cached(&sql.load).map_err(failed)?;
    let mut rows = statement.query([handle.as_bytes()]).map_err(failed)?;
    match rows.next().map_err(failed)? {
        Some(row) => live_record(row, now),
        None => Ok(None),
    }
}

pub(crate) struct SessionsOf {
    pub(crate) principal: Principal,
    pub(crate) now: Timestamp,
}

impl Query for SessionsOf {
    type Answer = Vec<(Handle, Record)>;
    const DOING: &'static str = "listing the sessions of a principal";

    fn run(&self, db: &Connection, sql: &Statements) -> Result<Self::Answer, StoreError> {
        let mut sessions = Vec::new();
        let (principal, now) = (self.principal.as_str(), bigint(self.now.as_millis()));
        each_row::<Self>(db, &sql.sessions_of, &[&principal, &now], |row| {
            sessions.extend(live_session(row, self.now)?);
            Ok(())
        })?;
        Ok(sessions)
    }
}

pub(crate) struct Scan {
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: usize,
    pub(crate) now: Timestamp,
}

impl Query for Scan {
    type Answer = Page;
    const DOING: &'static str = "scanning the sessions";

    /// Looks at `limit` rows in the order of their handles. Those that have expired are not in the page, so that a page
    /// costs the same however many have.
    fn run(&self, db: &Connection, sql: &Statements) -> Result<Page, StoreError> {
        let after = handle_at(self.after.as_ref())?;
        // No handle is before the empty bytes.
        let after = after.map_or(Vec::new(), |handle| handle.as_bytes().to_vec());
        let limit = self.limit.max(1);
        let (mut page, mut looked_at) = (Page::default(), 0);
        each_row::<Self>(db, &sql.scan, &[&after, &bigint(limit as u64)], |row| {
            page.sessions.extend(live_session(row, self.now)?);
            looked_at += 1;
            if looked_at == limit {
                page.next = Some(cursor_at(row::handle(row, 7)?));
            }
            Ok(())
        })?;
        Ok(page)
    }
}

pub(crate) struct Count {
    pub(crate) now: Timestamp,
}

impl Query for Count {
    type Answer = u64;
    const DOING: &'static str = "counting the sessions";

    fn run(&self, db: &Connection, sql: &Statements) -> Result<u64, StoreError> {
        one_number::<Self>(db, &sql.count, &[&bigint(self.now.as_millis())])
    }
}

pub(crate) struct Check(pub(crate) Arc<Named>);

impl Query for Check {
    type Answer = ();
    const DOING: &'static str = "checking the store";

    fn run(&self, db: &Connection, sql: &Statements) -> Result<(), StoreError> {
        self.0.check()?;
        one_number::<Self>(db, &sql.check, &[]).map(drop)
    }
}

fn each_row<Q: Query>(
    db: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
    mut take: impl FnMut(&Row<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |error| read_error(Q::DOING, error);
    let mut statement = db.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        take(row)?;
    }
    Ok(())
}

fn one_number<Q: Query>(
    db: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
) -> Result<u64, StoreError> {
    let mut number = 0;
    each_row::<Q>(db, sql, params, |row| {
        let read: i64 = row.get(0).map_err(|error| store_error(Q::DOING, error))?;
        number = u64::try_from(read).unwrap_or(0);
        Ok(())
    })?;
    Ok(number)
}
