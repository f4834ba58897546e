//! Places where handlers wait until a test lets them on: what makes a slow request without a clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::store::{Failure, Outcome};

/// How long a server may take to notice that a client went, and to drop its handler. The closed connection tells it.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);

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

    /// Until one more handler was dropped at the gate, whose client went.
    pub(crate) async fn dropped(&self) -> Outcome {
        let left = timeout(NOTICED_WITHIN, taken(&self.departures, 1)).await;
        left.map_err(|_| {
            Failure::new(format!(
                "the handler was not dropped within {NOTICED_WITHIN:?} when its client went; if the framework never does \
                 that, say so by Adapter::keeps_handlers"
            ))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_runs_on_is_told_as_such() {
        let failure = Gate::default().dropped().await.unwrap_err().to_string();
        let told = "the handler was not dropped within 20s when its client went";
        assert!(failure.starts_with(told), "{failure}");
    }
}
