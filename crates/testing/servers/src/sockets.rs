//! What the system knows of this process's TCP connections.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

/// How many connections this process has to `server`, an IPv4 address with a port.
///
/// # Panics
///
/// When it is no such address, or `/proc` is not there.
pub fn connections_to(server: &str) -> usize {
    let server: SocketAddrV4 = server.parse().expect("an address with a port");
    let own = connections().into_iter();
    own.filter(|one| one.server == server && one.state == ESTABLISHED)
        .count()
}

/// How long until each connection of this process is asked whether its other end is still there (`SO_KEEPALIVE`). Those that
/// are never asked, and those with data under way, are left out.
///
/// # Panics
///
/// When `/proc` is not there.
pub fn keepalives() -> Vec<Duration> {
    let own = connections().into_iter();
    own.filter(|one| one.timer == KEEPALIVE)
        .map(|one| one.left)
        .collect()
}

/// The state of a connection that neither end has closed.
const ESTABLISHED: &str = "01";
/// The timer that is not about data under way.
const KEEPALIVE: &str = "02";

struct Connection {
    server: SocketAddrV4,
    state: String,
    timer: String,
    /// Until that timer goes off.
    left: Duration,
}

/// Those of this process.
fn connections() -> Vec<Connection> {
    let own = own_sockets();
    let table = fs::read_to_string("/proc/self/net/tcp").expect("this is Linux");
    let lines = table.lines().skip(1);
    lines.filter_map(|line| connection(line, &own)).collect()
}

/// That of a line of the table, if its socket is one of `own`.
fn connection(line: &str, own: &HashSet<String>) -> Option<Connection> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [_, _, server, state, _, timer, _, _, _, inode, ..] = fields[..] else {
        return None;
    };
    let (address, port) = server.split_once(':')?;
    // As it lies in memory.
    let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
    let port = u16::from_str_radix(port, 16).ok()?;
    let (timer, left) = timer.split_once(':')?;
    // In hundredths of a second.
    let left = u64::from_str_radix(left, 16).ok()?;
    own.contains(inode).then(|| Connection {
        server: SocketAddrV4::new(Ipv4Addr::from(address), port),
        state: state.to_owned(),
        timer: timer.to_owned(),
        left: Duration::from_millis(left * 10),
    })
}

/// The numbers of the sockets that this process has open.
fn own_sockets() -> HashSet<String> {
    let open = fs::read_dir("/proc/self/fd").expect("this is Linux");
    let names = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let number = |name: PathBuf| {
        let number = name.to_str()?.strip_prefix("socket:[")?;
        Some(number.strip_suffix(']')?.to_owned())
    };
    names.filter_map(number).collect()
}
