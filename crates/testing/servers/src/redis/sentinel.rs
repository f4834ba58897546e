//! Redis watched by sentinels.

use std::path::Path;
use std::process::Command;

use super::{ALONE, PATIENCE, RedisServer, Variant, socket, start_many};
use crate::kind::{PASSWORD, PASSWORD_IN_URLS, Place, USER};
use crate::processes::wait_until;

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
            servers: start_many(3, &ALONE),
            sentinels: start_many(3, &SENTINEL),
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

/// One who watches a primary.
static SENTINEL: Variant = Variant {
    name: "redis-sentinel",
    scheme: "redis",
    settings: |_| &[],
    placed,
    install,
};

/// Its configuration is also where it writes what it has learned.
fn placed(place: &Place) -> Vec<String> {
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
}

fn install(data: &Path) -> Command {
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
