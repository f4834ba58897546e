//! What wrapping tokens and encrypting records costs. `cargo bench -p fasthttpsession-core` prints nanoseconds a request on
//! the memory store, the best of several rounds.
#![allow(clippy::unwrap_used, reason = "a benchmark may")]

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use fasthttpsession_core::{Error, HeaderEdit, Keys, Sessions, SessionsBuilder, TokenCodec};
use fasthttpsession_memory::MemoryStore;

const ROUNDS: usize = 300;
/// So few that most rounds are not interrupted.
const REQUESTS: u32 = 200;
const KEY: &str = "2026-11:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

type Settings = fn(SessionsBuilder, &Keys) -> SessionsBuilder;

fn main() {
    let cases: [(&str, Settings); 5] = [
        ("neither", |builder, _| builder),
        ("signed tokens", |builder, keys| {
            builder.token_codec(TokenCodec::signed(keys))
        }),
        ("encrypted tokens", |builder, keys| {
            builder.token_codec(TokenCodec::encrypted(keys))
        }),
        ("encrypted records", |builder, keys| {
            builder.encrypt_records(keys)
        }),
        ("encrypted records and signed tokens", |builder, keys| {
            builder
                .encrypt_records(keys)
                .token_codec(TokenCodec::signed(keys))
        }),
    ];
    let keys = Keys::parse(KEY).unwrap();
    for size in [100, 4_000, 60_000] {
        println!("A session of {size} bytes:");
        for (what, settings) in cases {
            let sessions = settings(Sessions::builder(MemoryStore::new()), &keys);
            let sessions = sessions.build().unwrap();
            let cookie = block_on(first(&sessions, size)).unwrap();
            let read = nanoseconds(|| block_on(read(&sessions, &cookie)).unwrap());
            let write = nanoseconds(|| block_on(write(&sessions, &cookie)).unwrap());
            println!("  {what}: {read:.0} ns to read, {write:.0} ns to read and write");
        }
    }
}

/// Makes a session, and returns its cookie.
async fn first(sessions: &Sessions, size: usize) -> Result<String, Error> {
    let exchange = sessions.begin([("host", "example.org")], None);
    let session = exchange.session().await?;
    session.set("data", &"x".repeat(size))?;
    session.set("count", &0)?;
    let edits = exchange.finish().await?;
    let cookie = edits.into_iter().find_map(|edit| match edit {
        HeaderEdit::SetCookie { value, .. } => Some(value),
        _ => None,
    });
    Ok(cookie.unwrap().split(';').next().unwrap().to_owned())
}

async fn read(sessions: &Sessions, cookie: &str) -> Result<(), Error> {
    let exchange = sessions.begin([("cookie", cookie)], None);
    let session = exchange.session().await?;
    black_box(session.get::<u64>("count")?);
    black_box(exchange.finish().await?);
    Ok(())
}

async fn write(sessions: &Sessions, cookie: &str) -> Result<(), Error> {
    let exchange = sessions.begin([("cookie", cookie)], None);
    let session = exchange.session().await?;
    session.set("count", &1)?;
    black_box(exchange.finish().await?);
    Ok(())
}

fn nanoseconds(mut request: impl FnMut()) -> f64 {
    let round = |_| {
        let begin = Instant::now();
        for _ in 0..REQUESTS {
            request();
        }
        begin.elapsed().as_secs_f64() * 1e9 / f64::from(REQUESTS)
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// The memory store never waits.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the memory store waited"),
    }
}
