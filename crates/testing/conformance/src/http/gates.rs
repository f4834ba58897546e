//! Places where handlers wait until a test lets them on: what makes a slow request without a clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

/// Gates by name; one exists as soon as it is named.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<HashMap<String, Arc<Gate>>>>);

impl Gates {
    pub(crate) fn get(&self, name: &str) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(name.to_owned()).or_default())
    }
}

/// One gate. Closed at first; once open it stays open.
pub(crate) struct Gate {
    arrivals: Semaphore,
    departures: Semaphore,
    // Closed when the gate opens: whoever waits for a permit then gets an error, at once.
    shut: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            arrivals: Semaphore::new(0),
            departures: Semaphore::new(0),
            shut: Semaphore::new(0),
        }
    }
}

impl Gate {
    /// Waits, as a handler, until the gate is open.
    pub(crate) async fn wait(&self) {
        let _departure = Departure(&self.departures);
        self.arrivals.add_permits(1);
        let _ = self.shut.acquire().await;
    }

    /// Until `count` more handlers have come to the gate.
    pub(crate) async fn arrived(&self, count: u32) {
        taken(&self.arrivals, count).await;
    }

    /// Until `count` more handlers have left the gate, because it was opened or because they were dropped.
    pub(crate) async fn left(&self, count: u32) {
        taken(&self.departures, count).await;
    }

    /// Lets everybody pass, now and later.
    pub(crate) fn open(&self) {
        self.shut.close();
    }
}

struct Departure<'a>(&'a Semaphore);

impl Drop for Departure<'_> {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

async fn taken(semaphore: &Semaphore, count: u32) {
    semaphore
        .acquire_many(count)
        .await
        .expect("only `shut` is ever closed")
        .forget();
}
