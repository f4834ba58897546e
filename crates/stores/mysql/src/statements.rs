//! The SQL of the running store, with the name of its table filled in once. What makes the table stands in `schema.rs`.
//!
//! Statements for one session are prepared, and take their values beside the text. Those for several are text alone, for
//! a server takes several such statements in one message: their values are numbers and bytes in hexadecimal.
//!
//! Whatever writes finds its row by its handle and in no other way: `expires_at + 0` is nothing that an index could be
//! used for. A server that goes by the index of `expires_at`, as MariaDB may in a small table, waits there for a row that
//! another transaction has locked, and misses it if that moves the row to an earlier place. What locks or writes several
//! rows forces the index of handles: a server may take going through all of a small table for cheaper, and waits for
//! whatever is locked there, or locks it for a moment and so is in the way of others.

use std::fmt::{Display, Write};

use fasthttpsession_core::{Handle, Label, Principal, Record, Timestamp};
use fasthttpsession_store_common::TableName;

use crate::literals::{Hex, MaybeHex};

/// Columns of a record, in the order in which `row.rs` reads them, but for the last, the body.
const HEADER: &str =
    "handle, version, created_at, idle_deadline, absolute_deadline, principal, label";

/// All columns but the handle, in the order in which `row.rs` writes them.
const WRITTEN: [&str; 8] = [
    "version",
    "created_at",
    "idle_deadline",
    "absolute_deadline",
    "expires_at",
    "principal",
    "label",
    "body",
];

/// That a row is a record, so far as its types leave it open: what `row.rs` refuses to read must not be written over. Read
/// as hexadecimal digits, the texts are characters of UTF-8, at least one each, and none for control.
const SOUND: &str = "LEAST(version, created_at, idle_deadline, absolute_deadline) >= 0 \
    AND CONCAT_WS('/', HEX(principal), HEX(label), '') REGEXP '^((\
    [2-6][0-9A-F]|7[0-9A-E]|C2[AB][0-9A-F]|(C[3-9A-F]|D[0-9A-F])[89AB][0-9A-F]|\
    (E0[AB]|E[1-9ABCEF][89AB]|ED[89])[0-9A-F][89AB][0-9A-F]|\
    (F0[9AB]|F[123][89AB]|F48)[0-9A-F]([89AB][0-9A-F]){2})+/)*$'";

/// Of several rows none is left out, whatever `sql_select_limit` is on the connection.
pub(crate) const ALL: &str = "LIMIT 18446744073709551615";

/// Begins a transaction that locks the rows it reads and no gaps between them, whatever is usual on the connection.
const BEGIN: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; START TRANSACTION";

/// Ends a transaction, and only that: a server may be set up to begin another one then, or to hang up.
const COMMIT: &str = "COMMIT AND NO CHAIN NO RELEASE";

/// The same for a transaction that changed nothing.
pub(crate) const ROLLBACK: &str = "ROLLBACK AND NO CHAIN NO RELEASE";

/// Every statement that operations use.
pub(crate) struct Statements {
    table: TableName,
    /// `handle`.
    pub(crate) load: String,
    /// The columns of [`WRITTEN`], `handle`.
    pub(crate) insert: String,
    /// The columns of [`WRITTEN`], `handle`, now: in place of a row that has expired.
    pub(crate) overwrite: String,
    /// The columns of [`WRITTEN`], `handle`, the expected version, now.
    pub(crate) replace: String,
    /// Deadline twice, `handle`, version, deadline, now.
    pub(crate) touch: String,
    /// `handle`, now.
    pub(crate) delete: String,
    /// Principal, now.
    pub(crate) sessions_of: String,
    /// The first handle, limit.
    pub(crate) scan: String,
    /// Now.
    pub(crate) count: String,
    pub(crate) check: String,
}

impl Statements {
    #[rustfmt::skip]
    pub(crate) fn new(table: &TableName) -> Self {
        let written = WRITTEN.join(", ");
        let assigned = WRITTEN.map(|column| format!("{column} = ?")).join(", ");
        Self {
            table: table.clone(),
            load: format!("SELECT {HEADER}, body FROM {table} WHERE handle = ?"),
            insert: format!("INSERT INTO {table} ({written}, handle) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
            overwrite: format!("UPDATE {table} SET {assigned} WHERE handle = ? AND expires_at + 0 <= ? AND {SOUND}"),
            replace: format!(
                "UPDATE {table} SET {assigned} WHERE handle = ? AND version = ? AND expires_at + 0 > ? AND {SOUND}"
            ),
            touch: format!(
                "UPDATE {table} SET idle_deadline = ?, expires_at = LEAST(?, absolute_deadline) \
                 WHERE handle = ? AND version = ? AND idle_deadline < ? AND expires_at + 0 > ? AND {SOUND}"
            ),
            delete: format!("DELETE FROM {table} WHERE handle = ? AND expires_at + 0 > ?"),
            sessions_of: format!("SELECT {HEADER}, body FROM {table} WHERE principal = ? AND expires_at > ? {ALL}"),
            scan: format!("SELECT {HEADER}, body FROM {table} WHERE handle >= ? ORDER BY handle LIMIT ?"),
            count: format!("SELECT COUNT(*) FROM {table} WHERE expires_at > ?"),
            check: format!("SELECT version FROM {table} LIMIT 0"),
        }
    }

    /// Reads several sessions.
    pub(crate) fn load_all(&self, handles: impl IntoIterator<Item = Handle>) -> String {
        format!(
            "SELECT {HEADER}, body FROM {} WHERE handle IN ({}) {ALL}",
            self.table,
            list(handles)
        )
    }

    /// Begins a transaction and locks those of the rows that no one else has locked: the last result has the handle and
    /// the header of each.
    pub(crate) fn lock_all(&self, handles: impl IntoIterator<Item = Handle>) -> String {
        format!(
            "{BEGIN}; SELECT {HEADER} FROM {} FORCE INDEX (PRIMARY) WHERE handle IN ({}) \
             ORDER BY handle {ALL} FOR UPDATE SKIP LOCKED",
            self.table,
            list(handles)
        )
    }

    /// Writes records into rows that [`lock_all`](Self::lock_all) has locked, and commits. An update makes no row, so what
    /// was deleted stays so.
    pub(crate) fn replace_all(&self, records: &[(Handle, &Record)]) -> String {
        let bodies: usize = records.iter().map(|(_, record)| record.body.len()).sum();
        let mut sql = String::with_capacity(2 * bodies + 1024 * records.len());
        let mut separator = "SET";
        write(
            &mut sql,
            format_args!("UPDATE {} FORCE INDEX (PRIMARY) ", self.table),
        );
        for (at, column) in WRITTEN.iter().enumerate() {
            write(&mut sql, format_args!("{separator} {column} = CASE handle"));
            for (handle, record) in records {
                write(
                    &mut sql,
                    format_args!(" WHEN {} THEN ", Hex(handle.as_bytes())),
                );
                write_column(&mut sql, at, record);
            }
            sql.push_str(" END");
            separator = ",";
        }
        let handles = list(records.iter().map(|(handle, _)| *handle));
        write(
            &mut sql,
            format_args!(" WHERE handle IN ({handles}); {COMMIT}"),
        );
        sql
    }

    /// Begins a transaction and locks rows that have expired, as long as no one else has: the last result has their
    /// handles.
    pub(crate) fn lock_expired(&self, limit: usize, now: Timestamp) -> String {
        format!(
            "{BEGIN}; SELECT handle FROM {} FORCE INDEX (expires_at) WHERE expires_at <= {} \
             ORDER BY expires_at LIMIT {limit} FOR UPDATE SKIP LOCKED",
            self.table,
            now.as_millis()
        )
    }

    /// Deletes rows that [`lock_expired`](Self::lock_expired) has locked, and commits. Only a deletion that could be from
    /// several tables is told what index to use; and such a one names the table as it is, for what has no name of a schema
    /// is looked for in the default database, which there may not be.
    pub(crate) fn delete_expired(
        &self,
        handles: impl IntoIterator<Item = Handle>,
        now: Timestamp,
    ) -> String {
        format!(
            "DELETE {table} FROM {table} FORCE INDEX (PRIMARY) \
             WHERE handle IN ({}) AND expires_at + 0 <= {}; {COMMIT}",
            list(handles),
            now.as_millis(),
            table = self.table,
        )
    }
}

fn write_column(sql: &mut String, at: usize, record: &Record) {
    let header = &record.header;
    let text = |text: Option<&'_ str>| MaybeHex(text.map(str::as_bytes)).to_string();
    match WRITTEN[at] {
        "version" => write(sql, header.version),
        "created_at" => write(sql, header.created_at.as_millis()),
        "idle_deadline" => write(sql, header.idle_deadline.as_millis()),
        "absolute_deadline" => write(sql, header.absolute_deadline.as_millis()),
        "expires_at" => write(sql, header.expires_at().as_millis()),
        "principal" => sql.push_str(&text(header.principal.as_ref().map(Principal::as_str))),
        "label" => sql.push_str(&text(header.label.as_ref().map(Label::as_str))),
        _ => write(sql, Hex(&record.body)),
    }
}

fn list(handles: impl IntoIterator<Item = Handle>) -> String {
    let mut list = String::new();
    for handle in handles {
        let separator = if list.is_empty() { "" } else { ", " };
        write(
            &mut list,
            format_args!("{separator}{}", Hex(handle.as_bytes())),
        );
    }
    list
}

fn write(sql: &mut String, what: impl Display) {
    write!(sql, "{what}").expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use fasthttpsession_core::Header;
    use fasthttpsession_servers::Mariadb;
    use mysql_async::prelude::Queryable;
    use mysql_async::{Conn, Opts, Row};

    use super::*;
    use crate::schema;

    /// One space for each stretch of them, and no comments.
    fn plain(sql: &str) -> String {
        let lines = sql
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default());
        let text = lines.collect::<Vec<_>>().join(" ");
        let words: Vec<_> = text.split_whitespace().collect();
        words.join(" ")
    }

    fn record() -> Record {
        let header = Header {
            version: 2,
            created_at: Timestamp::from_millis(1000),
            idle_deadline: Timestamp::from_millis(2000),
            absolute_deadline: Timestamp::from_millis(3000),
            principal: Principal::new("ann").ok(),
            label: None,
        };
        Record {
            header,
            body: Bytes::from_static(&[0, 255]),
        }
    }

    #[test]
    fn the_page_shows_the_schema_and_every_statement() {
        let page = plain(include_str!("statements.md"));
        let sql = Statements::new(&TableName::default());
        let handle = Handle::from_bytes([1; Handle::BYTES]);
        let (record, now) = (record(), Timestamp::from_millis(2000));
        let together = [
            sql.load_all([handle]),
            sql.lock_all([handle]),
            sql.replace_all(&[(handle, &record)]),
            sql.lock_expired(1000, now),
            sql.delete_expired([handle], now),
            schema::made_by(&TableName::default()),
        ];
        let alone = [
            &sql.load,
            &sql.insert,
            &sql.overwrite,
            &sql.replace,
            &sql.touch,
            &sql.delete,
            &sql.sessions_of,
            &sql.scan,
            &sql.count,
            &sql.check,
        ];
        for statement in together.iter().chain(alone) {
            let statement = plain(statement);
            assert!(page.contains(&statement), "not on the page: {statement}");
        }
    }

    /// A server may take a scan of a small table for cheaper, and it waits for whatever somebody holds there.
    #[tokio::test]
    async fn in_a_small_table_too_many_rows_are_found_by_their_handles() {
        let (table, database) = (TableName::default(), Mariadb::shared().database());
        let options = Opts::from_url(&database.url()).expect("it is a URL");
        let mut conn = Conn::new(options).await.expect("the server runs");
        let (sql, record) = (Statements::new(&table), record());
        let handles = (0..20).map(|number| Handle::from_bytes([number; Handle::BYTES]));
        let rows = handles.clone().map(|handle| {
            let handle = Hex(handle.as_bytes());
            format!("({handle}, 1, 0, 0, 0, 0, '')")
        });
        let columns =
            "handle, version, created_at, idle_deadline, absolute_deadline, expires_at, body";
        let rows = rows.collect::<Vec<_>>().join(", ");
        for sql in [
            &schema::made_by(&table),
            &format!("INSERT INTO {table} ({columns}) VALUES {rows}"),
        ] {
            conn.query_drop(sql).await.expect(sql);
        }
        let written: Vec<_> = handles.clone().map(|handle| (handle, &record)).collect();
        for sql in [
            sql.lock_all(handles.clone()),
            sql.replace_all(&written),
            sql.delete_expired(handles, record.header.idle_deadline),
        ] {
            let found = sql.split("; ").find(|part| part.contains("handle IN"));
            let explain = format!(
                "EXPLAIN FORMAT=TRADITIONAL {}",
                found.expect("it names its rows")
            );
            let plan: Option<Row> = conn.query_first(&explain).await.expect(&explain);
            let plan = plan.expect("a row for the table");
            let [way, index] = ["type", "key"].map(|column| plan.get::<Option<String>, _>(column));
            assert_eq!(way.flatten().as_deref(), Some("range"), "{explain}");
            assert_eq!(index.flatten().as_deref(), Some("PRIMARY"), "{explain}");
        }
    }
}
