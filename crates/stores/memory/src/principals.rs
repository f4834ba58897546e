//! Which sessions a principal has: an index of places, without a copy of any name.
//!
//! Its locks are taken last: by an operation that holds the lock of the session's shard, or by one that holds none.
//! Nothing is locked while one of them is held, so no two operations can wait for each other. An entry with a principal
//! has its node here from before its shard is unlocked until after it is locked again.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};

use fasthttpsession_core::Principal;
use hashbrown::HashTable;

use crate::slab::{Id, Slab};

/// The places of the sessions of each principal.
pub(crate) struct Principals {
    /// With a lock each, one for each value of a byte of the principal's hash.
    parts: Box<[Mutex<Part>]>,
    /// Keyed with random bits, because an application may let users choose the name that becomes their principal.
    hasher: RandomState,
}

/// The shard of an entry and its id there, in four bytes.
#[derive(Clone, Copy)]
pub(crate) struct Location(Id);

struct Part {
    /// For each hash the first node of its list.
    heads: HashTable<Id>,
    nodes: Slab<Node>,
}

/// A session of a principal. Principals whose hashes are equal share a list; who reads it compares names.
struct Node {
    location: Location,
    hash: u32,
    before: Option<Id>,
    after: Option<Id>,
}

impl Principals {
    pub(crate) fn new() -> Self {
        Self {
            parts: (0..=u8::MAX).map(|_| Mutex::new(Part::new())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Notes a session of `principal`; the answer is what [`remove`](Self::remove) wants back.
    pub(crate) fn add(&self, principal: &str, location: Location) -> Id {
        let (mut part, hash) = self.part(principal);
        part.add(hash, location)
    }

    pub(crate) fn remove(&self, principal: &str, node: Id) {
        self.part(principal).0.remove(node);
    }

    /// Where sessions of `principal` are. Others may be among them.
    pub(crate) fn locations(&self, principal: &Principal) -> Vec<Location> {
        let (part, hash) = self.part(principal.as_str());
        part.locations(hash)
    }

    fn part(&self, principal: &str) -> (MutexGuard<'_, Part>, u32) {
        let hash = self.hasher.hash_one(principal);
        let [part, _, _, _, list @ ..] = hash.to_be_bytes();
        let part = self.parts[usize::from(part)].lock();
        (
            part.expect("nothing panics while it holds a part of the index"),
            u32::from_be_bytes(list),
        )
    }
}

impl Location {
    /// The lower bits name the shard.
    const SHARD_BITS: u32 = 8;

    pub(crate) fn new(shard: u8, id: Id) -> Self {
        let number = (id.number() < 1 << (31 - Self::SHARD_BITS))
            .then(|| id.number() << Self::SHARD_BITS | u32::from(shard));
        Self(
            number
                .and_then(Id::from_number)
                .expect("the capacity keeps shards under 2^23 entries"),
        )
    }

    pub(crate) fn shard(self) -> usize {
        (self.0.number() & ((1 << Self::SHARD_BITS) - 1)) as usize
    }

    pub(crate) fn id(self) -> Id {
        Id::from_number(self.0.number() >> Self::SHARD_BITS).expect("a location was made of an id")
    }
}

impl Part {
    fn new() -> Self {
        Self {
            heads: HashTable::new(),
            nodes: Slab::new(),
        }
    }

    /// A new node goes behind the head, so that the table need not change.
    fn add(&mut self, hash: u32, location: Location) -> Id {
        let nodes = &self.nodes;
        let head = self
            .heads
            .find(spread(hash), |&id| nodes[id].hash == hash)
            .copied();
        let after = head.and_then(|head| self.nodes[head].after);
        let node = self.nodes.insert(Node {
            location,
            hash,
            before: head,
            after,
        });
        match head {
            Some(head) => self.nodes[head].after = Some(node),
            None => self.insert_head(node),
        }
        if let Some(after) = after {
            self.nodes[after].before = Some(node);
        }
        node
    }

    fn remove(&mut self, id: Id) {
        let node = self.nodes.remove(id);
        match node.before {
            Some(before) => self.nodes[before].after = node.after,
            None => self.replace_head(id, &node),
        }
        if let Some(after) = node.after {
            self.nodes[after].before = node.before;
        }
    }

    fn locations(&self, hash: u32) -> Vec<Location> {
        let head = self
            .heads
            .find(spread(hash), |&id| self.nodes[id].hash == hash)
            .copied();
        std::iter::successors(head, |&id| self.nodes[id].after)
            .map(|id| self.nodes[id].location)
            .collect()
    }

    fn insert_head(&mut self, node: Id) {
        let nodes = &self.nodes;
        self.heads
            .insert_unique(spread(nodes[node].hash), node, |&id| spread(nodes[id].hash));
    }

    fn replace_head(&mut self, id: Id, node: &Node) {
        let head = self.heads.find_entry(spread(node.hash), |&head| head == id);
        let mut head = head
            .ok()
            .expect("a node with none before it is the head of its list");
        match node.after {
            Some(after) => *head.get_mut() = after,
            None => drop(head.remove()),
        }
    }
}

/// The table looks at the highest and the lowest bits of 64.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(part: &Part, hash: u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = part
            .locations(hash)
            .iter()
            .map(|location| location.id().number())
            .collect();
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn a_list_stays_whole_in_whatever_order_its_nodes_leave() {
        for order in [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ] {
            let mut part = Part::new();
            let ids: Vec<Id> = (1..=3).filter_map(Id::from_number).collect();
            let nodes: Vec<Id> = ids
                .iter()
                .map(|&id| part.add(9, Location::new(200, id)))
                .collect();
            part.add(8, Location::new(0, Id::FIRST));
            let mut left = vec![1, 2, 3];
            for index in order {
                part.remove(nodes[index]);
                left.retain(|&number| number as usize != index + 1);
                assert_eq!(numbers(&part, 9), left);
            }
            assert_eq!(numbers(&part, 8), [1]);
        }
    }

    #[test]
    fn a_node_takes_16_bytes() {
        assert_eq!(size_of::<Option<Node>>(), 16);
    }
}
