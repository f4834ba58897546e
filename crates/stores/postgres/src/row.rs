//! Records as rows: what is read of one, and many as columns of arrays.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use fasthttpsession_core::{
    Handle, Header, InvalidText, Label, Principal, Record, StoreError, StoreErrorKind, Timestamp,
};
use fasthttpsession_store_common::bigint;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// A handle as a `uuid`: the type of exactly 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(crate) Handle);

impl ToSql for Key {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Key {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(Handle::from_bytes(raw.try_into()?)))
    }

    accepts!(UUID);
}

/// What a record holds. The driver shows each parameter of each statement by its `Debug` in the program's log.
#[derive(Default)]
pub(crate) struct Unshown<T>(pub(crate) T);

impl<T> fmt::Debug for Unshown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<T: ToSql> ToSql for Unshown<T> {
    fn to_sql(
        &self,
        of: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        self.0.to_sql(of, out)
    }

    fn accepts(of: &Type) -> bool {
        T::accepts(of)
    }

    to_sql_checked!();
}

/// The rows of an answer by their handles, read or corrupt.
pub(crate) type Held = HashMap<Handle, Result<Record, StoreError>>;

pub(crate) fn handle(row: &Row) -> Result<Handle, StoreError> {
    column::<Key>(row, 0).map(|key| key.0)
}

pub(crate) fn held(rows: &[Row]) -> Result<Held, StoreError> {
    rows.iter()
        .map(|row| Ok((handle(row)?, record(row))))
        .collect()
}

/// Handle and record, or `None` if it has expired at `now`.
pub(crate) fn live(row: &Row, now: Timestamp) -> Option<Result<(Handle, Record), StoreError>> {
    let session = handle(row).and_then(|handle| Ok((handle, record(row)?)));
    match session {
        Ok((_, record)) if !record.is_live(now) => None,
        session => Some(session),
    }
}

fn record(row: &Row) -> Result<Record, StoreError> {
    Ok(Record {
        header: Header {
            version: number(row, 1)?,
            created_at: moment(row, 2)?,
            idle_deadline: moment(row, 3)?,
            absolute_deadline: moment(row, 4)?,
            principal: text(row, 5, Principal::new)?,
            label: text(row, 6, Label::new)?,
        },
        body: Bytes::copy_from_slice(column(row, 7)?),
    })
}

fn moment(row: &Row, at: usize) -> Result<Timestamp, StoreError> {
    number(row, at).map(Timestamp::from_millis)
}

fn number(row: &Row, at: usize) -> Result<u64, StoreError> {
    u64::try_from(column::<i64>(row, at)?).map_err(|_| corrupt(row, at))
}

fn text<T>(
    row: &Row,
    at: usize,
    new: impl FnOnce(&str) -> Result<T, InvalidText>,
) -> Result<Option<T>, StoreError> {
    let text: Option<&str> = column(row, at)?;
    text.map(new).transpose().map_err(|_| corrupt(row, at))
}

fn column<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, StoreError> {
    row.try_get(at).map_err(|_| corrupt(row, at))
}

fn corrupt(row: &Row, at: usize) -> StoreError {
    let column = row
        .columns()
        .get(at)
        .map_or("of a column", |column| column.name());
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!("a row of the table of sessions is not a record: no record has its {column}"),
    )
}

pub(crate) fn millis(moment: Timestamp) -> i64 {
    bigint(moment.as_millis())
}

/// Records as one array a column, in the order of the statement's parameters.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(crate) handles: Vec<Key>,
    versions: Vec<i64>,
    created: Vec<i64>,
    idle: Vec<i64>,
    absolute: Vec<i64>,
    principals: Unshown<Vec<Option<&'a str>>>,
    labels: Unshown<Vec<Option<&'a str>>>,
    bodies: Unshown<Vec<&'a [u8]>>,
    nows: Vec<i64>,
}

impl<'a> Columns<'a> {
    pub(crate) fn push(&mut self, handle: Handle, record: &'a Record, now: Timestamp) {
        let header = &record.header;
        self.handles.push(Key(handle));
        self.versions.push(bigint(header.version));
        self.created.push(millis(header.created_at));
        self.idle.push(millis(header.idle_deadline));
        self.absolute.push(millis(header.absolute_deadline));
        let principal = header.principal.as_ref().map(Principal::as_str);
        self.principals.0.push(principal);
        let label = header.label.as_ref().map(Label::as_str);
        self.labels.0.push(label);
        self.bodies.0.push(&record.body);
        self.nows.push(millis(now));
    }

    pub(crate) fn parameters(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.handles,
            &self.versions,
            &self.created,
            &self.idle,
            &self.absolute,
            &self.principals,
            &self.labels,
            &self.bodies,
            &self.nows,
        ]
    }
}
