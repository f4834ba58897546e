//! A few links to the same server, used in turn, so that a large answer on one holds up only some of the others. Each
//! runtime has its own.

use std::iter::repeat_with;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::PerRuntime;
use redis::{Cmd, Value};

use crate::connect::Connector;
use crate::link::{Link, Target};

/// All links to a server.
pub(crate) struct Lines(PerRuntime<Own>);

/// Those of a runtime.
struct Own {
    links: Vec<Link>,
    next: AtomicUsize,
}

impl Lines {
    /// Each runtime has `count`, or one if that is 0.
    pub(crate) fn new(target: Target, connector: Arc<Connector>, count: usize) -> Self {
        Self(PerRuntime::new(move || {
            let link = || Link::new(target.clone(), Arc::clone(&connector));
            Own {
                links: repeat_with(link).take(count.max(1)).collect(),
                next: AtomicUsize::new(0),
            }
        }))
    }

    /// Sends `commands` in one go over one of the links.
    pub(crate) async fn send(&self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        self.0.get().link().send(commands).await
    }
}

impl Own {
    /// The one whose turn it is; while it pauses after a failure, the next that does not.
    fn link(&self) -> &Link {
        if let [only] = &self.links[..] {
            return only;
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.links.len();
        let (before, after) = self.links.split_at(turn);
        let mut in_turn = after.iter().chain(before);
        in_turn
            .find(|link| !link.is_pausing())
            .unwrap_or(&self.links[turn])
    }
}
