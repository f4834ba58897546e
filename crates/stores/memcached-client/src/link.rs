//! One connection to a server, made again whenever it is needed and gone.

use std::sync::{Arc, Mutex, PoisonError};

use fasthttpsession_tcp::pause;
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
