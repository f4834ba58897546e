//! One connection to a server, made again whenever it is needed and gone.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::address::Address;
use crate::config::Limits;
use crate::error::Error;
use crate::lane::{Lane, Service};
use crate::pipe::Pipe;
use crate::request::{Answer, Request};
use crate::stream::{Connected, Connector};

/// A connection that is made when it is needed, by the runtime that needs it first; once that has ended, by the next.
/// Dropping it closes it.
pub(crate) struct Link {
    lane: Arc<Lane>,
    connector: Connector,
    /// The task that serves the lane, or did last.
    task: Mutex<Option<AbortHandle>>,
}

impl Link {
    pub(crate) fn new(server: Address, connector: Connector, limits: Limits) -> Self {
        Self {
            lane: Arc::new(Lane::new(server, limits)),
            connector,
            task: Mutex::default(),
        }
    }

    /// Another connection to the same server.
    pub(crate) fn again(&self) -> Self {
        let (server, limits) = (self.lane.server().clone(), self.lane.limits());
        Self::new(server, self.connector.clone(), limits)
    }

    pub(crate) async fn ask(&self, request: Request) -> Result<Answer, Error> {
        self.lane.ask(request, |service| self.begin(service)).await
    }

    fn begin(&self, service: Service) {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: where a runtime is ending, the task may be over already and another begun.
        let serving = tokio::spawn(run(service, self.connector.clone()));
        *task = Some(serving.abort_handle());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task {
            task.abort();
        }
    }
}

/// Connects when somebody asks, and after a failure by itself, again and again. Until that succeeds everybody is
/// refused at once, so that a dead server costs a wait to those only who find it dead.
async fn run(service: Service, connector: Connector) {
    let lane = service.lane();
    let mut failures = 0;
    loop {
        if failures == 0 {
            lane.has_waiting().await;
        }
        let (of_use, error) = match connect(lane, &connector).await {
            Ok(connected) => {
                lane.open();
                Pipe::new(connected, lane).work().await
            }
            Err(error) => (false, error),
        };
        if of_use {
            failures = 0;
        } else {
            lane.shut(&error);
            sleep(pause(failures)).await;
            failures += 1;
        }
    }
}

/// Connects, while those who wait are told in time.
async fn connect(lane: &Lane, connector: &Connector) -> Result<Connected, Error> {
    let mut connecting = std::pin::pin!(connector.connect());
    loop {
        let deadline = lane.first_deadline();
        tokio::select! {
            connected = &mut connecting => return connected,
            () = crate::pipe::at(deadline) => lane.expire(),
        }
    }
}

/// Between half of 50 ms and 50 ms after the first failure, then twice as long each time, at most a second. At random,
/// so that not all clients of a server that is back come at once.
fn pause(failures: u32) -> Duration {
    let longest = Duration::from_millis(50 << failures.min(5)).min(Duration::from_secs(1));
    let share = u16::try_from(RandomState::new().hash_one(failures) % 1_000).unwrap_or_default();
    longest / 2 + longest.mul_f64(f64::from(share) / 2_000.0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_differ() {
        for (failures, millis) in [(0, 50), (1, 100), (4, 800), (5, 1_000), (u32::MAX, 1_000)] {
            let longest = Duration::from_millis(millis);
            let pauses: HashSet<_> = (0..100).map(|_| pause(failures)).collect();
            assert!(pauses.len() > 50, "{pauses:?}");
            let (least, most) = (pauses.iter().min(), pauses.iter().max());
            assert!(
                least >= Some(&(longest / 2)) && most <= Some(&longest),
                "{pauses:?}"
            );
            assert!(most > Some(&longest.mul_f64(0.8)), "{pauses:?}");
        }
    }
}
