//! What tests rely on when they use Redis.

use std::process::Command;
use std::time::{Duration, Instant};

use fasthttpsession_servers::{Redis, RedisCluster, RedisSentinel};

#[test]
fn a_shared_server_answers() {
    let server = Redis::shared();
    assert_eq!(server.cli(&["PING"]).trim(), "PONG");
    assert!(server.url().starts_with("redis://tester:"));
}

#[test]
fn a_killed_server_keeps_what_was_written() {
    let server = Redis::start();
    server.cli(&["SET", "key", "kept"]);
    let port = server.port();
    server.kill();
    server.restart();
    assert_eq!(server.port(), port);
    assert_eq!(server.cli(&["GET", "key"]).trim(), "kept");
}

#[test]
fn a_private_server_ends_when_it_is_dropped() {
    let server = Redis::start();
    let (folder, port) = (server.folder().to_owned(), server.port());
    drop(server);
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a_server_with_tls_speaks_it() {
    let server = Redis::start_tls();
    let mut ping = Command::new("redis-cli");
    ping.args(["--tls", "-p", &server.port().to_string(), "--cacert"])
        .arg(server.ca_certificate())
        .args(["--user", "tester", "-a", "p@ss:word/1", "PING"]);
    let output = ping.output().expect("redis-cli runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "PONG");
}

#[test]
fn a_cluster_has_three_primaries() {
    let cluster = RedisCluster::start(6);
    assert_eq!(cluster.primaries(0).len(), 3);
}

#[test]
fn sentinels_follow_a_killed_primary() {
    let watched = RedisSentinel::start();
    let before = watched.primary().port();
    assert_eq!(before, watched.servers[0].port());
    watched.servers[0].kill();
    let start = Instant::now();
    while watched.primary().port() == before {
        assert!(start.elapsed() < Duration::from_secs(60), "no failover");
        std::thread::sleep(Duration::from_millis(20));
    }
}
