//! The SQL of the running store, with the name of its table filled in once. What makes the table stands in `schema.rs`.

use fasthttpsession_store_common::TableName;

/// Columns of a record, in the order in which `row.rs` reads them.
const RECORD: &str =
    "version, created_at, idle_deadline, absolute_deadline, principal, label, body";

/// Every statement that operations use.
pub(crate) struct Statements {
    /// `handle`.
    pub(crate) load: String,
    /// A whole record; does nothing if there is a row.
    pub(crate) insert: String,
    /// A whole record in place of whatever is there.
    pub(crate) overwrite: String,
    /// A record in place of the one with the expected version, if only its version, deadlines and body change and the
    /// time of its next purge may stay: then no index changes.
    pub(crate) replace: String,
    /// `handle`, deadline.
    pub(crate) touch: String,
    /// `handle`; answers when the removed row expired.
    pub(crate) delete: String,
    /// Principal, now.
    pub(crate) sessions_of: String,
    /// The handle after which to go on, limit.
    pub(crate) scan: String,
    /// Now.
    pub(crate) count: String,
    /// Now, limit: which rows are due, and when they expire.
    pub(crate) due: String,
    /// Row, deadline: gives a row that still lives a later time to be looked at.
    pub(crate) put_off: String,
    /// Row.
    pub(crate) remove: String,
    pub(crate) check: String,
}

impl Statements {
    #[rustfmt::skip]
    pub(crate) fn new(table: &TableName) -> Self {
        Self {
            load: format!("SELECT {RECORD} FROM {table} WHERE handle = ?1"),
            insert: format!(
                "INSERT INTO {table} (handle, {RECORD}, purge_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, min(?4, ?5)) ON CONFLICT (handle) DO NOTHING"
            ),
            overwrite: format!(
                "UPDATE {table} SET version = ?2, created_at = ?3, idle_deadline = ?4, absolute_deadline = ?5, \
                 principal = ?6, label = ?7, body = ?8, purge_at = min(?4, ?5) WHERE handle = ?1"
            ),
            replace: format!(
                "UPDATE {table} SET version = ?2, idle_deadline = ?4, absolute_deadline = ?5, body = ?8 \
                 WHERE handle = ?1 AND version = ?9 AND idle_deadline > ?10 AND absolute_deadline > ?10 \
                 AND created_at = ?3 AND principal IS ?6 AND label IS ?7 AND purge_at <= min(?4, ?5)"
            ),
            touch: format!("UPDATE {table} SET idle_deadline = ?2 WHERE handle = ?1"),
            delete: format!("DELETE FROM {table} WHERE handle = ?1 RETURNING expires_at"),
            sessions_of: format!(
                "SELECT {RECORD}, handle FROM {table} WHERE principal = ?1 AND expires_at > ?2"
            ),
            scan: format!(
                "SELECT {RECORD}, handle FROM {table} WHERE handle > ?1 ORDER BY handle LIMIT ?2"
            ),
            count: format!(
                "SELECT (SELECT count(*) FROM {table}) \
                 - (SELECT count(*) FROM {table} WHERE purge_at <= ?1 AND expires_at <= ?1)"
            ),
            due: format!(
                "SELECT rowid, expires_at FROM {table} WHERE purge_at <= ?1 ORDER BY purge_at LIMIT ?2"
            ),
            put_off: format!("UPDATE {table} SET purge_at = ?2 WHERE rowid = ?1"),
            remove: format!("DELETE FROM {table} WHERE rowid = ?1"),
            check: format!("SELECT version FROM {table}_schema"),
        }
    }
}

/// The first statement of a group: takes the write lock at once, so that nothing after it can fail for a lock.
pub(crate) const BEGIN: &str = "BEGIN IMMEDIATE";
/// The last statement of a group. Callers are answered once it has returned.
pub(crate) const COMMIT: &str = "COMMIT";
/// Undoes a group that failed.
pub(crate) const ROLLBACK: &str = "ROLLBACK";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    /// One space for each stretch of them, and no comments.
    fn plain(sql: &str) -> String {
        let lines = sql
            .lines()
            .map(|line| line.split("--").next().unwrap_or_default());
        let text = lines.collect::<Vec<_>>().join(" ");
        let words: Vec<_> = text.split_whitespace().collect();
        words.join(" ").replace("( ", "(").replace(" )", ")")
    }

    /// What the page shows as SQL.
    fn shown() -> String {
        let page = include_str!("statements.md");
        let blocks = page.split("```").skip(1).step_by(2);
        let sql = blocks.filter_map(|block| block.strip_prefix("sql"));
        plain(&sql.collect::<String>())
    }

    #[test]
    fn the_page_shows_the_schema_and_the_statements_and_no_others() {
        let table = TableName::default();
        let sql = Statements::new(&table);
        let schema = schema::upgrade(0, &table);
        let statements = [
            &schema,
            &sql.load,
            &sql.insert,
            &sql.overwrite,
            &sql.replace,
            &sql.touch,
            &sql.delete,
            &sql.sessions_of,
            &sql.scan,
            &sql.count,
            &sql.due,
            &sql.put_off,
            &sql.remove,
            &sql.check,
        ];
        let mut left = shown();
        for statement in statements.map(|statement| plain(statement)) {
            assert!(left.contains(&statement), "not on the page: {statement}");
            left = left.replacen(&statement, "", 1);
        }
        assert_eq!(left.trim(), "", "on the page, but not used");
    }

    /// Counting, which looks at every session, is for people.
    #[test]
    fn each_operation_finds_its_rows_by_an_index() {
        let table = TableName::default();
        let db = rusqlite::Connection::open_in_memory().expect("memory is there");
        let made = db.execute_batch(&schema::upgrade(0, &table));
        made.expect("the schema is SQL");
        let sql = Statements::new(&table);
        for statement in [
            &sql.load,
            &sql.overwrite,
            &sql.replace,
            &sql.touch,
            &sql.delete,
            &sql.sessions_of,
            &sql.scan,
            &sql.due,
            &sql.put_off,
            &sql.remove,
        ] {
            let explained = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}"));
            let mut explained = explained.expect("it is a statement");
            let steps = explained
                .raw_query()
                .mapped(|row| row.get::<_, String>("detail"));
            let steps: Vec<_> = steps.map(|step| step.expect("a step")).collect();
            assert!(
                !steps.is_empty() && steps.iter().all(|step| step.starts_with("SEARCH")),
                "{statement}: {steps:?}"
            );
        }
    }
}
