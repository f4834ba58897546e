//! What was read and what was changed since, as one sorted sequence.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::slice::Iter;
use std::sync::Arc;

use super::Encoded;
use super::region::{Entries, Entry};

type Changed = (Arc<str>, Option<Encoded>);

/// Goes through both in step; a change hides what was read under its key.
pub(crate) struct Merged<'a> {
    read: Peekable<Entries<'a>>,
    changed: Peekable<Iter<'a, Changed>>,
}

impl<'a> Merged<'a> {
    pub(crate) fn new(read: Entries<'a>, changed: &'a [Changed]) -> Self {
        Self {
            read: read.peekable(),
            changed: changed.iter().peekable(),
        }
    }

    /// Which of the two comes next; `Equal` when both have the same key.
    fn order(&mut self) -> Option<Ordering> {
        match (self.read.peek(), self.changed.peek()) {
            (Some(read), Some((changed, _))) => Some(read.key.cmp(changed.as_bytes())),
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (None, None) => None,
        }
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            match self.order()? {
                Ordering::Less => return self.read.next(),
                Ordering::Equal => drop(self.read.next()),
                Ordering::Greater => {}
            }
            if let (key, Some(value)) = self.changed.next()? {
                return Some(Entry {
                    key: key.as_bytes(),
                    format: value.format,
                    value: &value.bytes,
                });
            }
        }
    }
}
