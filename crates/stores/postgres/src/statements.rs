//! Every SQL statement that sessions need, with the name of the table filled in once. None has another text put into
//! it.

use fasthttpsession_store_common::TableName;
use tokio_postgres::types::Type;

/// A statement and the types of its parameters, which are told to the server so that it need not be asked for them.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: Box<str>,
    pub(crate) types: &'static [Type],
}

/// What the store sends.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) load: Sizes,
    pub(crate) create: Writing,
    pub(crate) replace: Writing,
    pub(crate) touch: Writing,
    pub(crate) delete: Writing,
    pub(crate) sessions_of: Statement,
    pub(crate) scan: Statement,
    pub(crate) count: Statement,
    pub(crate) purge: Statement,
    pub(crate) check: Statement,
}

/// A statement for many sessions, and its twin for one: with the same parameters, but less to do.
#[derive(Debug)]
pub(crate) struct Sizes {
    pub(crate) many: Statement,
    pub(crate) one: Statement,
}

/// A statement that passes over rows which other transactions hold, and its twin that waits for the row of one session.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) impatient: Sizes,
    pub(crate) patient: Statement,
}

impl Sizes {
    fn of(statement: impl Fn(Size) -> Statement) -> Self {
        Self {
            many: statement(Size::Many),
            one: statement(Size::One),
        }
    }

    /// The one for so many sessions.
    pub(crate) fn of_size(&self, sessions: usize) -> &Statement {
        if sessions == 1 { &self.one } else { &self.many }
    }
}

#[derive(Clone, Copy)]
enum Size {
    Many,
    One,
}

/// The columns of a record, in the order that [`crate::row`] reads them in.
const COLUMNS: &str =
    "handle, version, created_at, idle_deadline, absolute_deadline, principal, label, body";

/// True of every `now`. The planner takes it for rare, and so a group for small whatever its size; otherwise it would
/// plan the statement anew for each group, which takes as long as running it.
const ALWAYS: &str = "now BETWEEN 0 AND 9223372036854775807";

const SKIP_LOCKED: &str = " SKIP LOCKED";

const RECORDS: &[Type] = &[
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT8_ARRAY,
];
const SWAPS: &[Type] = &[
    Type::UUID_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
    Type::TEXT_ARRAY,
    Type::TEXT_ARRAY,
    Type::BYTEA_ARRAY,
    Type::INT8_ARRAY,
    Type::INT8_ARRAY,
];

impl Statements {
    pub(crate) fn new(table: &TableName) -> Self {
        Self {
            load: Sizes::of(|size| load(table, size)),
            create: Writing {
                impatient: Sizes::of(|size| create(table, size, "NOTHING")),
                patient: create(table, Size::One, &overwrite_expired(table)),
            },
            replace: Writing::skipping(|size, locked| replace(table, size, locked)),
            touch: Writing::skipping(|size, locked| touch(table, size, locked)),
            delete: Writing::skipping(|size, locked| delete(table, size, locked)),
            sessions_of: sessions_of(table),
            scan: scan(table),
            count: count(table),
            purge: purge(table),
            check: check(table),
        }
    }
}

impl Writing {
    fn skipping(statement: impl Fn(Size, &str) -> Statement) -> Self {
        Self {
            impatient: Sizes::of(|size| statement(size, SKIP_LOCKED)),
            patient: statement(Size::One, ""),
        }
    }
}

fn statement(types: &'static [Type], sql: String) -> Statement {
    Statement {
        sql: sql.into(),
        types,
    }
}

/// What the parameters give, as a table: each is an array, with an element a session.
fn given(columns: &str, size: Size) -> String {
    let count = columns.split(',').count();
    let parameters = |parameter: &dyn Fn(usize) -> String| {
        let all: Vec<_> = (1..=count).map(parameter).collect();
        all.join(", ")
    };
    match size {
        Size::Many => {
            let arrays = parameters(&|at| format!("${at}"));
            format!(
                "WITH given AS (\n  SELECT * FROM unnest({arrays}) AS given ({columns})\n  WHERE {ALWAYS}\n)"
            )
        }
        Size::One => {
            let elements = parameters(&|at| format!("(${at})[1]"));
            format!("WITH given ({columns}) AS NOT MATERIALIZED (\n  SELECT {elements}\n)")
        }
    }
}

fn load(table: &TableName, size: Size) -> Statement {
    let condition = match size {
        Size::Many => "handle = ANY ($1)",
        Size::One => "handle = ($1)[1]",
    };
    statement(
        &[Type::UUID_ARRAY],
        format!("SELECT {COLUMNS} FROM {table} WHERE {condition}"),
    )
}

fn create(table: &TableName, size: Size, on_conflict: &str) -> Statement {
    let given = given(&format!("{COLUMNS}, now"), size);
    statement(
        RECORDS,
        format!(
            "{given}
INSERT INTO {table} ({COLUMNS}, purge_at)
SELECT {COLUMNS}, least(idle_deadline, absolute_deadline) FROM given
ON CONFLICT (handle) DO {on_conflict}
RETURNING handle"
        ),
    )
}

/// Only one record at a time is created this way, so `given` has one `now`.
fn overwrite_expired(table: &TableName) -> String {
    format!(
        "UPDATE SET
  version = excluded.version, created_at = excluded.created_at, idle_deadline = excluded.idle_deadline,
  absolute_deadline = excluded.absolute_deadline, principal = excluded.principal, label = excluded.label,
  body = excluded.body, purge_at = excluded.purge_at
WHERE {table}.expires_at <= (SELECT now FROM given)",
        table = table.table()
    )
}

fn replace(table: &TableName, size: Size, locked: &str) -> Statement {
    let given = given(&format!("{COLUMNS}, now, expected"), size);
    statement(
        SWAPS,
        format!(
            "{given}, taken AS (
  SELECT given.* FROM {table} AS held JOIN given USING (handle)
  WHERE held.version = given.expected AND held.expires_at > given.now
  FOR UPDATE OF held{locked}
)
UPDATE {table} AS held SET
  version = taken.version, created_at = taken.created_at, idle_deadline = taken.idle_deadline,
  absolute_deadline = taken.absolute_deadline, principal = taken.principal, label = taken.label,
  body = taken.body, purge_at = least(held.purge_at, taken.idle_deadline, taken.absolute_deadline)
FROM taken
WHERE held.handle = taken.handle
RETURNING held.handle"
        ),
    )
}

fn touch(table: &TableName, size: Size, locked: &str) -> Statement {
    let given = given("handle, version, idle_deadline, now", size);
    statement(
        &[
            Type::UUID_ARRAY,
            Type::INT8_ARRAY,
            Type::INT8_ARRAY,
            Type::INT8_ARRAY,
        ],
        format!(
            "{given}, taken AS (
  SELECT given.* FROM {table} AS held JOIN given USING (handle)
  WHERE held.version = given.version AND held.idle_deadline < given.idle_deadline
    AND held.expires_at > given.now
  FOR UPDATE OF held{locked}
)
UPDATE {table} AS held SET idle_deadline = taken.idle_deadline
FROM taken
WHERE held.handle = taken.handle
RETURNING held.handle"
        ),
    )
}

fn delete(table: &TableName, size: Size, locked: &str) -> Statement {
    let given = given("handle, now", size);
    statement(
        &[Type::UUID_ARRAY, Type::INT8_ARRAY],
        format!(
            "{given}, taken AS (
  SELECT given.* FROM {table} AS held JOIN given USING (handle)
  WHERE held.expires_at > given.now
  FOR UPDATE OF held{locked}
)
DELETE FROM {table} AS held USING taken
WHERE held.handle = taken.handle
RETURNING held.handle"
        ),
    )
}

fn sessions_of(table: &TableName) -> Statement {
    statement(
        &[Type::TEXT, Type::INT8],
        format!("SELECT {COLUMNS} FROM {table} WHERE principal = $1 AND expires_at > $2"),
    )
}

fn scan(table: &TableName) -> Statement {
    statement(
        &[Type::UUID, Type::INT8],
        format!("SELECT {COLUMNS} FROM {table} WHERE handle >= $1 ORDER BY handle LIMIT $2"),
    )
}

fn count(table: &TableName) -> Statement {
    statement(
        &[Type::INT8],
        format!("SELECT count(*) FROM {table} WHERE expires_at > $1"),
    )
}

/// Looks at the rows that are due first: removes what has expired, and files anew what was used since it was filed.
/// Rows are locked and then found by their place, so that no index of handles is read; one that was written meanwhile
/// has another place, and is left to the next purge.
fn purge(table: &TableName) -> Statement {
    statement(
        &[Type::INT8, Type::INT8],
        format!(
            "WITH due AS (
  SELECT ctid, expires_at FROM {table} WHERE purge_at <= $1
  ORDER BY purge_at LIMIT $2
  FOR UPDATE SKIP LOCKED
), purged AS (
  DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM due WHERE expires_at <= $1))
  RETURNING 1
), filed AS (
  UPDATE {table} SET purge_at = expires_at
  WHERE ctid = ANY (ARRAY(SELECT ctid FROM due WHERE expires_at > $1))
)
SELECT (SELECT count(*) FROM purged), (SELECT count(*) FROM due)"
        ),
    )
}

fn check(table: &TableName) -> Statement {
    statement(&[], format!("SELECT version FROM {table} LIMIT 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the crate's page shows, without its line breaks.
    fn page() -> String {
        let lines = include_str!("lib.rs").lines();
        let page: Vec<_> = lines.filter_map(|line| line.strip_prefix("//!")).collect();
        on_one_line(&page.join("\n"))
    }

    fn on_one_line(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn is_shown(sql: &str) {
        assert!(page().contains(&on_one_line(sql)), "the page lacks: {sql}");
    }

    #[test]
    fn the_page_shows_what_is_sent() {
        let all = Statements::new(&TableName::default());
        for statement in [
            &all.load.many,
            &all.load.one,
            &all.create.impatient.many,
            &all.replace.impatient.many,
            &all.replace.impatient.one,
            &all.touch.impatient.many,
            &all.delete.impatient.many,
            &all.sessions_of,
            &all.scan,
            &all.count,
            &all.purge,
            &all.check,
        ] {
            is_shown(&statement.sql);
        }
        is_shown(&overwrite_expired(&TableName::default()));
    }

    #[test]
    fn what_waits_differs_from_what_does_not_as_the_page_says() {
        let all = Statements::new(&TableName::default());
        for writing in [&all.replace, &all.touch, &all.delete] {
            let impatient = &writing.impatient.one.sql;
            assert_eq!(impatient.replace(SKIP_LOCKED, ""), *writing.patient.sql);
        }
        let create = &all.create;
        let overwriting = overwrite_expired(&TableName::default());
        let patient = create.impatient.one.sql.replace("NOTHING", &overwriting);
        assert_eq!(patient, *create.patient.sql);
        for writing in [&all.create, &all.replace, &all.touch, &all.delete] {
            let Sizes { many, one } = &writing.impatient;
            let behind_given = |sql: &str| sql.split_once("\n)").map(|(_, rest)| rest.to_owned());
            assert_eq!(behind_given(&many.sql), behind_given(&one.sql));
        }
    }
}
