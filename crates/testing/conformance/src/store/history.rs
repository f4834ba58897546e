//! Is there one order of these calls that explains every answer? A pure checker for the history of one session.
//!
//! The model is a register with a version and two deadlines. A call takes effect at one moment between its call and
//! its answer. A call without answer (an error after which it may have been applied, a dropped future) took effect at
//! some moment after its call, or never. Sessions are independent, so each has a history of its own.
//!
//! The search is the one of Wing and Gong: take, in every possible way, a call that no other had to precede, apply it
//! to the model, go on; what was tried once (the same calls done, the same state) is not tried again.
//!
//! What the deadlines say depends on the time each call was told. A record past its deadline at a call's `now` is
//! absent to it. One that lives at its `now` may be absent too if, by the time of the answer, somebody was told a time
//! past the deadline: whoever that was may have removed the record.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use fasthttpsession_core::{Record, Timestamp};

/// One call of one session's history.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Who called.
    pub task: usize,
    /// When it was called: a number from a counter that all tasks share.
    pub called: u64,
    /// When it was answered, from the same counter; `None` if no answer came.
    pub answered: Option<u64>,
    /// The time that the call was told.
    pub now: Timestamp,
    /// The latest time that any call of the run had been told when this one was answered.
    pub latest: Timestamp,
    /// What was called.
    pub call: Call,
    /// What came back; looked at only if `answered` is set.
    pub answer: Answer,
}

/// What the model keeps of a record.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Live {
    /// Its version.
    pub version: u64,
    /// Its idle deadline.
    pub idle_deadline: Timestamp,
    /// Its absolute deadline.
    pub absolute_deadline: Timestamp,
    /// Its body; no two calls of a history write the same.
    pub body: Bytes,
}

/// A call, and what it would write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Load the record.
    Load,
    /// Create this record.
    Create(Live),
    /// Replace the record if its version is `expected`.
    Replace {
        /// The version to replace.
        expected: u64,
        /// What to write.
        with: Live,
    },
    /// Move the idle deadline.
    Touch {
        /// The version to touch.
        version: u64,
        /// Where to.
        idle_deadline: Timestamp,
    },
    /// Delete the record.
    Delete,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A load found this.
    Loaded(Option<Live>),
    /// The record was created.
    Created,
    /// There was a record already.
    Exists,
    /// The record was replaced.
    Replaced,
    /// The record has another version, and this is what it is now.
    Conflict(Live),
    /// The record was touched.
    Touched,
    /// The record was deleted.
    Deleted,
    /// There was no record to replace, touch or delete.
    Gone,
    /// None came.
    None,
}

/// A history that a correct store can't have, or one that is too tangled to tell.
#[derive(Clone, Debug)]
pub enum Violation {
    /// No order explains the answers. What is left of the history is its shortest prefix without one, less what does
    /// not matter.
    Unexplained(Vec<Entry>),
    /// The search was given up after this many steps.
    Undecided(usize),
}

/// How many states a search may visit; histories as the suite makes them need a few thousand.
const MOST_STEPS: usize = 1_000_000;

/// Looks for an order of `history` that explains every answer, starting from no record.
pub fn check(history: &[Entry]) -> Result<(), Violation> {
    match explain(history) {
        Some(true) => Ok(()),
        Some(false) => Err(Violation::Unexplained(shrink(history))),
        None => Err(Violation::Undecided(MOST_STEPS)),
    }
}

impl From<&Record> for Live {
    fn from(record: &Record) -> Self {
        Self {
            version: record.header.version,
            idle_deadline: record.header.idle_deadline,
            absolute_deadline: record.header.absolute_deadline,
            body: record.body.clone(),
        }
    }
}

impl Live {
    fn is_live(&self, now: Timestamp) -> bool {
        now < self.idle_deadline.min(self.absolute_deadline)
    }
}

/// The bodies of this suite are no secrets.
impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            idle_deadline,
            absolute_deadline,
            body,
        } = self;
        let body = &body[..body.len().min(24)];
        write!(
            f,
            "v{version} \"{}\" until {idle_deadline:?}, {absolute_deadline:?}",
            body.escape_ascii()
        )
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered = self
            .answered
            .map_or("…".to_owned(), |answered| answered.to_string());
        let Self {
            called,
            task,
            now,
            call,
            answer,
            ..
        } = self;
        write!(
            f,
            "{called:>5}–{answered:<5} task {task:<2} at {now:?}: {call:?} -> {answer:?}"
        )
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undecided(steps) => write!(
                f,
                "no order was found in {steps} steps; ask for a shorter history"
            ),
            Self::Unexplained(core) => {
                writeln!(
                    f,
                    "no order of these calls explains their answers (called–answered, … means never):"
                )?;
                since_first(core)
                    .iter()
                    .try_for_each(|entry| writeln!(f, "{entry}"))
            }
        }
    }
}

/// The same entries with times counted from the first one's, because nobody reads milliseconds since 1970.
fn since_first(core: &[Entry]) -> Vec<Entry> {
    let first = core.iter().map(|entry| entry.now).min().unwrap_or_default();
    let shift = |moment: &mut Timestamp| {
        let millis = moment.since(first).as_millis();
        *moment = Timestamp::from_millis(u64::try_from(millis).expect("it was one"));
    };
    let mut shifted = core.to_vec();
    for entry in &mut shifted {
        shift(&mut entry.now);
        if let Call::Touch { idle_deadline, .. } = &mut entry.call {
            shift(idle_deadline);
        }
        for live in entry.records_mut() {
            shift(&mut live.idle_deadline);
            shift(&mut live.absolute_deadline);
        }
    }
    shifted
}

impl Entry {
    fn records_mut(&mut self) -> impl Iterator<Item = &mut Live> {
        let written = match &mut self.call {
            Call::Create(live) | Call::Replace { with: live, .. } => Some(live),
            _ => None,
        };
        let found = match &mut self.answer {
            Answer::Loaded(live) => live.as_mut(),
            Answer::Conflict(live) => Some(live),
            _ => None,
        };
        written.into_iter().chain(found)
    }
}

/// `None` if it takes too long to tell.
fn explain(history: &[Entry]) -> Option<bool> {
    let start = Step {
        done: Done::none(history.len()),
        state: None,
    };
    let mut tried = HashSet::new();
    let mut open = vec![start];
    while let Some(step) = open.pop() {
        if tried.len() >= MOST_STEPS {
            return None;
        }
        if step.explains(history) {
            return Some(true);
        }
        let next = step.next(history);
        open.extend(next.into_iter().filter(|step| tried.insert(step.clone())));
    }
    Some(false)
}

/// What the store holds: the record as last written, also if it has expired since.
type State = Option<Live>;

/// Some calls placed, and the state that they leave.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Step {
    done: Done,
    state: State,
}

impl Step {
    fn explains(&self, history: &[Entry]) -> bool {
        self.open(history)
            .all(|(_, entry)| entry.answered.is_none())
    }

    /// Every way to place one more call. A call that fits here, and by its answer changes nothing anywhere, is placed
    /// here: no other order could need it later. One without answer that would change nothing is not placed yet.
    fn next(&self, history: &[Entry]) -> Vec<Self> {
        // A call made after this moment comes after one that is still to be placed.
        let end = self
            .open(history)
            .filter_map(|(_, entry)| entry.answered)
            .min()
            .unwrap_or(u64::MAX);
        let mut steps = Vec::new();
        for (index, entry) in self.open(history).filter(|(_, entry)| entry.called <= end) {
            for state in entry.outcomes(&self.state) {
                let changes = state != self.state;
                let step = Self {
                    done: self.done.with(index),
                    state,
                };
                if !changes && entry.is_without_effect() {
                    return vec![step];
                }
                if changes || entry.answered.is_some() {
                    steps.push(step);
                }
            }
        }
        steps
    }

    /// The calls still to be placed.
    fn open<'a>(&'a self, history: &'a [Entry]) -> impl Iterator<Item = (usize, &'a Entry)> {
        history
            .iter()
            .enumerate()
            .filter(|(index, _)| !self.done.has(*index))
    }
}

/// Which calls have been placed.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Done(Box<[u64]>);

impl Done {
    fn none(entries: usize) -> Self {
        Self(vec![0; entries.div_ceil(64)].into())
    }

    fn has(&self, index: usize) -> bool {
        self.0[index / 64] & (1 << (index % 64)) != 0
    }

    fn with(&self, index: usize) -> Self {
        let mut with = self.clone();
        with.0[index / 64] |= 1 << (index % 64);
        with
    }
}

impl Entry {
    /// The states that this call may leave behind, if its answer fits.
    fn outcomes(&self, state: &State) -> impl Iterator<Item = State> {
        let present = state.as_ref().filter(|live| live.is_live(self.now));
        let removable = present.is_some_and(|live| !live.is_live(self.latest));
        let seen = self.fits(present).map(|effect| effect.on(state));
        let removed = removable
            .then(|| self.fits(None))
            .flatten()
            .map(|effect| effect.on(&None));
        seen.into_iter().chain(removed)
    }

    /// What the call changes about what it sees, if its answer fits.
    fn fits(&self, present: Option<&Live>) -> Option<Effect> {
        let (answer, effect) = self.call.apply(present);
        (self.answered.is_none() || answer == self.answer).then_some(effect)
    }
}

/// What a call does to the state.
enum Effect {
    Nothing,
    Leaves(State),
}

impl Effect {
    fn on(self, state: &State) -> State {
        match self {
            Self::Nothing => state.clone(),
            Self::Leaves(next) => next,
        }
    }
}

impl Call {
    fn apply(&self, present: Option<&Live>) -> (Answer, Effect) {
        use Effect::{Leaves, Nothing};
        match (self, present) {
            (Self::Load, _) => (Answer::Loaded(present.cloned()), Nothing),
            (Self::Create(_), Some(_)) => (Answer::Exists, Nothing),
            (Self::Create(new), None) => (Answer::Created, Leaves(Some(new.clone()))),
            (Self::Replace { .. } | Self::Touch { .. } | Self::Delete, None) => {
                (Answer::Gone, Nothing)
            }
            (Self::Replace { expected, with }, Some(live)) if live.version == *expected => {
                (Answer::Replaced, Leaves(Some(with.clone())))
            }
            (Self::Replace { .. }, Some(live)) => (Answer::Conflict(live.clone()), Nothing),
            (
                Self::Touch {
                    version,
                    idle_deadline,
                },
                Some(live),
            ) => (Answer::Touched, live.touched(*version, *idle_deadline)),
            (Self::Delete, Some(_)) => (Answer::Deleted, Leaves(None)),
        }
    }
}

impl Live {
    fn touched(&self, version: u64, idle_deadline: Timestamp) -> Effect {
        if self.version != version || self.idle_deadline >= idle_deadline {
            return Effect::Nothing;
        }
        Effect::Leaves(Some(Self {
            idle_deadline,
            ..self.clone()
        }))
    }
}

/// The shortest prefix that has no order, less the answered calls without effect that it has none without either.
fn shrink(history: &[Entry]) -> Vec<Entry> {
    let mut core = shortest_prefix(history);
    let mut index = 0;
    while index < core.len() {
        let without = [&core[..index], &core[index + 1..]].concat();
        if core[index].is_without_effect() && explain(&without) == Some(false) {
            core = without;
        } else {
            index += 1;
        }
    }
    core
}

/// Prefixes of a history that has an order have one too, so the shortest that has none is found by halving.
fn shortest_prefix(history: &[Entry]) -> Vec<Entry> {
    let mut answers: Vec<u64> = history.iter().filter_map(|entry| entry.answered).collect();
    answers.sort_unstable();
    let enough = answers.partition_point(|end| explain(&prefix(history, *end)) != Some(false));
    prefix(history, answers.get(enough).copied().unwrap_or(u64::MAX))
}

/// What had been called by `end`; what was answered later is not answered yet.
fn prefix(history: &[Entry], end: u64) -> Vec<Entry> {
    let called = history.iter().filter(|entry| entry.called <= end);
    let mut prefix: Vec<Entry> = called.cloned().collect();
    for entry in &mut prefix {
        if entry.answered.is_some_and(|answered| answered > end) {
            entry.answered = None;
            entry.answer = Answer::None;
        }
    }
    // An unanswered load says nothing at all.
    prefix.retain(|entry| entry.answered.is_some() || entry.call != Call::Load);
    prefix.sort_by_key(|entry| entry.called);
    prefix
}

impl Entry {
    fn is_without_effect(&self) -> bool {
        use Answer::{Conflict, Exists, Gone, Loaded};
        self.answered.is_some() && matches!(self.answer, Loaded(_) | Exists | Conflict(_) | Gone)
    }
}
