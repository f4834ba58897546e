//! What happens to sessions, told to whoever wants to know: the application's own tasks, `tracing`, and `metrics`.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::mpsc::{Receiver, Sender, channel};
use futures_util::StreamExt as _;

use crate::sessions::Sessions;
use crate::token::Handle;

/// Something that happened to a session. It holds no secret, and may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To which session.
    pub handle: Handle,
}

/// What may happen to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A record was made for it.
    Created,
    /// It got a new secret: by sign-in, rotation, re-authentication or renewal.
    Rotated,
    /// It was ended: by its user, or from outside. Told when it is gone from the store.
    Destroyed,
    /// A client presented a token of a session that is not there: it has expired, was ended, or never was. Stores forget
    /// what has expired without a word, so this is how an expiry is seen, if it is.
    Missing,
    /// A client presented the handle of a session that is there, with a secret that does not open it: a token that was
    /// rotated away, or one that was made up by somebody who knows the handle (OWASP ASVS 5.0, 16.3).
    WrongSecret,
    /// Its record could not be read: it is damaged, or made with a key, a codec or a feature that this process does not have.
    Unreadable,
}

impl EventKind {
    /// Its name in logs: `created`, `rotated`, `destroyed`, `missing`, `wrong_secret`, `unreadable`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Rotated => "rotated",
            Self::Destroyed => "destroyed",
            Self::Missing => "missing",
            Self::WrongSecret => "wrong_secret",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Events as they happen. Made by [`Sessions::events`].
///
/// What the application does with them happens in a task of its own: if it fails, or hangs, no session notices.
///
/// ```
/// # use fasthttpsession_core::{EventKind, Sessions};
/// # fn alert(_: fasthttpsession_core::Handle) {}
/// async fn watch(sessions: &Sessions) {
///     let mut events = sessions.events(1000);
///     while let Some(event) = events.next().await {
///         if event.kind == EventKind::WrongSecret {
///             alert(event.handle);
///         }
///     }
/// }
/// ```
pub struct Events {
    queue: Receiver<Event>,
    missed: Arc<AtomicU64>,
}

impl Events {
    /// The next event, in the order in which they happened in this process; `None` once the last clone of the
    /// [`Sessions`] is gone and all was told. May be dropped while it waits: no event is lost by that.
    pub async fn next(&mut self) -> Option<Event> {
        self.queue.next().await
    }

    /// How many events were left out so far, because as many as may wait were waiting.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("missed", &self.missed())
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// What happens to sessions through this manager and its clones from now on; of other processes, nothing. At most
    /// `capacity` events wait to be taken (and a few more), and never more than about a million; those that come when
    /// there is no room are left out and [counted](Events::missed), so that a listener that hangs costs some memory and
    /// nothing else. Anybody who sends made-up tokens makes events of kind [`Missing`](EventKind::Missing), and so may fill
    /// the queue: what the application can't do without, it does where it ends the session. Tokens that are
    /// [signed](crate::TokenCodec::signed) can't be made up.
    ///
    /// For one listener in a process, which passes on what it hears: each is told of each event by the request that caused it.
    pub fn events(&self, capacity: usize) -> Events {
        self.manager().listeners.add(capacity)
    }
}

/// Who listens to a manager.
#[derive(Default)]
pub(crate) struct Listeners {
    /// Whether there is anybody, so that nobody costs nothing.
    any: AtomicBool,
    queues: Mutex<Vec<Listener>>,
}

struct Listener {
    queue: Sender<Event>,
    missed: Arc<AtomicU64>,
}

impl Listeners {
    /// The channel panics when it is to hold far more.
    const MAX_CAPACITY: usize = 1 << 20;

    fn add(&self, capacity: usize) -> Events {
        let (sender, queue) = channel(capacity.min(Self::MAX_CAPACITY));
        let missed = Arc::new(AtomicU64::new(0));
        let listener = Listener {
            queue: sender,
            missed: Arc::clone(&missed),
        };
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.push(listener);
        self.any.store(true, Ordering::Release);
        Events { queue, missed }
    }

    /// Tells everybody. Called when it is so: what was ended is gone before anybody hears of it.
    pub(crate) fn tell(&self, store: &'static str, kind: EventKind, handle: Handle) {
        log(store, kind, handle);
        if !self.any.load(Ordering::Acquire) {
            return;
        }
        let event = Event { kind, handle };
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain_mut(|listener| listener.take(event));
        self.any.store(!queues.is_empty(), Ordering::Release);
    }
}

impl Listener {
    /// `false` once nobody listens any more.
    fn take(&mut self, event: Event) -> bool {
        match self.queue.try_send(event) {
            Err(error) if error.is_disconnected() => false,
            Err(_) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Ok(()) => true,
        }
    }
}

/// To `tracing` and `metrics`, as far as they are compiled in.
fn log(store: &'static str, kind: EventKind, handle: Handle) {
    let event = kind.name();
    #[cfg(feature = "tracing")]
    match kind {
        EventKind::WrongSecret => {
            tracing::warn!(target: "fasthttpsession", %handle, event, store, "a known handle came with a wrong secret");
        }
        EventKind::Unreadable => {
            tracing::warn!(target: "fasthttpsession", %handle, event, store, "a session's record can't be read");
        }
        _ => tracing::debug!(target: "fasthttpsession", %handle, event, store, "session {event}"),
    }
    #[cfg(feature = "metrics")]
    metrics::counter!("fasthttpsession_events_total", "event" => event, "store" => store)
        .increment(1);
    let _ = (store, event, handle);
}
