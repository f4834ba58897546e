//! The table of the sessions: how it is made, brought up to date, and checked.
//!
//! The table's comment has the version of the schema: `fasthttpsession schema 1`. It is written by the statement that
//! makes or changes the table, so a table never has another version than its comment says.

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::{TableName, misconfigured};
use mysql_async::{Row, Value};

use crate::error::Failure;
use crate::link::Link;
use crate::statements::ALL;

/// The statements that lead to version 1, 2, … from the one before, with `{table}` for the name. Each sets the comment.
const STEPS: [&str; 1] = ["CREATE TABLE {table} (
  handle BINARY(16) NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  idle_deadline BIGINT NOT NULL,
  absolute_deadline BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  principal VARBINARY(255) NULL,
  label VARBINARY(255) NULL,
  body LONGBLOB NOT NULL,
  PRIMARY KEY (handle),
  KEY expires_at (expires_at),
  KEY principal (principal)
) ENGINE = InnoDB COMMENT = 'fasthttpsession schema 1'"];

/// What the comment says before the version.
const MARK: &str = "fasthttpsession schema ";

/// Each column, its type, and its length where the type has one.
const COLUMNS: [(&str, &str, Option<u64>); 9] = [
    ("handle", "binary", Some(16)),
    ("version", "bigint", None),
    ("created_at", "bigint", None),
    ("idle_deadline", "bigint", None),
    ("absolute_deadline", "bigint", None),
    ("expires_at", "bigint", None),
    ("principal", "varbinary", Some(255)),
    ("label", "varbinary", Some(255)),
    ("body", "longblob", None),
];

/// Each index and its only column.
const INDEXES: [(&str, &str); 3] = [
    ("PRIMARY", "handle"),
    ("expires_at", "expires_at"),
    ("principal", "principal"),
];

const FIND_TABLE: &str = "SELECT table_comment, engine FROM information_schema.tables \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
const FIND_COLUMNS: &str = "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?";
const FIND_INDEXES: &str = "SELECT index_name, column_name FROM information_schema.statistics \
    WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND seq_in_index = 1";
/// A lock of one migration of one table; the name of a lock has at most 64 characters. MySQL 9.7 has no `MD5` unless told
/// to.
const LOCK: &str =
    "SELECT GET_LOCK(SHA2(CONCAT('fasthttpsession ', COALESCE(?, DATABASE()), '.', ?), 256), ?)";
const UNLOCK: &str =
    "SELECT RELEASE_LOCK(SHA2(CONCAT('fasthttpsession ', COALESCE(?, DATABASE()), '.', ?), 256))";

/// What a table is found to be.
enum Found {
    Nothing,
    Version(usize),
    /// A table that this library did not make.
    Foreign,
    /// Not `InnoDB`.
    Engine(String),
}

impl Found {
    fn of(rows: Vec<Row>) -> Self {
        let Some(row) = rows.into_iter().next() else {
            return Self::Nothing;
        };
        let (comment, engine) = (text(&row, 0), text(&row, 1));
        let version = comment
            .strip_prefix(MARK)
            .and_then(|version| version.parse().ok());
        match version {
            None | Some(0) => Self::Foreign,
            Some(_) if !engine.eq_ignore_ascii_case("InnoDB") => Self::Engine(engine),
            Some(version) => Self::Version(version),
        }
    }
}

/// The schema of one table.
pub(crate) struct Schema<'a> {
    link: &'a Link,
    table: &'a TableName,
}

impl<'a> Schema<'a> {
    pub(crate) fn new(link: &'a Link, table: &'a TableName) -> Self {
        Self { link, table }
    }

    /// Makes the table or brings it up to date; of several processes at once, one does. A table that is up to date needs
    /// no right to change it.
    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        let doing = "migrating the schema";
        if self.due(&self.found().await?)?.is_none() {
            return Ok(());
        }
        let migrating = async {
            let mut lease = self.link.lease(doing).await?;
            let mut lock = self.name();
            lock.push(Value::UInt(self.link.waits().on_server()));
            let locked = lease.rows(LOCK, lock).await?;
            match locked.first().and_then(|row| number(row, 0)) {
                Some(1) => {}
                Some(_) => return Err(Failure::Unsent(held(doing))),
                None => return Err(Failure::Unsent(unlockable(doing))),
            }
            // Another process may have been faster.
            let found = Found::of(lease.rows(FIND_TABLE, self.name()).await?);
            let steps = self.due(&found).map_err(Failure::Unsent)?;
            for step in steps.unwrap_or_default() {
                lease.script(step).await?;
            }
            lease.rows(UNLOCK, self.name()).await?;
            lease.finish();
            Ok(())
        };
        migrating
            .await
            .map_err(|failure: Failure| failure.of(doing))
    }

    /// The table is as this version of the library needs it, or the error says what is wrong and how to mend it.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let table = self.table;
        match self.found().await? {
            Found::Version(version) if version == STEPS.len() => {
                self.check_columns().await?;
                self.check_indexes().await
            }
            Found::Version(version) if version > STEPS.len() => Err(misconfigured(format!(
                "the table {table} has version {version} of the schema, which a later version of this library made; this \
                 one knows versions up to {}: update the library, or set `table` to another name",
                STEPS.len()
            ))),
            Found::Version(version) => Err(misconfigured(format!(
                "the table {table} has version {version} of the schema, this library needs {}: open it once with \
                 migrate=true, or run: {}",
                STEPS.len(),
                self.steps(version).join("; ")
            ))),
            Found::Nothing => Err(misconfigured(format!(
                "the MySQL store has no table {table}, or its user no right to it: open it once with migrate=true, or \
                 run: {}",
                self.steps(0).join("; ")
            ))),
            Found::Foreign => Err(self.foreign()),
            Found::Engine(engine) => Err(misconfigured(format!(
                "the table {table} has the engine {engine}, which has no transactions: run: ALTER TABLE {table} \
                 ENGINE = InnoDB"
            ))),
        }
    }

    /// The statements that are missing; `None` if there is nothing to migrate.
    fn due(&self, found: &Found) -> Result<Option<Vec<String>>, StoreError> {
        match found {
            Found::Nothing => Ok(Some(self.steps(0))),
            Found::Version(version) if *version < STEPS.len() => Ok(Some(self.steps(*version))),
            Found::Foreign => Err(self.foreign()),
            Found::Version(_) | Found::Engine(_) => Ok(None),
        }
    }

    fn steps(&self, from: usize) -> Vec<String> {
        steps(from, self.table)
    }

    fn foreign(&self) -> StoreError {
        misconfigured(format!(
            "the table {table} is not one of this library's, for its comment does not begin with \"{MARK}\": set `table` \
             to another name, or, if the table was made from the statement in this library's documentation, run: ALTER \
             TABLE {table} COMMENT = '{MARK}{version}'",
            table = self.table,
            version = STEPS.len()
        ))
    }

    async fn found(&self) -> Result<Found, StoreError> {
        self.ask(FIND_TABLE).await.map(Found::of)
    }

    async fn check_columns(&self) -> Result<(), StoreError> {
        let rows = self.ask(FIND_COLUMNS).await?;
        if rows.is_empty() {
            let table = self.table;
            return Err(misconfigured(format!(
                "the user may see no column of the table {table}: grant it SELECT, INSERT, UPDATE and DELETE there"
            )));
        }
        for (column, kind, length) in COLUMNS {
            let Some(row) = rows.iter().find(|row| text(row, 0) == column) else {
                return Err(self.wrong_table(&format!("it has no column {column}")));
            };
            let found = text(row, 1);
            let is_long_enough = length.is_none_or(|length| number(row, 2) == Some(length));
            if found != kind || !is_long_enough {
                return Err(
                    self.wrong_table(&format!("its column {column} has another type, {found}"))
                );
            }
        }
        Ok(())
    }

    async fn check_indexes(&self) -> Result<(), StoreError> {
        let rows = self.ask(FIND_INDEXES).await?;
        for (index, column) in INDEXES {
            let is_there = |row: &Row| text(row, 0) == index && text(row, 1) == column;
            if !rows.iter().any(is_there) {
                return Err(
                    self.wrong_table(&format!("it has no index {index} on the column {column}"))
                );
            }
        }
        Ok(())
    }

    fn wrong_table(&self, what: &str) -> StoreError {
        misconfigured(format!(
            "the table {} is not as the MySQL store needs it: {what}. This is what makes it: {}",
            self.table,
            self.steps(0).join("; ")
        ))
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Row>, StoreError> {
        let sql = format!("{sql} {ALL}");
        self.link
            .rows("reading the schema", &sql, self.name())
            .await
    }

    /// The name of the schema, or NULL for the database of the connection, and that of the table.
    fn name(&self) -> Vec<Value> {
        let schema = self
            .table
            .schema()
            .map_or(Value::NULL, |schema| Value::Bytes(schema.into()));
        vec![schema, Value::Bytes(self.table.table().into())]
    }
}

/// The statements that make the table.
#[cfg(test)]
pub(crate) fn made_by(table: &TableName) -> String {
    steps(0, table).join("; ")
}

fn steps(from: usize, table: &TableName) -> Vec<String> {
    let steps = STEPS[from..].iter();
    steps
        .map(|step| step.replace("{table}", table.as_str()))
        .collect()
}

/// The server waited for the lock and gave up, with 0 in place of an error.
fn held(doing: &str) -> StoreError {
    let sentence =
        format!("{doing}: another process was at it for as long as statement_timeout allows");
    StoreError::new(StoreErrorKind::Timeout, sentence).not_applied()
}

/// The server gave up the lock before, with NULL in place of an error: it was told to, or has no memory.
fn unlockable(doing: &str) -> StoreError {
    let sentence =
        format!("{doing}: the server stopped waiting for its lock before the time was up");
    StoreError::new(StoreErrorKind::Unavailable, sentence).not_applied()
}

fn text(row: &Row, column: usize) -> String {
    row.get_opt(column).and_then(Result::ok).unwrap_or_default()
}

fn number(row: &Row, column: usize) -> Option<u64> {
    row.get_opt(column).and_then(Result::ok)
}
