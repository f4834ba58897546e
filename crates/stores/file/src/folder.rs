//! The folder that everything lies in, held open: files and folders in it by their names from there. Says what the
//! operating system says; what that means for a session is said elsewhere.

use std::io::IoSlice;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
// There the others leave it to the disk when it writes what it was given.
#[cfg(target_vendor = "apple")]
use rustix::fs::{fcntl_fullfsync as content_to_disk, fcntl_fullfsync as names_to_disk};
#[cfg(not(target_vendor = "apple"))]
use rustix::fs::{fdatasync as content_to_disk, fsync as names_to_disk};
use rustix::io::{self, Errno};

use crate::names::Shard;

type Answer<T> = Result<T, Errno>;

/// Why not all was written, and how much was.
pub(crate) struct CutShort {
    pub(crate) written: usize,
    pub(crate) why: Errno,
}

impl From<CutShort> for Errno {
    fn from(cut: CutShort) -> Self {
        cut.why
    }
}

/// How often a name is tried again whose folder somebody else removes, as it is empty, just when it was made.
const TRIES: usize = 16;

/// The open folder.
pub(crate) struct Folder {
    root: OwnedFd,
    durable: bool,
}

impl Folder {
    /// Opens the folder at `path`, which may be a link.
    pub(crate) fn open(path: &Path, durable: bool) -> Answer<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(Self { root, durable })
    }

    /// Makes the folder at `path`, and those above it, unless they are there.
    pub(crate) fn make(path: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        if path.is_dir() {
            return Ok(());
        }
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
    }

    /// Who may do what in it.
    pub(crate) fn mode(&self) -> Answer<Mode> {
        let stat = fs::fstat(&self.root)?;
        Ok(Mode::from_raw_mode(stat.st_mode))
    }

    /// Whether what was written must be on the disk before the answer.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable
    }

    #[cfg(target_os = "linux")]
    pub(crate) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// Opens a file, never through a link, and without waiting for what is no file.
    pub(crate) fn open_file(&self, name: &str, access: OFlags) -> Answer<OwnedFd> {
        let flags = access | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        fs::openat(&self.root, name, flags, Mode::empty())
    }

    /// Makes a file that only its owner reads and writes; an error if the name is taken.
    pub(crate) fn make_file(&self, name: &str) -> Answer<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = fs::openat(&self.root, name, flags, mode)?;
        // The umask may have taken away more than it should.
        fs::fchmod(&file, mode)?;
        Ok(file)
    }

    /// Makes a folder that only its owner enters, unless it is there.
    pub(crate) fn make_folder(&self, name: &str) -> Answer<()> {
        match fs::mkdirat(&self.root, name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(()),
            Err(error) => return Err(error),
        }
        match fs::chmodat(&self.root, name, Mode::RWXU, AtFlags::empty()) {
            // Somebody else has removed it already, as it was empty.
            Ok(()) | Err(Errno::NOENT) => self.sync_folder_of(name),
            Err(error) => Err(error),
        }
    }

    /// Makes an entry of an index, and the folders that it lies in, unless it is there: a link to the lock of its
    /// shard, which costs the disk a name and nothing else.
    pub(crate) fn make_entry(&self, shard: Shard, name: &str) -> Answer<()> {
        self.in_its_folder(name, || self.link(shard, name))?;
        self.sync_folder_of(name)
    }

    /// Gives an entry of an index another name, and makes it if it isn't there.
    pub(crate) fn move_entry(&self, shard: Shard, from: &str, to: &str) -> Answer<()> {
        let moved = self.in_its_folder(to, || {
            match fs::renameat(&self.root, from, &self.root, to) {
                // Which of the two is missing the link tells.
                Err(Errno::NOENT) => self.link(shard, to),
                other => other,
            }
        });
        moved?;
        self.sync_folder_of(to)
    }

    fn link(&self, shard: Shard, name: &str) -> Answer<()> {
        match fs::linkat(&self.root, shard.lock(), &self.root, name, AtFlags::empty()) {
            Err(Errno::EXIST) => Ok(()),
            // As many links as a file can have, or a file system that has none.
            Err(Errno::MLINK | Errno::PERM | Errno::NOTSUP | Errno::NOSYS) => {
                match self.make_file(name) {
                    Err(Errno::EXIST) => Ok(()),
                    other => other.map(drop),
                }
            }
            other => other,
        }
    }

    fn in_its_folder(&self, name: &str, make: impl Fn() -> Answer<()>) -> Answer<()> {
        for _ in 0..TRIES {
            match make() {
                Err(Errno::NOENT) => self.make_folders_of(name)?,
                other => return other,
            }
        }
        make()
    }

    /// All but the first folder of `name`, which is there from the beginning.
    fn make_folders_of(&self, name: &str) -> Answer<()> {
        for (at, _) in name.match_indices('/').skip(1) {
            match self.make_folder(&name[..at]) {
                // Removed while the one in it was to be made: the next try makes both.
                Err(Errno::NOENT) if name[..at].matches('/').count() > 1 => return Ok(()),
                other => other?,
            }
        }
        Ok(())
    }

    /// Removes a file; whether there was one.
    pub(crate) fn remove(&self, name: &str) -> Answer<bool> {
        match fs::unlinkat(&self.root, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a folder if it is empty.
    pub(crate) fn remove_if_empty(&self, name: &str) {
        // That it is not empty, or not there, is as good.
        let _ = fs::unlinkat(&self.root, name, AtFlags::REMOVEDIR);
    }

    /// Gives a file another name, in place of what had that name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Answer<()> {
        fs::renameat(&self.root, from, &self.root, to)
    }

    /// Whether there is anything of this name.
    pub(crate) fn has(&self, name: &str) -> Answer<bool> {
        self.type_of(name).map(|found| found.is_some())
    }

    /// Whether this name is that of `file`, and not of another one that was made since.
    pub(crate) fn is_of(&self, name: &str, file: &Stat) -> Answer<bool> {
        match fs::statat(&self.root, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(named) => Ok((named.st_dev, named.st_ino) == (file.st_dev, file.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What has this name; a link is a link.
    pub(crate) fn type_of(&self, name: &str) -> Answer<Option<FileType>> {
        match fs::statat(&self.root, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A folder in it, to be read or locked.
    pub(crate) fn open_folder(&self, name: &str) -> Answer<OwnedFd> {
        self.open_file(name, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// The names in a folder, of which `pick` takes those that are ours.
    pub(crate) fn list<T>(&self, name: &str, pick: impl Fn(&[u8]) -> Option<T>) -> Answer<Vec<T>> {
        let mut picked = Vec::new();
        for entry in Dir::new(self.open_folder(name)?)? {
            picked.extend(pick(entry?.file_name().to_bytes()));
        }
        Ok(picked)
    }

    /// Waits until what was written to `file` is on the disk, if it must be.
    pub(crate) fn sync(&self, file: &OwnedFd) -> Answer<()> {
        if !self.durable {
            return Ok(());
        }
        to_disk(file)
    }

    /// Waits until the names in the folder of `name` are on the disk, if they must be. Unlike for the content of files,
    /// a wait that failed may be tried again: file systems don't forget a name that they could not write.
    pub(crate) fn sync_folder_of(&self, name: &str) -> Answer<()> {
        if !self.durable {
            return Ok(());
        }
        let folder = name.rsplit_once('/').map_or(".", |(folder, _)| folder);
        match self.open_folder(folder) {
            Ok(folder) => names_to_disk(folder),
            // Emptied and removed since.
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Waits until the content of `file` is on the disk.
pub(crate) fn to_disk(file: &OwnedFd) -> Answer<()> {
    content_to_disk(file)
}

/// Writes all of `bytes` from `at` on.
pub(crate) fn write_all_at(file: &OwnedFd, bytes: &[u8], at: u64) -> Result<(), CutShort> {
    let mut written = 0;
    while written < bytes.len() {
        let rest = [IoSlice::new(&bytes[written..])];
        let why = match io::retry_on_intr(|| io::pwritev(file, &rest, at + written as u64)) {
            Ok(0) => Errno::NOSPC,
            Ok(more) => {
                written += more;
                continue;
            }
            Err(error) => error,
        };
        return Err(CutShort { written, why });
    }
    Ok(())
}
