//! The table of the sessions: how it is made, brought up to date, and checked.
//!
//! The comment on the table has the version of the schema. A table without it, or none, has version 0, and each version
//! has the statements that lead to it from the one before.

use std::collections::HashMap;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::{TableName, misconfigured};
use tokio_postgres::types::Type;

use crate::connections::Connections;
use crate::statements::Statement;

/// The version that this library reads and writes.
pub(crate) const VERSION: usize = STEPS.len();

/// The statements that lead to version 1, 2, … from the one before, with `{table}` for the whole name and `{name}` for
/// the name without its schema.
const STEPS: [&str; 1] = [r#"CREATE TABLE {table} (
  handle uuid PRIMARY KEY,
  version bigint NOT NULL CHECK (version >= 0),
  created_at bigint NOT NULL CHECK (created_at >= 0),
  idle_deadline bigint NOT NULL CHECK (idle_deadline >= 0),
  absolute_deadline bigint NOT NULL CHECK (absolute_deadline >= 0),
  expires_at bigint NOT NULL GENERATED ALWAYS AS (least(idle_deadline, absolute_deadline)) STORED,
  purge_at bigint NOT NULL,
  principal text COLLATE "C" CHECK (octet_length(principal) BETWEEN 1 AND 255
    AND principal !~ '[\u0001-\u001f\u007f-\u009f]'),
  label text COLLATE "C" CHECK (octet_length(label) BETWEEN 1 AND 255
    AND label !~ '[\u0001-\u001f\u007f-\u009f]'),
  body bytea NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX {name}_purge_at ON {table} (purge_at);
CREATE INDEX {name}_principal ON {table} (principal) WHERE principal IS NOT NULL;
"#];

/// Each column and its type.
const COLUMNS: [(&str, &str); 10] = [
    ("handle", "uuid"),
    ("version", "bigint"),
    ("created_at", "bigint"),
    ("idle_deadline", "bigint"),
    ("absolute_deadline", "bigint"),
    ("expires_at", "bigint"),
    ("purge_at", "bigint"),
    ("principal", "text"),
    ("label", "text"),
    ("body", "bytea"),
];

/// What each index begins with, and the statement that makes it.
const INDEXES: [(&str, &str); 3] = [
    ("handle", "ALTER TABLE {table} ADD PRIMARY KEY (handle)"),
    (
        "purge_at",
        "CREATE INDEX {name}_purge_at ON {table} (purge_at)",
    ),
    (
        "principal",
        "CREATE INDEX {name}_principal ON {table} (principal) WHERE principal IS NOT NULL",
    ),
];

/// Without a backslash, which means something else where `standard_conforming_strings` is off.
const FIND: &str = "SELECT to_regclass($1) IS NOT NULL,
  coalesce(substring(obj_description(to_regclass($1), 'pg_class') FROM 'fasthttpsession schema ([0-9]{1,9})'), '0')::int,
  current_setting('server_encoding'),
  array_to_string(ARRAY(SELECT needed FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
    WHERE NOT has_table_privilege(to_regclass($1), needed)), ', '),
  quote_ident(current_user)";

const FIND_COLUMNS: &str = "SELECT attname::text, format_type(atttypid, NULL)
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped";

const FIND_INDEXES: &str = "SELECT attname::text
FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
WHERE indrelid = to_regclass($1) AND indisvalid AND (attname <> 'handle' OR indisunique AND indnkeyatts = 1)";

/// What a table is found to be.
struct Found {
    exists: bool,
    version: usize,
    /// The rights to it that the role lacks, with commas between.
    lacking: String,
    /// The role, as it stands in SQL.
    role: String,
}

/// The table of a store.
pub(crate) struct Schema<'a> {
    connections: &'a Connections,
    table: &'a TableName,
}

impl<'a> Schema<'a> {
    pub(crate) fn of(connections: &'a Connections, table: &'a TableName) -> Self {
        Self { connections, table }
    }

    /// Makes the table or brings it up to date, and checks it. Of several processes at once, one does.
    pub(crate) async fn migrate(&self) -> Result<(), StoreError> {
        match self.connections.batch(&migration(self.table)).await {
            // What is wrong with the table says more than which statement it made fail.
            Err(failed) if failed.kind() == StoreErrorKind::Misconfigured => self
                .check()
                .await
                .map_err(|found| misconfigured(format!("{found} Migrating it failed: {failed}"))),
            Err(failed) => Err(failed),
            Ok(()) => self.check().await,
        }
    }

    /// The table is as this version of the library needs it, or the error says what is wrong and how to mend it.
    pub(crate) async fn check(&self) -> Result<(), StoreError> {
        let table = self.table;
        let found = self.find().await?;
        match (found.exists, found.version) {
            (false, _) => Err(misconfigured(format!(
                "postgres has no table {table}: open it once with migrate=true, or run: {}",
                upgrade(0, table)
            ))),
            (true, 0) => {
                self.check_columns(&found).await?;
                Err(misconfigured(format!(
                    "the table {table} does not say which version of the schema it has; if this library made it, run: {}",
                    mark(table)
                )))
            }
            (true, VERSION) => {
                self.check_columns(&found).await?;
                self.check_indexes().await?;
                self.check_rights(&found)
            }
            (true, older) if older < VERSION => Err(misconfigured(format!(
                "the table {table} has version {older} of the schema, this library needs {VERSION}: open it once \
                 with migrate=true, or run: {}",
                upgrade(older, table)
            ))),
            (true, newer) => Err(misconfigured(format!(
                "the table {table} has version {newer} of the schema, which a later version of this library made; \
                 this one knows versions up to {VERSION}: update the library, or set `table` to another name"
            ))),
        }
    }

    async fn find(&self) -> Result<Found, StoreError> {
        let rows = self.ask(FIND).await?;
        let row = rows.first().expect("a SELECT without FROM has one row");
        let encoding: String = row.get(2);
        if encoding != "UTF8" {
            return Err(misconfigured(format!(
                "the database has the encoding {encoding}, which can't keep every principal: sessions need a database \
                 made with ENCODING 'UTF8'"
            )));
        }
        let version: i32 = row.get(1);
        Ok(Found {
            exists: row.get(0),
            version: usize::try_from(version).unwrap_or(0),
            lacking: row.get(3),
            role: row.get(4),
        })
    }

    async fn check_columns(&self, table: &Found) -> Result<(), StoreError> {
        let rows = self.ask(FIND_COLUMNS).await?;
        let found: HashMap<String, String> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let is_ours = table.version > 0;
        COLUMNS.into_iter().try_for_each(|(column, wanted)| {
            let found = found.get(column).map(String::as_str);
            self.check_column(is_ours, column, wanted, found)
        })
    }

    fn check_column(
        &self,
        is_ours: bool,
        column: &str,
        wanted: &str,
        found: Option<&str>,
    ) -> Result<(), StoreError> {
        let table = self.table;
        let misshapen = |sentence: String| {
            // It may be somebody else's, who could not do without it.
            let way_out = if is_ours {
                let made = upgrade(0, table);
                format!(", or, if its sessions may be lost, run: DROP TABLE {table}; {made}")
            } else {
                ": nothing says that this library made it".to_owned()
            };
            misconfigured(format!(
                "the table {table} is not one of sessions: {sentence}; set `table` to another name{way_out}"
            ))
        };
        match found {
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(misshapen(format!(
                "its column {column} has the type {found}, not {wanted}"
            ))),
            None if matches!(column, "principal" | "label") => Err(misconfigured(format!(
                "the table {table} has no column {column}; run: ALTER TABLE {table} ADD COLUMN {column} {wanted} \
                 COLLATE \"C\";"
            ))),
            None => Err(misshapen(format!("it has no column {column}"))),
        }
    }

    async fn check_indexes(&self) -> Result<(), StoreError> {
        let rows = self.ask(FIND_INDEXES).await?;
        let found: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let missing = INDEXES
            .into_iter()
            .find(|(column, _)| !found.iter().any(|found| found == column));
        missing.map_or(Ok(()), |(column, sql)| {
            Err(misconfigured(format!(
                "the table {} has no index on {column}, which the store needs; run: {};",
                self.table,
                named(sql, self.table)
            )))
        })
    }

    fn check_rights(&self, Found { lacking, role, .. }: &Found) -> Result<(), StoreError> {
        let table = self.table;
        if lacking.is_empty() {
            return Ok(());
        }
        Err(misconfigured(format!(
            "the role {role} lacks rights to the table {table}, which the store needs; run: GRANT {lacking} ON {table} \
             TO {role};"
        )))
    }

    async fn ask(&self, sql: &str) -> Result<Vec<tokio_postgres::Row>, StoreError> {
        let statement = Statement {
            sql: sql.into(),
            types: &[Type::TEXT],
        };
        self.connections
            .rows(&statement, &[&self.table.as_str()])
            .await
    }
}

/// One statement, and so one transaction, that does what is missing when it has the lock. A table that does not say its
/// version may be anybody's, and is left alone.
fn migration(table: &TableName) -> String {
    let step = |(version, step): (usize, &&str)| {
        let step = named(step, table);
        format!("IF found <= {version} THEN\n{step}END IF;\n")
    };
    let steps: Vec<_> = STEPS.iter().enumerate().map(step).collect();
    let steps = steps.concat();
    format!(
        "DO $migrate$ DECLARE found int; BEGIN
PERFORM pg_advisory_xact_lock(hashtext('fasthttpsession {table}'));
SELECT coalesce(substring(obj_description(to_regclass('{table}'), 'pg_class')
  FROM 'fasthttpsession schema ([0-9]{{1,9}})'), '0')::int INTO found;
IF found = 0 AND to_regclass('{table}') IS NOT NULL THEN RETURN; END IF;
{steps}IF found < {VERSION} THEN
{}
END IF; END $migrate$",
        mark(table)
    )
}

/// All statements that lead from version `from` to the present one, as they would be typed.
fn upgrade(from: usize, table: &TableName) -> String {
    named(&STEPS[from..].concat(), table) + &mark(table)
}

fn mark(table: &TableName) -> String {
    format!("COMMENT ON TABLE {table} IS 'fasthttpsession schema {VERSION}';")
}

fn named(sql: &str, table: &TableName) -> String {
    sql.replace("{table}", table.as_str())
        .replace("{name}", table.table())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_schema() {
        let lines = include_str!("lib.rs").lines();
        let page: String = lines
            .filter_map(|line| line.strip_prefix("//! "))
            .flat_map(|line| [line, "\n"])
            .collect();
        let schema = upgrade(0, &TableName::default());
        assert!(page.contains(&schema), "the page lacks: {schema}");
    }
}
