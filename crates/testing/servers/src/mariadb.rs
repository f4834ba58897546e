//! How MariaDB is installed, started and reached.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::kind::{Kind, PASSWORD, PASSWORD_IN_URLS, Place, USER};
use crate::program;
use crate::server::Server;

/// MariaDB, 10.11 or newer. It compares text without regard to case unless told otherwise, as servers do by default.
#[derive(Clone, Copy, Debug)]
pub struct Mariadb;

impl Mariadb {
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
            &[PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")],
            "mariadb-server",
        )
    }

    fn socket(place: &Place) -> PathBuf {
        place.folder.join("socket")
    }
}

impl Kind for Mariadb {
    fn name(&self) -> &'static str {
        "mariadb"
    }

    fn user(&self) -> &'static str {
        "mysql"
    }

    fn program(&self) -> PathBuf {
        Self::tool("mariadbd")
    }

    fn settings(&self, durable: bool) -> &'static [&'static str] {
        if durable {
            &[
                "--no-defaults",
                "--max-connections=100",
                "--innodb-buffer-pool-size=32M",
                "--innodb-log-file-size=16M",
                "--innodb-flush-log-at-trx-commit=1",
                "--skip-name-resolve",
            ]
        } else {
            &[
                "--no-defaults",
                "--max-connections=300",
                "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=16M",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-flush-method=nosync",
                "--innodb-doublewrite=0",
                "--skip-name-resolve",
            ]
        }
    }

    fn placed(&self, place: &Place) -> Vec<String> {
        vec![
            format!("--datadir={}", place.data().display()),
            // A server that starts clears the folder for temporary tables, also of others' if it is shared.
            format!("--tmpdir={}", place.data().display()),
            format!("--socket={}", Self::socket(place).display()),
            format!("--pid-file={}", place.folder.join("mariadbd.pid").display()),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--port={}", place.port),
            format!("--ssl-ca={}", place.tls("ca.pem")),
            format!("--ssl-cert={}", place.tls("server.pem")),
            format!("--ssl-key={}", place.tls("server.key")),
        ]
    }

    /// The installation takes one statement a line, and none about users before it has read those that are there.
    fn install(&self, data: &Path) -> Command {
        let mut install = Command::new("sh");
        let script = r#"printf '%s\n' "$1" >"$2.sql" && shift &&
            "$2" --no-defaults --datadir="$1" --extra-file="$1.sql" --skip-test-db --innodb-log-file-size=16M"#;
        let user = format!(
            "FLUSH PRIVILEGES;\nCREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO '{USER}'@'%' WITH GRANT OPTION;"
        );
        install
            .args(["-c", script, "install", &user])
            .arg(data)
            .arg(Self::tool("mariadb-install-db"));
        install
    }

    /// The server opens its sockets when it has recovered, and greets whoever connects.
    fn answers(&self, place: &Place) -> bool {
        let Ok(mut stream) = UnixStream::connect(Self::socket(place)) else {
            return false;
        };
        let patience = stream.set_read_timeout(Some(Duration::from_secs(5)));
        patience.is_ok() && stream.read_exact(&mut [0; 5]).is_ok()
    }

    /// It leaves nothing in the kernel, however it ends.
    fn end_signal(&self) -> &'static str {
        "KILL"
    }

    fn client(&self, place: &Place, database: Option<&str>, sql: &str) -> Command {
        let mut mariadb = Command::new(Self::tool("mariadb"));
        mariadb.args([
            "--no-defaults",
            "--batch",
            "--skip-column-names",
            "-u",
            USER,
            "-e",
            sql,
        ]);
        mariadb
            .arg("--socket")
            .arg(Self::socket(place))
            .args(database);
        mariadb.env("MYSQL_PWD", PASSWORD);
        mariadb
    }

    fn url(&self, place: &Place, database: &str) -> String {
        format!(
            "mysql://{USER}:{PASSWORD_IN_URLS}@127.0.0.1:{}/{database}",
            place.port
        )
    }

    fn socket_url(&self, place: &Place, database: &str) -> String {
        let socket = Self::socket(place)
            .display()
            .to_string()
            .replace('/', "%2F");
        format!("mysql://{USER}:{PASSWORD_IN_URLS}@localhost/{database}?socket={socket}")
    }
}
