//! What the operations do to the files of a session, on a thread that may wait for the disk. Whatever writes is shown
//! the lock of the shard.
//!
//! The order of steps is what makes a kill harmless at any of them: an entry of an index is made before the record that
//! needs it, and removed after. So a record is never without its entries, and an entry may be left over; whoever sees
//! one that is removes it.

use std::borrow::Cow;
use std::os::fd::OwnedFd;

use bytes::Bytes;
use fasthttpsession_core::{
    Created, Deleted, Handle, Header, Record, Replaced, StoreError, StoreErrorKind, Timestamp,
    Touched,
};
use fasthttpsession_store_common::{Pace, misconfigured};
use rustix::fs::{OFlags, fstat};
use rustix::io::{self, Errno};

use crate::copies::{self, Place};
use crate::error::{corrupt, refused, unsure};
use crate::folder::{Folder, write_all_at};
use crate::locks::{Held, Locks};
use crate::names::{self, Owner, Shard, Slot};

/// The largest record, as bytes. What is larger is refused, and not read.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;
const MAX_FILE_BYTES: usize = copies::fresh_len(MAX_RECORD_BYTES);
/// The largest file that is read at once, which most are.
const SMALL_FILE: usize = 8 << 10;
/// What is read at first: less than all of it was the whole file.
pub(crate) const FIRST_BYTES: usize = SMALL_FILE + 1;

/// The files of all sessions.
pub(crate) struct Records {
    pub(crate) folder: Folder,
    pub(crate) locks: Locks,
    /// How quick the disk has been for those who write.
    pub(crate) pace: Pace,
}

/// A record and where it lies.
struct Stored {
    record: Record,
    place: Place,
    file: OwnedFd,
}

/// Why a file holds no record, at least at this moment.
type Unreadable = Cow<'static, str>;

impl Records {
    /// The record of `handle`, live or not. Takes no lock, unless what it finds can't be read: then somebody may be
    /// writing, and it looks again while nobody is.
    pub(crate) fn load(&self, handle: Handle) -> Result<Option<Record>, StoreError> {
        if let Ok(found) = self.look(handle, OFlags::RDONLY)? {
            return Ok(found.map(|stored| stored.record));
        }
        let shard = Shard::of(handle);
        let again = self
            .locks
            .briefly(&self.folder, shard, |held| self.stored(held, handle))?;
        let stored = again.ok_or_else(|| busy(handle))??;
        Ok(stored.map(|stored| stored.record))
    }

    pub(crate) fn create(
        &self,
        held: &Held<'_>,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        let old = self.stored(held, handle)?;
        if let Some(old) = &old
            && old.record.is_live(now)
        {
            self.settle_on_disk(held, handle, old)?;
            return Ok(Created::Exists);
        }
        if !record.is_live(now) {
            return Ok(Created::Created);
        }
        match old {
            Some(old) => self.write_over(held, handle, &old, record),
            None => self.write_first(held, handle, record),
        }
        .map(|()| Created::Created)
    }

    pub(crate) fn replace(
        &self,
        held: &Held<'_>,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let Some(old) = self.live(held, handle, now)? else {
            return Ok(Replaced::Gone);
        };
        if old.record.header.version != expected {
            // It may be this very record, of which an earlier answer was that its fate is unknown.
            self.settle_on_disk(held, handle, &old)?;
            return Ok(Replaced::Conflict(old.record));
        }
        self.write_over(held, handle, &old, record)?;
        Ok(Replaced::Replaced)
    }

    pub(crate) fn touch(
        &self,
        held: &Held<'_>,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let Some(old) = self.live(held, handle, now)? else {
            return Ok(Touched::Gone);
        };
        let header = &old.record.header;
        if header.version == version && header.idle_deadline < idle_deadline {
            let mut record = old.record.clone();
            record.header.idle_deadline = idle_deadline;
            self.write_over(held, handle, &old, &record)?;
        } else {
            self.settle_on_disk(held, handle, &old)?;
        }
        Ok(Touched::Touched)
    }

    pub(crate) fn delete(
        &self,
        held: &Held<'_>,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Deleted, StoreError> {
        let answer = match self.live(held, handle, now) {
            Ok(None) => Deleted::Gone,
            Ok(Some(old)) => {
                self.remove(held, handle, &old.record.header)?;
                Deleted::Deleted
            }
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                self.remove_file(handle)?;
                Deleted::Deleted
            }
            Err(error) => return Err(error),
        };
        // Also if it is gone: whoever removed it may not have waited for the disk, or in vain.
        self.folder
            .sync_folder_of(&names::record(handle))
            .map_err(|error| unsure(&format!("removing session {handle}"), error))?;
        Ok(answer)
    }

    /// Removes the record and its entries.
    pub(crate) fn remove(
        &self,
        held: &Held<'_>,
        handle: Handle,
        header: &Header,
    ) -> Result<(), StoreError> {
        self.remove_file(handle)?;
        self.forget_owner(held, handle, header);
        self.forget_end(held, handle, Slot::of(header.expires_at()));
        Ok(())
    }

    /// Under the lock of its shard: the record of `handle`, live or not.
    pub(crate) fn header(
        &self,
        held: &Held<'_>,
        handle: Handle,
    ) -> Result<Option<Header>, StoreError> {
        let stored = self.stored(held, handle)?;
        Ok(stored.map(|stored| stored.record.header))
    }

    fn live(
        &self,
        held: &Held<'_>,
        handle: Handle,
        now: Timestamp,
    ) -> Result<Option<Stored>, StoreError> {
        let stored = self.stored(held, handle)?;
        Ok(stored.filter(|stored| stored.record.is_live(now)))
    }

    /// As nobody else writes, what can't be read is no record.
    fn stored(&self, held: &Held<'_>, handle: Handle) -> Result<Option<Stored>, StoreError> {
        debug_assert_eq!(held.shard(), Shard::of(handle), "the lock is the shard's");
        self.look(handle, OFlags::RDWR)?
            .map_err(|why| corrupt(handle, why))
    }

    fn look(
        &self,
        handle: Handle,
        access: OFlags,
    ) -> Result<Result<Option<Stored>, Unreadable>, StoreError> {
        let failed = |error| refused(&format!("reading session {handle}"), error);
        let file = match self.folder.open_file(&names::record(handle), access) {
            Ok(file) => file,
            Err(Errno::NOENT) => return self.confirm_absence(handle).map(|()| Ok(None)),
            Err(Errno::LOOP | Errno::MLINK) => return Ok(Err("it is a link".into())),
            Err(Errno::ISDIR | Errno::NXIO) => return Ok(Err("it is no file".into())),
            Err(error) => return Err(failed(error)),
        };
        match read(&file) {
            Ok(Ok((record, place))) => Ok(Ok(Some(Stored {
                record,
                place,
                file,
            }))),
            Ok(Err(why)) => Ok(Err(why)),
            Err(Errno::ISDIR | Errno::SPIPE) => Ok(Err("it is no file".into())),
            Err(error) => Err(failed(error)),
        }
    }

    /// That a record is not there counts only where records would be: a folder that was removed holds no empty session.
    fn confirm_absence(&self, handle: Handle) -> Result<(), StoreError> {
        let folder = Shard::of(handle).folder();
        match self.folder.has(&folder) {
            Ok(true) => Ok(()),
            Ok(false) => Err(misconfigured(format!(
                "the folder {folder} of the file store was removed while the store is in use: restart the service once it \
                 is there again"
            ))),
            Err(error) => Err(refused(&format!("looking for {folder}"), error)),
        }
    }

    /// Writes a record under a handle that has none.
    fn write_first(
        &self,
        held: &Held<'_>,
        handle: Handle,
        record: &Record,
    ) -> Result<(), StoreError> {
        let bytes = encode(record)?;
        let slot = Slot::of(record.header.expires_at());
        let written = self
            .file_under(held, handle, slot)
            .and_then(|()| self.note_owner(held, handle, &record.header))
            .and_then(|()| self.write_file(held, handle, &bytes));
        if written
            .as_ref()
            .is_err_and(|error| !error.may_have_applied())
        {
            self.forget_owner(held, handle, &record.header);
            self.forget_end(held, handle, slot);
        }
        written
    }

    /// Writes `record` where `old` is, and has the entries follow.
    fn write_over(
        &self,
        held: &Held<'_>,
        handle: Handle,
        old: &Stored,
        record: &Record,
    ) -> Result<(), StoreError> {
        let bytes = encode(record)?;
        let (was, is) = (&old.record.header, &record.header);
        let (from, to) = (Slot::of(was.expires_at()), Slot::of(is.expires_at()));
        let changes_hands = was.principal != is.principal;
        if to < from {
            self.refile(held, handle, from, to)?;
        }
        if changes_hands {
            self.note_owner(held, handle, is)?;
        }
        let written = self.write_bytes(held, handle, old, &bytes);
        // From here on the record counts, and entries that are left over do no harm.
        if written.is_ok() && to > from {
            let _ = self.refile(held, handle, from, to);
        }
        if changes_hands {
            match &written {
                Ok(()) => self.forget_owner(held, handle, was),
                Err(error) if !error.may_have_applied() => self.forget_owner(held, handle, is),
                Err(_) => {}
            }
        }
        written
    }

    fn write_bytes(
        &self,
        held: &Held<'_>,
        handle: Handle,
        old: &Stored,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        // If the disk may not have the current copy, the other one is all that it has, and not to be written over.
        let next = old.place.next(bytes).filter(|_| self.is_settled(old));
        let Some(write) = next else {
            return self.write_file(held, handle, bytes);
        };
        let doing = || format!("writing session {handle}");
        // What was written in part is not read, and the record stays as it was, unless the rest was there already: in
        // what lay here before.
        write_all_at(&old.file, &write.bytes, write.at).map_err(|cut| match cut.written {
            0 => refused(&doing(), cut.why),
            _ => unsure(&doing(), cut.why),
        })?;
        self.folder
            .sync(&old.file)
            .map_err(|error| unsure(&doing(), error))?;
        self.mark(&old.file, write.at, &write.bytes);
        Ok(())
    }

    /// Before an answer that counts on what is found: sees to it that the disk has it, if it must. As the kernel takes
    /// for written what it once failed to write, another sync would prove nothing: a new file does.
    fn settle_on_disk(
        &self,
        held: &Held<'_>,
        handle: Handle,
        found: &Stored,
    ) -> Result<(), StoreError> {
        if self.is_settled(found) {
            return Ok(());
        }
        self.write_file(held, handle, &found.record.to_bytes())
    }

    /// Whether the disk has what it must have of a record.
    fn is_settled(&self, found: &Stored) -> bool {
        found.place.on_disk || !self.folder.is_durable()
    }

    /// Notes that the record that was written at `at` of `file` is on the disk, if that was waited for.
    fn mark(&self, file: &OwnedFd, at: u64, written: &[u8]) {
        if self.folder.is_durable()
            && let Some(mark) = copies::mark(at, written)
        {
            // Without it the next write makes a new file, which does no harm.
            let _ = write_all_at(file, &mark.bytes, mark.at);
        }
    }

    /// Makes a file with the record, or another one in place of the one there is.
    fn write_file(&self, held: &Held<'_>, handle: Handle, bytes: &[u8]) -> Result<(), StoreError> {
        let doing = || format!("writing the file of session {handle}");
        let (unfinished, name) = (held.shard().unfinished(), names::record(handle));
        let content = copies::fresh(bytes);
        let made = self
            .make_unfinished(&unfinished, &content)
            .and_then(|file| self.folder.rename(&unfinished, &name).map(|()| file));
        let file = made.map_err(|error| {
            let _ = self.folder.remove(&unfinished);
            refused(&doing(), error)
        })?;
        self.folder
            .sync_folder_of(&name)
            .map_err(|error| unsure(&doing(), error))?;
        // Not earlier: as long as its name is not on the disk, the record is not.
        self.mark(&file, 0, &content);
        Ok(())
    }

    fn make_unfinished(&self, name: &str, content: &[u8]) -> Result<OwnedFd, Errno> {
        let file = match self.folder.make_file(name) {
            Err(Errno::EXIST) => {
                // Whoever had the lock was killed.
                self.folder.remove(name)?;
                self.folder.make_file(name)?
            }
            other => other?,
        };
        write_all_at(&file, content, 0)?;
        self.folder.sync(&file)?;
        Ok(file)
    }

    /// Removes what was left by whoever was killed while they wrote a new file.
    pub(crate) fn remove_unfinished(&self, shard: Shard) -> Result<(), StoreError> {
        let name = shard.unfinished();
        let failed = |error| refused(&format!("removing {name}"), error);
        if !self.folder.has(&name).map_err(failed)? {
            return Ok(());
        }
        let removed = self
            .locks
            .briefly(&self.folder, shard, |_| self.folder.remove(&name))?;
        removed.unwrap_or(Ok(false)).map(drop).map_err(failed)
    }

    fn remove_file(&self, handle: Handle) -> Result<(), StoreError> {
        let removed = self.folder.remove(&names::record(handle));
        removed
            .map(drop)
            .map_err(|error| refused(&format!("removing session {handle}"), error))
    }

    fn file_under(&self, held: &Held<'_>, handle: Handle, slot: Slot) -> Result<(), StoreError> {
        self.folder
            .make_entry(held.shard(), &slot.entry(handle))
            .map_err(|error| refused(&format!("noting when session {handle} ends"), error))
    }

    /// Moves the entry that says when the session ends.
    pub(crate) fn refile(
        &self,
        held: &Held<'_>,
        handle: Handle,
        from: Slot,
        to: Slot,
    ) -> Result<(), StoreError> {
        self.folder
            .move_entry(held.shard(), &from.entry(handle), &to.entry(handle))
            .map_err(|error| refused(&format!("noting when session {handle} ends"), error))
    }

    fn note_owner(
        &self,
        held: &Held<'_>,
        handle: Handle,
        header: &Header,
    ) -> Result<(), StoreError> {
        let Some(principal) = &header.principal else {
            return Ok(());
        };
        self.folder
            .make_entry(held.shard(), &Owner::of(principal).entry(handle))
            .map_err(|error| refused(&format!("noting whose session {handle} is"), error))
    }

    pub(crate) fn forget_end(&self, _: &Held<'_>, handle: Handle, slot: Slot) {
        // One that stays is removed by a purge, once it is due.
        let _ = self.folder.remove(&slot.entry(handle));
    }

    fn forget_owner(&self, _: &Held<'_>, handle: Handle, header: &Header) {
        if let Some(principal) = &header.principal {
            // One that stays is removed by whoever lists the principal's sessions.
            let _ = self.folder.remove(&Owner::of(principal).entry(handle));
        }
    }
}

fn encode(record: &Record) -> Result<Vec<u8>, StoreError> {
    let bytes = record.to_bytes();
    if bytes.len() <= MAX_RECORD_BYTES {
        return Ok(bytes);
    }
    let message = format!(
        "a record of {} bytes is too large: the file store keeps {MAX_RECORD_BYTES} bytes a session",
        bytes.len()
    );
    Err(StoreError::new(StoreErrorKind::TooLarge, message))
}

/// The record that the bytes of a file hold, which may be in doubt.
pub(crate) fn decode(file: &[u8]) -> Result<(Record, Place), Unreadable> {
    let current = copies::current(file).ok_or("it has another form")?;
    match Record::from_bytes(Bytes::copy_from_slice(current.record)) {
        Ok(record) => Ok((record, current.place)),
        Err(why) => Err(why.to_string().into()),
    }
}

/// The current record of a file.
fn read(file: &OwnedFd) -> Result<Result<(Record, Place), Unreadable>, Errno> {
    let found = read_once(file)?;
    if let Ok((_, place)) = &found
        && place.in_doubt
        && !place.is_still_there(|bytes, at| read_all(file, bytes, at))?
    {
        return Ok(Err("it was written while it was read".into()));
    }
    Ok(found)
}

fn read_once(file: &OwnedFd) -> Result<Result<(Record, Place), Unreadable>, Errno> {
    let mut first = [0; FIRST_BYTES];
    let length = io::retry_on_intr(|| io::pread(file, &mut first[..], 0))?;
    if length < FIRST_BYTES {
        return Ok(decode(&first[..length]));
    }
    let size = usize::try_from(fstat(file)?.st_size).unwrap_or(usize::MAX);
    if size > MAX_FILE_BYTES {
        return Ok(Err("it is larger than any record".into()));
    }
    let mut bytes = vec![0; size];
    let length = read_all(file, &mut bytes, 0)?;
    Ok(decode(&bytes[..length]))
}

/// Fills `bytes` from `at` on, as far as there are some.
fn read_all(file: &OwnedFd, bytes: &mut [u8], at: u64) -> Result<usize, Errno> {
    let mut length = 0;
    while length < bytes.len() {
        let next = at + length as u64;
        match io::retry_on_intr(|| io::pread(file, &mut bytes[length..], next))? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

fn busy(handle: Handle) -> StoreError {
    let message = format!("reading session {handle}: it is being written all the time");
    StoreError::new(StoreErrorKind::Timeout, message).not_applied()
}
