//! Memory that is full, records that are too large, sessions that others are at all the time.

use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Created, Deleted, Record, Replaced, Store as _, StoreErrorKind};
use fasthttpsession_memcached::MemcachedConfig;
use fasthttpsession_memcached_client::Expiry;
use fasthttpsession_servers::Memcached;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::sample::{HOUR, handle, next, now, record, record_of};
use crate::support::{client, config, open};

#[tokio::test]
async fn what_a_full_server_pushed_out_is_gone() {
    let server = Memcached::start_with(&["-m", "4"]);
    let store = open(std::slice::from_ref(&server)).await;
    let handles: Vec<_> = std::iter::repeat_with(handle).take(2_000).collect();
    for handle in &handles {
        store
            .create(*handle, &record_of(10_000), now())
            .await
            .expect("older ones make room");
    }
    assert!(server.stat("evictions") > 0);
    let mut kept = 0;
    for handle in &handles {
        kept += u32::from(
            store
                .load(*handle, now())
                .await
                .expect("gone is no error")
                .is_some(),
        );
    }
    assert!((1..2_000).contains(&kept), "{kept}");
    let first = store.delete(handles[0], now()).await;
    assert_eq!(first.expect("gone is no error"), Deleted::Gone);
}

#[tokio::test]
async fn a_server_that_may_not_push_anything_out_is_full() {
    let server = Memcached::start_with(&["-M", "-m", "4"]);
    let store = open(std::slice::from_ref(&server)).await;
    for _ in 0..2_000 {
        let created = store.create(handle(), &record_of(10_000), now()).await;
        if let Err(error) = created {
            assert_eq!(error.kind(), StoreErrorKind::Full);
            assert!(!error.may_have_applied());
            return;
        }
    }
    panic!("20 MB went into 4");
}

/// A server that is sent more than it holds would remove the session.
#[tokio::test]
async fn a_record_over_the_servers_limit_leaves_the_session_as_it_was() {
    let server = Memcached::start_with(&["-I", "512k"]);
    let store = open(std::slice::from_ref(&server)).await;
    let (handle, first) = (handle(), record());
    store
        .create(handle, &first, now())
        .await
        .expect("it answers");
    let large = Record {
        body: record_of(600_000).body,
        ..next(&first)
    };
    let error = store.replace(handle, 1, &large, now()).await;
    let error = error.expect_err("it is too large");
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert!(!error.may_have_applied());
    assert_eq!(
        store.load(handle, now()).await.expect("it answers"),
        Some(first)
    );
}

#[tokio::test]
async fn what_can_not_be_read_can_be_ended() {
    let server = Memcached::start();
    let servers = std::slice::from_ref(&server);
    let (large, spoilt) = (handle(), handle());
    let created = open(servers)
        .await
        .create(large, &record_of(10_000), now())
        .await;
    created.expect("it answers");
    let planted = Bytes::from("no record");
    let raw = client(servers);
    let added = raw
        .add(&format!("session:{spoilt}"), planted, Expiry::NEVER)
        .await;
    added.expect("it answers");
    let store = config(servers).max_record_bytes(1_000).open().await;
    let store = store.expect("it answers");
    for (handle, kind) in [
        (large, StoreErrorKind::TooLarge),
        (spoilt, StoreErrorKind::Corrupt),
    ] {
        let error = store
            .load(handle, now())
            .await
            .expect_err("it can't be read");
        assert_eq!(error.kind(), kind);
        let deleted = store.delete(handle, now()).await;
        assert_eq!(deleted.expect("it answers"), Deleted::Deleted);
        assert_eq!(store.load(handle, now()).await.expect("it answers"), None);
    }
}

#[tokio::test]
async fn a_time_without_end_is_one_too() {
    let server = Memcached::start();
    let config = config(std::slice::from_ref(&server));
    let config = config
        .connect_timeout(Duration::MAX)
        .response_timeout(Duration::MAX);
    let store = config.open().await.expect("it answers");
    let (handle, first) = (handle(), record());
    let created = store.create(handle, &first, now()).await;
    assert_eq!(created.expect("it answers"), Created::Created);
    let replaced = store.replace(handle, 1, &next(&first), now()).await;
    assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
}

/// A server that says of each swap that somebody else was first.
#[tokio::test]
async fn who_loses_every_race_gives_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port is free");
    let address = listener.local_addr().expect("it is bound").to_string();
    let server = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a client comes");
            tokio::spawn(always_changed(BufReader::new(stream)));
        }
    });
    let config = MemcachedConfig::new(&address).expect("it is an address");
    let config = config.response_timeout(Duration::from_secs(3));
    let store = config.open().await.expect("it answers");
    let (handle, later) = (handle(), now().after(2 * HOUR));
    let lost = [
        store
            .replace(handle, 1, &next(&record()), now())
            .await
            .map(drop),
        store.touch(handle, 1, later, now()).await.map(drop),
        store.delete(handle, now()).await.map(drop),
    ];
    for lost in lost {
        let error = lost.expect_err("others are always first");
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        assert!(!error.may_have_applied());
    }
    server.abort();
}

async fn always_changed(mut stream: BufReader<TcpStream>) {
    let (value, mut line) = (record().to_bytes(), String::new());
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = words.last().expect("no line is empty");
        let answer = match words[0] {
            "stats" => b"END\r\n".to_vec(),
            "mn" => b"MN\r\n".to_vec(),
            "mg" => {
                let head = format!("VA {} c9 {number}\r\n", value.len());
                [head.as_bytes(), &value, b"\r\n"].concat()
            }
            "ms" => {
                let length: usize = words[2].parse().expect("the length of the value");
                let mut sent = vec![0; length + 2];
                stream.read_exact(&mut sent).await.expect("it was sent");
                format!("EX c0 {number}\r\n").into_bytes()
            }
            _ => format!("EX {number}\r\n").into_bytes(),
        };
        stream
            .write_all(&answer)
            .await
            .expect("the client is there");
        line.clear();
    }
}
