//! Each command, sent to a real server.

mod support;

use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_memcached_client::{
    Added, Address, Client, Deleted, ErrorKind, Expiry, Swapped,
};
use fasthttpsession_servers::{Memcached, MemcachedServer};
use support::{add, client, value};

/// A key that no other test has.
fn key() -> String {
    format!("client-test-{:016x}", fastrand::u64(..))
}

/// A client of the shared server, which is there as long as the second part.
fn shared() -> (Client, MemcachedServer) {
    let server = Memcached::shared();
    (client(&server), server)
}

#[tokio::test]
async fn a_value_comes_back_byte_for_byte() {
    let ((client, _server), key) = (shared(), key());
    assert_eq!(client.get(&key).await.expect("it answers"), None);
    let bytes: Vec<u8> = (0..=255).chain(*b"\r\nEN\r\n").collect();
    let added = client.add(&key, bytes.clone().into(), Expiry::NEVER).await;
    let item = client
        .get(&key)
        .await
        .expect("it answers")
        .expect("it was added");
    assert_eq!(added.expect("it answers"), Added::Added(item.cas));
    assert_eq!(item.value, bytes);
}

#[tokio::test]
async fn a_value_may_be_empty_and_a_key_as_long_as_may_be() {
    let (client, _server) = shared();
    let key = format!("{}{}", key(), "k".repeat(Client::MAX_KEY_BYTES - 28));
    assert_eq!(key.len(), Client::MAX_KEY_BYTES);
    add(&client, &key, "").await;
    assert_eq!(value(&client, &key).await, Some(Bytes::new()));
}

#[tokio::test]
async fn what_is_there_is_not_added_again() {
    let ((client, _server), key) = (shared(), key());
    add(&client, &key, "first").await;
    let again = client.add(&key, Bytes::from("second"), Expiry::NEVER).await;
    assert_eq!(again.expect("it answers"), Added::Exists);
    assert_eq!(value(&client, &key).await, Some(Bytes::from("first")));
}

#[tokio::test]
async fn a_swap_succeeds_once() {
    let ((client, _server), key) = (shared(), key());
    let first = add(&client, &key, "first").await;
    let swap = async |cas, value: &'static str| {
        let swapped = client
            .swap(&key, cas, Bytes::from(value), Expiry::NEVER)
            .await;
        swapped.expect("it answers")
    };
    let Swapped::Swapped(second) = swap(first, "second").await else {
        panic!("nobody else was there");
    };
    assert_ne!(first, second);
    assert_eq!(swap(first, "third").await, Swapped::Changed);
    assert_eq!(value(&client, &key).await, Some(Bytes::from("second")));
    assert!(matches!(swap(second, "third").await, Swapped::Swapped(_)));
}

#[tokio::test]
async fn a_swap_of_nothing_writes_nothing() {
    let ((client, _server), key) = (shared(), key());
    let cas = add(&client, &key, "gone soon").await;
    client.delete(&key, None).await.expect("it answers");
    let swapped = client
        .swap(&key, cas, Bytes::from("back"), Expiry::NEVER)
        .await;
    assert_eq!(swapped.expect("it answers"), Swapped::Missing);
    assert_eq!(value(&client, &key).await, None);
}

#[tokio::test]
async fn a_deletion_by_cas_spares_what_is_newer() {
    let ((client, _server), key) = (shared(), key());
    let first = add(&client, &key, "first").await;
    let delete = async |cas| client.delete(&key, cas).await.expect("it answers");
    let swapped = client
        .swap(&key, first, Bytes::from("second"), Expiry::NEVER)
        .await;
    let Swapped::Swapped(second) = swapped.expect("it answers") else {
        panic!("nobody else was there");
    };
    assert_eq!(delete(Some(first)).await, Deleted::Changed);
    assert_eq!(value(&client, &key).await, Some(Bytes::from("second")));
    assert_eq!(delete(Some(second)).await, Deleted::Deleted);
    assert_eq!(delete(Some(second)).await, Deleted::Missing);
    add(&client, &key, "third").await;
    assert_eq!(delete(None).await, Deleted::Deleted);
    assert_eq!(delete(None).await, Deleted::Missing);
}

#[tokio::test]
async fn a_value_expires_in_its_time() {
    let ((client, _server), brief, lasting) = (shared(), key(), key());
    let second = Expiry::after(Duration::from_secs(1));
    let month = Expiry::after(Duration::from_secs(31 * 24 * 3600));
    for (key, expiry) in [(&brief, second), (&lasting, month)] {
        let added = client.add(key, Bytes::from("value"), expiry).await;
        added.expect("it answers");
    }
    assert!(value(&client, &brief).await.is_some());
    let gone = async {
        while value(&client, &brief).await.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(support::LONG, gone)
        .await
        .expect("it expires");
    assert!(value(&client, &lasting).await.is_some());
    let past = client
        .add(&brief, Bytes::from("value"), Expiry::AT_ONCE)
        .await;
    assert!(matches!(past.expect("it answers"), Added::Added(_)));
    assert_eq!(value(&client, &brief).await, None);
}

#[tokio::test]
async fn a_server_that_is_up_says_so() {
    let (client, _server) = shared();
    client.ping(&client.servers()[0]).await.expect("it answers");
    let other = Address::tcp("127.0.0.1", 1);
    let error = client
        .ping(&other)
        .await
        .expect_err("it is not in the list");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// A server that is sent more than it can hold removes what it has.
#[tokio::test]
async fn a_value_over_the_servers_limit_costs_nothing() {
    let server = Memcached::start_with(&["-I", "512k"]);
    let client = client(&server);
    let cas = add(&client, "key", "small").await;
    let room = 512 * 1024 - 128 - "key".len();
    let error = client
        .swap("key", cas, Bytes::from(vec![0; room + 1]), Expiry::NEVER)
        .await
        .expect_err("it is too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(!error.may_have_applied());
    assert_eq!(value(&client, "key").await, Some(Bytes::from("small")));
    let fits = Bytes::from(vec![1; room]);
    let swapped = client.swap("key", cas, fits.clone(), Expiry::NEVER).await;
    assert!(matches!(swapped.expect("it fits"), Swapped::Swapped(_)));
    assert_eq!(value(&client, "key").await, Some(fits));
}

#[tokio::test]
async fn a_value_larger_than_is_read_is_an_error_and_others_are_read() {
    let server = Memcached::shared();
    let (large, small) = (key(), key());
    let client = support::config(&[server.address()]).value_bytes(1_000);
    let client = client.open().expect("nothing is wrong with it");
    add(&client, &large, &"x".repeat(500_000)).await;
    add(&client, &small, "small").await;
    let (first, second) = tokio::join!(client.get(&large), client.get(&small));
    assert_eq!(first.expect_err("too large").kind(), ErrorKind::TooLarge);
    let second = second.expect("it answers").expect("it was added");
    assert_eq!(second.value, "small");
    let deleted = client.delete(&large, None).await;
    assert_eq!(deleted.expect("it answers"), Deleted::Deleted);
}

#[tokio::test]
async fn a_server_without_cas_is_refused() {
    let server = Memcached::start_with(&["-C"]);
    let client = client(&server);
    let error = client.get("key").await.expect_err("it can't compare");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("-C"), "{error}");
}

#[tokio::test]
async fn a_server_without_memory_for_a_value_says_so() {
    let server = Memcached::start_with(&["-M", "-m", "2"]);
    let client = client(&server);
    for number in 0..1_000 {
        let value = Bytes::from(vec![0; 200_000]);
        let added = client.add(&number.to_string(), value, Expiry::NEVER).await;
        if let Err(error) = added {
            assert_eq!(error.kind(), ErrorKind::OutOfMemory);
            assert!(!error.may_have_applied());
            return;
        }
    }
    panic!("200 MB went into 2");
}
