//! One server's folder: who uses it, who keeps it, and starting the server in it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::kind::{Kind, Place};
use crate::ports;
use crate::processes::{server_in, wait_until};
use crate::program::{RunsAs, run};

/// Ends a server.
const END: &str = include_str!("end.sh");

/// Ends a server when nobody uses it any more.
const KEEPER: &str = include_str!("keeper.sh");

/// How long a server may take to answer after it was started.
const START: Duration = Duration::from_secs(60);

/// The folder of a server that is to be used by this process.
pub(crate) struct Instance {
    kind: &'static dyn Kind,
    folder: PathBuf,
    /// Holds the lock that keeps the keeper waiting.
    _users: File,
}

impl Instance {
    /// Uses the server in `folder`; `None` if there is no such folder.
    pub(crate) fn open(kind: &'static dyn Kind, folder: &Path) -> Option<Self> {
        let users = File::open(folder.join("users")).ok()?;
        flock(&users, FlockOperation::LockShared).ok()?;
        Some(Self {
            kind,
            folder: folder.to_owned(),
            _users: users,
        })
    }

    /// Makes `folder` from `template`, and has it removed `idle` after its last user is gone.
    ///
    /// The caller holds `lock`, the lock of this kind.
    pub(crate) fn create(
        kind: &'static dyn Kind,
        folder: &Path,
        template: &Path,
        lock: &Path,
        idle: Duration,
    ) -> Self {
        let runs_as = RunsAs::user(kind.user());
        runs_as.make_folder(folder);
        for file in ["users", "kept"] {
            File::create(folder.join(file))
                .unwrap_or_else(|e| panic!("{}/{file}: {e}", folder.display()));
        }
        let instance = Self::open(kind, folder).expect("it was just made");
        instance.keep(lock, idle);
        let mut copy = Command::new("cp");
        copy.args(["-a", "--reflink=auto"])
            .arg(template.join("data"))
            .arg(template.join("tls"))
            .arg(folder);
        run(copy);
        instance
    }

    /// Where the server is; only once it was started.
    pub(crate) fn place(&self) -> Place {
        let port = ports::of(&self.folder);
        Place {
            folder: self.folder.clone(),
            port: port.expect("it was written before the server was started"),
        }
    }

    /// Starts the server at a free port, and returns when it answers.
    pub(crate) fn start(&self, durable: bool) -> Child {
        for _ in 0..10 {
            let port = ports::draw(&self.folder).to_string();
            fs::write(self.folder.join("port"), port).expect("the folder can be written");
            if let Ok(child) = self.start_at_port(durable) {
                return child;
            }
            assert!(self.log().contains("in use"), "{}", self.complaint());
            let _ = fs::remove_file(self.folder.join("log"));
        }
        panic!("no port is free: {}", self.complaint());
    }

    /// Starts the server where it was, once nobody else listens there, and returns when it answers.
    ///
    /// # Errors
    ///
    /// When it ends instead.
    pub(crate) fn start_again(&self, durable: bool) -> Result<Child, String> {
        let port = self.place().port;
        wait_until(START, || ports::is_free(port));
        self.start_at_port(durable)
    }

    fn start_at_port(&self, durable: bool) -> Result<Child, String> {
        let place = self.place();
        let mut child = self.launch(&place, durable);
        let mut ended = false;
        let settled = wait_until(START, || {
            ended = child.try_wait().expect("it is our child").is_some();
            ended || self.kind.answers(&place)
        });
        assert!(settled, "it does not answer: {}", self.complaint());
        if ended {
            Err(self.complaint())
        } else {
            Ok(child)
        }
    }

    /// Whether the server answers, soon.
    pub(crate) fn answers(&self) -> bool {
        let place = self.place();
        let mut answers = false;
        wait_until(Duration::from_secs(10), || {
            answers = self.kind.answers(&place);
            answers || server_in(&self.folder).is_none()
        });
        answers
    }

    pub(crate) fn complaint(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(40)..].join("\n");
        format!(
            "the {} server does not run; the end of its log:\n{tail}",
            self.kind.name()
        )
    }

    fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The process notes its id before it becomes the server, so that whoever is killed meanwhile leaves no server
    /// that the keeper does not know.
    fn launch(&self, place: &Place, durable: bool) -> Child {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.join("log"))
            .expect("a log can be made");
        let mut server = Command::new("sh");
        server
            .args(["-c", r#"echo $$ >"$0" && exec "$@""#])
            .arg(self.folder.join("pid"));
        server
            .arg(self.kind.program())
            .args(self.kind.settings(durable))
            .args(self.kind.placed(place));
        RunsAs::user(self.kind.user()).apply(&mut server);
        server
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("files can be cloned"))
            .stderr(log);
        server
            .process_group(0)
            .spawn()
            .expect("a shell can be started")
    }

    fn keep(&self, lock: &Path, idle: Duration) {
        let mut keeper = Command::new("setsid");
        keeper
            .args(["--fork", "sh", "-c", KEEPER, "keeper"])
            .arg(&self.folder)
            .arg(lock);
        keeper
            .args([&idle.as_secs().to_string(), self.kind.end_signal(), END])
            .current_dir("/");
        keeper
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = keeper.status().is_ok_and(|status| status.success());
        assert!(
            started,
            "the program `setsid` does not run; on Debian it is in the package `util-linux`"
        );
    }
}

/// Ends the server in `folder`, if it runs, and removes the folder.
pub(crate) fn end(kind: &dyn Kind, folder: &Path) {
    let mut end = Command::new("sh");
    end.args(["-c", END, "end"])
        .arg(folder)
        .arg(kind.end_signal())
        .current_dir("/");
    run(end);
}

/// Whether the server in `folder` has lost its keeper and its users.
pub(crate) fn is_abandoned(folder: &Path) -> bool {
    ["kept", "users"]
        .iter()
        .all(|file| match File::open(folder.join(file)) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(_) => true,
        })
}
