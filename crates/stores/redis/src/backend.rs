//! The servers as the store sees them: something that runs a script on a key, whoever has that key.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::within;
use futures_util::future::{BoxFuture, FutureExt as _, try_join_all};
use redis::aio::ConnectionLike;
use redis::{Cmd, RedisResult, Value, cmd};

use crate::cluster::{Cluster, Range};
use crate::connect;
use crate::error::{not_replicated, store_error, unconfirmed, unexpected};
use crate::keys::{SLOTS, slot_of};
use crate::lines::Lines;
use crate::link::is_of_a_replica;
use crate::moving::Moving;
use crate::place::Address;
use crate::scripts::{DELETE, Script};

/// All servers of a store.
pub(crate) struct Backend {
    reads: Arc<Path>,
    /// The same, unless writes wait for replicas: whoever waits holds up what comes after it on its connection.
    writes: Arc<Path>,
    replicas: Option<Replicas>,
}

/// How commands get to the servers, and for how long that is waited for.
pub(crate) enum Path {
    /// Has limits for connecting and for each answer.
    One(Lines),
    /// Has the same for each node, and this for all nodes that a command is sent on to.
    Cluster(Cluster, Duration),
    /// Has no limit of its own.
    Own(Own, Duration),
}

/// How many replicas have to confirm a write, and within what time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replicas {
    pub(crate) count: u32,
    pub(crate) within: Duration,
}

/// A user's own connection.
pub(crate) struct Own(Box<Sending>);

type Sending = dyn Fn(Vec<Cmd>) -> BoxFuture<'static, RedisResult<Vec<Value>>> + Send + Sync;

/// What a script answered: a word, and what belongs to it.
pub(crate) struct Reply {
    pub(crate) word: Vec<u8>,
    pub(crate) rest: Vec<Vec<u8>>,
}

impl Backend {
    pub(crate) fn new(path: Path) -> Self {
        let path = Arc::new(path);
        Self {
            reads: Arc::clone(&path),
            writes: path,
            replicas: None,
        }
    }

    /// Writes go by `writes`, which has to wait for answers that much longer, and wait for `replicas`.
    pub(crate) fn replicated(self, writes: Path, replicas: Replicas) -> Self {
        Self {
            writes: Arc::new(writes),
            replicas: Some(replicas),
            ..self
        }
    }

    /// Whether writes wait for replicas.
    pub(crate) fn waits(&self) -> bool {
        self.replicas.is_some()
    }

    /// Whether two keys may be used by one script.
    pub(crate) fn keeps_keys_together(&self) -> bool {
        !matches!(&*self.reads, Path::Cluster(..))
    }

    /// Whether it is of use to write many records by one script: on one server, where nothing but its answer is waited
    /// for. What an application's own connection does is not known.
    pub(crate) fn takes_many(&self) -> bool {
        matches!(&*self.writes, Path::One(_)) && !self.waits()
    }

    /// The answer to `command` on `key`.
    pub(crate) async fn read(&self, key: &str, command: &Cmd) -> Result<Value, StoreError> {
        first_of(self.reads.send(key, slice::from_ref(command)).await?)
    }

    /// Runs a script. Its source is sent only to a server that does not know it. The first of `keys` says where.
    pub(crate) async fn run(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<Reply, StoreError> {
        let mut answers = self.write(keys[0], script.by_hash(keys, arguments)).await?;
        if answers.first().is_some_and(is_unknown_script) {
            answers = self.write(keys[0], script.whole(keys, arguments)).await?;
        }
        self.settled(answers)
    }

    /// Asks every primary whether it answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        let primaries = self.ranges(false).await?;
        let pings = primaries
            .iter()
            .map(|range| self.send_to(&range.primary, vec![cmd("PING")]));
        for answers in try_join_all(pings).await? {
            first_of(answers)?;
        }
        Ok(())
    }

    /// Whether writes of `key`, which is no session's, would be refused for as long as nobody mends it, or by a replica. What
    /// may pass, as a full disk does, is not in the way of reads. A cluster has said by its slots who takes writes.
    pub(crate) async fn takes_writes(&self, key: &str) -> Result<(), StoreError> {
        if let Path::Cluster(..) = &*self.reads {
            return Ok(());
        }
        let nothing_to_delete = DELETE.whole(&[key], &[b"0", b"0"]);
        let answers = self.writes.send(key, &[nothing_to_delete]).await?;
        let is_replica = answers.iter().any(is_of_a_replica);
        match first_of(answers) {
            Err(error) if is_replica || error.kind() == StoreErrorKind::Misconfigured => Err(error),
            _ => Ok(()),
        }
    }

    /// Who has which slots: one for all where there is no cluster. `from_within`, of a cluster only a node is believed that
    /// is not cut off from the others.
    pub(crate) async fn ranges(&self, from_within: bool) -> Result<Vec<Range>, StoreError> {
        match &*self.reads {
            Path::Cluster(cluster, limit) => within(*limit, cluster.look(from_within), late).await,
            Path::One(_) | Path::Own(..) => Ok(vec![Range {
                first: 0,
                last: SLOTS - 1,
                primary: Address::Unix(std::path::PathBuf::new()),
            }]),
        }
    }

    /// Where slots of `range` are being moved by its primary.
    pub(crate) async fn moving(&self, range: &Range) -> Result<Moving, StoreError> {
        match &*self.reads {
            Path::Cluster(cluster, limit) => within(*limit, cluster.moving(range), late).await,
            Path::One(_) | Path::Own(..) => Ok(Moving::nowhere()),
        }
    }

    /// Sends commands without keys to the node at `address`, or to the server where there is no cluster.
    pub(crate) async fn send_to(
        &self,
        address: &Address,
        commands: Vec<Cmd>,
    ) -> Result<Vec<Value>, StoreError> {
        match &*self.reads {
            Path::Cluster(cluster, limit) => {
                let sent = cluster.send_to(address, &commands, false);
                within(*limit, sent, late).await
            }
            path => path.send("", &commands).await,
        }
    }

    async fn write(&self, key: &str, command: Cmd) -> Result<Vec<Value>, StoreError> {
        match self.replicas {
            None => self.writes.send(key, slice::from_ref(&command)).await,
            Some(replicas) => {
                let commands = vec![command, replicas.wait()];
                self.writes.send(key, &commands).await
            }
        }
    }

    /// The reply, once enough replicas have confirmed what it says.
    fn settled(&self, answers: Vec<Value>) -> Result<Reply, StoreError> {
        let mut answers = answers.into_iter();
        let reply = first_of(answers.next().into_iter().collect())?;
        if let Some(replicas) = self.replicas {
            let confirmed = first_of(answers.collect()).map_err(|error| unconfirmed(&error))?;
            let Value::Int(confirmed) = confirmed else {
                return Err(unexpected("WAIT"));
            };
            if confirmed < i64::from(replicas.count) {
                return Err(not_replicated(confirmed, replicas.count));
            }
        }
        Reply::of(reply)
    }
}

impl Path {
    async fn send(&self, key: &str, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        match self {
            Self::One(lines) => lines.send(commands).await,
            // Boxed, so that commands to one server do not go about with room for a search through many.
            Self::Cluster(cluster, limit) => {
                let sent = cluster.send(slot_of(key.as_bytes()), commands);
                within(*limit, Box::pin(sent), late).await
            }
            Self::Own(own, limit) => within(*limit, Box::pin(own.send(commands)), late).await,
        }
    }
}

impl Replicas {
    fn wait(self) -> Cmd {
        let mut wait = cmd("WAIT");
        wait.arg(self.count).arg(millis(self.within));
        wait
    }
}

impl Own {
    /// Uses clones of `connection`.
    pub(crate) fn new<C>(connection: C) -> Self
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        let send = move |commands: Vec<Cmd>| {
            let mut connection = connection.clone();
            async move { connect::send(&mut connection, &commands).await }.boxed()
        };
        Self(Box::new(send))
    }

    async fn send(&self, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        let answers = (self.0)(commands.to_vec()).await;
        answers.map_err(|error| store_error(&error))
    }
}

impl Reply {
    fn of(value: Value) -> Result<Self, StoreError> {
        let Value::Array(parts) = value else {
            return Err(unexpected("a script"));
        };
        let mut parts = parts.into_iter().map(|part| match part {
            Value::BulkString(bytes) => Ok(bytes),
            _ => Err(unexpected("a script")),
        });
        Ok(Self {
            word: parts
                .next()
                .unwrap_or_else(|| Err(unexpected("a script")))?,
            rest: parts.collect::<Result<_, _>>()?,
        })
    }
}

/// The first answer, unless it is an error.
pub(crate) fn first_of(answers: Vec<Value>) -> Result<Value, StoreError> {
    let first = answers.into_iter().next();
    let first = first.ok_or_else(|| unexpected("a command"))?;
    first.extract_error().map_err(|error| store_error(&error))
}

/// An answer that is a text.
pub(crate) fn text_of(answer: &Value) -> Option<String> {
    match answer {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}

pub(crate) fn late() -> StoreError {
    let message = "Redis did not answer within the limit";
    StoreError::new(StoreErrorKind::Timeout, message)
}

pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn is_unknown_script(answer: &Value) -> bool {
    matches!(answer, Value::ServerError(error) if error.code() == "NOSCRIPT")
}
