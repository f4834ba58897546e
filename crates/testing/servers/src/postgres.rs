//! How PostgreSQL is installed, started and reached.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kind::{Kind, PASSWORD, PASSWORD_IN_URLS, Place, USER};
use crate::program;
use crate::server::Server;

/// PostgreSQL, 12 or newer.
#[derive(Clone, Copy, Debug)]
pub struct Postgres;

impl Postgres {
    /// The server that all test processes of this user share. Its writes are not durable.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn shared() -> Server {
        Server::shared(&Self)
    }

    /// A server for the caller alone, whose writes are durable; it ends when the last clone is dropped.
    ///
    /// # Panics
    ///
    /// When the server is not installed or does not start.
    pub fn start() -> Server {
        Server::start(&Self)
    }

    fn tool(name: &str) -> PathBuf {
        program::find(
            name,
            &program::versions("/usr/lib/postgresql", "bin"),
            "postgresql",
        )
    }
}

/// [`PASSWORD`] as the server keeps it, with one round of hashing. By default there are 4096, for which a client that
/// is not optimised takes so long that tests which break connections wait for little else.
const VERIFIER: &str = "SCRAM-SHA-256$1:ZmFzdGh0dHBzZXNzaW9uLg==\
    $9keuxOnpfvMUxi1R1AZMNxZOZ+Da3hrIhZhyqu/PUrQ=:5KrdHUA2ykjDMTJFljjc8/Bo03hZ4idnyNmBghakTqY=";

impl Kind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn user(&self) -> &'static str {
        "postgres"
    }

    fn program(&self) -> PathBuf {
        Self::tool("postgres")
    }

    fn settings(&self, durable: bool) -> &'static [&'static str] {
        if durable {
            &[
                "-cmax_connections=100",
                "-cshared_buffers=32MB",
                "-cfsync=on",
                "-csynchronous_commit=on",
            ]
        } else {
            &[
                "-cmax_connections=300",
                "-cshared_buffers=32MB",
                "-cfsync=off",
                "-csynchronous_commit=off",
                "-cfull_page_writes=off",
            ]
        }
    }

    fn placed(&self, place: &Place) -> Vec<String> {
        vec![
            format!("-D{}", place.data().display()),
            format!("-k{}", place.folder.display()),
            "-clisten_addresses=127.0.0.1".to_owned(),
            format!("-p{}", place.port),
            "-cssl=on".to_owned(),
            format!("-cssl_cert_file={}", place.tls("server.pem")),
            format!("-cssl_key_file={}", place.tls("server.key")),
        ]
    }

    fn install(&self, data: &Path) -> Command {
        let mut initdb = Command::new("sh");
        let script = r#"printf %s "$1" | "$2" -D "$3" -U "$4" --pwfile=/dev/stdin -A scram-sha-256 \
            -E UTF8 --locale=C.UTF-8 --no-sync"#;
        initdb
            .args(["-c", script, "initdb", VERIFIER])
            .arg(Self::tool("initdb"))
            .arg(data)
            .arg(USER);
        initdb
    }

    fn answers(&self, place: &Place) -> bool {
        let mut ready = Command::new(Self::tool("pg_isready"));
        ready
            .arg("-q")
            .arg("-h")
            .arg(&place.folder)
            .arg("-p")
            .arg(place.port.to_string());
        program::succeeds(ready)
    }

    /// Immediate shutdown: does not flush, but removes the shared memory segment.
    fn end_signal(&self) -> &'static str {
        "QUIT"
    }

    fn client(&self, place: &Place, database: Option<&str>, sql: &str) -> Command {
        let mut psql = Command::new(Self::tool("psql"));
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            USER,
            "-h",
        ])
        .arg(&place.folder);
        psql.args([
            "-p",
            &place.port.to_string(),
            "-d",
            database.unwrap_or("postgres"),
            "-c",
            sql,
        ]);
        psql.env("PGPASSWORD", PASSWORD);
        psql
    }

    fn url(&self, place: &Place, database: &str) -> String {
        format!(
            "postgres://{USER}:{PASSWORD_IN_URLS}@127.0.0.1:{}/{database}",
            place.port
        )
    }

    fn socket_url(&self, place: &Place, database: &str) -> String {
        let folder = place.folder.display().to_string().replace('/', "%2F");
        format!(
            "postgres://{USER}:{PASSWORD_IN_URLS}@{folder}:{}/{database}",
            place.port
        )
    }
}
