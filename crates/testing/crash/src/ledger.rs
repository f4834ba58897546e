//! What must be in the store, as far as writers told: kept from their first entry to the last.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::journal::{Act, Answer, Card, Entry, Name, principal_of};
use crate::values::{Contents, Tally};

/// What must be in the store.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) sessions: HashMap<Name, Known>,
    /// Sessions that were seen to have ended, or that were acknowledged to: none may come back.
    pub(crate) ended: HashSet<Name>,
    /// Tokens that open nothing any more: of ended sessions, and of live ones before they were renewed.
    pub(crate) void: Vec<String>,
    /// What was begun and not answered.
    open: HashMap<u64, Act>,
    /// Sessions that may be there although nobody was told so, by the operation that made them.
    pub(crate) strays: HashSet<u64>,
    /// Answers get lost, so that a session that was made may have left another behind, whose token nobody was told.
    pub(crate) answers_get_lost: bool,
    pub(crate) acknowledged: u64,
    pub(crate) acknowledged_ends: u64,
    /// Errors that may pass.
    pub(crate) errors: Vec<String>,
}

/// A session that may be there.
pub(crate) struct Known {
    place: usize,
    pub(crate) card: Card,
    pub(crate) principal: Option<String>,
    /// How many renewals were begun.
    renewals_begun: u32,
    sign_in_begun: bool,
    end: End,
    /// A renewal was not acknowledged: its token may be void, and somebody may have signed in.
    pub(crate) unsure: bool,
    accounts: BTreeMap<u32, Account>,
}

/// How far the end of a session is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Far,
    /// It may be gone.
    Begun,
    Acknowledged,
}

/// What a task added to a session.
#[derive(Debug, Default)]
struct Account {
    /// As it was last seen in the store.
    seen: Tally,
    /// Acknowledged since, in order.
    acknowledged: Vec<u64>,
    /// Begun, and may have happened or not.
    pending: Vec<u64>,
}

impl Ledger {
    /// Enters what the writers of one run told, each from its beginning to its end.
    pub(crate) fn enter(&mut self, journals: Vec<Vec<Entry>>) -> Result<(), String> {
        self.void.clear();
        let mut refused = Vec::new();
        let mut missed = Vec::new();
        for entry in journals.into_iter().flatten() {
            match entry {
                Entry::Begin { operation, act } => self.begin(operation, act)?,
                Entry::End {
                    operation,
                    answer: Answer::Refused,
                } => refused.push(self.refused(operation)?),
                Entry::End { operation, answer } => self.end(operation, answer)?,
                Entry::Missed { handle, renewals } => missed.push((handle, renewals)),
                Entry::Trouble { error, passing } => self.error(error, passing)?,
                Entry::Fault { what } => return Err(what),
            }
        }
        refused
            .iter()
            .try_for_each(|handle| self.had_reason_to_refuse(handle))?;
        missed
            .iter()
            .try_for_each(|(handle, renewals)| self.had_reason_to_miss(handle, *renewals))?;
        self.settle()
    }

    /// The sessions that a client can still use, by place.
    pub(crate) fn cards(&self, places: usize) -> Vec<Option<Card>> {
        let mut cards = vec![None; places];
        for known in self.sessions.values().filter(|known| known.is_sure()) {
            cards[known.place] = Some(known.card.clone());
        }
        cards
    }

    /// Notes that the session is gone, by the test's own doing or as it was seen.
    pub(crate) fn gone(&mut self, handle: &Name) {
        if let Some(known) = self.sessions.remove(handle) {
            self.void.push(known.card.token);
        }
        self.ended.insert(handle.clone());
    }

    fn begin(&mut self, operation: u64, act: Act) -> Result<(), String> {
        match &act {
            Act::Open { .. } => {
                self.strays.insert(operation);
            }
            Act::SignIn { handle } | Act::Rotate { handle } => {
                let known = self.known(handle)?;
                known.renewals_begun += 1;
                known.unsure = true;
                known.sign_in_begun |= matches!(act, Act::SignIn { .. });
            }
            Act::End { handle } => self.known(handle)?.end = End::Begun,
            Act::Add { .. } => {}
        }
        self.open.insert(operation, act);
        Ok(())
    }

    fn end(&mut self, operation: u64, answer: Answer) -> Result<(), String> {
        let act = self.open.remove(&operation).ok_or("an answer to nothing")?;
        if let Answer::Failed { error, passing } = answer {
            self.pending(operation, act)?;
            return self.error(error, passing);
        }
        self.acknowledged += 1;
        match (act, answer) {
            (
                Act::Open {
                    place,
                    brief,
                    signed_in,
                },
                Answer::Opened { handle, token },
            ) => {
                if !self.answers_get_lost {
                    self.strays.remove(&operation);
                }
                if self.sessions.contains_key(&handle) || self.ended.contains(&handle) {
                    return Err(format!("session {handle} was made twice"));
                }
                let principal = signed_in.then(|| principal_of(place));
                let card = Card {
                    handle: handle.clone(),
                    token,
                    renewals: 0,
                    brief,
                };
                self.sessions
                    .insert(handle, Known::new(place, card, principal));
            }
            (Act::SignIn { handle }, Answer::Renewed { token }) => {
                let known = self.known(&handle)?;
                known.principal = Some(principal_of(known.place));
                let old = known.renewed(token);
                self.void.push(old);
            }
            (Act::Rotate { handle }, Answer::Renewed { token }) => {
                let old = self.known(&handle)?.renewed(token);
                self.void.push(old);
            }
            (Act::End { handle }, Answer::Ended) => {
                self.acknowledged_ends += 1;
                self.known(&handle)?.end = End::Acknowledged;
            }
            (Act::Add { handle, task }, Answer::Added) => {
                self.known(&handle)?
                    .accounts
                    .entry(task)
                    .or_default()
                    .acknowledged
                    .push(operation);
            }
            (act, answer) => return Err(format!("{answer:?} to {act:?}")),
        }
        Ok(())
    }

    /// It was answered with an error, or not at all.
    fn pending(&mut self, operation: u64, act: Act) -> Result<(), String> {
        if let Act::Add { handle, task } = act {
            self.known(&handle)?
                .accounts
                .entry(task)
                .or_default()
                .pending
                .push(operation);
        }
        Ok(())
    }

    fn refused(&mut self, operation: u64) -> Result<Name, String> {
        match self.open.remove(&operation) {
            Some(Act::Add { handle, .. }) => Ok(handle),
            act => Err(format!("{act:?} was refused")),
        }
    }

    fn had_reason_to_refuse(&mut self, handle: &Name) -> Result<(), String> {
        let known = self.known(handle)?;
        if known.may_be_gone() || known.sign_in_begun {
            return Ok(());
        }
        Err(format!(
            "an addition to session {handle} was refused, but nobody ended it or signed in"
        ))
    }

    fn had_reason_to_miss(&mut self, handle: &Name, renewals: u32) -> Result<(), String> {
        let known = self.known(handle)?;
        if known.may_be_gone() || known.renewals_begun > renewals {
            return Ok(());
        }
        Err(format!(
            "a token of session {handle} opened nothing, but nobody ended or renewed it"
        ))
    }

    fn error(&mut self, error: String, passing: bool) -> Result<(), String> {
        if passing {
            self.errors.push(error);
            return Ok(());
        }
        Err(format!("an error that does not pass: {error}"))
    }

    fn settle(&mut self) -> Result<(), String> {
        for (operation, act) in std::mem::take(&mut self.open) {
            self.pending(operation, act)?;
        }
        let ended: Vec<Name> = self
            .sessions
            .iter()
            .filter(|(_, known)| known.end == End::Acknowledged)
            .map(|(handle, _)| handle.clone())
            .collect();
        for handle in &ended {
            self.gone(handle);
        }
        Ok(())
    }

    fn known(&mut self, handle: &Name) -> Result<&mut Known, String> {
        self.sessions
            .get_mut(handle)
            .ok_or_else(|| format!("session {handle} is used, and nobody opened it"))
    }
}

impl Known {
    fn new(place: usize, card: Card, principal: Option<String>) -> Self {
        Self {
            place,
            card,
            principal,
            renewals_begun: 0,
            sign_in_begun: false,
            end: End::Far,
            unsure: false,
            accounts: BTreeMap::new(),
        }
    }

    /// Whether it must be there, opened by its token, and whose it is, is known.
    pub(crate) fn is_sure(&self) -> bool {
        !self.may_be_gone() && !self.unsure
    }

    pub(crate) fn may_be_gone(&self) -> bool {
        self.end != End::Far
    }

    /// Compares what is in the store with what was acknowledged, and takes it for granted from now on.
    pub(crate) fn compare(&mut self, contents: &Contents) -> Result<(), String> {
        if let Some(task) = contents
            .tallies
            .keys()
            .find(|task| !self.accounts.contains_key(task))
        {
            return Err(format!("task {task} never added anything, and it is there"));
        }
        self.accounts
            .iter_mut()
            .try_for_each(|(task, account)| account.compare(contents.tally(*task)))
    }

    /// Returns the former token.
    fn renewed(&mut self, token: String) -> String {
        self.unsure = false;
        self.card.renewals += 1;
        std::mem::replace(&mut self.card.token, token)
    }
}

impl Account {
    fn compare(&mut self, found: Tally) -> Result<(), String> {
        let told = || format!("{found:?} is there, after {self:?}");
        let acknowledged = self.acknowledged.len() as u64;
        let last = self.acknowledged.last().copied().unwrap_or(self.seen.mark);
        let fewest = self.seen.count + acknowledged;
        if found.count < fewest || found.mark < last {
            return Err(format!("an acknowledged addition was lost: {}", told()));
        }
        if found.count > fewest + self.pending.len() as u64 {
            return Err(format!("an addition was made twice: {}", told()));
        }
        if found.mark > last && !self.pending.contains(&found.mark) {
            return Err(format!("an addition that was refused is there: {}", told()));
        }
        self.seen = found;
        self.acknowledged.clear();
        // Those that are older can't land any more: the task waited for their answers, and its later ones found the
        // record without them.
        self.pending.retain(|operation| *operation > found.mark);
        Ok(())
    }
}
