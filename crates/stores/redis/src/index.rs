//! The sessions of a principal: an index of entries that are made before the records that they lead to, and looked
//! through when somebody asks. What an entry says is never believed; the record decides.

use std::collections::HashSet;
use std::time::Duration;

use fasthttpsession_core::{Handle, Principal, Record, StoreError, Timestamp};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use redis::{cmd, from_redis_value};
use tokio::time::timeout;

use crate::error::unexpected;
use crate::scripts;
use crate::store::{Inner, decimal};

/// How many entries are read at once, unless more than that share a score, and how many records are asked for at once.
const PAGE: usize = 128;

/// For how long entries are looked through on the way, unless a quarter of what an operation may take is less. The records
/// that they lead to may lie on a server that hangs.
const TIDYING: Duration = Duration::from_millis(500);

/// For how many microseconds an entry may wait for its record where they are written one after the other. Twice what
/// the scripts grant to the record, so that the servers' clocks may differ by the other half: five minutes.
const GRACE: u64 = 600_000_000;

/// What an index holds.
struct Entry {
    /// A handle, and the moment when the entry was made.
    name: Vec<u8>,
    /// The absolute deadline that the session was to have: milliseconds, as the server rounds them.
    score: f64,
}

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
        let (mut sessions, mut seen) = (Vec::new(), HashSet::new());
        let mut reading = Reading::new();
        while let Some(mut entries) = self.entries(principal, &mut reading).await? {
            while !entries.is_empty() {
                let some = entries.drain(..entries.len().min(PAGE)).collect();
                let (theirs, left_over) = self.look_up(principal, some).await?;
                self.remove(principal, &left_over).await;
                sessions.extend(
                    theirs
                        .into_iter()
                        .filter(|(handle, record)| record.is_live(now) && seen.insert(*handle)),
                );
            }
        }
        Ok(sessions)
    }

    /// Looks whether some entries, each followed by its score, are still of use, and removes those that aren't. Nobody's
    /// outcome hangs on it, so nobody waits for it for long.
    pub(crate) async fn tidy(&self, principal: &Principal, scored: Vec<Vec<u8>>) {
        if scored.is_empty() {
            return;
        }
        let entries = scored.chunks_exact(2).filter_map(Entry::scored).collect();
        let tidying = async {
            if let Ok((_, left_over)) = self.look_up(principal, entries).await {
                self.remove(principal, &left_over).await;
            }
        };
        let _ = timeout(TIDYING.min(self.limit / 4), tidying).await;
    }

    /// The entries that come next, or `None` after the last. Those that are there all the time are among them once.
    async fn entries(
        &self,
        principal: &Principal,
        reading: &mut Reading,
    ) -> Result<Option<Vec<Entry>>, StoreError> {
        if reading.is_done {
            return Ok(None);
        }
        let index = self.keys.index(principal);
        let mut range = cmd("ZRANGEBYSCORE");
        range.arg(&index).arg(reading.from.to_string()).arg("+inf");
        range.arg(&["LIMIT", "0"]).arg(reading.count);
        let page = self.backend.read(&index, range.arg("WITHSCORES")).await?;
        let page = from_redis_value(page).map_err(|_| unexpected("ZRANGEBYSCORE"))?;
        Ok(Some(reading.go_on(page)))
    }

    /// The sessions of `principal`, live or not, among `entries`; and the names of those that lead to none, or to one
    /// that has a later entry.
    async fn look_up(
        &self,
        principal: &Principal,
        entries: Vec<Entry>,
    ) -> Result<(Vec<(Handle, Record)>, Vec<Vec<u8>>), StoreError> {
        let (mut theirs, mut left_over) = (Vec::new(), Vec::new());
        let looking = stream::iter(entries).map(|entry| async move {
            let Some(handle) = entry.handle() else {
                return Ok((entry, None));
            };
            let record = self.load(handle).await?;
            Ok::<_, StoreError>((entry, record.map(|record| (handle, record))))
        });
        let mut looking = looking.buffered(PAGE);
        while let Some((entry, session)) = looking.try_next().await? {
            match session {
                Some((handle, record)) if record.header.principal.as_ref() == Some(principal) => {
                    if entry.is_outlived_by(&record) {
                        left_over.push(entry.name);
                    }
                    theirs.push((handle, record));
                }
                _ => left_over.push(entry.name),
            }
        }
        Ok((theirs, left_over))
    }

    /// Removes entries, but for those whose records may be yet to come.
    async fn remove(&self, principal: &Principal, left_over: &[Vec<u8>]) {
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
        arguments.extend(left_over.iter().map(Vec::as_slice));
        // What stays is removed the next time.
        let _ = self
            .backend
            .run(&scripts::TIDY, &[&index], &arguments)
            .await;
    }
}

impl Entry {
    /// An entry that is followed by its score.
    fn scored(parts: &[Vec<u8>]) -> Option<Self> {
        let [name, score] = parts else {
            return None;
        };
        Some(Self {
            name: name.clone(),
            score: std::str::from_utf8(score).ok()?.parse().ok()?,
        })
    }

    fn handle(&self) -> Option<Handle> {
        let (handle, made) = self.name.split_first_chunk::<{ Handle::BYTES }>()?;
        (made.len() == 8).then(|| Handle::from_bytes(*handle))
    }

    /// Whether its session, which was looked up later, lives longer than it says. Then there is another entry, for a
    /// session is entered again before it gets a later deadline; and it is read after this one, by whoever reads now.
    #[expect(clippy::cast_precision_loss, reason = "the server rounds it the same")]
    fn is_outlived_by(&self, record: &Record) -> bool {
        self.score < record.header.absolute_deadline.as_millis() as f64
    }
}

/// How far an index has been read: by score, which means the same to every server that has the index. A cursor of `ZSCAN`
/// means nothing to a server that was started again, or has taken over.
struct Reading {
    /// The last score that was read. Entries that have the same may be yet to come.
    from: f64,
    /// How many entries are read at once.
    count: usize,
    /// What has been read.
    read: HashSet<Vec<u8>>,
    is_done: bool,
}

impl Reading {
    fn new() -> Self {
        Self {
            from: f64::NEG_INFINITY,
            count: PAGE,
            read: HashSet::new(),
            is_done: false,
        }
    }

    /// Those of `page` that have not been read before.
    fn go_on(&mut self, page: Vec<(Vec<u8>, f64)>) -> Vec<Entry> {
        self.is_done = page.len() < self.count;
        let last = page.last().map_or(self.from, |(_, score)| *score);
        // Others may be removed meanwhile, so no number says where to go on among those that share a score: they are
        // read anew, and more of them.
        self.count = if last > self.from {
            PAGE
        } else {
            self.count.saturating_mul(2)
        };
        self.from = last;
        let entries = page.into_iter().map(|(name, score)| Entry { name, score });
        entries
            .filter(|entry| self.read.insert(entry.name.clone()))
            .collect()
    }
}
