//! A connection of the store's own, and what comes and goes on it.

use std::future::poll_fn;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use deadpool_postgres::ClientWrapper;
use tokio_postgres::Client;

/// Dropped, it is closed at once, by whatever thread: the task that carries what comes and goes would not end before the
/// runtime runs that it is of, and the server would count the connection until then.
pub(crate) struct Connection {
    client: ClientWrapper,
    _traffic: Traffic,
}

/// Ends when either the connection is dropped or the task that carries it, so that neither waits for the other.
struct Traffic(Arc<Mutex<Option<Carrying>>>);

type Carrying = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Connection {
    /// `carrying` is what the driver has to do for `client`; a task of this runtime does it.
    pub(crate) fn new(client: Client, carrying: impl Future<Output = ()> + Send + 'static) -> Self {
        let carrying: Carrying = Box::pin(carrying);
        let shared = Arc::new(Mutex::new(Some(carrying)));
        let traffic = Traffic(Arc::clone(&shared));
        let task = tokio::spawn(poll_fn(move |context| match &mut *traffic.lock() {
            Some(carrying) => carrying.as_mut().poll(context),
            None => Poll::Ready(()),
        }));
        Self {
            client: ClientWrapper::new(client, task),
            _traffic: Traffic(shared),
        }
    }
}

impl Deref for Connection {
    type Target = ClientWrapper;

    fn deref(&self) -> &ClientWrapper {
        &self.client
    }
}

impl Traffic {
    fn lock(&self) -> MutexGuard<'_, Option<Carrying>> {
        // If it has panicked, it is only dropped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        let carrying = self.lock().take();
        // Outside of the lock, for it wakes those who wait for answers.
        drop(carrying);
    }
}
