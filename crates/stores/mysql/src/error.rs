//! How the driver's errors become this library's: the only place that knows both.
//!
//! Neither the driver's messages nor the server's are passed on: they may quote what was sent.

use fasthttpsession_core::{StoreError, StoreErrorKind};
use mysql_async::{DriverError, Error, IoError, ServerError};

use crate::row::Wrong;

/// It was lowered, for a store writes nothing that is larger than when it was opened.
const OVER_LIMIT: &str = "the record is larger than the server's max_allowed_packet: raise that";

/// How a statement failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server or the driver said so.
    Driver(Error),
    /// The same of a statement that was sent after others, such as a COMMIT.
    Later(Error),
    /// The answer did not come within the limit.
    TimedOut,
    /// A row was read that is not a record.
    Corrupt(Wrong),
    /// There was no connection to send anything on.
    Unsent(StoreError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Driver(error)
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        Self::Corrupt(wrong)
    }
}

impl Failure {
    /// The server chose this transaction to end a deadlock, or a row changed under it (on servers that check snapshots);
    /// it was rolled back, and may be tried again at once.
    pub(crate) fn is_deadlock(&self) -> bool {
        matches!(self.code(), Some(1213 | 1020))
    }

    /// There is a row with the same handle.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.code() == Some(1062)
    }

    /// The transaction had no effect, for others were in its way.
    pub(crate) fn was_in_the_way(&self) -> bool {
        self.is_deadlock() || self.code() == Some(1205)
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Driver(Error::Server(error)) | Self::Later(Error::Server(error)) => {
                Some(error.code)
            }
            _ => None,
        }
    }

    /// This failure of `doing` (as in "loading a session").
    pub(crate) fn of(self, doing: &str) -> StoreError {
        match self {
            Self::TimedOut => timed_out(doing),
            Self::Corrupt(what) => corrupt(what),
            Self::Unsent(error) => error,
            Self::Driver(Error::Server(error)) => refused(doing, &error),
            Self::Later(Error::Server(error)) => refused_later(doing, &error),
            Self::Driver(error) | Self::Later(error) => failed(doing, error),
        }
    }
}

/// A row that is no record: `what` is wrong with it.
fn corrupt(what: Wrong) -> StoreError {
    let sentence = format!("a row of the MySQL store is no record: {what}");
    StoreError::new(StoreErrorKind::Corrupt, sentence)
}

/// Why there is no connection to the server at `place`.
pub(crate) fn unopened(place: &str, error: Error) -> StoreError {
    let doing = format!("connecting to {place}");
    let error = match error {
        Error::Io(error) => broken(&doing, &error),
        error => Failure::Driver(error).of(&doing),
    };
    error.not_applied()
}

/// The answer did not come in time.
pub(crate) fn timed_out(doing: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Timeout,
        format!("{doing}: MySQL did not answer within the limit"),
    )
}

/// A record that the server would not take.
pub(crate) fn too_large(bytes: usize, limit: usize) -> StoreError {
    let sentence = format!("a record of {bytes} bytes is more than MySQL takes, {limit} bytes");
    StoreError::new(StoreErrorKind::TooLarge, sentence)
}

/// Another writer was in the way each time.
pub(crate) fn contended(doing: &str) -> StoreError {
    let sentence = format!("{doing}: other writers were in the way each time");
    StoreError::new(StoreErrorKind::Unavailable, sentence).not_applied()
}

/// What is refused for a reason such as a full disk is certain, also of a statement that commits by itself: the server
/// gives that reason for a row, and takes the statement back. What befalls the commit behind it has other numbers: 1180
/// whatever the engine says, and for the binary log 1026, 1197, 1598 and 1705, which leave it open.
fn refused(doing: &str, error: &ServerError) -> StoreError {
    let (kind, what) = describe(error.code);
    // ProxySQL says so where it has the server interrupt the statement, maybe too late.
    let may_be_of_a_proxy = matches!(error.code, 1317 | 1907);
    let is_certain = takes_no_writes(error.code);
    let error = refusal(doing, kind, what, error);
    match kind {
        _ if is_certain => error.not_applied(),
        StoreErrorKind::Internal | StoreErrorKind::Unavailable => error,
        _ if may_be_of_a_proxy => error,
        _ => error.not_applied(),
    }
}

/// A statement is refused before it writes, and where the server has been set so meanwhile, it is undone.
fn takes_no_writes(code: u16) -> bool {
    matches!(code, 1036 | 1290 | 1792 | 1836)
}

/// A server may refuse a COMMIT for whatever befalls it once the transaction is in its log, or with others: only where a
/// failure [`was_in_the_way`](Failure::was_in_the_way) is it certain to have been rolled back. That a disk is full it says
/// of rows alone (see [`refused`]), so of a COMMIT nobody knows what it means.
fn refused_later(doing: &str, error: &ServerError) -> StoreError {
    match describe(error.code) {
        // Of this kind is nothing that may have been made.
        (StoreErrorKind::Full, what) => refusal(doing, StoreErrorKind::Unavailable, what, error),
        (kind, what) => refusal(doing, kind, what, error),
    }
}

fn refusal(doing: &str, kind: StoreErrorKind, what: &str, error: &ServerError) -> StoreError {
    let sentence = format!("{doing}: {what} (MySQL error {})", error.code);
    StoreError::new(kind, sentence)
}

/// What the server's error of this number means here.
#[rustfmt::skip]
fn describe(code: u16) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Full, Internal, Misconfigured, Timeout, TooLarge, Unavailable};
    match code {
        1021 | 1028 => (Full, "the server's disk is full"),
        1114 => (Full, "the table is full"),
        1030 => (Full, "the server's storage failed, as it does when a disk is full"),
        1118 | 1301 | 1406 => (TooLarge, "the record is larger than the server takes"),
        1153 => (TooLarge, OVER_LIMIT),
        1205 => (Timeout, "another transaction holds the row"),
        1317 | 1907 | 1969 | 3024 => (Timeout, "the server interrupted the statement"),
        1020 | 1213 => (Unavailable, "it was chosen to end a deadlock"),
        1040 | 1203 | 1226 => (Unavailable, "the server has no connection left"),
        1037 | 1038 | 1041 => (Unavailable, "the server has no memory left"),
        1053 | 1077 | 1079 | 1927 | 3169 | 4031 => (Unavailable, "the server closed the connection"),
        2006 | 2013 | 9001 => (Unavailable, "a proxy has lost the server"),
        1047 => (Unavailable, "the node is not ready for use"),
        1180 | 3100 | 3101 => (Unavailable, "the server could not commit"),
        _ if takes_no_writes(code) => (Unavailable, "the server only answers reads"),
        1044 => (Misconfigured, "the user has no right to the database, or there is none of that name"),
        1045 | 1698 | 1820 | 1862 | 3118 | 4151 => (Misconfigured, "the server refused the user or the password"),
        1049 => (Misconfigured, "there is no such database"),
        1046 => (Misconfigured, "no database was named"),
        1142 | 1143 | 1227 | 1370 => (Misconfigured, "the user may not do this"),
        1064 => (Misconfigured, "the server does not read the statement: it keeps the table's name for itself, or its sql_mode is another"),
        1051 | 1146 => (Misconfigured, "there is no such table"),
        1054 | 1136 | 1364 => (Misconfigured, "the table has other columns"),
        1665 => (Misconfigured, "the server's binlog_format is STATEMENT, and it must be ROW or MIXED"),
        1129 | 1130 => (Misconfigured, "the server refuses connections from this host"),
        3159 => (Misconfigured, "the server only takes connections by TLS"),
        _ => (Internal, "the server refused"),
    }
}

fn failed(doing: &str, error: Error) -> StoreError {
    match error {
        Error::Io(error) => broken(&format!("{doing}: the connection to MySQL broke"), &error),
        Error::Driver(error) => misunderstood(doing, &error),
        _ => StoreError::new(
            StoreErrorKind::Internal,
            format!("{doing}: the MySQL driver failed"),
        ),
    }
}

/// What `failed` (as in "connecting to db.example:3306"), with what the system or TLS says, which see no statements.
fn broken(failed: &str, error: &IoError) -> StoreError {
    use StoreErrorKind::Unavailable;
    let (kind, sentence) = match error {
        #[cfg(feature = "tls")]
        IoError::Io(error) if is_of_a_stranger(error) => (
            StoreErrorKind::Misconfigured,
            format!("{failed}: the server's TLS certificate is not trusted: {error}"),
        ),
        IoError::Io(error) if is_over_limit(error) => {
            (StoreErrorKind::TooLarge, format!("{failed}: {OVER_LIMIT}"))
        }
        IoError::Io(error) => (Unavailable, format!("{failed}: {error}")),
        #[cfg(feature = "tls")]
        IoError::Tls(error) => (Unavailable, format!("{failed}: no TLS: {error}")),
    };
    StoreError::new(kind, sentence)
}

/// The handshake ended because of the server's certificate.
#[cfg(feature = "tls")]
fn is_of_a_stranger(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// The driver neither sends nor reads a message of that size. What it would not read are records, of which none has been
/// written by the statement that asks for them.
fn is_over_limit(error: &std::io::Error) -> bool {
    // It keeps the type to itself.
    let inner = error.get_ref().map(ToString::to_string);
    inner.is_some_and(|inner| inner.contains("larger than max_allowed_packet"))
}

fn misunderstood(doing: &str, error: &DriverError) -> StoreError {
    use DriverError::{
        CleartextPluginDisabled, ConnectionClosed, MysqlOldPasswordDisabled,
        NoClientSslFlagFromServer, NoKeyFound, PacketTooLarge, PoolDisconnected, UnknownAuthPlugin,
    };
    use StoreErrorKind::{Internal, Misconfigured, TooLarge, Unavailable};
    let (kind, what) = match error {
        ConnectionClosed => (Unavailable, "the connection to MySQL was closed"),
        PoolDisconnected => (Unavailable, "the pool was disconnected"),
        PacketTooLarge => (TooLarge, OVER_LIMIT),
        NoClientSslFlagFromServer => (Misconfigured, "the server has no TLS"),
        NoKeyFound => (Misconfigured, "the file has no private key"),
        UnknownAuthPlugin { .. } | MysqlOldPasswordDisabled | CleartextPluginDisabled => (
            Misconfigured,
            "the server wants to authenticate in a way that the driver refuses",
        ),
        _ => (Internal, "the MySQL driver did not understand the server"),
    };
    StoreError::new(kind, format!("{doing}: {what}"))
}
