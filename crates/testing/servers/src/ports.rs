//! Which port a server gets.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

/// How far above its port a node of a Redis cluster listens to the others.
const ABOVE: u16 = 10_000;

/// A port that no server beside `folder` has, not even one that was killed. It and the one [`ABOVE`] it are below those
/// that the kernel gives to clients: a client that reconnects to a dead server from the very port that it connects to
/// would otherwise reach itself, and any client could have the port of a server that is to be started again. Nor is it the
/// one [`ABOVE`] another's, which a server that was killed needs again, too.
pub(crate) fn draw(folder: &Path) -> u16 {
    let taken = taken_beside(folder);
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..20_000)).take(1_000);
    ports
        .find(|port| !taken.contains(port) && is_free(*port))
        .expect("some port is free")
}

/// Whether a server could listen at `port`, and at the one [`ABOVE`] it.
pub(crate) fn is_free(port: u16) -> bool {
    [port, port + ABOVE]
        .into_iter()
        .all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
}

/// The ports of all servers whose folders lie beside `folder`.
fn taken_beside(folder: &Path) -> Vec<u16> {
    let all = fs::read_dir(folder.parent().expect("it lies somewhere"));
    let folders = all.into_iter().flatten().flatten();
    folders.filter_map(|folder| of(&folder.path())).collect()
}

/// The port of the server in `folder`, once it has one.
pub(crate) fn of(folder: &Path) -> Option<u16> {
    fs::read_to_string(folder.join("port")).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;

    use super::{draw, is_free};
    use crate::Memcached;

    #[test]
    fn a_port_is_drawn_once_even_if_nobody_listens_at_it() {
        let server = Memcached::start();
        let [one, other] = ["one", "other"].map(|name| server.folder().join(name));
        fastrand::seed(7);
        let port = draw(&one);
        fs::create_dir(&one).expect("it is ours");
        fs::write(one.join("port"), port.to_string()).expect("it is ours");
        fastrand::seed(7);
        assert_ne!(draw(&other), port);
    }

    #[test]
    fn a_port_whose_second_one_is_in_use_is_not_free() {
        let server = Memcached::start();
        server.kill();
        assert!(is_free(server.port()));
        let second = TcpListener::bind(("127.0.0.1", server.port() + 10_000));
        let _second = second.expect("it was free");
        assert!(!is_free(server.port()));
    }
}
