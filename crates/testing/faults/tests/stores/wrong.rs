//! Stores that are broken on purpose, each in another way: the tests of the others have to notice.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fasthttpsession::{
    AnyStore, Capabilities, Created, Deleted, Handle, Record, Replaced, Store, StoreError,
    StoreErrorKind, Timestamp, Touched,
};
use fasthttpsession_crash::Trial;
use fasthttpsession_faults::{Fault, Odds};

use crate::backend::Backend;
use crate::trouble::Trouble;
use crate::{limits, recovery, replies, trials};

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Sends a swap without answer again by itself, so that nobody knows that the conflict is with itself.
    Retries,
    /// Takes a lost answer to a swap for success.
    AcknowledgesSwaps,
    /// Takes a lost answer to a deletion for success.
    AcknowledgesDeletions,
    /// One load in ten returns what another has loaded.
    MixesUp,
    /// Creates what it was to replace, and is gone.
    Revives,
    /// Says of an error that may pass that it does not.
    Despairs,
    /// Never answers again after an error.
    StaysDown,
}

const ALL: [Wrong; 7] = [
    Wrong::Retries,
    Wrong::AcknowledgesSwaps,
    Wrong::AcknowledgesDeletions,
    Wrong::MixesUp,
    Wrong::Revives,
    Wrong::Despairs,
    Wrong::StaysDown,
];

/// Trials end when they notice something.
const ROUNDS: u32 = 8;

#[test]
fn a_swap_that_is_made_anew_is_noticed() {
    let few = |trial: Trial| trial.on_few_sessions(3, 16);
    let trial = trials::hold(
        Backend::Redis,
        Some(Wrong::Retries),
        few,
        &[Trouble::LosesAnswers],
        ROUNDS,
    );
    let noticed = trial.err().expect("nothing was noticed");
    assert!(noticed.contains("made twice"), "{noticed}");
}

#[test]
fn a_swap_that_is_acknowledged_without_answer_is_noticed() {
    let how = [
        "was lost",
        "before an acknowledged addition",
        // A sign-in.
        "belongs to",
        "opens nothing",
        "opened nothing",
        "given another token",
    ];
    is_noticed(Wrong::AcknowledgesSwaps, Trouble::SwallowsRequests, &how);
}

#[test]
fn a_deletion_that_is_acknowledged_without_answer_is_noticed() {
    let (wrong, trouble) = (Wrong::AcknowledgesDeletions, Trouble::SwallowsRequests);
    is_noticed(wrong, trouble, &["is back", "that ended"]);
}

#[test]
fn a_session_that_is_created_again_is_noticed() {
    // It comes back as its last writer had read it, which may have been before what another wrote.
    let how = [
        "is back",
        "that ended",
        "before an acknowledged addition",
        "was lost",
    ];
    is_noticed(Wrong::Revives, Trouble::Flaky, &how);
}

#[test]
fn an_answer_to_another_call_is_noticed() {
    let how = [
        "opened nothing",
        "opens nothing",
        "refused",
        "never added",
        "before an acknowledged addition",
    ];
    is_noticed(Wrong::MixesUp, Trouble::Flaky, &how);
    let wrap = |store| AnyStore::new(WrongStore::new(Wrong::MixesUp, store));
    let noticed = replies::has_an_order(Backend::Redis, wrap, |proxy, _| {
        proxy.answers(Fault::AtRandom(Odds::NONE));
    });
    let noticed = noticed.expect_err("nothing was noticed");
    // What one session holds was never written to another.
    let how = ["no order", "nobody wrote"];
    assert!(how.iter().any(|how| noticed.contains(how)), "{noticed}");
}

#[test]
fn an_error_that_does_not_say_that_it_may_pass_is_noticed() {
    is_noticed(Wrong::Despairs, Trouble::Cuts, &["does not pass"]);
}

#[test]
fn a_store_that_waits_too_long_is_noticed() {
    let noticed = limits::end_in_time(Backend::Memcached, Duration::from_secs(5));
    let noticed = noticed.expect_err("nothing was noticed");
    assert!(noticed.contains("took"), "{noticed}");
}

#[test]
fn a_store_that_stays_down_is_noticed() {
    let wrap = |store| AnyStore::new(WrongStore::new(Wrong::StaysDown, store));
    let noticed = recovery::answers_again(Backend::Memcached, Duration::from_secs(1), wrap);
    let noticed = noticed.expect_err("nothing was noticed");
    assert!(noticed.contains("did not answer again"), "{noticed}");
}

/// Holds a trial of a store that is `wrong`, and looks for one of the words of `how`.
fn is_noticed(wrong: Wrong, trouble: Trouble, how: &[&str]) {
    let trial = trials::hold(
        Backend::Redis,
        Some(wrong),
        |trial| trial,
        &[trouble],
        ROUNDS,
    );
    let noticed = trial.err().expect("nothing was noticed");
    println!("{noticed}");
    assert!(
        how.iter().any(|how| noticed.contains(how)),
        "noticed as something else: {noticed}"
    );
}

impl Wrong {
    pub(crate) fn named(name: &str) -> Self {
        let known = ALL.into_iter().find(|wrong| format!("{wrong:?}") == name);
        known.expect("the name of one")
    }
}

/// A store that is wrong.
pub(crate) struct WrongStore {
    wrong: Wrong,
    store: AnyStore,
    loads: AtomicU64,
    last: Mutex<Option<Record>>,
    down: AtomicBool,
}

impl WrongStore {
    pub(crate) fn new(wrong: Wrong, store: AnyStore) -> Self {
        Self {
            wrong,
            store,
            loads: AtomicU64::new(0),
            last: Mutex::new(None),
            down: AtomicBool::new(false),
        }
    }

    /// What comes back of an answer.
    fn pass<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        answer.map_err(|error| {
            self.down.store(true, Ordering::SeqCst);
            if self.wrong == Wrong::Despairs {
                StoreError::new(StoreErrorKind::Internal, error.to_string())
            } else {
                error
            }
        })
    }

    fn is_lost<T>(&self, wrong: Wrong, answer: &Result<T, StoreError>) -> bool {
        self.wrong == wrong && answer.as_ref().is_err_and(StoreError::may_have_applied)
    }

    /// What was loaded before, now and then.
    fn mixed_up(&self, loaded: Option<Record>) -> Option<Record> {
        let turn = self.loads.fetch_add(1, Ordering::Relaxed) % 10 == 9;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let former = std::mem::replace(&mut *last, loaded.clone());
        if turn { former } else { loaded }
    }
}

impl Store for WrongStore {
    fn name(&self) -> &'static str {
        "wrong"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        if self.wrong == Wrong::StaysDown && self.down.load(Ordering::SeqCst) {
            let message = "it was down once";
            return Err(StoreError::new(StoreErrorKind::Unavailable, message));
        }
        let loaded = self.pass(self.store.load(handle, now).await)?;
        Ok(if self.wrong == Wrong::MixesUp {
            self.mixed_up(loaded)
        } else {
            loaded
        })
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.pass(self.store.create(handle, record, now).await)
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        let mut answer = self.store.replace(handle, expected, record, now).await;
        while self.is_lost(Wrong::Retries, &answer) {
            answer = self.store.replace(handle, expected, record, now).await;
        }
        if self.is_lost(Wrong::AcknowledgesSwaps, &answer) {
            return Ok(Replaced::Replaced);
        }
        if self.wrong == Wrong::Revives && matches!(answer, Ok(Replaced::Gone)) {
            let created = self.store.create(handle, record, now).await;
            return self.pass(created.map(|_| Replaced::Replaced));
        }
        self.pass(answer)
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.pass(self.store.touch(handle, version, idle_deadline, now).await)
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        let answer = self.store.delete(handle, now).await;
        if self.is_lost(Wrong::AcknowledgesDeletions, &answer) {
            return Ok(Deleted::Deleted);
        }
        self.pass(answer)
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }
}
