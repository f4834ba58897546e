//! Counts what a server was sent.

use fasthttpsession_servers::RedisServer;

/// What our scripts call, which is no round trip. `get` is called by a script only where it finds a conflict.
const CALLED_BY_SCRIPTS: [&str; 13] = [
    "getrange",
    "strlen",
    "exists",
    "set",
    "setrange",
    "pexpire",
    "pttl",
    "unlink",
    "time",
    "zadd",
    "zcard",
    "zrandmember",
    "zremrangebyscore",
];

/// Counts the commands of a server from one question to the next.
pub(crate) struct Counter {
    server: RedisServer,
    last: u64,
}

impl Counter {
    pub(crate) fn of(server: &RedisServer) -> Self {
        let mut counter = Self {
            server: server.clone(),
            last: 0,
        };
        counter.new_ones();
        counter
    }

    /// How many came from outside.
    pub(crate) fn new_ones(&mut self) -> u64 {
        let calls = calls(&self.server);
        let counted = calls.iter().filter(|(name, _)| {
            let ours = ["info", "auth"].contains(&&name[..]);
            !ours && !CALLED_BY_SCRIPTS.contains(&&name[..])
        });
        let now = counted.map(|(_, calls)| calls).sum();
        now - std::mem::replace(&mut self.last, now)
    }
}

/// Each command that `server` was sent or a script has called, and how often.
pub(crate) fn calls(server: &RedisServer) -> Vec<(String, u64)> {
    let stats = server.cli(&["INFO", "commandstats"]);
    let read = |line: &str| {
        let (name, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (calls, _) = counts.split_once(',')?;
        Some((name.to_owned(), calls.parse().ok()?))
    };
    stats.lines().filter_map(read).collect()
}
