//! How Redis is installed, started and reached.

mod cluster;
mod sentinel;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::kind::{Kind, PASSWORD, PASSWORD_IN_URLS, Place, USER};
use crate::program;
use crate::server::Server;

pub use cluster::RedisCluster;
pub use sentinel::RedisSentinel;

/// Redis, 6.2 or newer. A server has 4096 databases, and two users who may do everything: `tester`, and the one that a
/// client without a user name is; both have the password of all servers.
#[derive(Clone, Copy, Debug)]
pub struct Redis;

impl Redis {
    /// The server that all test processes of this user share. It keeps everything in memory.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn shared() -> RedisServer {
        RedisServer(Server::shared(&ALONE))
    }

    /// A server for the caller alone, which writes each change to its log before it answers; it ends when the last clone
    /// is dropped.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start() -> RedisServer {
        RedisServer(Server::start(&ALONE))
    }

    /// As [`start`](Self::start), but its port speaks TLS alone.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start_tls() -> RedisServer {
        RedisServer(Server::start(&TLS))
    }
}

/// A running Redis. Clones are the same server; [`Server`] says how it is killed, paused and started again.
#[derive(Clone, Debug)]
pub struct RedisServer(Server);

impl RedisServer {
    /// Its URL by its port, with user and password, for a database of which nobody else knows.
    pub fn url(&self) -> String {
        self.0.url(&fastrand::u16(..4096).to_string())
    }

    /// As [`url`](Self::url), by its Unix socket.
    pub fn socket_url(&self) -> String {
        self.0.socket_url(&fastrand::u16(..4096).to_string())
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port())
    }

    /// What `redis-cli` prints when told `arguments`.
    ///
    /// # Panics
    ///
    /// When the server can't be reached.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut client = client(self.folder());
        client.args(arguments);
        program::run(client)
    }
}

impl Deref for RedisServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

/// How long servers may take to find each other.
const PATIENCE: Duration = Duration::from_secs(60);

fn start_many(count: usize, kind: &'static dyn Kind) -> Vec<RedisServer> {
    let starting: Vec<_> = (0..count)
        .map(|_| thread::spawn(|| RedisServer(Server::start(kind))))
        .collect();
    starting
        .into_iter()
        .map(|server| server.join().expect("the server starts"))
        .collect()
}

fn tool(name: &str) -> PathBuf {
    let package = if name == "redis-cli" {
        "redis-tools"
    } else {
        "redis-server"
    };
    program::find(name, &[PathBuf::from("/usr/local/bin")], package)
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

fn client(folder: &Path) -> Command {
    let mut client = Command::new(tool("redis-cli"));
    client
        .arg("-s")
        .arg(socket(folder))
        .arg("--no-auth-warning")
        .env("REDISCLI_AUTH", PASSWORD);
    client
}

/// Where a server is, and who may use it. The command line keeps naming the folder, by which a server is recognized.
fn placed(place: &Place, port: &str) -> Vec<String> {
    let user = format!("{USER} on >{PASSWORD} ~* &* +@all");
    let mut arguments: Vec<String> =
        ["--dir".to_owned(), place.data().display().to_string()].into();
    arguments.extend([
        "--unixsocket".to_owned(),
        socket(&place.folder).display().to_string(),
    ]);
    arguments.extend([port.to_owned(), place.port.to_string()]);
    arguments.extend(
        [
            "--requirepass",
            PASSWORD,
            "--masteruser",
            USER,
            "--masterauth",
            PASSWORD,
        ]
        .map(str::to_owned),
    );
    arguments
        .extend(["--bind", "127.0.0.1", "--set-proc-title", "no", "--user"].map(str::to_owned));
    arguments.extend(user.split(' ').map(str::to_owned));
    arguments
}

const DURABLE: &[&str] = &[
    "--databases",
    "4096",
    "--save",
    "",
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
];

static ALONE: Variant = Variant {
    name: "redis",
    scheme: "redis",
    settings: |durable| {
        if durable {
            DURABLE
        } else {
            &["--databases", "4096", "--save", ""]
        }
    },
    placed: |place| placed(place, "--port"),
    install: nothing,
};

/// A server whose port speaks TLS.
static TLS: Variant = Variant {
    name: "redis-tls",
    scheme: "rediss",
    settings: |_| DURABLE,
    placed: |place| {
        let mut arguments = placed(place, "--tls-port");
        arguments.extend(["--port", "0", "--tls-auth-clients", "no"].map(str::to_owned));
        arguments.extend(["--tls-cert-file".to_owned(), place.tls("server.pem")]);
        arguments.extend(["--tls-key-file".to_owned(), place.tls("server.key")]);
        arguments.extend(["--tls-ca-cert-file".to_owned(), place.tls("ca.pem")]);
        arguments
    },
    install: nothing,
};

/// An empty folder is all that a server needs.
fn nothing(_: &Path) -> Command {
    Command::new("true")
}

/// What differs between the ways to start it; as in [`Kind`].
struct Variant {
    name: &'static str,
    /// Of its URLs.
    scheme: &'static str,
    settings: fn(bool) -> &'static [&'static str],
    placed: fn(&Place) -> Vec<String>,
    install: fn(&Path) -> Command,
}

impl Kind for Variant {
    fn name(&self) -> &'static str {
        self.name
    }

    fn user(&self) -> &'static str {
        "redis"
    }

    fn program(&self) -> PathBuf {
        tool("redis-server")
    }

    fn settings(&self, durable: bool) -> &'static [&'static str] {
        (self.settings)(durable)
    }

    fn placed(&self, place: &Place) -> Vec<String> {
        (self.placed)(place)
    }

    fn install(&self, data: &Path) -> Command {
        (self.install)(data)
    }

    fn answers(&self, place: &Place) -> bool {
        let mut ping = client(&place.folder);
        ping.args(["-e", "PING"]);
        program::succeeds(ping)
    }

    fn end_signal(&self) -> &'static str {
        "KILL"
    }

    fn client(&self, place: &Place, database: Option<&str>, command: &str) -> Command {
        let mut client = client(&place.folder);
        client
            .args(["-n", database.unwrap_or("0")])
            .args(command.split(' '));
        client
    }

    fn url(&self, place: &Place, database: &str) -> String {
        let (scheme, port) = (self.scheme, place.port);
        format!("{scheme}://{USER}:{PASSWORD_IN_URLS}@127.0.0.1:{port}/{database}")
    }

    fn socket_url(&self, place: &Place, database: &str) -> String {
        let socket = socket(&place.folder);
        format!(
            "redis+unix://{USER}:{PASSWORD_IN_URLS}@{}?database={database}",
            socket.display()
        )
    }
}
