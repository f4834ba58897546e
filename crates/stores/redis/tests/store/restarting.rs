//! A connection to a server that is killed and started again between two commands.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fasthttpsession_servers::RedisServer;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, Value};

/// Clones are the same connection. Who waits for an answer notices nothing of the restart.
#[derive(Clone)]
pub(crate) struct Restarting(Arc<Inner>);

struct Inner {
    server: RedisServer,
    client: Client,
    commands: Mutex<MultiplexedConnection>,
    step: AtomicU8,
}

/// What is to be done, and what has been done.
const NOTHING: u8 = 0;
const RESTART: u8 = 1;
const RESTARTED: u8 = 2;

impl Restarting {
    pub(crate) async fn connect(server: &RedisServer) -> Self {
        let client = Client::open(server.url()).expect("the URL is one");
        let commands = open(&client).await;
        Self(Arc::new(Inner {
            server: server.clone(),
            client,
            commands: Mutex::new(commands),
            step: AtomicU8::new(NOTHING),
        }))
    }

    /// Has the server restarted once it has answered the next command.
    pub(crate) fn restart_after_next(&self) {
        self.0.step.store(RESTART, Ordering::SeqCst);
    }

    pub(crate) fn has_restarted(&self) -> bool {
        self.0.step.load(Ordering::SeqCst) == RESTARTED
    }

    fn commands(&self) -> MultiplexedConnection {
        self.0.commands.lock().expect("nobody panics").clone()
    }

    async fn answered(&self) {
        let step = &self.0.step;
        let due = step.compare_exchange(RESTART, RESTARTED, Ordering::SeqCst, Ordering::SeqCst);
        if due.is_ok() {
            self.0.server.restart();
            let commands = open(&self.0.client).await;
            *self.0.commands.lock().expect("nobody panics") = commands;
        }
    }
}

/// A connection with time to spare.
async fn open(client: &Client) -> MultiplexedConnection {
    let limit = Some(Duration::from_secs(30));
    let patient = AsyncConnectionConfig::new()
        .set_connection_timeout(limit)
        .set_response_timeout(limit);
    let opened = client.get_multiplexed_async_connection_with_config(&patient);
    opened.await.expect("the server answers")
}

impl ConnectionLike for Restarting {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let answer = self.commands().req_packed_command(command).await;
            self.answered().await;
            answer
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut sender = self.commands();
            let answers = sender.req_packed_commands(commands, offset, count).await;
            self.answered().await;
            answers
        })
    }

    fn get_db(&self) -> i64 {
        self.commands().get_db()
    }
}
