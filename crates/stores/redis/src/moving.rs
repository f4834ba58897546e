//! Slots that are being moved. Until that has ended some of their keys are with the node that they are moved to, though
//! to all but these two nodes the slots are where they were.

use crate::cluster::{Range, named};
use crate::place::Address;

/// What the primary of some slots says of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Moving {
    /// Whether it has all of them still.
    pub(crate) has_all: bool,
    /// The nodes that it is giving some of them to.
    pub(crate) to: Vec<Address>,
}

impl Moving {
    /// Where there is but one server.
    pub(crate) fn nowhere() -> Self {
        Self {
            has_all: true,
            to: Vec::new(),
        }
    }

    /// Reads what the primary of `range` answers to `CLUSTER NODES`.
    pub(crate) fn of(range: &Range, answer: &str) -> Option<Self> {
        let nodes: Vec<Node<'_>> = answer.lines().map(Node::of).collect::<Option<_>>()?;
        let primary = nodes.iter().find(|node| node.answers)?;
        let by_name = primary.is_named_in(range);
        let moved_to = |id: &&str| {
            let node = nodes.iter().find(|node| node.id == *id)?;
            node.address(by_name, range)
        };
        let mut ids: Vec<&str> = primary.gives(range).collect();
        ids.sort_unstable();
        ids.dedup();
        Some(Self {
            has_all: primary.has(range),
            to: ids.iter().map(moved_to).collect::<Option<_>>()?,
        })
    }
}

/// A line of `CLUSTER NODES`.
struct Node<'a> {
    id: &'a str,
    /// `address:port@port,name,…`
    place: &'a str,
    answers: bool,
    /// `1`, `1-9`, and of the one that answers also `[1->-id]` and `[1-<-id]`.
    slots: Vec<&'a str>,
}

impl<'a> Node<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let mut parts = line.split_whitespace();
        let (id, place, flags) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            id,
            place,
            answers: flags.split(',').any(|flag| flag == "myself"),
            slots: parts.skip(5).collect(),
        })
    }

    fn has(&self, range: &Range) -> bool {
        self.slots.iter().any(|slots| {
            let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
            let (first, last) = (first.parse::<u16>(), last.parse::<u16>());
            first.is_ok_and(|first| first <= range.first)
                && last.is_ok_and(|last| range.last <= last)
        })
    }

    /// The nodes that slots of `range` are moved to.
    fn gives(&self, range: &Range) -> impl Iterator<Item = &'a str> {
        let slots = range.first..=range.last;
        self.slots.iter().filter_map(move |slot| {
            let slot = slot.strip_prefix('[')?.strip_suffix(']')?;
            let (slot, id) = slot.split_once("->-")?;
            slots.contains(&slot.parse().ok()?).then_some(id)
        })
    }

    fn name(&self) -> Option<&'a str> {
        let name = self.place.split(',').nth(1)?;
        (!name.is_empty()).then_some(name)
    }

    /// Whether clients are told its name in place of its address.
    fn is_named_in(&self, range: &Range) -> bool {
        let Address::Tcp { host, .. } = &range.primary else {
            return false;
        };
        self.name() == Some(host)
    }

    /// Where clients find it, as they find the primary of `range`.
    fn address(&self, by_name: bool, range: &Range) -> Option<Address> {
        let (address, _) = self.place.split_once('@')?;
        let (host, port) = address.rsplit_once(':')?;
        let host = self.name().filter(|_| by_name).unwrap_or(host);
        named(&format!("{host}:{port}"), &range.primary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODES: &str = "\
aa 10.0.0.1:7001@17001,a.example,shard-id=1 myself,master - 0 0 1 connected 0-99 200 [50->-bb] [60->-bb] [70-<-cc]
bb 10.0.0.2:7002@17002,b.example master - 0 1 2 connected
cc 10.0.0.3:7003@17003 slave aa 0 1 3 connected
";

    fn node(host: &str, port: u16) -> Address {
        Address::Tcp {
            host: host.to_owned(),
            port,
        }
    }

    fn moving(first: u16, last: u16, host: &str) -> Moving {
        let range = Range {
            first,
            last,
            primary: node(host, 7001),
        };
        Moving::of(&range, NODES).expect("it is one")
    }

    #[test]
    fn a_primary_tells_where_it_moves_slots_to() {
        let to = moving(10, 99, "10.0.0.1").to;
        assert_eq!(to, [node("10.0.0.2", 7002)]);
        let named = moving(10, 99, "a.example").to;
        assert_eq!(named, [node("b.example", 7002)]);
        assert_eq!(moving(61, 99, "10.0.0.1"), Moving::nowhere());
        assert_eq!(moving(200, 200, "10.0.0.1"), Moving::nowhere());
        assert!(!moving(90, 100, "10.0.0.1").has_all);
    }
}
