//! Records, folders and child processes for tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use fasthttpsession_core::{Handle, Header, Principal, Record, Timestamp};
use fasthttpsession_file::{FileConfig, FileStore};
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// Where a child process finds its folder.
const FOLDER: &str = "FILE_STORE_TEST_FOLDER";

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("the system has a place for temporary files")
}

/// A store that does nothing by itself.
pub(crate) fn config(folder: &Path) -> FileConfig {
    FileConfig::new(folder)
        .migrate(true)
        .purge_every(Duration::ZERO)
}

pub(crate) async fn open(folder: &Path) -> FileStore {
    config(folder).open().await.expect("the folder is ours")
}

pub(crate) fn handle(number: u64) -> Handle {
    let mut bytes = [0; Handle::BYTES];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Handle::from_bytes(bytes)
}

/// A handle of the shard with this number.
pub(crate) fn handle_in(shard: u8, number: u8) -> Handle {
    let mut bytes = [0; Handle::BYTES];
    (bytes[0], bytes[1]) = (shard, number);
    Handle::from_bytes(bytes)
}

/// A record of nobody that lives for `left` from [`NOW`] on.
pub(crate) fn record(left: Duration) -> Record {
    let header = Header {
        version: 1,
        created_at: NOW,
        idle_deadline: NOW.after(left),
        absolute_deadline: NOW.after(240 * HOUR),
        principal: None,
        label: None,
    };
    Record {
        header,
        body: Bytes::from_static(b"body"),
    }
}

pub(crate) fn record_of(principal: &Principal, left: Duration) -> Record {
    let mut record = record(left);
    record.header.principal = Some(principal.clone());
    record
}

pub(crate) fn next(record: &Record, body: impl Into<Bytes>) -> Record {
    let mut next = record.clone();
    next.header.version += 1;
    next.body = body.into();
    next
}

pub(crate) fn principal(name: &str) -> Principal {
    Principal::new(name).unwrap()
}

pub(crate) fn hex(handle: Handle) -> String {
    handle.as_bytes().map(|byte| format!("{byte:02x}")).concat()
}

/// The folder of the shard of `handle`.
pub(crate) fn shard_of(folder: &Path, handle: Handle) -> PathBuf {
    folder.join("sessions").join(&hex(handle)[..2])
}

pub(crate) fn file_of(folder: &Path, handle: Handle) -> PathBuf {
    shard_of(folder, handle).join(hex(handle))
}

/// The folder of the entries of sessions that end at `moment`.
pub(crate) fn slot_of(folder: &Path, moment: Timestamp) -> PathBuf {
    let millis = moment.as_millis();
    let era = folder.join("expiry").join(format!("{:x}", millis >> 26));
    era.join(format!("{:03x}", millis >> 14 & 0xfff))
}

/// Everything under `folder`, by its path from there, in order.
pub(crate) fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
            found.push(name);
        }
    }
    found.sort_unstable();
    found
}

/// What there is beside what every empty store has.
pub(crate) fn beyond_empty(folder: &Path) -> Vec<String> {
    let mut found = tree(folder);
    found.retain(|name| {
        let folder_of_ours = folder.join(name).is_dir() && name.len() <= "principals/00/00".len();
        let at_first = name == "fasthttpsession" || name.ends_with("/lock");
        !(at_first || folder_of_ours && !name.starts_with("expiry/"))
    });
    found
}

/// This program again, to run the ignored test `name` alone, with `folder` to work in.
pub(crate) fn child(name: &str, folder: &Path) -> Command {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new(program);
    command
        .args([
            name,
            "--exact",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FOLDER, folder)
        .stdin(Stdio::null());
    command
}

/// Where this child process is to work.
pub(crate) fn folder_of_child() -> PathBuf {
    std::env::var_os(FOLDER)
        .expect("only another test runs this one")
        .into()
}

/// Runs `command` to its end, which must be a good one.
pub(crate) fn succeeds(mut command: Command) {
    let output = command.output().expect("the program starts");
    let shown = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}\n{errors}");
    assert!(shown.contains("1 passed"), "no such child: {shown}");
}

/// `command` where it may mount what it likes, and nobody else sees it.
pub(crate) fn with_own_mounts(command: &Command) -> Command {
    let mut alone = Command::new("unshare");
    alone.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        alone.args(["--user", "--map-root-user"]);
    }
    run_by(alone, command)
}

/// `command`, to which a file that grows beyond the limit is an error and not its end.
pub(crate) fn told_of_limits(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]);
    run_by(shell, command)
}

/// `program`, which runs the command that follows its arguments.
fn run_by(mut program: Command, command: &Command) -> Command {
    program.arg(command.get_program()).args(command.get_args());
    program.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    program
}

/// What `command` asks of the disk between one [`step`] and the next, up to the last; `more` is for strace, too.
pub(crate) fn steps_of(command: &Command, more: &[&str]) -> Vec<String> {
    let beside = folder();
    let trace = beside.path().join("trace");
    let mut strace = Command::new("strace");
    strace.arg("-o").arg(&trace);
    strace.args([
        "-f",
        "-y",
        "-s",
        "64",
        "-e",
        "trace=write,fsync,fdatasync,rename,renameat,renameat2",
    ]);
    strace.args(more);
    let output = run_by(strace, command)
        .output()
        .expect("the check looks at a process with strace: install it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let seen = std::fs::read_to_string(trace).unwrap();
    let mut steps: Vec<_> = seen.split("step: ").skip(1).map(str::to_owned).collect();
    let end = steps.pop().unwrap_or_default();
    assert!(end.starts_with("end"), "{seen}");
    steps
}

/// A line that strace shows as one call. The last one is `end`.
pub(crate) fn step(name: &str) {
    use std::io::Write as _;
    std::io::stderr()
        .write_all(format!("step: {name}\n").as_bytes())
        .unwrap();
}

/// How often, in a step, the kernel was asked to put `what` on the disk.
pub(crate) fn waits(step: &str, call: &str, what: &str) -> usize {
    let waits = |line: &&str| line.contains(&format!("{call}(")) && line.contains(what);
    step.lines().filter(waits).count()
}

/// Mounts a memory file system of `size` on `folder`.
pub(crate) fn mount(folder: &Path, size: &str) {
    use rustix::mount::{MountFlags, mount};
    let settings = std::ffi::CString::new(format!("size={size},mode=700")).unwrap();
    mount(
        "tmpfs",
        folder,
        "tmpfs",
        MountFlags::empty(),
        settings.as_c_str(),
    )
    .expect(
        "the check needs a small file system: run it as root, or where user namespaces are allowed",
    );
}
