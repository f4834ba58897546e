//! What the driver, the pool and the server say, as errors of a store. The only place that maps them.

use std::error::Error as _;
use std::{fmt, io};

use fasthttpsession_core::{StoreError, StoreErrorKind};
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity, SqlState};

const ADVICE: &str = "; behind a pooler of transactions, set prepared=false";

/// Maps an error that came while a statement was under way.
///
/// A refusal of the server is passed on by its code and its first sentence alone: what it adds may show a row.
pub(crate) fn failed(error: &Error) -> StoreError {
    match error.as_db_error() {
        Some(refusal) if ends_connection(refusal) => {
            StoreError::new(StoreErrorKind::Unavailable, sentence(refusal))
        }
        Some(refusal) => refused(refusal),
        None => {
            let sentence = format!("the connection to postgres failed: {}", cause(error));
            StoreError::new(StoreErrorKind::Unavailable, sentence)
        }
    }
}

/// Maps an error that came while a connection to `place` was made, when no statement had been sent.
pub(crate) fn not_connected(place: &str, error: &Error) -> StoreError {
    let (kind, what) = if let Some(refusal) = error.as_db_error() {
        let refused = refused(refusal);
        (refused.kind(), refused.to_string())
    } else if takes_no_writes(error) {
        let sentence =
            "it takes no writes: it is a standby, or default_transaction_read_only is on";
        (StoreErrorKind::Unavailable, sentence.to_owned())
    } else {
        (kind_of_failed_connect(error), cause(error))
    };
    StoreError::new(kind, format!("connecting to {place}: {what}")).not_applied()
}

/// What the error comes from in the end: what the driver says of it beside that tells no more.
pub(crate) fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

pub(crate) fn timed_out(what: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Timeout, format!("{what} took too long"))
}

/// What a refusal comes from that others are the reason of: a deadlock, or a row that changed after the transaction had
/// begun. It had no effect, and may be sent again.
#[derive(Debug)]
struct Thwarted;

impl fmt::Display for Thwarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another transaction was in the way")
    }
}

impl std::error::Error for Thwarted {}

/// `None` of what others have thwarted, to be tried again.
pub(crate) fn unless_thwarted<T>(answer: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match answer {
        Err(error) if is_thwarted(&error) => Ok(None),
        answer => answer.map(Some),
    }
}

fn is_thwarted(error: &StoreError) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    matches!(source, Some(Thwarted))
}

/// Another transaction was in the way each time.
pub(crate) fn contended() -> StoreError {
    let sentence = "other transactions on postgres were in the way each time";
    StoreError::new(StoreErrorKind::Unavailable, sentence).not_applied()
}

/// The task that spoke to the server was ended with the runtime, which may be that of others, or panicked.
pub(crate) fn abandoned() -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        "the task that spoke to postgres has ended",
    )
}

/// Whether no statement can be sent on the connection any more, or none that makes sense: the server is going down,
/// writes nothing because it is a standby now, or holds prepared statements for a table that has changed.
pub(crate) fn spoils_connection(error: &Error) -> bool {
    error.as_db_error().is_none_or(|refusal| {
        let code = refusal.code();
        let of_its_code = *code != SqlState::QUERY_CANCELED
            && matches!(code.code().get(..2), Some("08" | "0A" | "25" | "26" | "57"));
        of_its_code || ends_connection(refusal)
    })
}

/// Whether this is the last that comes on the connection. Then its code tells of that, and not of the statement, which may
/// have been committed: a pooler lost its server before it passed the answer on, or the server its log amid the commit.
fn ends_connection(refusal: &DbError) -> bool {
    match refusal.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // In the server's language, and of poolers that leave the other out in English.
        None => refusal.severity() != "ERROR",
    }
}

fn refused(refusal: &DbError) -> StoreError {
    let of_a_pooler = comes_of_a_pooler(refusal);
    let (kind, certain) = if of_a_pooler {
        (StoreErrorKind::Misconfigured, true)
    } else {
        kind_of(refusal.code())
    };
    let advice = if of_a_pooler { ADVICE } else { "" };
    let error = StoreError::new(kind, sentence(refusal) + advice);
    match certain {
        true if refusal.code().code().starts_with("40") => {
            error.with_source(Thwarted).not_applied()
        }
        true => error.not_applied(),
        false => error,
    }
}

fn sentence(refusal: &DbError) -> String {
    let (message, code) = (refusal.message(), refusal.code().code());
    format!("postgres refused: {message} (SQLSTATE {code})")
}

/// The kind of a refusal, and whether it certainly left nothing behind.
fn kind_of(code: &SqlState) -> (StoreErrorKind, bool) {
    use StoreErrorKind::{Full, Internal, Misconfigured, Timeout, TooLarge, Unavailable};
    match *code {
        SqlState::DISK_FULL => return (Full, true),
        SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => return (Unavailable, false),
        SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => return (Timeout, true),
        SqlState::STRING_DATA_RIGHT_TRUNCATION => return (TooLarge, true),
        SqlState::UNTRANSLATABLE_CHARACTER => return (Misconfigured, true),
        _ => {}
    }
    match code.code().get(..2) {
        Some("54") => (TooLarge, true),
        // No such database, schema, table, column, right, password.
        Some("28" | "3D" | "3F" | "42") => (Misconfigured, true),
        // Out of memory or connections; a standby; others in the way; a changed table.
        Some("53" | "25" | "40" | "0A") => (Unavailable, true),
        // The connection broke, or the server is going down: the answer may have been lost on its way.
        Some("08" | "57") => (Unavailable, false),
        _ => (Internal, true),
    }
}

/// Whether a pooler of transactions has another connection for each statement, or takes no settings for connections.
fn comes_of_a_pooler(refusal: &DbError) -> bool {
    let code = refusal.code();
    let of_a_statement =
        *code == SqlState::INVALID_SQL_STATEMENT_NAME || *code == SqlState::DUPLICATE_PSTATEMENT;
    // PgBouncer has this code for nearly everything.
    let of_a_setting = *code == SqlState::PROTOCOL_VIOLATION
        && refusal
            .message()
            .starts_with("unsupported startup parameter");
    of_a_statement || of_a_setting
}

/// The driver asked the server, and says so in no other way.
fn takes_no_writes(error: &Error) -> bool {
    error
        .source()
        .is_some_and(|source| source.to_string() == "database does not allow writes")
}

/// A server without TLS, or with a certificate that is not trusted, and one that wants a password where there is none, or
/// to be convinced in another way than the driver knows, are a matter of settings; all else that keeps a connection from
/// being made may pass.
fn kind_of_failed_connect(error: &Error) -> StoreErrorKind {
    let said = error.to_string();
    let of_sign_in = ["invalid configuration", "authentication error"]
        .iter()
        .any(|what| said.starts_with(what));
    if of_sign_in || said.contains("TLS") && !broke(error) {
        StoreErrorKind::Misconfigured
    } else {
        StoreErrorKind::Unavailable
    }
}

/// Whether the connection broke. What TLS itself objects to is invalid data.
fn broke(error: &Error) -> bool {
    let of_the_connection = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    of_the_connection.is_some_and(|error| error.kind() != io::ErrorKind::InvalidData)
}
