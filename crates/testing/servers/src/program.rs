//! Finds programs, and runs them under the name of the server's user.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program `name`, from the search path or else from `folders`.
pub(crate) fn find(name: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).chain(folders.iter().cloned());
    candidates
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .unwrap_or_else(|| {
            panic!(
                "the program `{name}` is not installed; on Debian it is in the package `{package}`"
            )
        })
}

/// `within` of each version's folder in `folder`, newest first.
pub(crate) fn versions(folder: &str, within: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut versions: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
        .iter()
        .map(|version| Path::new(folder).join(version.to_string()).join(within))
        .collect()
}

/// Runs `command`, and returns what it printed.
pub(crate) fn run(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let output =
        output.unwrap_or_else(|e| panic!("{} does not run: {e}", command.get_program().display()));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{} failed:\n{printed}{complaint}",
        command.get_program().display()
    );
    printed
}

/// Whether `command` runs and succeeds.
pub(crate) fn succeeds(mut command: Command) -> bool {
    command
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Who runs a server: the caller, unless the caller is root.
#[derive(Clone, Copy)]
pub(crate) struct RunsAs(Option<(u32, u32)>);

impl RunsAs {
    /// `name` if the caller is root.
    pub(crate) fn user(name: &str) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = users.lines().find_map(|line| ids_of(line, name));
        Self(Some(ids.unwrap_or_else(|| {
            panic!("servers refuse to run as root, and there is no user `{name}`, which the server's package makes")
        })))
    }

    /// Has `command` run as this user, in no other group than the user's own.
    pub(crate) fn apply(self, command: &mut Command) {
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command.current_dir("/");
    }

    /// Makes the folder `path`, which only this user can enter.
    pub(crate) fn make_folder(self, path: &Path) {
        use std::os::unix::fs::{DirBuilderExt, chown};
        let made = std::fs::DirBuilder::new().mode(0o700).create(path);
        let owned = made.and_then(|()| match self.0 {
            Some((user, group)) => chown(path, Some(user), Some(group)),
            None => Ok(()),
        });
        owned.unwrap_or_else(|e| panic!("{} could not be made: {e}", path.display()));
    }
}

/// The ids in `line` of the user list, if it is about `name`.
fn ids_of(line: &str, name: &str) -> Option<(u32, u32)> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    Some((fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?))
}
