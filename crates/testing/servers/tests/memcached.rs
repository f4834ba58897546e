//! What tests rely on when they use memcached.

use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use fasthttpsession_servers::Memcached;

#[test]
fn shared_servers_are_three_different_ones() {
    let servers = Memcached::shared_three();
    let mut ports = servers.each_ref().map(|server| server.port());
    ports.sort_unstable();
    assert!(ports[0] < ports[1] && ports[1] < ports[2], "{ports:?}");
    assert_eq!(Memcached::shared().address(), servers[0].address());
    assert!(servers.iter().all(|server| server.stat("threads") > 0));
}

#[test]
fn a_restarted_server_is_at_its_place_and_empty() {
    let server = Memcached::start();
    let (port, before) = (server.port(), server.stat("pid"));
    server.restart();
    assert_eq!(server.port(), port);
    assert_ne!(server.stat("pid"), before);
    assert_eq!(server.stat("curr_items"), 0);
}

#[test]
fn a_server_is_started_again_once_its_port_is_free() {
    let server = Memcached::start();
    server.kill();
    let other = TcpListener::bind(server.address()).expect("nobody listens there");
    let restarting = thread::spawn({
        let server = server.clone();
        move || server.restart()
    });
    // Long enough to try in vain.
    thread::sleep(Duration::from_millis(200));
    drop(other);
    restarting.join().expect("it starts");
    assert!(server.stat("pid") > 0);
}

#[test]
fn a_private_server_ends_when_it_is_dropped() {
    let server = Memcached::start_with(&["-m", "8"]);
    let (folder, port) = (server.folder().to_owned(), server.port());
    assert_eq!(server.stat("limit_maxbytes"), 8 << 20);
    drop(server);
    assert!(!folder.exists());
    TcpStream::connect(("127.0.0.1", port)).expect_err("nobody listens any more");
}

#[test]
fn each_way_to_listen_is_one_that_can_be_reached() {
    for server in [Memcached::start_tls(), Memcached::start_with_users()] {
        TcpStream::connect(("127.0.0.1", server.port())).expect("it listens");
        assert!(server.url().ends_with(&server.address()));
    }
    let server = Memcached::start_on_socket();
    UnixStream::connect(server.socket()).expect("it listens");
}
