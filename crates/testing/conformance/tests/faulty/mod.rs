//! A small correct store over a map, which can be told to be wrong.

#![allow(clippy::unwrap_used)]

mod data;
mod fault;
mod listing;
mod network;
mod purging;
mod reading;
mod store;
mod writing;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fasthttpsession_conformance::store::Subject;
use fasthttpsession_core::{Handle, Record};
use tokio::runtime;
use tokio::sync::Semaphore;

use data::Data;
pub(crate) use fault::Fault;

/// The largest body that the store keeps.
const MAX_BODY: usize = 2 << 20;
/// How many calls the store serves at once.
const CONNECTIONS: usize = 16;

/// One client of the records, with at most one fault.
pub(crate) struct Faulty {
    fault: Option<Fault>,
    data: Arc<Mutex<Data>>,
    connections: Semaphore,
    /// Loads that this client answered before, for the fault that remembers them.
    seen: Mutex<BTreeMap<Handle, Option<Record>>>,
    /// Answers on the way to this client, for the fault that mixes them up.
    answers: Mutex<VecDeque<Option<Record>>>,
    line: tokio::sync::Mutex<()>,
    /// The runtimes that have called, for the fault that goes by way of one.
    runtimes: Mutex<Vec<runtime::Handle>>,
}

/// A subject whose store has this fault, or none, and a clock of its own or none.
pub(crate) fn subject(fault: Option<Fault>, server_clock: bool) -> Subject<Faulty> {
    let data = Arc::new(Mutex::new(Data {
        server_clock,
        ..Data::default()
    }));
    let (planting, reading) = (Arc::clone(&data), Arc::clone(&data));
    let subject = Subject::new(Faulty::client(fault, &data))
        .second_client(Faulty::client(fault, &data))
        .body_limit(MAX_BODY, MAX_BODY + 1)
        .raw(
            move |handle, bytes| {
                planting.lock().unwrap().planted.insert(handle, bytes);
                std::future::ready(())
            },
            move |handle| std::future::ready(reading.lock().unwrap().bytes(handle)),
        )
        .patience(Duration::from_secs(5));
    if server_clock {
        subject.expires_by_server_clock()
    } else {
        subject.expires_when_told()
    }
}

/// A store that nobody else reaches, with this fault or none.
pub(crate) fn alone(fault: Option<Fault>) -> Faulty {
    Faulty::client(fault, &Arc::default())
}

impl Faulty {
    fn client(fault: Option<Fault>, data: &Arc<Mutex<Data>>) -> Self {
        Self {
            fault,
            data: Arc::clone(data),
            connections: Semaphore::new(CONNECTIONS),
            seen: Mutex::default(),
            answers: Mutex::default(),
            line: tokio::sync::Mutex::default(),
            runtimes: Mutex::default(),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap()
    }
}
