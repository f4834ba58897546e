//! A row as a record, and a record as a row's values.

use bytes::Bytes;
use fasthttpsession_core::{
    Handle, Header, InvalidText, Label, Principal, Record, StoreError, Timestamp,
};
use fasthttpsession_store_common::bigint;
use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::error::{corrupt, store_error};

/// Reads the columns that every statement which reads records begins with. An expired row is `None`, whatever else is
/// in it.
pub(crate) fn live_record(row: &Row<'_>, now: Timestamp) -> Result<Option<Record>, StoreError> {
    let (idle_deadline, absolute_deadline) = (moment(row, 2)?, moment(row, 3)?);
    if now >= idle_deadline.min(absolute_deadline) {
        return Ok(None);
    }
    let header = Header {
        version: number(row, 0)?,
        created_at: moment(row, 1)?,
        idle_deadline,
        absolute_deadline,
        principal: text(row, 4, Principal::new)?,
        label: text(row, 5, Label::new)?,
    };
    let body = Bytes::copy_from_slice(blob(row, 6)?);
    Ok(Some(Record { header, body }))
}

/// [`live_record`] with the handle in the column after it.
pub(crate) fn live_session(
    row: &Row<'_>,
    now: Timestamp,
) -> Result<Option<(Handle, Record)>, StoreError> {
    let Some(record) = live_record(row, now)? else {
        return Ok(None);
    };
    Ok(Some((handle(row, 7)?, record)))
}

pub(crate) fn handle(row: &Row<'_>, column: usize) -> Result<Handle, StoreError> {
    let bytes = blob(row, column)?
        .try_into()
        .map_err(|_| corrupt("its handle has not 16 bytes"))?;
    Ok(Handle::from_bytes(bytes))
}

/// The first eight parameters of the statements that write a record.
pub(crate) fn values<'a>(handle: &'a Handle, record: &'a Record) -> [ToSqlOutput<'a>; 8] {
    let header = &record.header;
    let int = |number: u64| ToSqlOutput::from(bigint(number));
    [
        ToSqlOutput::Borrowed(ValueRef::Blob(handle.as_bytes())),
        int(header.version),
        int(header.created_at.as_millis()),
        int(header.idle_deadline.as_millis()),
        int(header.absolute_deadline.as_millis()),
        optional_text(header.principal.as_ref().map(Principal::as_str)),
        optional_text(header.label.as_ref().map(Label::as_str)),
        ToSqlOutput::Borrowed(ValueRef::Blob(&record.body)),
    ]
}

fn optional_text(text: Option<&str>) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(text.map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes())))
}

fn number(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    let number = match value(row, column)? {
        ValueRef::Integer(number) => u64::try_from(number).ok(),
        _ => None,
    };
    number.ok_or_else(|| corrupt("a number of its header is none that a record has"))
}

fn moment(row: &Row<'_>, column: usize) -> Result<Timestamp, StoreError> {
    number(row, column).map(Timestamp::from_millis)
}

fn text<T>(
    row: &Row<'_>,
    column: usize,
    new: fn(&str) -> Result<T, InvalidText>,
) -> Result<Option<T>, StoreError> {
    let text = match value(row, column)? {
        ValueRef::Null => return Ok(None),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    text.and_then(|text| new(text).ok())
        .map(Some)
        .ok_or_else(|| corrupt("its principal or its label is none that a record has"))
}

fn blob<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row [u8], StoreError> {
    match value(row, column)? {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Err(corrupt("its handle or its body are not bytes")),
    }
}

fn value<'row>(row: &'row Row<'_>, column: usize) -> Result<ValueRef<'row>, StoreError> {
    row.get_ref(column)
        .map_err(|error| store_error("reading a row", error))
}
