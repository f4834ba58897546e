//! Prints how long it takes to start, kill and restart servers: `cargo run --example times`.
use std::time::Instant;

use fasthttpsession_servers::{Mariadb, Postgres, Server};

fn main() {
    for (name, shared, start) in [
        (
            "postgres",
            Postgres::shared as fn() -> Server,
            Postgres::start as fn() -> Server,
        ),
        ("mariadb", Mariadb::shared, Mariadb::start),
    ] {
        let timed = |what: &str, since: Instant| println!("{name} {what}: {:?}", since.elapsed());
        let now = Instant::now();
        let first = shared();
        timed("shared, first use", now);
        let now = Instant::now();
        let again = shared();
        timed("shared, later use", now);
        let now = Instant::now();
        let _ = again.database();
        timed("database on the shared server", now);
        drop(first);
        let now = Instant::now();
        let server = start();
        timed("private", now);
        let now = Instant::now();
        let _ = server.database();
        timed("database on the private server", now);
        for _ in 0..2 {
            let now = Instant::now();
            server.kill();
            timed("kill", now);
            let now = Instant::now();
            server.restart();
            timed("restart", now);
        }
        let now = Instant::now();
        drop(server);
        timed("end", now);
    }
}
