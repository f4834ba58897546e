//! What is known of each session, whoever asks: what was acknowledged, what was refused, and when it ended. What is in
//! neither list is in doubt, and may be there or not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use fasthttpsession_core::{Handle, Session};

/// A write sets a key of its own and adds one to the sum, in one commit: so the sum is the number of such keys, and a write
/// that counted twice shows.
pub(crate) fn write_key(write: u32) -> String {
    format!("w{write}")
}

pub(crate) const SUM: &str = "sum";

#[derive(Default)]
pub(crate) struct Ledger {
    /// Counts what was noted, to tell what came before a request.
    now: u64,
    pub(crate) books: HashMap<Handle, Book>,
}

/// One session's.
#[derive(Default)]
pub(crate) struct Book {
    acknowledged: BTreeMap<u32, u64>,
    refused: BTreeSet<u32>,
    /// Since when it is over for certain.
    ended: Option<u64>,
    /// Somebody has signed in or out, or wanted to: writes of others may be passed over, and the session may end.
    pub(crate) disturbed: bool,
    /// Somebody has signed out, or wanted to.
    pub(crate) may_end: bool,
    /// Tokens that a later secret has replaced, and those that came after.
    pub(crate) dead_tokens: Vec<String>,
    pub(crate) tokens: Vec<String>,
}

impl Ledger {
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    pub(crate) fn book(&mut self, handle: Handle) -> &mut Book {
        self.books.entry(handle).or_default()
    }

    pub(crate) fn acknowledge(&mut self, handle: Handle, write: u32) {
        self.now += 1;
        let now = self.now;
        self.book(handle).acknowledged.insert(write, now);
    }

    pub(crate) fn refuse(&mut self, handle: Handle, write: u32) {
        self.book(handle).refused.insert(write);
    }

    pub(crate) fn end(&mut self, handle: Handle) {
        self.now += 1;
        let now = self.now;
        self.book(handle).ended.get_or_insert(now);
    }

    pub(crate) fn acknowledged(&self) -> usize {
        let books = self.books.values();
        books.map(|book| book.acknowledged.len()).sum()
    }

    /// That `session` shows all that was acknowledged `before` its request began, nothing that was refused, and nothing
    /// twice; and that it had not ended.
    pub(crate) fn check(&self, session: &Session, before: u64) {
        let keys = session.keys();
        let writes = keys.iter().filter(|key| key.starts_with('w')).count();
        let sum = session.get::<usize>(SUM).unwrap().unwrap_or_default();
        assert_eq!(sum, writes, "a write counted twice, or half of it was lost");
        let Some(handle) = session.handle() else {
            return;
        };
        let Some(book) = self.books.get(&handle) else {
            return;
        };
        assert!(
            book.ended.is_none_or(|ended| ended > before),
            "session {handle} had ended"
        );
        for (write, at) in &book.acknowledged {
            assert!(
                *at > before || session.contains(write_key(*write)),
                "write {write} to session {handle} was acknowledged, and is lost"
            );
        }
        for write in &book.refused {
            assert!(
                !session.contains(write_key(*write)),
                "write {write} to session {handle} was refused, and is there"
            );
        }
    }
}

impl Book {
    pub(crate) fn is_ended(&self) -> bool {
        self.ended.is_some()
    }
}
