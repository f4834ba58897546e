//! How Redis is installed, started and reached: alone, as a cluster, and watched by sentinels.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::kind::{Kind, PASSWORD, PASSWORD_IN_URLS, Place, USER};
use crate::processes::wait_until;
use crate::program;
use crate::server::Server;

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
        RedisServer(Server::shared(&Self))
    }

    /// A server for the caller alone, which writes each change to its log before it answers; it ends when the last clone
    /// is dropped.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start() -> RedisServer {
        RedisServer(Server::start(&Self))
    }

    /// As [`start`](Self::start), but its port speaks TLS alone.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start_tls() -> RedisServer {
        RedisServer(Server::start(&Tls))
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

/// A cluster whose first half are primaries and whose second half are their replicas, in some order. Each node takes a
/// primary for dead that has been silent for two seconds.
#[derive(Debug)]
pub struct RedisCluster {
    /// All that were started, also those that were killed since.
    pub nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// A cluster of `nodes` servers, a replica for each primary.
    ///
    /// # Panics
    ///
    /// With fewer than 6 nodes, or when a server is not installed or does not start.
    pub fn start(nodes: usize) -> Self {
        assert!(
            nodes >= 6,
            "a cluster needs three primaries and a replica of each"
        );
        let cluster = Self {
            nodes: start_many(nodes, &Node),
        };
        cluster.join();
        cluster
    }

    /// A URL that names every node.
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(RedisServer::address).collect();
        format!(
            "redis+cluster://{USER}:{PASSWORD_IN_URLS}@{}",
            nodes.join(",")
        )
    }

    /// Those that are primaries now, as the node at `asked` sees it.
    ///
    /// # Panics
    ///
    /// When that node can't be reached.
    pub fn primaries(&self, asked: usize) -> Vec<&RedisServer> {
        let view = self.nodes[asked].cli(&["CLUSTER", "NODES"]);
        let is_primary = |node: &&RedisServer| {
            let address = format!(" {}@", node.address());
            view.lines().any(|line| {
                line.contains(&address) && line.contains("master") && !line.contains("fail")
            })
        };
        self.nodes.iter().filter(is_primary).collect()
    }

    fn join(&self) {
        let mut create = Command::new(tool("redis-cli"));
        create
            .args(["--user", USER, "--no-auth-warning", "--cluster", "create"])
            .args(self.nodes.iter().map(RedisServer::address))
            .args(["--cluster-replicas", "1", "--cluster-yes"])
            .env("REDISCLI_AUTH", PASSWORD);
        program::run(create);
        let replicas = self.nodes.len() - self.nodes.len() / 2;
        let joined = wait_until(PATIENCE, || {
            self.nodes.iter().all(|node| {
                let state = node.cli(&["CLUSTER", "INFO"]);
                let role = node.cli(&["ROLE"]);
                // To a node that has not been told otherwise yet, a replica of others is a primary without slots.
                let view = node.cli(&["CLUSTER", "NODES"]);
                state.contains("cluster_state:ok")
                    && view.matches("slave ").count() == replicas
                    && (role.starts_with("slave") && role.contains("connected")
                        || role.starts_with("master") && role.lines().count() > 3)
            })
        });
        assert!(joined, "the cluster does not come up");
    }
}

/// A primary, its replicas, and sentinels who take a primary for dead that has been silent for a second.
#[derive(Debug)]
pub struct RedisSentinel {
    /// The first was the primary at the beginning.
    pub servers: Vec<RedisServer>,
    /// Who watches them.
    pub sentinels: Vec<RedisServer>,
}

impl RedisSentinel {
    /// What the sentinels call the primary.
    pub const PRIMARY: &'static str = "the-primary";

    /// One primary, two replicas and three sentinels.
    ///
    /// # Panics
    ///
    /// When a server is not installed or does not start.
    pub fn start() -> Self {
        let watched = Self {
            servers: start_many(3, &Redis),
            sentinels: start_many(3, &Sentinel),
        };
        watched.replicate();
        watched.watch();
        watched
    }

    /// A URL that names every sentinel.
    pub fn url(&self) -> String {
        let sentinels: Vec<String> = self.sentinels.iter().map(RedisServer::address).collect();
        format!(
            "redis+sentinel://{USER}:{PASSWORD_IN_URLS}@{}/{}?sentinel_password={PASSWORD_IN_URLS}",
            sentinels.join(","),
            Self::PRIMARY
        )
    }

    /// Who is the primary, as the first sentinel sees it.
    ///
    /// # Panics
    ///
    /// When that sentinel can't be reached.
    pub fn primary(&self) -> &RedisServer {
        let answer = self.sentinels[0].cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::PRIMARY]);
        let port = answer.lines().nth(1).and_then(|port| port.parse().ok());
        let primary = self
            .servers
            .iter()
            .find(|server| Some(server.port()) == port);
        primary.expect("the primary is one of the servers")
    }

    fn replicate(&self) {
        let [primary, replicas @ ..] = &self.servers[..] else {
            unreachable!("three were started")
        };
        let port = primary.port().to_string();
        for replica in replicas {
            replica.cli(&["REPLICAOF", "127.0.0.1", &port]);
        }
        let joined = wait_until(PATIENCE, || {
            let online = primary.cli(&["INFO", "replication"]);
            online.matches("state=online").count() == replicas.len()
        });
        assert!(joined, "the replicas do not come up");
    }

    fn watch(&self) {
        let (name, port) = (Self::PRIMARY, self.servers[0].port().to_string());
        for sentinel in &self.sentinels {
            sentinel.cli(&["SENTINEL", "MONITOR", name, "127.0.0.1", &port, "2"]);
            for (setting, value) in [
                ("down-after-milliseconds", "1000"),
                ("failover-timeout", "5000"),
                ("auth-user", USER),
                ("auth-pass", PASSWORD),
            ] {
                sentinel.cli(&["SENTINEL", "SET", name, setting, value]);
            }
        }
        let joined = wait_until(PATIENCE, || {
            self.sentinels.iter().all(|sentinel| {
                let view = sentinel.cli(&["SENTINEL", "MASTER", name]);
                let says = |field: &str, value: &str| {
                    let mut lines = view.lines().skip_while(|line| *line != field);
                    lines.nth(1) == Some(value)
                };
                says("num-other-sentinels", "2")
                    && says("num-slaves", "2")
                    && says("flags", "master")
            })
        });
        assert!(joined, "the sentinels do not find each other");
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

macro_rules! kind_of_redis {
    ($kind:ty, $name:literal, $settings:expr, $placed:expr, $install:expr) => {
        impl Kind for $kind {
            fn name(&self) -> &'static str {
                $name
            }

            fn user(&self) -> &'static str {
                "redis"
            }

            fn program(&self) -> PathBuf {
                tool("redis-server")
            }

            fn settings(&self, durable: bool) -> &'static [&'static str] {
                $settings(durable)
            }

            fn placed(&self, place: &Place) -> Vec<String> {
                $placed(place)
            }

            fn install(&self, data: &Path) -> Command {
                $install(data)
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
                let scheme = if $name == "redis-tls" {
                    "rediss"
                } else {
                    "redis"
                };
                format!(
                    "{scheme}://{USER}:{PASSWORD_IN_URLS}@127.0.0.1:{}/{database}",
                    place.port
                )
            }

            fn socket_url(&self, place: &Place, database: &str) -> String {
                let socket = socket(&place.folder);
                format!(
                    "redis+unix://{USER}:{PASSWORD_IN_URLS}@{}?database={database}",
                    socket.display()
                )
            }
        }
    };
}

kind_of_redis!(
    Redis,
    "redis",
    |durable| if durable {
        DURABLE
    } else {
        &["--databases", "4096", "--save", ""] as &[&str]
    },
    |place: &Place| placed(place, "--port"),
    nothing
);

/// A server whose port speaks TLS.
struct Tls;

kind_of_redis!(
    Tls,
    "redis-tls",
    |_| DURABLE,
    |place: &Place| {
        let mut arguments = placed(place, "--tls-port");
        arguments.extend(["--port", "0", "--tls-auth-clients", "no"].map(str::to_owned));
        arguments.extend(["--tls-cert-file".to_owned(), place.tls("server.pem")]);
        arguments.extend(["--tls-key-file".to_owned(), place.tls("server.key")]);
        arguments.extend(["--tls-ca-cert-file".to_owned(), place.tls("ca.pem")]);
        arguments
    },
    nothing
);

/// A node of a cluster.
struct Node;

kind_of_redis!(
    Node,
    "redis-node",
    |_| &[
        "--save",
        "",
        "--cluster-enabled",
        "yes",
        "--cluster-node-timeout",
        "2000"
    ] as &[&str],
    |place: &Place| placed(place, "--port"),
    nothing
);

/// One who watches a primary.
struct Sentinel;

kind_of_redis!(
    Sentinel,
    "redis-sentinel",
    |_| &[] as &[&str],
    |place: &Place| {
        // Its configuration is also where it writes what it has learned.
        let mut arguments = vec![
            place.data().join("sentinel.conf").display().to_string(),
            "--sentinel".to_owned(),
        ];
        arguments.extend(["--dir".to_owned(), place.data().display().to_string()]);
        arguments.extend([
            "--unixsocket".to_owned(),
            socket(&place.folder).display().to_string(),
        ]);
        arguments.extend(["--port".to_owned(), place.port.to_string()]);
        arguments.extend(
            [
                "--bind",
                "127.0.0.1",
                "--set-proc-title",
                "no",
                "--requirepass",
                PASSWORD,
            ]
            .map(str::to_owned),
        );
        arguments
    },
    |data: &Path| {
        let mut write = Command::new("sh");
        write
            .args([
                "-c",
                r#"printf 'sentinel sentinel-pass "%s"\n' "$1" >"$2""#,
                "install",
                PASSWORD,
            ])
            .arg(data.join("sentinel.conf"));
        write
    }
);

/// An empty folder is all that a server needs.
fn nothing(_: &Path) -> Command {
    Command::new("true")
}
