//! How memcached is installed, started and reached.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::kind::{Kind, PASSWORD, PASSWORD_IN_URLS, Place, USER};
use crate::processes::server_in;
use crate::program;
use crate::server::Server;

/// memcached, 1.6.18 or newer. It listens on its port alone, and lets everybody in, unless it was started otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Memcached;

impl Memcached {
    /// The server that all test processes of this user share.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn shared() -> MemcachedServer {
        MemcachedServer(Server::shared(&SHARED[0]))
    }

    /// Three servers that all test processes of this user share; [`shared`](Self::shared) is the first of them.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn shared_three() -> [MemcachedServer; 3] {
        SHARED
            .each_ref()
            .map(|variant| MemcachedServer(Server::shared(variant)))
    }

    /// A server for the caller alone; it ends when the last clone is dropped.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start() -> MemcachedServer {
        Self::start_with(&[])
    }

    /// As [`start`](Self::start), with more `arguments`.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start_with(arguments: &'static [&'static str]) -> MemcachedServer {
        start(Variant::new("memcached", arguments))
    }

    /// As [`start`](Self::start), but its port speaks TLS alone.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start_tls() -> MemcachedServer {
        let mut variant = Variant::new("memcached-tls", &[]);
        variant.listens = Listens::Tls;
        start(variant)
    }

    /// As [`start`](Self::start), but it wants the name and the password of all servers.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start_with_users() -> MemcachedServer {
        let mut variant = Variant::new("memcached-users", &[]);
        variant.wants_password = true;
        start(variant)
    }

    /// As [`start`](Self::start), but on a Unix socket in place of a port.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start_on_socket() -> MemcachedServer {
        let mut variant = Variant::new("memcached-socket", &[]);
        variant.listens = Listens::Socket;
        start(variant)
    }
}

/// A running memcached. Clones are the same server; [`Server`] says how it is killed, paused and started again. It
/// keeps nothing when it is killed.
#[derive(Clone, Debug)]
pub struct MemcachedServer(Server);

impl MemcachedServer {
    /// Its URL by its port.
    pub fn url(&self) -> String {
        self.0.url("")
    }

    /// As [`url`](Self::url), by its Unix socket.
    pub fn socket_url(&self) -> String {
        self.0.socket_url("")
    }

    /// `127.0.0.1:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// Its Unix socket, if it was started on one.
    pub fn socket(&self) -> PathBuf {
        socket(self.folder())
    }

    /// The number that `stats` tells of `name`: `cmd_get`, `cmd_set`, `evictions`, …
    ///
    /// # Panics
    ///
    /// When the server, which is one with a port and without passwords, can't be reached, or tells no such number.
    pub fn stat(&self, name: &str) -> u64 {
        let start = format!("STAT {name} ");
        let lines = talk(self.port(), "stats\r\n", "END").expect("the server answers");
        let number = lines.iter().find_map(|line| line.strip_prefix(&start));
        number
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("stats tells no number {name}"))
    }
}

impl Deref for MemcachedServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

/// The ways to start a server.
struct Variant {
    name: &'static str,
    settings: &'static [&'static str],
    listens: Listens,
    wants_password: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Listens {
    Port,
    Tls,
    Socket,
}

static SHARED: [Variant; 3] = [
    Variant::new("memcached", LARGE),
    Variant::new("memcached-second", LARGE),
    Variant::new("memcached-third", LARGE),
];

/// So large that tests don't push each other's items out.
const LARGE: &[&str] = &["-m", "1024", "-c", "4096"];

impl Variant {
    const fn new(name: &'static str, settings: &'static [&'static str]) -> Self {
        Self {
            name,
            settings,
            listens: Listens::Port,
            wants_password: false,
        }
    }

    /// What a client has to say before it asks.
    fn login(&self) -> String {
        if !self.wants_password {
            return String::new();
        }
        let login = format!("{USER} {PASSWORD}");
        format!("set login 0 0 {}\r\n{login}\r\n", login.len())
    }
}

impl Kind for Variant {
    fn name(&self) -> &'static str {
        self.name
    }

    fn user(&self) -> &'static str {
        "memcache"
    }

    fn program(&self) -> PathBuf {
        program::find("memcached", &[PathBuf::from("/usr/local/bin")], "memcached")
    }

    fn settings(&self, _durable: bool) -> &'static [&'static str] {
        self.settings
    }

    fn placed(&self, place: &Place) -> Vec<String> {
        // Not written, for it is no daemon; but by the folder in its command line a server is recognized.
        let mut arguments = vec!["-P".to_owned(), text(&place.data().join("id"))];
        match self.listens {
            Listens::Socket => arguments.extend(["-s".to_owned(), text(&socket(&place.folder))]),
            Listens::Port | Listens::Tls => {
                let port = place.port.to_string();
                arguments.extend(["-l", "127.0.0.1", "-p", &port].map(str::to_owned));
            }
        }
        if self.listens == Listens::Tls {
            let (chain, key) = (place.tls("server.pem"), place.tls("server.key"));
            let certificate = format!("ssl_chain_cert={chain},ssl_key={key}");
            arguments.extend(["-Z".to_owned(), "-o".to_owned(), certificate]);
        }
        if self.wants_password {
            arguments.extend(["-Y".to_owned(), text(&place.data().join("users"))]);
        }
        arguments
    }

    fn install(&self, data: &Path) -> Command {
        let mut write = Command::new("sh");
        write
            .args(["-c", r#"printf '%s:%s\n' "$1" "$2" >"$3""#, "install"])
            .args([USER, PASSWORD])
            .arg(data.join("users"));
        write
    }

    /// Whoever answers at the port must be this server: another one may have it, while this one has yet to find so.
    fn answers(&self, place: &Place) -> bool {
        let Some(server) = server_in(&place.folder) else {
            return false;
        };
        let itself = format!("STAT pid {}", server.as_raw_nonzero());
        match self.listens {
            Listens::Socket => {
                std::os::unix::net::UnixStream::connect(socket(&place.folder)).is_ok()
            }
            Listens::Port => talk(place.port, &format!("{}stats\r\n", self.login()), "END")
                .is_ok_and(|lines| lines.contains(&itself)),
            Listens::Tls => stats_by_tls(place.port).is_ok_and(|stats| stats.contains(&itself)),
        }
    }

    fn end_signal(&self) -> &'static str {
        "KILL"
    }

    fn client(&self, _: &Place, _: Option<&str>, _: &str) -> Command {
        panic!("memcached has no client program")
    }

    fn url(&self, place: &Place, _: &str) -> String {
        let scheme = match self.listens {
            Listens::Tls => "memcached+tls",
            Listens::Port | Listens::Socket => "memcached",
        };
        let login = if self.wants_password {
            format!("{USER}:{PASSWORD_IN_URLS}@")
        } else {
            String::new()
        };
        format!("{scheme}://{login}127.0.0.1:{}", place.port)
    }

    fn socket_url(&self, place: &Place, _: &str) -> String {
        format!("memcached+unix://{}", text(&socket(&place.folder)))
    }
}

/// Variants are few, and live as long as the process.
fn start(variant: Variant) -> MemcachedServer {
    MemcachedServer(Server::start(Box::leak(Box::new(variant))))
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("data").join("socket")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The lines that answer `question`, up to `end`.
fn talk(port: u16, question: &str, end: &str) -> std::io::Result<Vec<String>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(question.as_bytes())?;
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line == end {
            return Ok(lines);
        }
        lines.push(line);
    }
    Err(std::io::ErrorKind::UnexpectedEof.into())
}

/// What a server whose port speaks TLS answers to `stats`.
fn stats_by_tls(port: u16) -> std::io::Result<String> {
    let ask =
        r#"printf 'stats\r\nquit\r\n' | timeout 5 "$0" s_client -quiet -connect "127.0.0.1:$1""#;
    let mut client = Command::new("sh");
    client
        .args(["-c", ask])
        .arg(program::find("openssl", &[], "openssl"))
        .arg(port.to_string());
    let answer = client.output()?;
    Ok(String::from_utf8_lossy(&answer.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Listens, Variant};
    use crate::kind::{Kind as _, Place};
    use crate::server::Server;

    #[test]
    fn another_server_at_its_port_is_not_taken_for_it() {
        let mut tls = Variant::new("memcached-tls", &[]);
        tls.listens = Listens::Tls;
        let mut users = Variant::new("memcached-users", &[]);
        users.wants_password = true;
        for variant in [Variant::new("memcached", &[]), tls, users] {
            let kind: &'static Variant = Box::leak(Box::new(variant));
            let (server, other) = (Server::start(kind), Server::start(kind));
            let at = |port| Place {
                folder: server.folder().to_owned(),
                port,
            };
            assert!(kind.answers(&at(server.port())), "{}", kind.name);
            assert!(!kind.answers(&at(other.port())), "{}", kind.name);
        }
    }
}
