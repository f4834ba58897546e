//! A pool of connections for programs with several runtimes: each uses its own, and a bound holds for all.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::{self, RuntimeFlavor};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::PerRuntime;
use crate::turns::{SIGN_OF_LIFE, Turn, Turns};

/// How long a connection that is more than are to stay open lies unused, at least; at most twice as long.
const SURPLUS: Duration = Duration::from_secs(10);

/// Connections: at most so many are open, whatever runtimes use them.
///
/// A call goes over a connection of the runtime that makes it, the one used last, for reasons that
/// [`PerRuntime`](crate::PerRuntime) gives. If it has none that is unused, it opens one; if there may be no more, it uses
/// one that another runtime opened, which takes less than opening one. A runtime without threads of its own may not run at
/// present, and then nothing comes on its connections: one of them that is unused is closed, and another opened in its place.
/// So dropping a `C` should close it from any thread, whether or not its runtime runs.
///
/// Who waits in a runtime that does not run holds up nobody. But a call that has its connection there keeps it, for its answer
/// is under way, until the runtime runs again or ends.
pub struct RuntimePool<C> {
    shared: Arc<Shared<C>>,
    runtimes: PerRuntime<Runtime<C>>,
}

struct Shared<C> {
    most: usize,
    /// How many stay open that nobody uses.
    idle: usize,
    /// One for each connection that may be in use.
    turns: Arc<Turns>,
    lying: Mutex<Lying<C>>,
}

struct Lying<C> {
    /// How many are open or being opened, in use or not.
    open: usize,
    /// Those used last lie last.
    unused: Vec<Unused<C>>,
}

struct Unused<C> {
    connection: C,
    home: Weak<Runtime<C>>,
    since: Instant,
}

/// A runtime that uses the pool, as long as it is there.
struct Runtime<C> {
    pool: Weak<Shared<C>>,
    handle: runtime::Handle,
    closing: Option<JoinHandle<()>>,
}

/// What a turn comes to.
pub enum Taken<C> {
    /// A connection that nobody uses.
    Unused(Pooled<C>),
    /// There is none; one may be opened.
    Room(Room<C>),
}

/// Room for a connection. Dropped, it is left to others.
pub struct Room<C> {
    shared: Arc<Shared<C>>,
    home: Weak<Runtime<C>>,
    /// Until it is left, or a connection lies there unused.
    turn: Option<Turn>,
}

/// A connection in use. Dropped, it is closed, for who knows what is still to come on it.
pub struct Pooled<C> {
    connection: C,
    unused_for: Duration,
    room: Room<C>,
}

impl<C: Send + 'static> RuntimePool<C> {
    /// At most `most` connections, at least 1, of which `idle` stay open that nobody uses.
    pub fn new(most: usize, idle: usize) -> Self {
        let most = most.max(1);
        let shared = Arc::new(Shared {
            most,
            idle,
            turns: Arc::new(Turns::new(most)),
            lying: Mutex::new(Lying {
                open: 0,
                unused: Vec::new(),
            }),
        });
        let pool = Arc::downgrade(&shared);
        Self {
            runtimes: PerRuntime::new(move || Runtime {
                pool: pool.clone(),
                handle: runtime::Handle::current(),
                closing: (idle < most).then(|| tokio::spawn(close_surplus(pool.clone()))),
            }),
            shared,
        }
    }

    /// How many there may be.
    pub fn most(&self) -> usize {
        self.shared.most
    }

    /// Waits until fewer are in use than there may be; those who ask first go first.
    pub async fn turn(&self) -> Turn {
        self.shared.turns.turn().await
    }

    /// The same, if that is so now.
    pub fn turn_now(&self) -> Option<Turn> {
        self.shared.turns.turn_now()
    }

    /// A connection that is `usable`, as far as that can be told at once, or room for another one.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn take(&self, turn: Turn, usable: impl Fn(&C) -> bool) -> Taken<C> {
        let here = self.runtimes.get();
        let (found, closed) = self.shared.take(&here, usable);
        drop(closed);
        let mut room = Room {
            shared: Arc::clone(&self.shared),
            home: Arc::downgrade(&here),
            turn: Some(turn),
        };
        let Some(unused) = found else {
            return Taken::Room(room);
        };
        if !Weak::ptr_eq(&unused.home, &room.home) && !runs(&unused.home).await {
            return Taken::Room(room);
        }
        room.home = unused.home;
        Taken::Unused(Pooled {
            connection: unused.connection,
            unused_for: unused.since.elapsed(),
            room,
        })
    }
}

impl<C> Shared<C> {
    /// One that lies unused, or none and room for another; and those that are to be closed.
    fn take(
        &self,
        here: &Arc<Runtime<C>>,
        usable: impl Fn(&C) -> bool,
    ) -> (Option<Unused<C>>, Vec<Unused<C>>) {
        let mut lying = self.lock();
        let is_own = |unused: &Unused<C>| {
            Weak::as_ptr(&unused.home) == Arc::as_ptr(here) && usable(&unused.connection)
        };
        if let Some(last) = lying.unused.iter().rposition(is_own) {
            return (Some(lying.unused.remove(last)), Vec::new());
        }
        let closed = lying.remove(|unused| !usable(&unused.connection));
        if lying.open == self.most
            && let Some(last) = lying.unused.pop()
        {
            return (Some(last), closed);
        }
        lying.open += 1;
        (None, closed)
    }

    /// Those that have lain for long and are more than are to stay open.
    fn surplus(&self) -> Vec<Unused<C>> {
        let mut lying = self.lock();
        let long_unused = lying.unused.iter();
        let long_unused = long_unused.take_while(|unused| unused.since.elapsed() >= SURPLUS);
        let surplus = lying.unused.len().saturating_sub(self.idle);
        let surplus = surplus.min(long_unused.count());
        lying.open -= surplus;
        lying.unused.drain(..surplus).collect()
    }

    /// Those whose runtime has ended.
    fn homeless(&self) -> Vec<Unused<C>> {
        self.lock().remove(Unused::is_homeless)
    }

    fn lock(&self) -> MutexGuard<'_, Lying<C>> {
        // Nothing that runs under this lock can panic half-way through a change.
        self.lying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C> Lying<C> {
    fn remove(&mut self, which: impl Fn(&Unused<C>) -> bool) -> Vec<Unused<C>> {
        let removed: Vec<_> = self.unused.extract_if(.., |unused| which(unused)).collect();
        self.open -= removed.len();
        removed
    }
}

impl<C> Unused<C> {
    fn is_homeless(&self) -> bool {
        self.home.strong_count() == 0
    }
}

/// Whether the runtime is there, and runs: one without threads of its own does only while somebody runs it.
async fn runs<C>(runtime: &Weak<Runtime<C>>) -> bool {
    let Some(runtime) = runtime.upgrade() else {
        return false;
    };
    let has_threads = runtime.handle.runtime_flavor() != RuntimeFlavor::CurrentThread;
    has_threads || {
        let asked = timeout(SIGN_OF_LIFE, runtime.handle.spawn(async {})).await;
        matches!(asked, Ok(Ok(())))
    }
}

/// Closes what is too much, as long as the pool is there.
async fn close_surplus<C>(pool: Weak<Shared<C>>) {
    loop {
        sleep(SURPLUS).await;
        let Some(pool) = pool.upgrade() else { return };
        drop(pool.surplus());
    }
}

impl<C> Drop for Runtime<C> {
    fn drop(&mut self) {
        if let Some(closing) = &self.closing {
            closing.abort();
        }
        if let Some(pool) = self.pool.upgrade() {
            drop(pool.homeless());
        }
    }
}

impl<C> Room<C> {
    /// Uses it for a connection that was opened in the runtime that took it.
    pub fn fill(self, connection: C) -> Pooled<C> {
        Pooled {
            connection,
            unused_for: Duration::ZERO,
            room: self,
        }
    }

    /// Leaves it to others, unless a connection has been there and lies unused now.
    fn leave(&mut self) -> Option<Turn> {
        let turn = self.turn.take()?;
        self.shared.lock().open -= 1;
        Some(turn)
    }
}

impl<C> Pooled<C> {
    /// How long nobody had used it.
    pub fn unused_for(&self) -> Duration {
        self.unused_for
    }

    /// Leaves it to others, unless its runtime has ended. It waits for no answer.
    pub fn give_back(self) {
        let Self {
            connection,
            mut room,
            ..
        } = self;
        let unused = Unused {
            connection,
            home: room.home.clone(),
            since: Instant::now(),
        };
        let shared = Arc::clone(&room.shared);
        let mut lying = shared.lock();
        if unused.is_homeless() {
            drop(lying);
            return;
        }
        lying.unused.push(unused);
        drop(lying);
        // Free now that it lies there, and not before.
        room.turn = None;
    }

    /// Closes it, for another in its place.
    pub fn close(self) -> Turn {
        let Self {
            connection,
            mut room,
            ..
        } = self;
        drop(connection);
        room.leave()
            .unwrap_or_else(|| unreachable!("only what goes leaves its room"))
    }
}

impl<C> Deref for Pooled<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.connection
    }
}

impl<C> DerefMut for Pooled<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.connection
    }
}

impl<C> Drop for Room<C> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests;
