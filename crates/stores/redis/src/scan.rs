//! Scans, page by page: the slots in their order, and within the slots that a server has whatever order it has. So a
//! scan misses nothing when slots move or when a replica takes over: what is left of them is scanned anew. After the
//! server that has some slots those are asked for the same that it is moving some of them to.

use std::fmt;

use fasthttpsession_core::{Cursor, Handle, Page, Record, StoreError, Timestamp};
use fasthttpsession_store_common::foreign_cursor;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use redis::{Value, cmd};

use crate::backend::{first_of, text_of};
use crate::cluster::Range;
use crate::error::{unexpected, unreachable};
use crate::keys::{SLOTS, slot_of};
use crate::place::Address;
use crate::store::Inner;

/// The most keys that a server looks at for one page, however many are wanted.
const LARGEST_PAGE: usize = 1000;

/// How many records are asked for at once.
const AT_ONCE: usize = 128;

/// Where a scan goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Position {
    /// The first slot that is not done.
    slot: u16,
    /// The last slot of those that the server had which made the cursor.
    last: u16,
    /// Where that server goes on: its own number, 0 at the beginning.
    cursor: u64,
    /// Which start of which server made the cursor; no other one understands it.
    run: String,
    /// When the server that has the slots is done: those that it was moving some of them to, and that are not.
    heirs: Vec<Address>,
}

impl Inner {
    pub(crate) async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let position = after.map_or_else(|| Ok(Position::default()), Position::parse)?;
        let ranges = self.backend.ranges(true).await?;
        let nobody = || unreachable(format!("no node of the cluster has slot {}", position.slot));
        let mut range = owner(&ranges, position.slot).ok_or_else(nobody)?.clone();
        range.first = position.slot;
        if position.has_begun() && range.last != position.last {
            return Ok(position.anew());
        }
        let asked = position.heirs.first().unwrap_or(&range.primary);
        let (run, next, keys) = self.keys_of(asked, position.cursor, limit).await?;
        if position.cursor != 0 && run != position.run {
            return Ok(position.anew());
        }
        let slots = range.first..=range.last;
        let handles = keys.iter().filter_map(|key| {
            let handle = self.keys.handle(key)?;
            slots.contains(&slot_of(key)).then_some(handle)
        });
        let handles = handles.collect();
        let next = if next == 0 {
            self.after_server(&position, &range).await?
        } else {
            Some(Position {
                last: range.last,
                cursor: next,
                run,
                ..position
            })
        };
        Ok(Page {
            sessions: self.live(handles, now).await?,
            next: next.map(|next| next.cursor()),
        })
    }

    /// Where to go on when a server has no more keys in the slots of `range`; `None` after the last slot.
    async fn after_server(
        &self,
        position: &Position,
        range: &Range,
    ) -> Result<Option<Position>, StoreError> {
        let heirs = if let [_, others @ ..] = &position.heirs[..] {
            others.to_vec()
        } else {
            // Asked now that it has been scanned, so that what has left it meanwhile is where it says.
            let moving = self.backend.moving(range).await?;
            if !moving.has_all {
                return Ok(Some(Position::at(range.first)));
            }
            moving.to
        };
        if heirs.is_empty() {
            return Ok((range.last + 1 < SLOTS).then(|| Position::at(range.last + 1)));
        }
        Ok(Some(Position {
            last: range.last,
            heirs,
            ..Position::at(range.first)
        }))
    }

    /// Some keys of a server that look like those of records, where it goes on, and who it is.
    async fn keys_of(
        &self,
        server: &Address,
        cursor: u64,
        limit: usize,
    ) -> Result<(String, u64, Vec<Vec<u8>>), StoreError> {
        let mut info = cmd("INFO");
        info.arg("server");
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(self.keys.pattern());
        scan.arg("COUNT").arg(limit.clamp(1, LARGEST_PAGE));
        let mut answers = self.backend.send_to(server, vec![info, scan]).await?;
        let scanned = answers.pop().ok_or_else(|| unexpected("SCAN"))?;
        let run = run_of(&first_of(answers)?).ok_or_else(|| unexpected("INFO"))?;
        let scanned = first_of(vec![scanned])?;
        let (next, keys) = page_of(scanned).ok_or_else(|| unexpected("SCAN"))?;
        Ok((run, next, keys))
    }

    async fn live(
        &self,
        handles: Vec<Handle>,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let loading = stream::iter(handles).map(|handle| async move {
            let record = self
                .load(handle)
                .await?
                .filter(|record| record.is_live(now));
            Ok::<_, StoreError>(record.map(|record| (handle, record)))
        });
        let found = loading
            .buffered(AT_ONCE)
            .try_filter_map(|found| async move { Ok(found) });
        found.try_collect().await
    }
}

impl Position {
    fn at(slot: u16) -> Self {
        Self {
            slot,
            ..Self::default()
        }
    }

    /// Whether some of its slots have been scanned.
    fn has_begun(&self) -> bool {
        self.cursor != 0 || !self.heirs.is_empty()
    }

    /// An empty page, after which its slots are scanned from the beginning.
    fn anew(&self) -> Page {
        Page {
            sessions: Vec::new(),
            next: Some(Self::at(self.slot).cursor()),
        }
    }

    fn cursor(&self) -> Cursor {
        Cursor(self.to_string().into_bytes().into())
    }

    fn parse(cursor: &Cursor) -> Result<Self, StoreError> {
        let read = || {
            let mut parts = std::str::from_utf8(&cursor.0).ok()?.split(' ');
            Some(Self {
                slot: parts.next()?.parse().ok().filter(|slot| *slot < SLOTS)?,
                last: parts.next()?.parse().ok()?,
                cursor: parts.next()?.parse().ok()?,
                run: parts.next()?.to_owned(),
                heirs: parts.map(heir).collect::<Option<_>>()?,
            })
        };
        read().ok_or_else(foreign_cursor)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.slot, self.last, self.cursor, self.run
        )?;
        self.heirs.iter().try_for_each(|heir| write!(f, " {heir}"))
    }
}

fn owner(ranges: &[Range], slot: u16) -> Option<&Range> {
    ranges
        .iter()
        .find(|range| (range.first..=range.last).contains(&slot))
}

fn heir(text: &str) -> Option<Address> {
    // It is written with its port.
    Address::parse(text, 0).ok()
}

/// Which start of which server it is.
fn run_of(info: &Value) -> Option<String> {
    let text = text_of(info)?;
    let run = text.lines().find_map(|line| line.strip_prefix("run_id:"))?;
    Some(run.trim().to_owned())
}

fn page_of(scanned: Value) -> Option<(u64, Vec<Vec<u8>>)> {
    let Value::Array(parts) = scanned else {
        return None;
    };
    let [next, keys] = <[Value; 2]>::try_from(parts).ok()?;
    let (Value::BulkString(next), Value::Array(keys)) = (next, keys) else {
        return None;
    };
    let next = std::str::from_utf8(&next).ok()?.parse().ok()?;
    let keys = keys.into_iter().map(|key| match key {
        Value::BulkString(key) => Some(key),
        _ => None,
    });
    Some((next, keys.collect::<Option<_>>()?))
}
