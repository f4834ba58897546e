//! The way to the data: calls wait as on a network, for a connection and for a lock.

use std::time::Duration;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use tokio::runtime;
use tokio::task::yield_now;

use super::{Fault, Faulty};

impl Faulty {
    /// Waits as a network does: before an operation reaches the data, and before its answer is back.
    pub(super) async fn travel(&self) {
        if self.is(Fault::LatestRuntimeAnswers) {
            let latest = self.latest_runtime();
            drop(latest.spawn(yield_now()).await);
        }
        let _alone = if self.is(Fault::OneCallAtATime) {
            Some(self.line.lock().await)
        } else {
            None
        };
        if self.is(Fault::Slow) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let permit = self.connections.acquire().await.unwrap();
        if self.is(Fault::DropKeepsConnection) {
            permit.forget();
            yield_now().await;
            self.connections.add_permits(1);
        } else {
            yield_now().await;
        }
    }

    /// The `answer` to a replacement, which is lost now and then if answers are; then it may be sent `again`.
    pub(super) fn lose<T>(&self, answer: T, again: impl FnOnce() -> T) -> Result<T, StoreError> {
        let arrives = fastrand::u8(..8) > 0;
        let lost = StoreError::new(StoreErrorKind::Unavailable, "the connection was cut");
        match self.fault {
            Some(Fault::LosesAnswers) if !arrives => Err(lost),
            Some(Fault::LosesAnswersAndDenies) if !arrives => Err(lost.not_applied()),
            Some(Fault::LosesAnswersAndSendsAgain) if !arrives => Ok(again()),
            _ => Ok(answer),
        }
    }

    fn latest_runtime(&self) -> runtime::Handle {
        let here = runtime::Handle::current();
        let mut runtimes = self.runtimes.lock().unwrap();
        if !runtimes.iter().any(|runtime| runtime.id() == here.id()) {
            runtimes.push(here);
        }
        runtimes.last().unwrap().clone()
    }

    pub(super) async fn lock(&self) {
        while self.is(Fault::DropKeepsLock) && std::mem::replace(&mut self.data().locked, true) {
            yield_now().await;
        }
        yield_now().await;
        self.data().locked = false;
    }
}
