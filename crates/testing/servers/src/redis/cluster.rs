//! Redis as a cluster.

use std::process::Command;

use super::{PATIENCE, RedisServer, Variant, nothing, placed, start_many, tool};
use crate::kind::{PASSWORD, PASSWORD_IN_URLS, Place, USER};
use crate::processes::wait_until;
use crate::program;

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
            nodes: start_many(nodes, &NODE),
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

/// A node of a cluster.
static NODE: Variant = Variant {
    name: "redis-node",
    scheme: "redis",
    settings: |_| {
        &[
            "--save",
            "",
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
        ]
    },
    placed: |place: &Place| placed(place, "--port"),
    install: nothing,
};
