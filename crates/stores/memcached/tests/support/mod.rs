//! What the tests of this store have in common.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod browser;
pub(crate) mod sample;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use fasthttpsession_conformance::store::Subject;
use fasthttpsession_core::{Handle, Store as _};
use fasthttpsession_memcached::{MemcachedConfig, MemcachedStore};
use fasthttpsession_memcached_client::{Client, ClientConfig, Expiry};
use fasthttpsession_servers::MemcachedServer;

/// What the suite calls too large is just over what a server holds by default.
const LARGE: usize = 1 << 20;

/// Two stores on `servers` with a prefix of their own, for the suite.
pub(crate) async fn subject(servers: &[MemcachedServer]) -> Subject<MemcachedStore> {
    let prefix = prefix();
    let config = config(servers).prefix(&prefix).max_record_bytes(2 * LARGE);
    let open = async || config.clone().open().await.expect("the servers answer");
    let (planting, raw) = (prefix.clone(), client(servers));
    let reading = raw.clone();
    Subject::new(open().await)
        .second_client(open().await)
        .raw(
            move |handle, bytes| {
                let (raw, key) = (raw.clone(), format!("{planting}{handle}"));
                async move {
                    let added = raw.add(&key, bytes.into(), Expiry::NEVER).await;
                    added.expect("the server answers");
                }
            },
            move |handle| {
                let (raw, key) = (reading.clone(), format!("{prefix}{handle}"));
                async move {
                    let item = raw.get(&key).await.expect("the server answers");
                    item.map(|item| item.value.to_vec())
                }
            },
        )
        .body_limit(LARGE - 1_000, LARGE)
        .expires_by_server_clock()
        .keeping(servers.to_vec())
}

/// The settings of a store on `servers`.
pub(crate) fn config(servers: &[MemcachedServer]) -> MemcachedConfig {
    MemcachedConfig::new(&list(servers)).expect("they are addresses")
}

/// A store on `servers`, with time to spare.
pub(crate) async fn open(servers: &[MemcachedServer]) -> MemcachedStore {
    let patience = Duration::from_secs(30);
    let config = config(servers).connect_timeout(patience);
    let config = config.response_timeout(patience);
    config.open().await.expect("the servers answer")
}

/// A client of `servers` without a store.
pub(crate) fn client(servers: &[MemcachedServer]) -> Client {
    let list = list(servers);
    let addresses = list
        .split(',')
        .map(|server| server.parse().expect("an address"));
    ClientConfig::new(addresses)
        .open()
        .expect("nothing is wrong with it")
}

/// A prefix that no other test has.
pub(crate) fn prefix() -> String {
    format!("test-{:016x}:", fastrand::u64(..))
}

/// A handle that belongs to the server of this place.
pub(crate) fn handle_on(servers: &[MemcachedServer], place: usize) -> Handle {
    let (client, address) = (client(servers), servers[place].address());
    let mut handles = std::iter::repeat_with(sample::handle);
    let is_there = |handle: &Handle| {
        let server = client.server_of(&format!("session:{handle}"));
        server.to_string() == address
    };
    handles.find(is_there).expect("there is no end of handles")
}

fn list(servers: &[MemcachedServer]) -> String {
    let addresses: Vec<String> = servers.iter().map(MemcachedServer::address).collect();
    addresses.join(",")
}

/// What `server` answers to one line.
pub(crate) fn ask(server: &MemcachedServer, line: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("it listens");
    stream.write_all(line.as_bytes()).expect("it reads");
    stream.write_all(b"\r\n").expect("it reads");
    let mut answer = String::new();
    let read = BufReader::new(stream).read_line(&mut answer);
    read.expect("it answers");
    answer
}

/// Asks for a session until its server answers.
pub(crate) async fn until_it_answers(store: &MemcachedStore, handle: Handle) {
    let answers = async {
        // So many in a row are by each of its connections.
        let mut in_a_row = 0;
        while in_a_row < 32 {
            if store.load(handle, sample::now()).await.is_ok() {
                in_a_row += 1;
            } else {
                in_a_row = 0;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    let answers = tokio::time::timeout(Duration::from_secs(60), answers);
    answers.await.expect("the store recovers");
}
