//! How the driver's errors become this library's: the only place that knows both. What a server says may quote what it
//! was sent, so messages show no more of it than is known to be harmless.

use fasthttpsession_core::{Handle, StoreError, StoreErrorKind};
use redis::{ErrorKind, RedisError, ServerErrorKind};

const RIGHTS: &str =
    "the user may not do this; compare its rights with the section Rights of this store's page";

/// What the driver or the server said to a command. An answer that servers are known to give means that the command had
/// no effect.
pub(crate) fn store_error(error: &RedisError) -> StoreError {
    use StoreErrorKind::{Internal, Misconfigured, Timeout, Unavailable};
    match error.kind() {
        ErrorKind::Io if error.is_timeout() => {
            StoreError::new(Timeout, "Redis did not answer within the limit")
        }
        ErrorKind::Io => {
            let message = format!("the connection to Redis was lost: {error}");
            StoreError::new(Unavailable, message)
        }
        // All that the driver tells of an answer that breaks off is what it says of one that makes no sense.
        ErrorKind::Parse if error.to_string().contains("end of input") => {
            let message = "the connection to Redis was lost in the middle of an answer";
            StoreError::new(Unavailable, message)
        }
        ErrorKind::AuthenticationFailed => {
            StoreError::new(Misconfigured, "Redis refused the user name or the password")
                .not_applied()
        }
        ErrorKind::Server(_) | ErrorKind::Extension => refusal(error),
        kind => StoreError::new(Internal, format!("the Redis driver failed: {kind:?}")),
    }
}

/// Why no connection came about: never something that was applied.
pub(crate) fn connect_error(place: &str, error: &RedisError) -> StoreError {
    let error = store_error(error);
    let kind = match error.kind() {
        // A server that answers a greeting with an error is not the one that the configuration means.
        StoreErrorKind::Internal => StoreErrorKind::Misconfigured,
        kind => kind,
    };
    StoreError::new(kind, format!("connecting to {place}: {error}")).not_applied()
}

/// Nothing was sent.
pub(crate) fn unreachable(message: impl Into<String>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, message).not_applied()
}

/// What lies under the key of `handle` is not a record.
pub(crate) fn corrupt(handle: Handle, why: impl std::fmt::Display) -> StoreError {
    let message = format!("what Redis holds for session {handle} is not a record: {why}");
    StoreError::new(StoreErrorKind::Corrupt, message)
}

/// Fewer replicas than demanded confirmed a write within the limit. The primary has it.
pub(crate) fn not_replicated(confirmed: i64, wanted: u32) -> StoreError {
    let message = format!("{confirmed} replicas confirmed a write in time, {wanted} should");
    StoreError::new(StoreErrorKind::Unavailable, message)
}

/// The primary did not wait for replicas, or has become one meanwhile. It had the write by then.
pub(crate) fn unconfirmed(refusal: &StoreError) -> StoreError {
    let message = format!("whether replicas have a write is not known: {refusal}");
    StoreError::new(StoreErrorKind::Unavailable, message)
}

/// An answer that the protocol or a script does not have.
pub(crate) fn unexpected(what: &str) -> StoreError {
    let message = format!("Redis gave an answer that {what} does not have");
    StoreError::new(StoreErrorKind::Internal, message)
}

/// A server that answered with an error. It did nothing, if that is known of the error.
fn refusal(error: &RedisError) -> StoreError {
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or_default();
    let Some((kind, why)) = reason(error.kind(), code, detail) else {
        // What stands between may say so when it has passed the command on.
        let message = format!("Redis gave an error that this store does not know ({code})");
        return StoreError::new(StoreErrorKind::Internal, message);
    };
    StoreError::new(kind, format!("Redis refused a command: {why} ({code})")).not_applied()
}

/// What an error means that has no effect; `None` if it may be another.
fn reason(kind: ErrorKind, code: &str, detail: &str) -> Option<(StoreErrorKind, &'static str)> {
    use ServerErrorKind::{
        Ask, BusyLoading, ClusterDown, CrossSlot, MasterDown, Moved, NoPerm, ReadOnly, TryAgain,
    };
    use StoreErrorKind::{Corrupt, Full, Misconfigured, TooLarge, Unavailable};
    let has = |part| code == part || detail.contains(part);
    let reason = match kind {
        ErrorKind::Server(BusyLoading) => (Unavailable, "it is still loading its data"),
        ErrorKind::Server(ClusterDown) => (Unavailable, "the cluster is down"),
        ErrorKind::Server(MasterDown) => (Unavailable, "its primary is down"),
        ErrorKind::Server(ReadOnly) => (Unavailable, "it is a replica"),
        ErrorKind::Server(TryAgain) => (Unavailable, "a slot is being moved"),
        ErrorKind::Server(CrossSlot | Moved | Ask) => (
            Misconfigured,
            "it is a cluster, and the URL does not begin with redis+cluster://",
        ),
        ErrorKind::Server(NoPerm) => (Misconfigured, RIGHTS),
        // Scripts write a record last, so it is as it was when they are not let go on; a touch at most has moved its deadline.
        _ if has("NOPERM") => (Misconfigured, RIGHTS),
        // As Redis 7.0 says it, and as later ones and Valkey do.
        _ if has("user executing the script can't") || has("ACL failure in script") => {
            (Misconfigured, RIGHTS)
        }
        _ if has("WRONGTYPE") => (Corrupt, "a key holds another type of value"),
        _ if has("OOM") => (Full, "it has reached maxmemory"),
        _ if has("MISCONF") && detail.contains("No space left") => {
            (Full, "it can't write to its disk, which is full")
        }
        _ if has("MISCONF") => (Unavailable, "it can't write to its disk"),
        _ if has("READONLY") => (Unavailable, "it is a replica"),
        _ if has("NOREPLICAS") => (Unavailable, "too few replicas are there"),
        _ if has("BUSY") => (Unavailable, "it is busy with a script"),
        _ if has("max number of clients") => (Unavailable, "it has too many clients"),
        _ if has("NOAUTH")
            || has("WRONGPASS")
            || has("invalid password")
            || has("without any password configured") =>
        {
            (Misconfigured, "the user name or the password is wrong")
        }
        _ if has("invalid bulk length") || has("string exceeds maximum allowed size") => {
            (TooLarge, "the record is larger than its proto-max-bulk-len")
        }
        _ if has("cluster support disabled") => (
            Misconfigured,
            "it is no cluster, and the URL begins with redis+cluster://",
        ),
        _ if has("unknown command") => (
            Misconfigured,
            "it does not know this command; sentinels, and nobody else, are reached by redis+sentinel://",
        ),
        _ if has("DB index is out of range") => {
            (Misconfigured, "it has no database of this number")
        }
        _ => return None,
    };
    Some(reason)
}

#[cfg(test)]
mod tests {
    use redis::aio::{ConnectionLike as _, MultiplexedConnection};
    use redis::{AsyncConnectionConfig, RedisConnectionInfo, cmd};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// What the driver says when all that answers a command is `answer`, and then the connection ends.
    async fn error_after(answer: &str) -> RedisError {
        let (ours, mut theirs) = duplex(1024);
        let greeting = RedisConnectionInfo::default().set_skip_set_lib_name();
        let settings = AsyncConnectionConfig::new();
        let opened = MultiplexedConnection::new_with_config(&greeting, ours, settings).await;
        let (mut connection, driver) = opened.expect("there is no greeting");
        tokio::spawn(driver);
        let command = cmd("PING");
        let (answered, ()) = tokio::join!(connection.req_packed_command(&command), async {
            theirs.read_u8().await.expect("a command");
            theirs.write_all(answer.as_bytes()).await.expect("room");
            drop(theirs);
        });
        answered.expect_err("it is no whole answer")
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_a_lost_connection() {
        let whole = "*3\r\n$8\r\nconflict\r\n:12\r\n$-1\r\n";
        for end in 0..whole.len() {
            let error = error_after(&whole[..end]).await;
            for error in [store_error(&error), connect_error("somewhere", &error)] {
                let kind = error.kind();
                assert_eq!(kind, StoreErrorKind::Unavailable, "after {end}: {error}");
            }
            assert!(store_error(&error).may_have_applied());
        }
    }

    #[tokio::test]
    async fn an_answer_of_another_protocol_is_not() {
        let error = error_after("HTTP/1.1 400 Bad Request\r\n").await;
        assert_eq!(store_error(&error).kind(), StoreErrorKind::Internal);
        let error = connect_error("somewhere", &error);
        assert_eq!(error.kind(), StoreErrorKind::Misconfigured);
    }
}
