//! A cluster: which node has which slot, and what to do when a node says that another one has it. What a node refuses
//! it has not done, so that alone is sent again, to the node that it names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fasthttpsession_core::{StoreError, StoreErrorKind};
use fasthttpsession_store_common::PerRuntime;
use futures_util::future::{FutureExt as _, select_ok};
use redis::{Cmd, Value, cmd};
use tokio::time::timeout;

use crate::backend::{first_of, text_of};
use crate::connect::Connector;
use crate::error::{unexpected, unreachable};
use crate::keys::SLOTS;
use crate::lines::Lines;
use crate::link::{Demotions, Target};
use crate::moving::Moving;
use crate::place::Address;

/// How often a command follows where it is sent.
const HOPS: usize = 5;

/// The least time between two looks at the whole cluster.
const PAUSE: Duration = Duration::from_millis(100);

/// How many of the nodes that are known are asked at once, beside those of the URL.
const ASKED: usize = 8;

/// How long they have to answer before those of the URL are asked too.
const HEAD_START: Duration = Duration::from_millis(100);

/// A cluster, as far as it is known.
pub(crate) struct Cluster {
    seeds: Vec<Address>,
    connector: Arc<Connector>,
    connections: usize,
    known: Mutex<Known>,
    /// Who looks at the whole cluster, and when that was done last. Each runtime looks for itself, for one that does not
    /// run gets no answer.
    looking: PerRuntime<tokio::sync::Mutex<Option<Instant>>>,
}

#[derive(Default)]
struct Known {
    nodes: HashMap<Address, Arc<Lines>>,
    ranges: Vec<Range>,
}

/// Slots that follow each other and have the same primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u16,
    pub(crate) last: u16,
    pub(crate) primary: Address,
}

impl Cluster {
    pub(crate) fn new(seeds: Vec<Address>, connector: Arc<Connector>, connections: usize) -> Self {
        Self {
            seeds,
            connector,
            connections,
            known: Mutex::default(),
            looking: PerRuntime::new(tokio::sync::Mutex::default),
        }
    }

    /// Sends `commands`, whose keys are all in `slot`, to the slot's primary.
    pub(crate) async fn send(&self, slot: u16, commands: &[Cmd]) -> Result<Vec<Value>, StoreError> {
        let mut node = self.node_of(slot).await?;
        let mut asking = false;
        for _ in 0..HOPS {
            let answers = self.send_to(&node, commands, asking).await;
            match redirect(&answers, &node) {
                None => return answers,
                Some(Redirect::Ask(next)) => (node, asking) = (next, true),
                Some(Redirect::Moved(next)) => {
                    self.note(slot, next.clone());
                    (node, asking) = (next, false);
                }
                Some(Redirect::Elsewhere) => {
                    let next = self.look_again(slot, &node).await?;
                    if next == node {
                        return answers;
                    }
                    (node, asking) = (next, false);
                }
            }
        }
        Err(unreachable(
            "the nodes of the cluster send a command from one to another",
        ))
    }

    /// Sends `commands`, which have no key, to the node at `address`.
    pub(crate) async fn send_to(
        &self,
        address: &Address,
        commands: &[Cmd],
        asking: bool,
    ) -> Result<Vec<Value>, StoreError> {
        let node = self.node(address);
        if !asking {
            return node.send(commands).await;
        }
        // The permission is for one command.
        let asked = commands
            .iter()
            .flat_map(|command| [cmd("ASKING"), command.clone()]);
        let answers = node.send(&asked.collect::<Vec<_>>()).await?;
        Ok(answers.into_iter().skip(1).step_by(2).collect())
    }

    /// What the primary of `range` says of where its slots are being moved.
    pub(crate) async fn moving(&self, range: &Range) -> Result<Moving, StoreError> {
        let mut question = cmd("CLUSTER");
        question.arg("NODES");
        let answers = self.send_to(&range.primary, &[question], false).await?;
        let nodes = text_of(&first_of(answers)?);
        let moving = nodes.and_then(|nodes| Moving::of(range, &nodes));
        moving.ok_or_else(|| unexpected("CLUSTER NODES"))
    }

    /// Who has which slots, looked up now; `from_within`, at a node that is not cut off from the others. One that is takes
    /// no command with a key any more, but tells of the keys that it had.
    ///
    /// The nodes of the URL are asked only if those that are known don't answer soon: one that is no primary, or not under
    /// this name, has no connection but for this question.
    pub(crate) async fn look(&self, from_within: bool) -> Result<Vec<Range>, StoreError> {
        let known = self.nodes();
        let seeds = self.seeds_beside(&known);
        if known.is_empty() || seeds.is_empty() {
            return self.ask_any(&[known, seeds].concat(), from_within).await;
        }
        let known = self.ask_any(&known, from_within).boxed().shared();
        let failed = known.clone();
        let seeds = async {
            // They may all hang.
            let _ = timeout(HEAD_START, failed).await;
            self.ask_any(&seeds, from_within).await
        };
        let (ranges, _) = select_ok([known.boxed(), seeds.boxed()]).await?;
        Ok(ranges)
    }

    /// Asks all but `failed`, which may be cut off from the others and not know of its successor.
    async fn look_without(&self, failed: &Address) -> Result<(), StoreError> {
        let mut asked = self.nodes();
        asked.extend(self.seeds_beside(&asked));
        if asked.len() > 1 {
            asked.retain(|address| address != failed);
        }
        self.ask_any(&asked, false).await.map(drop)
    }

    /// Some of the nodes that are known.
    fn nodes(&self) -> Vec<Address> {
        self.known().nodes.keys().take(ASKED).cloned().collect()
    }

    /// The nodes of the URL, but for those among `nodes`.
    fn seeds_beside(&self, nodes: &[Address]) -> Vec<Address> {
        let seeds = self.seeds.iter();
        seeds
            .filter(|seed| !nodes.contains(seed))
            .cloned()
            .collect()
    }

    /// Asks several nodes at once, for one that hangs must not hold up the rest.
    async fn ask_any(
        &self,
        nodes: &[Address],
        from_within: bool,
    ) -> Result<Vec<Range>, StoreError> {
        let asking = nodes
            .iter()
            .map(|address| self.ask(address, from_within).boxed());
        let (ranges, _) = select_ok(asking).await.map_err(StoreError::not_applied)?;
        Ok(ranges)
    }

    async fn ask(&self, address: &Address, from_within: bool) -> Result<Vec<Range>, StoreError> {
        let questions = ["SLOTS", "INFO"].map(|what| {
            let mut question = cmd("CLUSTER");
            question.arg(what);
            question
        });
        let asked = &questions[..if from_within { 2 } else { 1 }];
        let mut answers = self.node(address).send(asked).await?;
        let info = answers.split_off(1);
        if from_within && !is_within(&first_of(info)?) {
            return Err(unreachable(format!("to {address} the cluster is down")));
        }
        let answer = first_of(answers)?;
        let ranges = ranges(&answer, address).ok_or_else(|| unexpected("CLUSTER SLOTS"))?;
        if ranges.is_empty() {
            // It was reset, or made to forget the others: they may know better.
            let message =
                format!("{address} is a node of a cluster and knows of no slot that anybody has");
            return Err(unreachable(message));
        }
        self.know(&ranges);
        Ok(ranges)
    }

    async fn node_of(&self, slot: u16) -> Result<Address, StoreError> {
        if let Some(primary) = self.primary_of(slot) {
            return Ok(primary);
        }
        self.look(false).await?;
        let nobody = || unreachable(format!("no node of the cluster has slot {slot}"));
        self.primary_of(slot).ok_or_else(nobody)
    }

    /// Who has `slot` now that `failed` can't be reached, or is of no use.
    async fn look_again(&self, slot: u16, failed: &Address) -> Result<Address, StoreError> {
        let looking = self.looking.get();
        let waiting = timeout(self.connector.connect_timeout, looking.lock());
        let mut last = waiting.await.map_err(|_| {
            let message = "waiting for a look at the cluster: none within the limit";
            StoreError::new(StoreErrorKind::Timeout, message).not_applied()
        })?;
        let elsewhere = self.primary_of(slot).filter(|primary| primary != failed);
        if let Some(primary) = elsewhere {
            return Ok(primary);
        }
        if last.is_none_or(|last| last.elapsed() > PAUSE) {
            self.look_without(failed).await?;
            *last = Some(Instant::now());
        }
        Ok(self.primary_of(slot).unwrap_or_else(|| failed.clone()))
    }

    fn primary_of(&self, slot: u16) -> Option<Address> {
        let known = self.known();
        let at = known.ranges.partition_point(|range| range.last < slot);
        let range = known.ranges.get(at)?;
        (range.first <= slot).then(|| range.primary.clone())
    }

    /// Takes `ranges` for what is, and forgets nodes that have none.
    fn know(&self, ranges: &[Range]) {
        let mut known = self.known();
        known.ranges = ranges.to_vec();
        known
            .nodes
            .retain(|node, _| ranges.iter().any(|range| range.primary == *node));
    }

    /// Takes `primary` for the one that has `slot`, and leaves the rest.
    fn note(&self, slot: u16, primary: Address) {
        let mut known = self.known();
        let mut ranges = Vec::with_capacity(known.ranges.len() + 2);
        for range in known.ranges.drain(..) {
            ranges.extend(range.without(slot));
        }
        let at = ranges.partition_point(|range| range.last < slot);
        ranges.insert(
            at,
            Range {
                first: slot,
                last: slot,
                primary,
            },
        );
        known.ranges = ranges;
    }

    fn node(&self, address: &Address) -> Arc<Lines> {
        let lines = || {
            let target = Target::Fixed(address.clone(), Demotions::default());
            let connector = Arc::clone(&self.connector);
            Arc::new(Lines::new(target, connector, self.connections))
        };
        let mut known = self.known();
        Arc::clone(known.nodes.entry(address.clone()).or_insert_with(lines))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Half a change does no harm: it is a guess that the nodes correct.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Range {
    /// What is left of it, and in what parts.
    fn without(self, slot: u16) -> impl Iterator<Item = Self> {
        let before = (self.first < slot).then(|| Self {
            last: self.last.min(slot - 1),
            ..self.clone()
        });
        let after = (self.last > slot).then(|| Self {
            first: self.first.max(slot + 1),
            ..self.clone()
        });
        before.into_iter().chain(after)
    }
}

enum Redirect {
    /// Once, because the slot is being moved.
    Ask(Address),
    /// For ever.
    Moved(Address),
    /// The node can't be reached, is cut off from the cluster, or has just been started: others may know of another.
    Elsewhere,
}

/// Where the commands belong that `from` has not taken. All of them, because they are in one slot; unless the first was
/// carried out, which may be a write, for no other must get that again.
fn redirect(answers: &Result<Vec<Value>, StoreError>, from: &Address) -> Option<Redirect> {
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return (!error.may_have_applied()).then_some(Redirect::Elsewhere),
    };
    let Some(Value::ServerError(error)) = answers.first() else {
        return None;
    };
    let make = match error.code() {
        "ASK" => Redirect::Ask,
        "MOVED" => Redirect::Moved,
        "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" => return Some(Redirect::Elsewhere),
        _ => return None,
    };
    let (_, node) = error.details()?.split_once(' ')?;
    Some(make(named(node, from)?))
}

/// The address that a node at `from` calls `node`. A node that knows no name of its own leaves out the host.
pub(crate) fn named(node: &str, from: &Address) -> Option<Address> {
    let (host, port) = node.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = match (host, from) {
        ("" | "?", Address::Tcp { host, .. }) => host.clone(),
        _ => host.to_owned(),
    };
    Some(Address::Tcp { host, port })
}

/// Whether the node that answers so to `CLUSTER INFO` is not cut off from the others.
fn is_within(info: &Value) -> bool {
    text_of(info).is_some_and(|info| info.lines().any(|line| line == "cluster_state:ok"))
}

/// Reads the answer to `CLUSTER SLOTS`: ranges with their primaries first.
fn ranges(answer: &Value, from: &Address) -> Option<Vec<Range>> {
    let Value::Array(entries) = answer else {
        return None;
    };
    let mut ranges = entries
        .iter()
        .map(|entry| range(entry, from))
        .collect::<Option<Vec<_>>>()?;
    ranges.sort_by_key(|range| range.first);
    Some(ranges)
}

fn range(entry: &Value, from: &Address) -> Option<Range> {
    let Value::Array(parts) = entry else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(primary),
        ..,
    ] = &parts[..]
    else {
        return None;
    };
    let [host, Value::Int(port), ..] = &primary[..] else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        _ => "",
    };
    let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
    (first <= last && last < SLOTS).then_some(())?;
    Some(Range {
        first,
        last,
        primary: named(&format!("{host}:{port}"), from)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> Address {
        Address::Tcp {
            host: "127.0.0.1".to_owned(),
            port,
        }
    }

    #[test]
    fn a_slot_that_moved_leaves_the_others_where_they_were() {
        let all = || Range {
            first: 10,
            last: 20,
            primary: node(1),
        };
        let left = |slot| -> Vec<(u16, u16)> {
            all()
                .without(slot)
                .map(|range| (range.first, range.last))
                .collect()
        };
        assert_eq!(left(15), [(10, 14), (16, 20)]);
        assert_eq!(left(10), [(11, 20)]);
        assert_eq!(left(20), [(10, 19)]);
        assert_eq!(left(9), [(10, 20)]);
        assert_eq!(left(21), [(10, 20)]);
    }

    #[test]
    fn what_a_node_has_done_is_sent_to_no_other_though_what_follows_was_refused() {
        let refused = redis::parse_redis_value(b"-MASTERDOWN Link with MASTER is down\r\n");
        let refused = refused.expect("it is an answer");
        let write_done = Ok(vec![Value::Okay, refused.clone()]);
        assert!(redirect(&write_done, &node(1)).is_none());
        let write_refused = Ok(vec![refused, Value::Int(0)]);
        assert!(redirect(&write_refused, &node(1)).is_some());
    }

    #[test]
    fn a_node_without_a_name_is_where_it_was_asked() {
        assert_eq!(named(":7001", &node(7000)), Some(node(7001)));
        assert_eq!(named("?:7001", &node(7000)), Some(node(7001)));
        assert_eq!(named("127.0.0.1:7001", &node(1)), Some(node(7001)));
    }
}
