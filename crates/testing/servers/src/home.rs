//! The folder of all servers: what is shared by all processes that use one kind.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::certificates;
use crate::instance::{self, Instance};
use crate::kind::Kind;
use crate::program::{RunsAs, run};

/// Counts up when templates or folders are made differently.
const FORMAT: u32 = 2;

/// How long a shared server waits for another user.
const IDLE: Duration = Duration::from_secs(10);

/// Where servers of one kind are; the caller alone may start or end them as long as it has this.
pub(crate) struct Home {
    kind: &'static dyn Kind,
    /// The start of all paths of this kind.
    prefix: PathBuf,
    _lock: File,
}

impl Home {
    /// Waits until nobody else has it.
    pub(crate) fn lock(kind: &'static dyn Kind) -> Self {
        let prefix = base().join(format!("{}-{:08x}", kind.name(), fingerprint(kind)));
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(with(&prefix, "lock"));
        let lock =
            lock.unwrap_or_else(|e| panic!("{}.lock could not be made: {e}", prefix.display()));
        flock(&lock, FlockOperation::LockExclusive).expect("files can be locked");
        Self {
            kind,
            prefix,
            _lock: lock,
        }
    }

    /// The shared server, if it answers.
    pub(crate) fn current(&self) -> Option<Instance> {
        let folder = fs::read_link(with(&self.prefix, "current")).ok()?;
        let instance = Instance::open(self.kind, &folder)?;
        if folder.join("port").exists() && instance.answers() {
            return Some(instance);
        }
        instance::end(self.kind, &folder);
        None
    }

    /// Makes `instance` the shared server.
    pub(crate) fn set_current(&self, instance: &Instance) {
        let link = with(&self.prefix, "current");
        let _ = fs::remove_file(&link);
        symlink(instance.place().folder, link).expect("links can be made");
    }

    /// The folder of a new server.
    pub(crate) fn create(&self, shared: bool) -> Instance {
        self.sweep();
        let template = self.template();
        let folder = with(&self.prefix, &format!("{:08x}", fastrand::u32(..)));
        let idle = if shared { IDLE } else { Duration::ZERO };
        // Paths of Unix sockets have at most 107 bytes.
        assert!(
            folder.as_os_str().len() < 80,
            "the folder for temporary files has too long a path: {}",
            folder.display()
        );
        Instance::create(
            self.kind,
            &folder,
            &template,
            &with(&self.prefix, "lock"),
            idle,
        )
    }

    /// Removes what a crash of the machine has left.
    fn sweep(&self) {
        let start = format!(
            "{}.",
            self.prefix.file_name().expect("it has a name").display()
        );
        for entry in fs::read_dir(base()).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(&start);
            if ours && entry.path().join("users").exists() && instance::is_abandoned(&entry.path())
            {
                instance::end(self.kind, &entry.path());
            }
        }
    }

    fn template(&self) -> PathBuf {
        let template = with(&self.prefix, "template");
        if !template.exists() {
            let unfinished = with(&self.prefix, "unfinished");
            let _ = fs::remove_dir_all(&unfinished);
            self.fill(&unfinished);
            fs::rename(&unfinished, &template).expect("folders can be renamed");
        }
        template
    }

    fn fill(&self, template: &Path) {
        let runs_as = RunsAs::user(self.kind.user());
        runs_as.make_folder(template);
        runs_as.make_folder(&template.join("tls"));
        runs_as.make_folder(&template.join("data"));
        certificates::make(&template.join("tls"), runs_as);
        let mut install = self.kind.install(&template.join("data"));
        runs_as.apply(&mut install);
        run(install);
    }
}

/// `<prefix>.<end>`
fn with(prefix: &Path, end: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(".");
    path.push(end);
    path.into()
}

/// The folder of all servers of this user.
fn base() -> PathBuf {
    let user = rustix::process::geteuid().as_raw();
    let base = std::env::temp_dir().join(format!("fasthttpsession-{user}"));
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&base)
        .and_then(|()| fs::metadata(&base));
    let metadata = made.unwrap_or_else(|e| panic!("{} could not be made: {e}", base.display()));
    assert!(
        metadata.uid() == user,
        "{} belongs to somebody else",
        base.display()
    );
    base
}

/// What servers that may stand in for each other have in common.
fn fingerprint(kind: &dyn Kind) -> u32 {
    let program = kind.program();
    let metadata = fs::metadata(&program).expect("the program was found");
    let mut hasher = DefaultHasher::new();
    (FORMAT, &program, metadata.len(), metadata.mtime()).hash(&mut hasher);
    (kind.settings(true), kind.settings(false)).hash(&mut hasher);
    u32::try_from(hasher.finish() >> 32).expect("32 bits are left")
}
