//! The store: shards behind locks, and the operations on them. No lock is held across an await; an operation holds one
//! shard's lock at a time, and under it at most one of the index of principals.

use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use fasthttpsession_core::{
    Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced, Store,
    StoreError, StoreErrorKind, Timestamp, Touched,
};

use crate::config::{MemoryConfig, WhenFull};
use crate::cursor::Position;
use crate::entry::Entry;
use crate::key::{Key, Salt};
use crate::principals::{Location, Principals};
use crate::room::{Place, Room};
use crate::shard::{Bounds, Evicted, Purged, Shard};

/// One for each value of a byte. With 10 million sessions a shard's table has 40,000, so that doubling it, which happens
/// under the shard's lock, takes about a millisecond.
const SHARDS: usize = 256;

/// How many entries a purge, an eviction, a count or a scan looks at before it lets others have the lock: some ten
/// microseconds.
const STEPS: usize = 128;

/// What a creation does for the shard that it has locked anyway, so that a store which nobody purges is bounded by what
/// lives: removing twice what it adds.
const TIDY: Bounds = Bounds {
    entries: 2,
    steps: 16,
};

/// Keeps sessions in the memory of this process. Clones are the same store.
///
/// See the [crate's page](crate) for what it promises and what it costs.
#[derive(Clone)]
pub struct MemoryStore {
    inner: Arc<Inner>,
}

struct Inner {
    shards: Box<[Mutex<Shard>]>,
    principals: Arc<Principals>,
    room: Room,
    when_full: WhenFull,
    salt: Salt,
    /// Where the next purge begins: elsewhere each time, so that two at once work in different shards.
    next_purge: AtomicUsize,
}

impl MemoryStore {
    /// An empty store with the default settings: at most 10 million sessions, new ones are refused beyond.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// The settings, to be changed and [built](MemoryConfig::build).
    pub fn builder() -> MemoryConfig {
        MemoryConfig::default()
    }

    pub(crate) fn with_config(config: &MemoryConfig) -> Self {
        let principals = Arc::new(Principals::new());
        let salt = Salt::random();
        let shard = |number| Mutex::new(Shard::new(number, Arc::clone(&principals), salt));
        let shards: Box<[_]> = (0..=u8::MAX).map(shard).collect();
        let (room, next_purge) = (Room::new(config.capacity), AtomicUsize::new(0));
        let when_full = config.when_full;
        Self {
            inner: Arc::new(Inner {
                shards,
                principals,
                room,
                when_full,
                salt,
                next_purge,
            }),
        }
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("records", &self.inner.room.taken())
            .field("capacity", &self.inner.room.capacity())
            .field("when_full", &self.inner.when_full)
            .finish()
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        let (key, shard) = self.inner.locate(handle);
        Ok(shard.load(key, now))
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.inner.create(Entry::new(handle, record), now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let (key, mut shard) = self.inner.locate(handle);
        Ok(shard.replace(key, expected, record, now))
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        let (key, mut shard) = self.inner.locate(handle);
        Ok(shard.touch(key, version, idle_deadline, now))
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let (key, mut shard) = self.inner.locate(handle);
        let deleted = shard.delete(key, now);
        if deleted == Deleted::Deleted {
            self.inner.room.give_back(1);
        }
        Ok(deleted)
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let locations = self.inner.principals.locations(principal);
        let session = |at: Location| {
            self.inner
                .lock(at.shard())
                .session_of(principal.as_str(), at.id(), now)
        };
        let mut sessions: Vec<_> = locations.into_iter().filter_map(session).collect();
        // One that is ended and made again meanwhile may have moved to a place that is still to be read.
        sessions.sort_unstable_by_key(|(handle, _)| *handle);
        sessions.dedup_by_key(|(handle, _)| *handle);
        Ok(sessions)
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        let mut next = Some(Position::decode(after)?);
        let mut sessions = Vec::new();
        let limit = limit.max(1);
        while let Some(position) = next.filter(|_| sessions.len() < limit) {
            next = self.inner.collect(position, limit, now, &mut sessions);
            if next.is_some_and(|next| next.shard == position.shard) {
                yield_now().await;
            }
        }
        Ok(Page {
            sessions,
            next: next.map(Position::encode),
        })
    }

    /// Purges what is due first, and then adds up the lengths of the shards, each at its own moment.
    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut live = 0;
        for shard in 0..SHARDS {
            live += self.inner.count_shard(shard, now).await;
        }
        Ok(live as u64)
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let first = self
            .inner
            .next_purge
            .fetch_add(SHARDS / 2 + 1, Ordering::Relaxed);
        let mut removed = 0;
        for shard in (0..SHARDS).map(|index| first.wrapping_add(index) % SHARDS) {
            removed += self.inner.purge_shard(shard, limit - removed, now).await;
        }
        Ok(removed as u64)
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Inner {
    fn lock(&self, shard: usize) -> MutexGuard<'_, Shard> {
        self.shards[shard % SHARDS]
            .lock()
            .expect("nothing panics while it holds a shard")
    }

    fn locate(&self, handle: Handle) -> (Key, MutexGuard<'_, Shard>) {
        let key = Key::new(handle, self.salt);
        (key, self.lock(key.shard_bits()))
    }

    /// Goes round twice when the store is full: the second time with a place made elsewhere.
    async fn create(&self, mut entry: Entry, now: Timestamp) -> Result<Created, StoreError> {
        let mut place = None;
        loop {
            entry = match self.put(entry, place.take(), now) {
                Ok(created) => return Ok(created),
                Err(left) => left,
            };
            // Boxed, for it is rarely made, and would have its room in the future of every creation.
            place = Some(Box::pin(self.make_room(now)).await?);
        }
    }

    /// Adds `entry`, unless there is one of its handle. If there is no place for it, it comes back.
    fn put(
        &self,
        entry: Entry,
        place: Option<Place<'_>>,
        now: Timestamp,
    ) -> Result<Created, Entry> {
        let (key, mut shard) = self.locate(entry.handle);
        self.room.give_back(shard.purge(TIDY, now).removed);
        if shard.has_live(key, now) {
            return Ok(Created::Exists);
        }
        self.room.give_back(usize::from(shard.discard(key)));
        let Some(place) = place.or_else(|| self.room.take()) else {
            return Err(entry);
        };
        shard.insert(key, entry, now);
        place.fill();
        Ok(Created::Created)
    }

    async fn make_room(&self, now: Timestamp) -> Result<Place<'_>, StoreError> {
        if let Some(place) = self.reclaim(now).await {
            return Ok(place);
        }
        let evicted = match self.when_full {
            WhenFull::Refuse => None,
            WhenFull::EvictAnonymous => self.evict(now).await,
        };
        evicted.ok_or_else(|| self.full())
    }

    /// The place of an expired record, wherever there is one.
    async fn reclaim(&self, now: Timestamp) -> Option<Place<'_>> {
        for shard in 0..SHARDS {
            if let Some(place) = self.remove_expired(shard, now).await {
                return Some(place);
            }
        }
        None
    }

    /// The place of an expired record of this shard, if it has one.
    async fn remove_expired(&self, shard: usize, now: Timestamp) -> Option<Place<'_>> {
        let bounds = Bounds {
            entries: 1,
            steps: STEPS,
        };
        loop {
            let Purged { removed, finished } = self.lock(shard).purge(bounds, now);
            if removed > 0 {
                return Some(self.room.place_of_removed());
            }
            if finished {
                return None;
            }
            yield_now().await;
        }
    }

    /// The place of the session without principal that would expire soonest. Of the shards, always the one is looked at
    /// whose first may be the soonest: what is found there has to stand the comparison with all others.
    async fn evict(&self, now: Timestamp) -> Option<Place<'_>> {
        let first = |shard| Some((self.lock(shard).first_anonymous()?, shard));
        let mut firsts: BTreeSet<_> = (0..SHARDS).filter_map(first).collect();
        let mut steps = STEPS;
        while let Some((start, shard)) = firsts.pop_first() {
            let evicted = self.lock(shard).evict_anonymous(start, &mut steps, now);
            match evicted {
                Evicted::One => return Some(self.room.place_of_removed()),
                Evicted::NotBefore(start) => {
                    firsts.insert((start, shard));
                }
                Evicted::Nothing => {}
            }
            if steps == 0 {
                yield_now().await;
                steps = STEPS;
            }
        }
        None
    }

    fn full(&self) -> StoreError {
        let message = format!(
            "creating a session: the memory store is full at {} sessions",
            self.room.capacity()
        );
        StoreError::new(StoreErrorKind::Full, message)
    }

    fn collect(
        &self,
        position: Position,
        limit: usize,
        now: Timestamp,
        sessions: &mut Vec<(Handle, Record)>,
    ) -> Option<Position> {
        let bounds = Bounds {
            entries: limit - sessions.len(),
            steps: STEPS,
        };
        let id = self
            .lock(position.shard.into())
            .collect(position.id, bounds, now, sessions);
        id.map_or_else(
            || position.next_shard(),
            |id| Some(Position { id, ..position }),
        )
    }

    /// How many sessions of a shard live, once what is due has been purged.
    async fn count_shard(&self, shard: usize, now: Timestamp) -> usize {
        loop {
            if let Some(live) = self.count_if_purged(shard, now) {
                return live;
            }
            yield_now().await;
        }
    }

    fn count_if_purged(&self, shard: usize, now: Timestamp) -> Option<usize> {
        let mut shard = self.lock(shard);
        let Purged { removed, finished } = shard.purge(
            Bounds {
                entries: STEPS,
                steps: STEPS,
            },
            now,
        );
        self.room.give_back(removed);
        finished.then(|| shard.len())
    }

    async fn purge_shard(&self, shard: usize, limit: usize, now: Timestamp) -> usize {
        let mut total = 0;
        while total < limit {
            let bounds = Bounds {
                entries: limit - total,
                steps: STEPS,
            };
            let Purged { removed, finished } = self.lock(shard).purge(bounds, now);
            self.room.give_back(removed);
            total += removed;
            if finished {
                break;
            }
            yield_now().await;
        }
        total
    }
}

/// Lets other tasks of this thread run. Needs no runtime.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
