//! What the system knows of this process's connections.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

/// How long until each TCP connection of this process is asked whether its other end is still there (`SO_KEEPALIVE`), in the
/// order in which the system lists them. Connections that are never asked, and those with an answer under way, are left out.
///
/// # Panics
///
/// When `/proc` is not there.
pub fn keepalives() -> Vec<Duration> {
    let own = own_sockets();
    let table = fs::read_to_string("/proc/self/net/tcp").expect("this is Linux");
    let connections = table.lines().skip(1).filter_map(Connection::of);
    let keepalives = connections.filter(|one| own.contains(one.inode) && one.timer == KEEPALIVE);
    keepalives.map(|one| one.left).collect()
}

/// The timer that is not about data under way.
const KEEPALIVE: &str = "02";

/// A line of the table.
struct Connection<'a> {
    timer: &'a str,
    left: Duration,
    inode: &'a str,
}

impl<'a> Connection<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut fields = line.split_whitespace().skip(5);
        let (timer, left) = fields.next()?.split_once(':')?;
        // In hundredths of a second.
        let left = u64::from_str_radix(left, 16).ok()?;
        Some(Self {
            timer,
            left: Duration::from_millis(left * 10),
            inode: fields.nth(3)?,
        })
    }
}

/// The numbers of the sockets that this process has open.
fn own_sockets() -> HashSet<String> {
    let open = fs::read_dir("/proc/self/fd").expect("this is Linux");
    let names = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let number = |name: std::path::PathBuf| {
        let name = name.to_str()?.strip_prefix("socket:[")?;
        Some(name.strip_suffix(']')?.to_owned())
    };
    names.filter_map(number).collect()
}
