//! Counts what a server was sent.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;

use fasthttpsession_servers::RedisServer;

/// Counts the commands of a server from one question to the next.
pub(crate) struct Counter {
    server: RedisServer,
    /// Is told of each command.
    monitor: BufReader<TcpStream>,
}

impl Counter {
    pub(crate) fn of(server: &RedisServer) -> Self {
        let mut stream = TcpStream::connect(server.address()).expect("it listens");
        let asked = stream.write_all(b"AUTH tester p@ss:word/1\r\nMONITOR\r\n");
        asked.expect("it listens");
        let mut counter = Self {
            server: server.clone(),
            monitor: BufReader::new(stream),
        };
        for _ in 0..2 {
            assert_eq!(counter.line(), "+OK");
        }
        counter
    }

    /// How many came from outside.
    pub(crate) fn new_ones(&mut self) -> u64 {
        // What came before it is told before it.
        self.server.cli(&["ECHO", "now"]);
        let mut count = 0;
        loop {
            // Like `+1700000000.123456 [0 127.0.0.1:40000] "GET" "key"`; of what a script calls, `[0 lua]`.
            let line = self.line();
            let (client, command) = line.split_once("] ").expect("a command is told");
            if command == r#""ECHO" "now""# {
                return count;
            }
            let is_ours = command.starts_with(r#""AUTH""#);
            count += u64::from(!is_ours && !client.ends_with("lua"));
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.monitor.read_line(&mut line).expect("it is text");
        line.trim_end().to_owned()
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
