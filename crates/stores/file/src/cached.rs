//! Reading without a thread: a record whose file the kernel has in its memory is read at once, by calls that refuse to
//! wait for a disk. Measured, that takes 4 µs; a thread that may wait takes 15 µs to hear of it and to answer.

use fasthttpsession_core::{Handle, Record};

use crate::folder::Folder;

/// What can be said without waiting.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "others have no such calls")
)]
pub(crate) enum Cached {
    /// Here it is, live or not.
    Record(Record),
    /// There is certainly none.
    Nothing,
    /// Ask on a thread that may wait.
    Unknown,
}

#[cfg(target_os = "linux")]
pub(crate) fn load(folder: &Folder, handle: Handle) -> Cached {
    use std::io::IoSliceMut;

    use rustix::fs::OFlags;
    use rustix::io::{Errno, ReadWriteFlags, preadv2};

    use crate::names;
    use crate::records::{FIRST_BYTES, decode};

    let file = match open(folder, &names::record(handle), OFlags::RDONLY) {
        Ok(file) => file,
        Err(Errno::NOENT) if has_folder(folder, handle) => return Cached::Nothing,
        Err(_) => return Cached::Unknown,
    };
    let mut bytes = [0; FIRST_BYTES];
    let mut buffers = [IoSliceMut::new(&mut bytes)];
    match preadv2(&file, &mut buffers, 0, ReadWriteFlags::NOWAIT) {
        Ok(length) if length < FIRST_BYTES => match decode(&bytes[..length]) {
            Ok((record, place)) if !place.in_doubt => Cached::Record(record),
            _ => Cached::Unknown,
        },
        _ => Cached::Unknown,
    }
}

/// Opens what is found by names in the kernel's memory alone, and never through a link.
#[cfg(target_os = "linux")]
fn open(
    folder: &Folder,
    name: &str,
    access: rustix::fs::OFlags,
) -> rustix::io::Result<std::os::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};

    let flags = access | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::CACHED | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    openat2(folder.root(), name, flags, Mode::empty(), resolve)
}

#[cfg(target_os = "linux")]
fn has_folder(folder: &Folder, handle: Handle) -> bool {
    use rustix::fs::OFlags;

    use crate::names::Shard;

    open(folder, &Shard::of(handle).folder(), OFlags::PATH).is_ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn load(_: &Folder, _: Handle) -> Cached {
    Cached::Unknown
}
