//! What a test and its writers tell each other: an [`Order`] on the writer's standard input, [`Entry`]s on its standard
//! output, one a line. What was written to a pipe is there even when the writer is killed right after.

use std::io::Write;

use fasthttpsession::Handle;
use serde::{Deserialize, Serialize};

/// What a writer is to do, until its standard input ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Order {
    /// Where its random numbers begin.
    pub(crate) seed: u64,
    /// Its number among the writers that run at once, and how many there are.
    pub(crate) writer: u32,
    /// See [`writer`](Self::writer).
    pub(crate) writers: u32,
    /// How many tasks it runs.
    pub(crate) tasks: u32,
    /// Whether tasks give some requests up before they end, as clients do that hang up.
    pub(crate) gives_up: bool,
    /// Whether tasks only add, and leave the sessions as they are otherwise.
    pub(crate) only_adds: bool,
    /// The number of its first operation; larger than all before.
    pub(crate) first_operation: u64,
    /// Places for sessions. A place belongs to one task of one writer, which opens, renews and ends its session; all
    /// tasks of all writers add to it.
    pub(crate) places: Vec<Option<Card>>,
}

/// A session that is there, as the client has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Card {
    /// Its handle.
    pub(crate) handle: Name,
    /// Its token.
    pub(crate) token: String,
    /// How many tokens of this session there were before.
    pub(crate) renewals: u32,
    /// Whether it has a short lifetime, and is not renewed.
    pub(crate) brief: bool,
}

/// A handle as its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Name(String);

impl Name {
    /// The handle's.
    pub(crate) fn of(handle: Handle) -> Self {
        Self(handle.to_string())
    }

    /// The handle again.
    pub(crate) fn handle(&self) -> Handle {
        self.0.parse().expect("it was a handle")
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a writer tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// It is about to do something.
    Begin {
        /// The number of the operation.
        operation: u64,
        /// What it is.
        act: Act,
    },
    /// The library answered.
    End {
        /// The number of the operation.
        operation: u64,
        /// What it said.
        answer: Answer,
    },
    /// A token opened no session.
    Missed {
        /// Of which session it was.
        handle: Name,
        /// [`Card::renewals`] of the token.
        renewals: u32,
    },
    /// A session could not be read.
    Trouble {
        /// The error.
        error: String,
        /// Whether it says that it may pass.
        passing: bool,
    },
    /// Something happened that never may.
    Fault {
        /// What.
        what: String,
    },
}

/// What a writer is about to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Act {
    /// Make a session.
    Open {
        /// Its place.
        place: usize,
        /// Whether it gets a short lifetime.
        brief: bool,
        /// Whether somebody signs in to it in the same request.
        signed_in: bool,
    },
    /// Sign its place's principal in.
    SignIn {
        /// The session.
        handle: Name,
    },
    /// Give it a new secret.
    Rotate {
        /// The session.
        handle: Name,
    },
    /// End it, as its client or from outside of a request.
    End {
        /// The session.
        handle: Name,
    },
    /// Add to its values.
    Add {
        /// The session.
        handle: Name,
        /// The task that adds.
        task: u32,
    },
}

/// What the library answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// A session was made.
    Opened {
        /// Its handle.
        handle: Name,
        /// Its token.
        token: String,
    },
    /// It has a new token.
    Renewed {
        /// The token.
        token: String,
    },
    /// It has ended.
    Ended,
    /// The addition was committed.
    Added,
    /// The addition was not: the session has ended, or somebody has signed in to it.
    Refused,
    /// An error, after which it may have happened or not.
    Failed {
        /// The error.
        error: String,
        /// Whether it says that it may pass.
        passing: bool,
    },
}

/// What an entry's line begins with, for others may write to the same output.
const MARK: char = '@';

/// Writes `entry` to the standard output, and returns when it is in the pipe.
pub(crate) fn tell(entry: &Entry) {
    let line = serde_json::to_string(entry).expect("entries are JSON");
    // Whoever listened may be gone; then it is time to end, too.
    writeln!(std::io::stdout(), "{MARK}{line}").expect("somebody listens");
}

/// The entry in `line`, if it is one.
pub(crate) fn read(line: &str) -> Option<Entry> {
    let line = line.strip_prefix(MARK)?;
    Some(serde_json::from_str(line).expect("entries are JSON"))
}

/// Whose sessions those in `place` are; a few users have several.
pub(crate) fn principal_of(place: usize) -> String {
    format!("user-{}", place % 7)
}
