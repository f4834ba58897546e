//! The sessions of a principal: an index of entries that are made before the records that they lead to, and looked
//! through when somebody asks. What an entry says is never believed; the record decides.

use std::collections::HashSet;

use fasthttpsession_core::{Handle, Principal, Record, StoreError, Timestamp};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use redis::{Value, cmd};

use crate::error::unexpected;
use crate::scripts;
use crate::store::{Inner, decimal};

/// How many entries are read at once, and how many records are asked for at once.
const PAGE: usize = 128;

/// For how many microseconds an entry may wait for its record where they are written one after the other. Twice what
/// the scripts grant to the record, so that the servers' clocks may differ by the other half: five minutes.
const GRACE: u64 = 600_000_000;

/// What an index holds: a handle, and the moment when the entry was made.
type Entry = Vec<u8>;

impl Inner {
    /// Makes an entry for a session on the server of the index, and returns when that was.
    pub(crate) async fn enter(
        &self,
        principal: &Principal,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Vec<u8>, StoreError> {
        let index = self.keys.index(principal);
        let absolute = record.header.absolute_deadline.as_millis().to_be_bytes();
        let arguments: [&[u8]; 3] = [&decimal(now), handle.as_bytes(), &absolute];
        let entered = self
            .backend
            .run(&scripts::ENTER, &[&index], &arguments)
            .await?;
        self.tidy(principal, entered.rest).await;
        Ok(entered.word)
    }

    /// The live sessions of `principal`, page by page of its index. Removes the entries that lead nowhere.
    pub(crate) async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let mut sessions = Vec::new();
        let mut seen = HashSet::new();
        let mut cursor = b"0".to_vec();
        loop {
            let (next, entries) = self.entries(principal, &cursor).await?;
            let (theirs, left_over) = self.look_up(principal, entries).await?;
            self.remove(principal, &left_over).await;
            sessions.extend(
                theirs
                    .into_iter()
                    .filter(|(handle, record)| record.is_live(now) && seen.insert(*handle)),
            );
            if next == b"0" {
                return Ok(sessions);
            }
            cursor = next;
        }
    }

    /// Looks whether some entries still lead to a session, and removes those that don't. Nobody's outcome hangs on it.
    pub(crate) async fn tidy(&self, principal: &Principal, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        if let Ok((_, left_over)) = self.look_up(principal, entries).await {
            self.remove(principal, &left_over).await;
        }
    }

    /// A page of the index, and where the next begins. Entries that are there all the time are in one of the pages.
    async fn entries(
        &self,
        principal: &Principal,
        cursor: &[u8],
    ) -> Result<(Vec<u8>, Vec<Entry>), StoreError> {
        let index = self.keys.index(principal);
        let mut scan = cmd("ZSCAN");
        scan.arg(&index).arg(cursor).arg("COUNT").arg(PAGE);
        let Value::Array(page) = self.backend.read(&index, &scan).await? else {
            return Err(unexpected("ZSCAN"));
        };
        let [Value::BulkString(next), Value::Array(scored)] = &page[..] else {
            return Err(unexpected("ZSCAN"));
        };
        // Scores are in between.
        let entries = scored.iter().step_by(2).map(|entry| match entry {
            Value::BulkString(entry) => Ok(entry.clone()),
            _ => Err(unexpected("ZSCAN")),
        });
        Ok((next.clone(), entries.collect::<Result<_, _>>()?))
    }

    /// The sessions of `principal`, live or not, among `entries`; and the entries that lead to none.
    async fn look_up(
        &self,
        principal: &Principal,
        entries: Vec<Entry>,
    ) -> Result<(Vec<(Handle, Record)>, Vec<Entry>), StoreError> {
        let (mut theirs, mut left_over) = (Vec::new(), Vec::new());
        let looking = stream::iter(entries).map(|entry| async move {
            let Some(handle) = handle_of(&entry) else {
                return Ok((entry, None));
            };
            let record = self.load(handle).await?;
            Ok::<_, StoreError>((entry, record.map(|record| (handle, record))))
        });
        let mut looking = looking.buffered(PAGE);
        while let Some((entry, session)) = looking.try_next().await? {
            match session {
                Some((handle, record)) if record.header.principal.as_ref() == Some(principal) => {
                    theirs.push((handle, record));
                }
                _ => left_over.push(entry),
            }
        }
        Ok((theirs, left_over))
    }

    /// Removes entries, but for those whose records may be yet to come.
    async fn remove(&self, principal: &Principal, left_over: &[Entry]) {
        if left_over.is_empty() {
            return;
        }
        // Together with its record an entry has none to wait for.
        let grace = if self.backend.keeps_keys_together() {
            0
        } else {
            GRACE
        };
        let (index, grace) = (self.keys.index(principal), grace.to_string());
        let mut arguments = vec![grace.as_bytes()];
        arguments.extend(left_over.iter().map(|entry| &entry[..]));
        // What stays is removed the next time.
        let _ = self
            .backend
            .run(&scripts::TIDY, &[&index], &arguments)
            .await;
    }
}

fn handle_of(entry: &[u8]) -> Option<Handle> {
    let (handle, made) = entry.split_first_chunk::<{ Handle::BYTES }>()?;
    (made.len() == 8).then(|| Handle::from_bytes(*handle))
}
