//! Finds the primary by asking the sentinels: each time a connection is opened, when it makes sure that it is one, and
//! once in a while, for an old primary may not know yet that it has a successor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fasthttpsession_core::StoreError;
use fasthttpsession_store_common::PerRuntime;
use futures_util::future::{FutureExt as _, select_ok};
use redis::{Value, cmd};

use crate::backend::first_of;
use crate::connect::{Connection, Connector};
use crate::error::{store_error, unexpected, unreachable};
use crate::link::{Demotions, Link, Target};
use crate::place::Address;

/// How often they are asked while somebody uses the primary.
const PERIOD: Duration = Duration::from_millis(250);

/// Who watches a primary.
pub(crate) struct Sentinels {
    /// Each runtime asks over its own.
    links: PerRuntime<Vec<Link>>,
    name: String,
    last: Mutex<Last>,
}

/// What the sentinels were asked last.
struct Last {
    asked: Instant,
    named: Option<Address>,
}

impl Sentinels {
    /// Those at `addresses`, who call the primary `name`.
    pub(crate) fn new(addresses: &[Address], name: String, connector: Arc<Connector>) -> Self {
        let target = |address: &Address| Target::Fixed(address.clone(), Demotions::default());
        let targets: Vec<_> = addresses.iter().map(target).collect();
        let links = move || {
            let link = |target: &Target| Link::new(target.clone(), Arc::clone(&connector));
            targets.iter().map(link).collect()
        };
        Self {
            links: PerRuntime::new(links),
            name,
            last: Mutex::new(Last {
                asked: Instant::now(),
                named: None,
            }),
        }
    }

    /// A connection to the primary. Asks all sentinels at once, for one that hangs must not hold up the rest; the first
    /// wins that names a server which is a primary.
    pub(crate) async fn open_primary(
        &self,
        connector: &Connector,
    ) -> Result<Connection, StoreError> {
        let links = self.links.get();
        let opening = links.iter();
        let opening = opening.map(|sentinel| self.open_named_by(sentinel, connector).boxed());
        let (connection, _) = select_ok(opening).await?;
        self.last().named = Some(connection.address.clone());
        Ok(connection)
    }

    /// Whether the primary is at `address`, as far as is known. Has the sentinels asked if that was some time ago.
    pub(crate) fn still_name(self: &Arc<Self>, address: &Address) -> bool {
        let mut last = self.last();
        if last.asked.elapsed() > PERIOD {
            last.asked = Instant::now();
            tokio::spawn(Arc::clone(self).ask().boxed());
        }
        last.named.as_ref().is_none_or(|named| named == address)
    }

    async fn ask(self: Arc<Self>) {
        let links = self.links.get();
        let asking = links.iter();
        let asking = asking.map(|sentinel| self.named_by(sentinel).boxed());
        if let Ok((named, _)) = select_ok(asking).await {
            self.last().named = Some(named);
        }
    }

    async fn open_named_by(
        &self,
        sentinel: &Link,
        connector: &Connector,
    ) -> Result<Connection, StoreError> {
        let address = self.named_by(sentinel).await?;
        let primary = connector.open(&address).await?;
        let answers = primary.send(&[cmd("ROLE")]).await;
        let answers = answers.map_err(|error| store_error(&error).not_applied())?;
        match first_of(answers).map_err(StoreError::not_applied)? {
            Value::Array(role) if role.first() == Some(&Value::BulkString(b"master".into())) => {
                Ok(primary)
            }
            _ => Err(unreachable(format!(
                "{address}, which a sentinel names, is no primary yet"
            ))),
        }
    }

    async fn named_by(&self, sentinel: &Link) -> Result<Address, StoreError> {
        let mut question = cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let answer = sentinel.send(&[question]).await.and_then(first_of);
        let Value::Array(parts) = answer.map_err(StoreError::not_applied)? else {
            let message = format!("a sentinel knows no primary of the name {:?}", self.name);
            return Err(unreachable(message));
        };
        address(&parts).ok_or_else(|| unexpected("SENTINEL"))
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // Every change under this lock is one assignment.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn address(parts: &[Value]) -> Option<Address> {
    let [Value::BulkString(host), Value::BulkString(port)] = parts else {
        return None;
    };
    Some(Address::Tcp {
        host: String::from_utf8(host.clone()).ok()?,
        port: std::str::from_utf8(port).ok()?.parse().ok()?,
    })
}
