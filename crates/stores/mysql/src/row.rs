//! A row as a record, and a record as a row's values.

use std::collections::HashMap;

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, InvalidText, Label, Principal, Record, Timestamp};
use fasthttpsession_store_common::bigint;
use mysql_async::prelude::FromValue;
use mysql_async::{Row, Value};

/// A handle as a value.
pub(crate) fn key(handle: Handle) -> Value {
    Value::Bytes(handle.as_bytes().to_vec())
}

/// A moment as a value.
pub(crate) fn moment(moment: Timestamp) -> Value {
    number(moment.as_millis())
}

/// A number of a record as a value.
pub(crate) fn number(number: u64) -> Value {
    Value::Int(bigint(number))
}

/// All columns but the handle, in the order of the statements that write them.
pub(crate) fn values(record: &Record) -> [Value; 8] {
    let header = &record.header;
    let text = |text: Option<&str>| text.map_or(Value::NULL, |text| Value::Bytes(text.into()));
    [
        number(header.version),
        moment(header.created_at),
        moment(header.idle_deadline),
        moment(header.absolute_deadline),
        moment(header.expires_at()),
        text(header.principal.as_ref().map(Principal::as_str)),
        text(header.label.as_ref().map(Label::as_str)),
        Value::Bytes(record.body.to_vec()),
    ]
}

/// What is wrong with a row that is no record.
pub(crate) type Wrong = &'static str;

/// Reads the columns that every statement which reads records begins with.
pub(crate) fn session(row: Row) -> Result<(Handle, Record), Wrong> {
    let mut columns = Columns(row);
    let handle = handle(&mut columns)?;
    Ok((handle, record(&mut columns)?))
}

/// The record of each handle, or what is wrong with its row.
pub(crate) fn sessions(rows: Vec<Row>) -> Result<HashMap<Handle, Result<Record, Wrong>>, Wrong> {
    let sessions = rows.into_iter().map(|row| {
        let mut columns = Columns(row);
        Ok((handle(&mut columns)?, record(&mut columns)))
    });
    sessions.collect()
}

/// Those sessions that live at `now`.
pub(crate) fn live(rows: Vec<Row>, now: Timestamp) -> Result<Vec<(Handle, Record)>, Wrong> {
    let mut sessions = rows
        .into_iter()
        .map(session)
        .collect::<Result<Vec<_>, _>>()?;
    sessions.retain(|(_, record)| record.is_live(now));
    Ok(sessions)
}

/// The handle, which is the first column.
pub(crate) fn only_handle(row: Row) -> Result<Handle, Wrong> {
    handle(&mut Columns(row))
}

/// The header of each handle whose row is a record.
pub(crate) fn headers(rows: impl IntoIterator<Item = Row>) -> HashMap<Handle, Header> {
    let headers = rows.into_iter().filter_map(|row| {
        let mut columns = Columns(row);
        let handle = handle(&mut columns).ok()?;
        Some((handle, header(&mut columns).ok()?))
    });
    headers.collect()
}

/// The number of the one row.
pub(crate) fn only_number(rows: Vec<Row>) -> Result<u64, Wrong> {
    only(rows)?.number(0)
}

/// The numbers of the one row.
pub(crate) fn numbers<const COUNT: usize>(rows: Vec<Row>) -> Result<[u64; COUNT], Wrong> {
    let mut columns = only(rows)?;
    let mut numbers = [0; COUNT];
    for (at, number) in numbers.iter_mut().enumerate() {
        *number = columns.number(at)?;
    }
    Ok(numbers)
}

fn only(rows: Vec<Row>) -> Result<Columns, Wrong> {
    rows.into_iter().next().map(Columns).ok_or("there is none")
}

fn handle(columns: &mut Columns) -> Result<Handle, Wrong> {
    let bytes = columns.take::<Vec<u8>>(0)?.try_into();
    bytes
        .map(Handle::from_bytes)
        .map_err(|_| "its handle has not 16 bytes")
}

fn header(columns: &mut Columns) -> Result<Header, Wrong> {
    Ok(Header {
        version: columns.number(1)?,
        created_at: columns.moment(2)?,
        idle_deadline: columns.moment(3)?,
        absolute_deadline: columns.moment(4)?,
        principal: columns.text(5, Principal::new)?,
        label: columns.text(6, Label::new)?,
    })
}

fn record(columns: &mut Columns) -> Result<Record, Wrong> {
    let header = header(columns)?;
    let body = Bytes::from(columns.take::<Vec<u8>>(7)?);
    Ok(Record { header, body })
}

/// A row that is being taken apart.
struct Columns(Row);

impl Columns {
    fn take<T: FromValue>(&mut self, at: usize) -> Result<T, Wrong> {
        match self.0.take_opt(at) {
            Some(Ok(value)) => Ok(value),
            _ => Err("a column has another type"),
        }
    }

    fn number(&mut self, at: usize) -> Result<u64, Wrong> {
        let number: i64 = self.take(at)?;
        u64::try_from(number).map_err(|_| "a number is negative")
    }

    fn moment(&mut self, at: usize) -> Result<Timestamp, Wrong> {
        self.number(at).map(Timestamp::from_millis)
    }

    fn text<T>(
        &mut self,
        at: usize,
        new: fn(&str) -> Result<T, InvalidText>,
    ) -> Result<Option<T>, Wrong> {
        let Some(bytes): Option<Vec<u8>> = self.take(at)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&bytes).ok();
        text.and_then(|text| new(text).ok())
            .map(Some)
            .ok_or("its principal or label is none")
    }
}
