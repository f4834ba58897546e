//! A service of two real processes, over HTTP and on one folder of files, changes its keys, its token codec and its
//! encryption, one process after the other, under load: no request fails, nobody is signed out, nothing is lost.
#![allow(clippy::unwrap_used, reason = "tests may")]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use fasthttpsession_core::{Keys, Sessions, SessionsBuilder, TokenCodec, Transport};
use fasthttpsession_file::FileConfig;
use fasthttpsession_tower::{Session, SessionFailed, SessionLayer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, RwLock};
use tokio::time::timeout;

const CLIENTS: usize = 4;
/// How many whole visits each client makes while a process is at a step.
const VISITS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(60);
const FOLDER: &str = "ROLLOUT_FOLDER";
const STEP: &str = "ROLLOUT_STEP";
const READY: &str = "listening at ";

/// What a process is set to, step by step. `keys` reads a ring from the file of that name.
fn settings(step: usize, builder: SessionsBuilder, keys: impl Fn(&str) -> Keys) -> SessionsBuilder {
    let signed = |name| TokenCodec::signed(&keys(name));
    let encrypted = |name| TokenCodec::encrypted(&keys(name));
    match step {
        0 => builder,
        // Signed tokens and encrypted records come in.
        1 => builder
            .also_accept(signed("old"))
            .also_read_encrypted(&keys("old")),
        2 => builder
            .token_codec(signed("old"))
            .also_accept(TokenCodec::plain())
            .encrypt_records(&keys("old"))
            .also_read_unencrypted(),
        // A new key is added, promoted, and alone.
        3 => builder
            .token_codec(signed("old-new"))
            .encrypt_records(&keys("old-new")),
        4 => builder
            .token_codec(signed("new-old"))
            .encrypt_records(&keys("new-old")),
        5 => builder
            .token_codec(signed("new"))
            .encrypt_records(&keys("new")),
        // From signed to encrypted.
        6 => builder
            .token_codec(signed("new"))
            .also_accept(encrypted("new"))
            .encrypt_records(&keys("new")),
        _ => builder
            .token_codec(encrypted("new"))
            .also_accept(signed("new"))
            .encrypt_records(&keys("new")),
    }
}

const STEPS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_change_keys_and_codecs_under_load_and_nobody_notices() {
    let folder = tempfile::tempdir().unwrap();
    write_keys(folder.path());
    let start = |step| Process::start(folder.path(), step);
    let service = Arc::new(Service {
        processes: [RwLock::new(start(0)), RwLock::new(start(0))],
        visits: Default::default(),
        visited: Notify::new(),
        ended: AtomicBool::new(false),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(visit(Arc::clone(&service), number)))
        .collect();
    for step in 0..STEPS {
        for process in &service.processes {
            // Takes it out of service once its requests have ended, as a load balancer does.
            *process.write().await = start(step);
            let seen = service.visits.each_ref().map(|n| n.load(Ordering::SeqCst));
            let reached = timeout(PATIENCE, service.go_beyond(&seen)).await;
            reached.expect("a client has stopped");
        }
    }
    service.ended.store(true, Ordering::SeqCst);
    for client in clients {
        timeout(PATIENCE, client).await.unwrap().unwrap();
    }
}

struct Service {
    processes: [RwLock<Process>; 2],
    visits: [AtomicUsize; CLIENTS],
    visited: Notify,
    ended: AtomicBool,
}

impl Service {
    async fn go_beyond(&self, seen: &[usize; CLIENTS]) {
        loop {
            let visited = self.visited.notified();
            let mut visits = self.visits.iter().zip(seen);
            if visits.all(|(n, seen)| n.load(Ordering::SeqCst) >= seen + VISITS) {
                return;
            }
            visited.await;
        }
    }

    async fn get(&self, process: usize, path: &str, client: &Client) -> Answer {
        let process = self.processes[process].read().await;
        let answer = client.get(process.address, path);
        timeout(PATIENCE, answer).await.expect("no answer came")
    }
}

/// Signs in once, and then counts: two requests at once on both processes, then one that looks and rotates.
async fn visit(service: Arc<Service>, number: usize) {
    let mut client = Client {
        by_header: number % 2 == 1,
        token: String::new(),
    };
    let answer = service
        .get(0, &format!("/login/user-{number}"), &client)
        .await;
    client.receive(&answer);
    let mut count = 0;
    while !service.ended.load(Ordering::SeqCst) {
        let (one, other) = tokio::join!(
            service.get(0, "/increment", &client),
            service.get(1, "/increment", &client),
        );
        count += 2;
        assert_eq!([&*one.body, &*other.body], ["done", "done"]);
        let answer = service.get((count / 2) % 2, "/look", &client).await;
        assert_eq!(answer.body, format!("user-{number} {count}"));
        client.receive(&answer);
        service.visits[number].fetch_add(1, Ordering::SeqCst);
        service.visited.notify_waiters();
    }
}

/// Keeps one token, in a cookie or for a header.
struct Client {
    by_header: bool,
    token: String,
}

struct Answer {
    head: String,
    body: String,
}

impl Client {
    async fn get(&self, address: SocketAddr, path: &str) -> Answer {
        let token = match (&*self.token, self.by_header) {
            ("", _) => String::new(),
            (token, true) => format!("authorization: Bearer {token}\r\n"),
            (token, false) => format!("cookie: __Host-id={token}\r\n"),
        };
        let request = format!("GET {path} HTTP/1.0\r\nhost: site.test\r\n{token}\r\n");
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1) == Some("200"), "{path}: {head}");
        Answer {
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn receive(&mut self, answer: &Answer) {
        let begin = if self.by_header {
            "authorization: Bearer "
        } else {
            "set-cookie: __Host-id="
        };
        let token = answer
            .head
            .lines()
            .find_map(|line| line.strip_prefix(begin));
        let token = token.expect("the response brings a new token");
        token.split(';').next().unwrap().clone_into(&mut self.token);
    }
}

/// A process of the service. Killed when dropped.
struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts this test program again, as the process below.
    fn start(folder: &Path, step: usize) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_process", "--ignored", "--nocapture"])
            .env(FOLDER, folder)
            .env(STEP, step.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once(READY)?.1.parse().unwrap()));
        Self {
            child,
            address: address.expect("the process says where it listens"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process of the service, until its standard input ends.
#[tokio::test]
#[ignore = "the other test starts it"]
async fn the_process() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let step = std::env::var(STEP).unwrap().parse().unwrap();
    let store = FileConfig::new(folder.join("sessions")).migrate(true);
    let builder = Sessions::builder(store.open().await.unwrap())
        .transports([Transport::cookie(), Transport::bearer()]);
    let keys = |name: &str| Keys::from_file(folder.join(name)).unwrap();
    let sessions = settings(step, builder, keys).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{READY}{}", listener.local_addr().unwrap());
    std::thread::spawn(|| {
        // Whoever started this has gone.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0)
    });
    let app = Router::new()
        .route("/login/{name}", get(login))
        .route("/increment", get(increment))
        .route("/look", get(look))
        .layer(SessionLayer::new(sessions));
    axum::serve(listener, app).await.unwrap();
}

async fn login(
    session: Session,
    axum::extract::Path(name): axum::extract::Path<String>,
) -> Result<(), SessionFailed> {
    Ok(session.login(&name)?)
}

async fn increment(session: Session) -> Result<&'static str, SessionFailed> {
    session.update("n", |n: &mut usize| *n += 1)?;
    Ok(if session.principal().is_some() {
        "done"
    } else {
        "signed out"
    })
}

async fn look(session: Session) -> Result<String, SessionFailed> {
    session.rotate()?;
    let count: Option<usize> = session.get("n")?;
    let name = session.principal().map(|name| name.to_string());
    Ok(format!(
        "{} {}",
        name.unwrap_or_default(),
        count.unwrap_or_default()
    ))
}

fn write_keys(folder: &Path) {
    let old = format!("old:{}", "0f1e".repeat(16));
    let new = format!("new:{}", "2d3c".repeat(16));
    for (name, text) in [
        ("old", old.clone()),
        ("old-new", format!("{old}\n{new}\n")),
        ("new-old", format!("{new}\n{old}\n")),
        ("new", new.clone()),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
}
