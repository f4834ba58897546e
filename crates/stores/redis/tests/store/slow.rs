//! A server that is slow: an operation of several commands takes no longer than one may.

use std::time::Duration;

use fasthttpsession_core::{Store as _, StoreErrorKind};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisFuture, Value, parse_redis_value};
use tokio::time::{Instant, sleep};

use crate::support::sample::{handle, next, now, principal, record};

const CONNECTING: Duration = Duration::from_secs(1);
const ANSWERING: Duration = Duration::from_secs(5);

/// How long each answer takes: less than it may, and of two more than an operation may.
const SLOW: Duration = Duration::from_secs(4);

/// Knows no script, and has one entry in each index.
#[derive(Clone)]
struct Slow;

impl ConnectionLike for Slow {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            sleep(SLOW).await;
            let command = command.get_packed_command();
            let is = |name: &str| {
                let name = format!("\r\n{name}\r\n");
                command
                    .windows(name.len())
                    .any(|part| part == name.as_bytes())
            };
            parse_redis_value(if is("EVALSHA") {
                b"-NOSCRIPT No matching script.\r\n"
            } else if is("ZRANGEBYSCORE") {
                b"*2\r\n$24\r\na handle and its moment.\r\n$1\r\n1\r\n"
            } else {
                b"+OK\r\n"
            })
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        unreachable!("nothing here is asked for together")
    }

    fn get_db(&self) -> i64 {
        0
    }
}

async fn open() -> RedisStore {
    let config = RedisConfig::default()
        .connect_timeout(CONNECTING)
        .response_timeout(ANSWERING);
    config.open_on(Slow).await.expect("it answers")
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_several_commands_takes_no_longer_than_one_may() {
    let store = open().await;
    let (handle, first) = (handle(), record());
    let (second, principal) = (next(&first), principal());
    for operation in 0..5 {
        let began = Instant::now();
        let answer = match operation {
            0 => store.create(handle, &first, now()).await.map(drop),
            1 => store.replace(handle, 1, &second, now()).await.map(drop),
            2 => store.touch(handle, 1, now(), now()).await.map(drop),
            3 => store.delete(handle, now()).await.map(drop),
            _ => store.sessions_of(&principal, now()).await.map(drop),
        };
        let error = answer.expect_err("it takes two commands");
        assert_eq!(
            error.kind(),
            StoreErrorKind::Timeout,
            "{operation}: {error}"
        );
        let (waited, limit) = (began.elapsed(), CONNECTING + ANSWERING);
        let moment = Duration::from_millis(2);
        assert!(
            (limit..=limit + moment).contains(&waited),
            "{operation}: {waited:?}"
        );
    }
}
