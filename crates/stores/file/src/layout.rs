//! What lies in the folder from the beginning, and the version of this arrangement, which is written in a file of its
//! own.

use std::hash::{BuildHasher as _, RandomState};

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::misconfigured;
use rustix::fs::{FileType, OFlags};
use rustix::io::{self, Errno};

use crate::error::{missing, refused};
use crate::folder::{Folder, to_disk, write_all_at};
use crate::names::{EXPIRY, PRINCIPALS, SESSIONS, Shard};

/// The file that says what the folder is.
const MARKER: &str = "fasthttpsession";
const VERSION: u32 = 1;
const BEFORE_VERSION: &str = "a folder of sessions, layout ";

/// Refuses a folder that this version of the library can't use as it is.
pub(crate) fn check(folder: &Folder) -> Result<(), StoreError> {
    let Some(version) = version(folder)? else {
        return Err(misconfigured(format!(
            "the folder of the file store has no sessions: there is no file {MARKER:?} in it, or an empty one; name another \
             folder, or open the store once with `migrate`, which makes what is needed"
        )));
    };
    is_known(version)?;
    if version < VERSION {
        return Err(misconfigured(format!(
            "the folder of the file store has layout {version}, and this version of the library uses layout {VERSION}: \
             open the store once with `migrate`, which brings it up to date"
        )));
    }
    is_complete(folder)
}

/// Makes what is missing, and brings an older layout up to date. May be killed, and called by many at once.
pub(crate) fn migrate(folder: &Folder) -> Result<(), StoreError> {
    if let Some(version) = version(folder)? {
        is_known(version)?;
    }
    make_parts(folder).map_err(|error| refused("preparing the folder of the file store", error))?;
    if version(folder)? == Some(VERSION) {
        return Ok(());
    }
    write_marker(folder).map_err(|error| refused("marking the folder of the file store", error))
}

fn make_parts(folder: &Folder) -> Result<(), Errno> {
    for name in [SESSIONS, EXPIRY, PRINCIPALS] {
        folder.make_folder(name)?;
    }
    for shard in Shard::all() {
        folder.make_folder(&shard.folder())?;
        match folder.make_file(&shard.lock()) {
            Ok(_) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Under a name of its own first, and its content on the disk, whatever the store may lose: whoever finds it, finds it whole.
fn write_marker(folder: &Folder) -> Result<(), Errno> {
    let unfinished = format!("{MARKER}.{:016x}", RandomState::new().hash_one(MARKER));
    let written = write_unfinished(folder, &unfinished);
    // Whoever else is at it has written the same.
    if let Err(error) = written.and_then(|()| folder.rename(&unfinished, MARKER)) {
        let _ = folder.remove(&unfinished);
        return Err(error);
    }
    folder.sync_folder_of(MARKER)
}

fn write_unfinished(folder: &Folder, name: &str) -> Result<(), Errno> {
    let file = folder.make_file(name)?;
    write_all_at(&file, format!("{BEFORE_VERSION}{VERSION}\n").as_bytes(), 0)?;
    to_disk(&file)
}

/// The version of the layout; `None` if there is none, or the power failed before what says so was on the disk.
fn version(folder: &Folder) -> Result<Option<u32>, StoreError> {
    let failed = |error| {
        refused(
            &format!("reading the file {MARKER:?} of the file store"),
            error,
        )
    };
    let file = match folder.open_file(MARKER, OFlags::RDONLY) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = [0; 64];
    let length = io::pread(file, &mut text[..], 0).map_err(failed)?;
    if length == 0 {
        return Ok(None);
    }
    let text = std::str::from_utf8(&text[..length]).ok();
    let number = text.and_then(|text| text.strip_prefix(BEFORE_VERSION)?.trim_end().parse().ok());
    number.map(Some).ok_or_else(|| {
        misconfigured(format!(
            "the file {MARKER:?} in the folder of the file store does not say which layout the folder has; it is not \
             ours: name another folder"
        ))
    })
}

fn is_known(version: u32) -> Result<(), StoreError> {
    if version <= VERSION {
        return Ok(());
    }
    Err(misconfigured(format!(
        "the folder of the file store has layout {version}, and this version of the library knows layouts up to \
         {VERSION}: use the version that wrote it, or a later one"
    )))
}

fn is_complete(folder: &Folder) -> Result<(), StoreError> {
    for name in [SESSIONS, EXPIRY, PRINCIPALS] {
        is_there(folder, name, FileType::Directory)?;
    }
    for shard in Shard::all() {
        is_there(folder, &shard.folder(), FileType::Directory)?;
        is_there(folder, &shard.lock(), FileType::RegularFile)?;
    }
    Ok(())
}

fn is_there(folder: &Folder, name: &str, wanted: FileType) -> Result<(), StoreError> {
    let found = folder
        .type_of(name)
        .map_err(|error| refused(&format!("looking for {name}"), error))?;
    match found {
        Some(found) if found == wanted => Ok(()),
        Some(_) => Err(misconfigured(format!(
            "in the folder of the file store {name} is something else than the store made; remove it, and open the \
             store once with `migrate`"
        ))),
        None => Err(missing(name)),
    }
}
