//! Calls of many tasks as one statement, as this library's stores make them: a connection that is free has the tasks run
//! that are ready, and takes what has queued up.

use std::collections::HashSet;
use std::future::Future;
use std::sync::Arc;

use anyhow::{Result, ensure};
use fasthttpsession::{Handle, Record};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::yield_now;

/// A connection that takes calls of one kind.
pub trait Connection: Send + 'static {
    /// What is asked for.
    type Call: Send + Sync + 'static;

    /// The session that a call is about.
    fn handle(call: &Self::Call) -> Handle;

    /// Makes these calls; returns the sessions that were found as they were expected.
    fn run(&mut self, calls: &[Self::Call])
    -> impl Future<Output = Result<HashSet<Handle>>> + Send;
}

/// A record to be written in place of that with the version `expected`.
pub struct Swap {
    pub handle: Handle,
    pub expected: u64,
    pub record: Record,
}

/// Connections, and what waits for them. They end when this is dropped.
pub struct Groups<C: Connection> {
    queue: mpsc::UnboundedSender<Waiting<C>>,
}

struct Waiting<C: Connection> {
    call: C::Call,
    answer: oneshot::Sender<bool>,
}

type Queue<C> = Arc<Mutex<mpsc::UnboundedReceiver<Waiting<C>>>>;

impl<C: Connection> Groups<C> {
    /// Of at most `largest` calls, on these connections.
    pub fn new(connections: Vec<C>, largest: usize) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for connection in connections {
            tokio::spawn(serve(connection, Arc::clone(&waiting), largest));
        }
        Self { queue }
    }

    /// Makes `call`, alone or with others. Fails if its session was not as expected.
    pub async fn call(&self, call: C::Call) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        ensure!(
            self.queue.send(Waiting { call, answer }).is_ok(),
            "every connection has failed"
        );
        ensure!(answered.await?, "a session was not as expected");
        Ok(())
    }
}

impl<C: Connection<Call = Swap>> Groups<C> {
    /// Writes `record` in place of that with the version `expected`, alone or with others.
    pub async fn swap(&self, handle: Handle, expected: u64, record: &Record) -> Result<()> {
        let record = record.clone();
        self.call(Swap {
            handle,
            expected,
            record,
        })
        .await
    }
}

/// Makes calls until nobody can ask any more. Who is not answered has failed.
async fn serve<C: Connection>(mut connection: C, queue: Queue<C>, largest: usize) -> Result<()> {
    loop {
        let group = take(&queue, largest).await;
        if group.is_empty() {
            return Ok(());
        }
        let (calls, answers): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|waiting| (waiting.call, waiting.answer))
            .unzip();
        let found = connection.run(&calls).await.inspect_err(|error| {
            eprintln!("a bare driver failed: {error:#}");
        })?;
        for (call, answer) in calls.iter().zip(answers) {
            // Whoever asked may be gone.
            let _ = answer.send(found.contains(&C::handle(call)));
        }
    }
}

/// What waits, once something does; nothing when nobody can ask any more.
async fn take<C: Connection>(queue: &Queue<C>, largest: usize) -> Vec<Waiting<C>> {
    let mut queue = queue.lock().await;
    let mut group: Vec<_> = queue.recv().await.into_iter().collect();
    yield_now().await;
    while !group.is_empty()
        && group.len() < largest
        && let Ok(waiting) = queue.try_recv()
    {
        group.push(waiting);
    }
    group
}
