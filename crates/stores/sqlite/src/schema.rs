//! The table of the sessions: how it is made, brought up to date, and checked.
//!
//! Beside the table stands another, `<table>_schema`, whose one row has the version of the schema. A database without it
//! has version 0, and each version has the statements that lead to it from the one before.

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::{TableName, misconfigured};
use rusqlite::{Connection, OptionalExtension};

use crate::error::store_error;
use crate::statements::{BEGIN, COMMIT};

/// The version that this library reads and writes.
pub(crate) const VERSION: usize = STEPS.len();

/// The statements that lead to version 1, 2, … from the one before, with `{table}` for the name.
const STEPS: [&str; 1] = ["\
CREATE TABLE {table} (
  handle BLOB NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  idle_deadline INTEGER NOT NULL,
  absolute_deadline INTEGER NOT NULL,
  expires_at INTEGER NOT NULL AS (min(idle_deadline, absolute_deadline)) VIRTUAL,
  purge_at INTEGER NOT NULL,
  principal TEXT,
  label TEXT,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX {table}_purge_at ON {table} (purge_at);
CREATE INDEX {table}_principal ON {table} (principal) WHERE principal IS NOT NULL;
"];

/// Each column and its type.
const COLUMNS: [(&str, &str); 10] = [
    ("handle", "BLOB"),
    ("version", "INTEGER"),
    ("created_at", "INTEGER"),
    ("idle_deadline", "INTEGER"),
    ("absolute_deadline", "INTEGER"),
    ("expires_at", "INTEGER"),
    ("purge_at", "INTEGER"),
    ("principal", "TEXT"),
    ("label", "TEXT"),
    ("body", "BLOB"),
];

/// Makes the table or brings it up to date, in one transaction; of several processes at once, one does.
pub(crate) fn migrate(db: &Connection, table: &TableName) -> Result<(), StoreError> {
    let failed = |error| store_error("migrating the schema", error);
    db.execute_batch(BEGIN).map_err(failed)?;
    let found = version(db, table)?;
    if found == 0 {
        check_absence(db, table)?;
    }
    if found < VERSION {
        db.execute_batch(&upgrade(found, table)).map_err(failed)?;
    }
    db.execute_batch(COMMIT).map_err(failed)
}

/// The table is as this version of the library needs it, or the error says what is wrong and how to mend it.
pub(crate) fn check(db: &Connection, table: &TableName) -> Result<(), StoreError> {
    let found = version(db, table)?;
    match found {
        0 => check_absence(db, table).and_then(|()| {
            Err(misconfigured(format!(
                "the SQLite store has no table {table}: open it once with migrate=true, or run: {}",
                upgrade(0, table)
            )))
        }),
        VERSION => check_columns(db, table).and_then(|()| check_indexes(db, table)),
        older if older < VERSION => Err(misconfigured(format!(
            "the table {table} has version {older} of the schema, this library needs {VERSION}: open it once with \
             migrate=true, or run: {}",
            upgrade(older, table)
        ))),
        newer => Err(misconfigured(format!(
            "the table {table} has version {newer} of the schema, which a later version of this library made; this \
             one knows versions up to {VERSION}: update the library, or set `table` to another name"
        ))),
    }
}

/// All statements that lead from version `from` to the present one, as they would be typed.
pub(crate) fn upgrade(from: usize, table: &TableName) -> String {
    let mut sql: String = STEPS[from..].concat();
    sql.push_str(
        "CREATE TABLE IF NOT EXISTS {table}_schema (version INTEGER NOT NULL) STRICT;\n\
         DELETE FROM {table}_schema;\n",
    );
    sql = sql.replace("{table}", table.as_str());
    sql + &format!("INSERT INTO {table}_schema (version) VALUES ({VERSION});")
}

fn version(db: &Connection, table: &TableName) -> Result<usize, StoreError> {
    let failed = |error| store_error("reading the version of the schema", error);
    if !exists(db, "table", &format!("{table}_schema"))? {
        return Ok(0);
    }
    let version: Option<i64> = db
        .query_row(
            &format!("SELECT max(version) FROM {table}_schema"),
            [],
            |row| row.get(0),
        )
        .map_err(failed)?;
    Ok(usize::try_from(version.unwrap_or(0)).unwrap_or(0))
}

/// Version 0 may also be a table that somebody else made.
fn check_absence(db: &Connection, table: &TableName) -> Result<(), StoreError> {
    if exists(db, "table", table.as_str())? {
        return Err(misshapen(table, "it was not made by this library"));
    }
    Ok(())
}

fn check_columns(db: &Connection, table: &TableName) -> Result<(), StoreError> {
    for (column, wanted) in COLUMNS {
        match kind_of(db, table, column)? {
            Some(kind) if kind == wanted => {}
            Some(kind) => {
                let sentence = format!("its column {column} has the type {kind}, not {wanted}");
                return Err(misshapen(table, &sentence));
            }
            None if matches!(column, "principal" | "label") => {
                return Err(misconfigured(format!(
                    "the table {table} has no column {column}; run: ALTER TABLE {table} ADD COLUMN {column} {wanted};"
                )));
            }
            None => return Err(misshapen(table, &format!("it has no column {column}"))),
        }
    }
    Ok(())
}

fn check_indexes(db: &Connection, table: &TableName) -> Result<(), StoreError> {
    for (index, sql) in indexes(table) {
        if !exists(db, "index", &index)? {
            return Err(misconfigured(format!(
                "the table {table} has no index {index}, without which the store would be slow; run: {sql}"
            )));
        }
    }
    Ok(())
}

/// The name of each index and the statement that makes it.
fn indexes(table: &TableName) -> impl Iterator<Item = (String, String)> {
    let sql = STEPS.concat().replace("{table}", table.as_str());
    let index = |line: &str| {
        let name = line.strip_prefix("CREATE INDEX ")?.split(' ').next()?;
        Some((name.to_owned(), line.to_owned()))
    };
    sql.lines()
        .filter_map(index)
        .collect::<Vec<_>>()
        .into_iter()
}

/// A table that can't be mended without losing sessions, or that is not ours.
fn misshapen(table: &TableName, what: &str) -> StoreError {
    misconfigured(format!(
        "the table {table} can't hold sessions: {what}; set `table` to another name, or put this one aside, which ends \
         all sessions, and open the store with migrate=true: DROP INDEX IF EXISTS {table}_purge_at; DROP INDEX IF EXISTS \
         {table}_principal; DROP TABLE IF EXISTS {table}_schema; ALTER TABLE {table} RENAME TO {table}_aside;"
    ))
}

fn kind_of(db: &Connection, table: &TableName, column: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT type FROM pragma_table_xinfo(?1) WHERE name = ?2";
    db.query_row(sql, [table.as_str(), column], |row| row.get(0))
        .optional()
        .map_err(|error| store_error("reading the columns of the table", error))
}

fn exists(db: &Connection, kind: &str, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = ?1 AND name = ?2";
    db.query_row(sql, [kind, name], |row| row.get::<_, i64>(0))
        .map(|count| count > 0)
        .map_err(|error| store_error("reading the schema", error))
}
