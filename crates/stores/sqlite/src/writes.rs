//! What the store writes: one type an operation. All of them run on the writer's connection, in a transaction that holds
//! the write lock: what one has read is still so when it writes.
//!
//! Each changes a row by one statement: so one that fails leaves nothing behind for the others of its group to be spoiled
//! by. What a purge that fails has done is right by itself, row by row.

use fasthttpsession_core::{Created, Deleted, Record, Replaced, StoreError, Timestamp, Touched};
use fasthttpsession_store_common::{Create, Delete, Replace, Touch, bigint};
use rusqlite::{Connection, ToSql, params};

use crate::error::{read_error, store_error};
use crate::queries::load;
use crate::row::values;
use crate::statements::Statements;

/// Something to write.
pub(crate) trait Write: Send + 'static {
    type Answer: Send + 'static;

    /// As in "creating a session".
    const DOING: &'static str;

    fn run(&self, db: &Connection, sql: &Statements) -> Result<Self::Answer, StoreError>;
}

impl Write for Create {
    type Answer = Created;
    const DOING: &'static str = "creating a session";

    fn run(&self, db: &Connection, sql: &Statements) -> Result<Created, StoreError> {
        let values = values(&self.handle, &self.record);
        if changed::<Self>(db, &sql.insert, &refs(&values))? == 1 {
            return Ok(Created::Created);
        }
        if load(db, sql, self.handle, self.now)?.is_some() {
            return Ok(Created::Exists);
        }
        changed::<Self>(db, &sql.overwrite, &refs(&values))?;
        Ok(Created::Created)
    }
}

impl Write for Replace {
    type Answer = Replaced;
    const DOING: &'static str = "replacing a session";

    /// Tries what most replacements need first, and asks what is there only if that did not do.
    fn run(&self, db: &Connection, sql: &Statements) -> Result<Replaced, StoreError> {
        let values = values(&self.handle, &self.record);
        let (expected, now) = (bigint(self.expected), bigint(self.now.as_millis()));
        let mut params = refs(&values).to_vec();
        params.extend([&expected as &dyn ToSql, &now]);
        if changed::<Self>(db, &sql.replace, &params)? == 1 {
            return Ok(Replaced::Replaced);
        }
        match load(db, sql, self.handle, self.now)? {
            None => Ok(Replaced::Gone),
            Some(current) if current.header.version != self.expected => {
                Ok(Replaced::Conflict(current))
            }
            Some(_) => {
                changed::<Self>(db, &sql.overwrite, &refs(&values))?;
                Ok(Replaced::Replaced)
            }
        }
    }
}

impl Write for Touch {
    type Answer = Touched;
    const DOING: &'static str = "touching a session";

    fn run(&self, db: &Connection, sql: &Statements) -> Result<Touched, StoreError> {
        let Some(Record { header, .. }) = load(db, sql, self.handle, self.now)? else {
            return Ok(Touched::Gone);
        };
        if header.version == self.version && header.idle_deadline < self.idle_deadline {
            let deadline = bigint(self.idle_deadline.as_millis());
            changed::<Self>(db, &sql.touch, params![self.handle.as_bytes(), deadline])?;
        }
        Ok(Touched::Touched)
    }
}

impl Write for Delete {
    type Answer = Deleted;
    const DOING: &'static str = "deleting a session";

    fn run(&self, db: &Connection, sql: &Statements) -> Result<Deleted, StoreError> {
        // What it answers with, SQLite takes from the whole row.
        let failed = |error| read_error(Self::DOING, error);
        let mut statement = db.prepare_cached(&sql.delete).map_err(failed)?;
        let mut rows = statement.query([self.handle.as_bytes()]).map_err(failed)?;
        let mut deleted = Deleted::Gone;
        while let Some(row) = rows.next().map_err(failed)? {
            if row.get::<_, i64>(0).map_err(failed)? > bigint(self.now.as_millis()) {
                deleted = Deleted::Deleted;
            }
        }
        Ok(deleted)
    }
}

/// One slice of a purge: looks at `rows` that are due.
pub(crate) struct Purge {
    pub(crate) rows: usize,
    pub(crate) now: Timestamp,
}

/// What a slice of a purge did.
pub(crate) struct Purged {
    pub(crate) removed: u64,
    /// It found fewer rows that were due than it might have looked at.
    pub(crate) was_last: bool,
}

impl Write for Purge {
    type Answer = Purged;
    const DOING: &'static str = "purging expired sessions";

    /// A row is due at the deadline that it had when it was last filed. Sessions used since then live on: they are filed
    /// anew, at the deadline that they have now.
    ///
    /// Row by row: of a statement that changes many, SQLite would first copy each page, in case it had to take it back.
    fn run(&self, db: &Connection, sql: &Statements) -> Result<Purged, StoreError> {
        let now = bigint(self.now.as_millis());
        let due = self.due(db, sql, now)?;
        let mut removed = 0;
        for (row, expires_at) in &due {
            if *expires_at > now {
                changed::<Self>(db, &sql.put_off, &[row, expires_at])?;
            } else {
                removed += changed::<Self>(db, &sql.remove, &[row])?;
            }
        }
        Ok(Purged {
            removed: removed as u64,
            was_last: due.len() < self.rows,
        })
    }
}

impl Purge {
    /// Rows that are due, and when they expire.
    fn due(
        &self,
        db: &Connection,
        sql: &Statements,
        now: i64,
    ) -> Result<Vec<(i64, i64)>, StoreError> {
        let failed = |error| store_error(Self::DOING, error);
        let mut statement = db.prepare_cached(&sql.due).map_err(failed)?;
        let rows = statement
            .query_map([now, bigint(self.rows as u64)], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)
    }
}

/// Runs a statement that changes rows; how many it changed.
fn changed<W: Write>(
    db: &Connection,
    sql: &str,
    params: &[&dyn ToSql],
) -> Result<usize, StoreError> {
    let failed = |error| store_error(W::DOING, error);
    let mut statement = db.prepare_cached(sql).map_err(failed)?;
    statement.execute(params).map_err(failed)
}

fn refs<V: ToSql>(values: &[V; 8]) -> [&dyn ToSql; 8] {
    values.each_ref().map(|value| value as &dyn ToSql)
}
