//! What tests rely on when they use a server.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fasthttpsession_servers::{Mariadb, Postgres, Server};

/// Long enough for the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

macro_rules! on_both {
    ($($check:ident),* $(,)?) => {
        mod postgres { $(#[test] fn $check() { super::$check(super::POSTGRES); })* }
        mod mariadb { $(#[test] fn $check() { super::$check(super::MARIADB); })* }
    };
}

on_both![
    each_database_is_empty_and_separate,
    two_processes_share_a_server,
    a_killed_server_keeps_what_was_committed,
    a_paused_server_answers_when_it_goes_on,
    a_private_server_ends_with_its_last_user,
    a_private_server_ends_with_a_killed_process,
    the_certificate_is_for_this_machine,
];

#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    shared: fn() -> Server,
    start: fn() -> Server,
}

const POSTGRES: Kind = Kind {
    name: "postgres",
    shared: Postgres::shared,
    start: Postgres::start,
};
const MARIADB: Kind = Kind {
    name: "mariadb",
    shared: Mariadb::shared,
    start: Mariadb::start,
};

fn each_database_is_empty_and_separate(kind: Kind) {
    let server = (kind.shared)();
    for _ in 0..2 {
        let database = server.database();
        database.run_sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
        assert_eq!(database.run_sql("SELECT count(*) FROM t").trim(), "1");
    }
}

fn two_processes_share_a_server(kind: Kind) {
    let ours = (kind.shared)();
    let mut other = another_process(kind, "shared");
    assert_eq!(folder_of(&mut other), ours.folder());
    end(other);
}

fn a_killed_server_keeps_what_was_committed(kind: Kind) {
    let server = (kind.start)();
    let database = server.database();
    database.run_sql("CREATE TABLE t (n int)");
    for n in 0..3 {
        database.run_sql(&format!("INSERT INTO t VALUES ({n})"));
        let port = server.port();
        server.kill();
        assert!(
            std::net::TcpStream::connect(("127.0.0.1", port)).is_err(),
            "a killed server still listens"
        );
        server.restart();
        assert_eq!(server.port(), port);
        assert_eq!(
            database.run_sql("SELECT count(*) FROM t").trim(),
            (n + 1).to_string()
        );
    }
}

fn a_paused_server_answers_when_it_goes_on(kind: Kind) {
    let server = (kind.start)();
    let database = server.database();
    server.pause();
    let (answered, answer) = mpsc::channel();
    thread::spawn(move || answered.send(database.run_sql("SELECT 1")));
    assert!(
        answer.recv_timeout(Duration::from_millis(500)).is_err(),
        "a paused server answered"
    );
    server.resume();
    assert_eq!(
        answer.recv_timeout(PATIENCE).expect("an answer").trim(),
        "1"
    );
}

fn a_private_server_ends_with_its_last_user(kind: Kind) {
    let database = (kind.start)().database();
    let folder = database.server().folder().to_owned();
    let port = database.server().port();
    drop(database);
    assert!(!folder.exists());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

fn a_private_server_ends_with_a_killed_process(kind: Kind) {
    let mut other = another_process(kind, "private");
    let folder = folder_of(&mut other);
    assert!(folder.exists());
    other.kill().expect("it runs");
    other.wait().expect("it is our child");
    wait_until_gone(&folder);
}

fn the_certificate_is_for_this_machine(kind: Kind) {
    let server = (kind.shared)();
    let starttls = if kind.name == "postgres" {
        "postgres"
    } else {
        "mysql"
    };
    let mut openssl = Command::new("openssl");
    openssl.args([
        "s_client",
        "-starttls",
        starttls,
        "-verify_return_error",
        "-verify_ip",
        "127.0.0.1",
        "-CAfile",
    ]);
    openssl
        .arg(server.ca_certificate())
        .args(["-connect", &format!("127.0.0.1:{}", server.port())]);
    let output = openssl.stdin(Stdio::null()).output().expect("openssl runs");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("Verify return code: 0 (ok)"),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Not a test: what [`another_process`] runs.
#[test]
#[ignore = "a process of other tests"]
fn uses_a_server_until_told_to_end() {
    let Ok(wanted) = std::env::var("SERVER_OF_ANOTHER_PROCESS") else {
        return;
    };
    let (name, how) = wanted.split_once(' ').expect("two words");
    let kind = if name == "postgres" {
        POSTGRES
    } else {
        MARIADB
    };
    let server = if how == "shared" {
        (kind.shared)()
    } else {
        (kind.start)()
    };
    println!("\nfolder={}", server.folder().display());
    let _ = std::io::stdin().read(&mut [0]);
}

fn another_process(kind: Kind, how: &str) -> Child {
    let mut this = Command::new(std::env::current_exe().expect("this program"));
    this.args([
        "--exact",
        "uses_a_server_until_told_to_end",
        "--ignored",
        "--nocapture",
    ]);
    this.env("SERVER_OF_ANOTHER_PROCESS", format!("{} {how}", kind.name));
    this.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs")
}

fn folder_of(process: &mut Child) -> PathBuf {
    let output = BufReader::new(process.stdout.as_mut().expect("a pipe"));
    let mut lines = output.lines().map_while(Result::ok);
    lines
        .find_map(|line| line.strip_prefix("folder=").map(PathBuf::from))
        .expect("it tells its folder")
}

fn end(mut process: Child) {
    drop(process.stdin.take());
    process.wait().expect("it is our child");
}

fn wait_until_gone(folder: &Path) {
    let start = Instant::now();
    while folder.exists() {
        assert!(
            start.elapsed() < PATIENCE,
            "{} is still there",
            folder.display()
        );
        thread::sleep(Duration::from_millis(10));
    }
}
