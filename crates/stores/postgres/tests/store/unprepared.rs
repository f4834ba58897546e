//! Behind a pooler that gives each transaction another connection.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Child, Command, Stdio};

use fasthttpsession_core::{Created, Principal, Replaced, Store, StoreErrorKind};
use fasthttpsession_postgres::PostgresConfig;
use tempfile::TempDir;

use crate::support::{
    NOW, PATIENCE, Place, create, handle, load, record, replace, successor, within,
};

/// `PgBouncer` between a test and its database, with two connections to the server for any number of its clients.
struct Pooler {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Pooler {
    async fn start(place: &Place) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let port = free_port();
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, settings(place, port)).expect("a file can be made");
        // It ends with this test even if that is killed, and refuses to run as root.
        let mut start = Command::new("setpriv");
        start.args(["--pdeathsig", "KILL"]);
        if fs::metadata("/proc/self").expect("Linux has it").uid() == 0 {
            start.args([
                "--reuid",
                "postgres",
                "--regid",
                "postgres",
                "--clear-groups",
            ]);
        }
        let process = start
            .args(["--", program()])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "pgbouncer and setpriv are installed; on Debian, packages pgbouncer and util-linux",
            );
        let pooler = Self {
            process,
            port,
            folder,
        };
        pooler.until_it_answers().await;
        pooler
    }

    async fn until_it_answers(&self) {
        let connecting = async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.port))
                .await
                .is_err()
            {
                tokio::task::yield_now().await;
            }
        };
        let answered = tokio::time::timeout(PATIENCE, connecting).await;
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(answered.is_ok(), "pgbouncer does not listen: {log}");
    }

    fn config(&self, place: &Place) -> PostgresConfig {
        let name = place.database.name();
        let url = format!("postgres://anybody@127.0.0.1:{}/{name}", self.port);
        let config = PostgresConfig::from_url(&url).expect("it is a URL");
        config.statement_timeout(PATIENCE).pool_timeout(PATIENCE)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn settings(place: &Place, port: u16) -> String {
    let server = place.database.server();
    format!(
        "[databases]
* = host={} port={} user=tester password='p@ss:word/1'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
",
        server.folder().display(),
        server.port()
    )
}

fn program() -> &'static str {
    let folders = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"];
    let installed = folders
        .into_iter()
        .find(|program| fs::exists(program).unwrap_or(false));
    installed.unwrap_or("pgbouncer")
}

/// Below those that the kernel gives to clients, of whom one could have it before the pooler.
fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(22_000..32_000));
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("some port is free")
}

#[tokio::test]
async fn a_store_works_behind_a_pooler_of_transactions() {
    let place = Place::new().await;
    let pooler = Pooler::start(&place).await;
    let config = pooler.config(&place).prepared(false).migrate(true);
    let store = config.open().await.expect("the store opens");
    create(&store, 0..40).await;
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let replaced = replace(&store, number).await.expect("an answer");
                assert_eq!(replaced, Replaced::Replaced);
                let conflict = replace(&store, number).await.expect("an answer");
                assert_eq!(conflict, Replaced::Conflict(successor(&record())));
                assert_eq!(load(&store, number).await, Some(successor(&record())));
            })
        })
        .collect();
    for task in tasks {
        within(task).await.expect("no panic");
    }
    let ann = Principal::new("ann").expect("it is a name");
    let sessions = store.sessions_of(&ann, NOW).await.expect("an answer");
    assert_eq!(sessions.len(), 40);
    let created = store.create(handle(1), &record(), NOW).await;
    assert_eq!(created.expect("an answer"), Created::Exists);
    let servers = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(place.number(servers).await <= 2, "it goes past the pooler");
}

#[tokio::test]
async fn a_pooler_of_transactions_that_was_not_announced_is_named() {
    let place = Place::new().await;
    drop(place.store().await);
    let pooler = Pooler::start(&place).await;
    let error = pooler.config(&place).open().await;
    let error = error.expect_err("time-outs can't be set through it");
    assert_eq!(error.kind(), StoreErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("prepared=false"), "{error}");
}

#[tokio::test]
async fn statements_that_are_not_prepared_work_without_a_pooler_too() {
    let place = Place::new().await;
    let store = place.config().prepared(false).open().await;
    let store = store.expect("the store opens");
    create(&store, [1]).await;
    replace(&store, 1).await.expect("an answer");
    assert_eq!(load(&store, 1).await, Some(successor(&record())));
}
