//! Compares a store that was opened anew with the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use fasthttpsession::{
    AnyStore, Clock, Principal, Record, Sessions, Store, StoreError, SystemClock, Timestamp,
};

use crate::journal::Name;
use crate::ledger::{Known, Ledger};
use crate::values::{Contents, contents};
use crate::writer::{BRIEF, presenting, sessions};

/// How many records a page of a scan and a batch of a purge have: so few that there are several.
const PAGE: usize = 10;

/// Compares the store with the ledger, and ends what nobody can use.
///
/// # Errors
///
/// A sentence that says what is there and must not be, or the other way round.
pub(crate) async fn check(store: AnyStore, ledger: &mut Ledger) -> Result<(), String> {
    let check = Check {
        sessions: sessions(store.clone()),
        store,
        ledger,
    };
    check.run().await
}

struct Check<'a> {
    store: AnyStore,
    sessions: Sessions,
    ledger: &'a mut Ledger,
}

impl Check<'_> {
    async fn run(mut self) -> Result<(), String> {
        let there = self.scan(now()).await?;
        self.what_is_there_may_be(&there).await?;
        self.what_must_be_there_is(&there).await?;
        self.void_tokens_open_nothing().await?;
        self.end_what_nobody_can_use(&there).await?;
        self.lists_agree().await?;
        self.expired_ones_are_absent().await?;
        if self.store.capabilities().purge {
            self.expired_ones_are_purged().await
        } else {
            self.end_brief_ones().await
        }
    }

    /// Nothing that has ended, nothing that nobody made, nothing torn.
    async fn what_is_there_may_be(&self, there: &HashMap<Name, Record>) -> Result<(), String> {
        for handle in there.keys() {
            if self.ledger.ended.contains(handle) {
                return Err(format!("session {handle} has ended, and is back"));
            }
            if self.ledger.sessions.contains_key(handle) {
                continue;
            }
            // A creation without an answer; it may also have ended by now.
            if let Some(contents) = self.contents(handle).await?
                && !self.ledger.strays.contains(&contents.born)
            {
                return Err(format!("session {handle} is there, and nobody made it"));
            }
        }
        Ok(())
    }

    async fn what_must_be_there_is(&mut self, there: &HashMap<Name, Record>) -> Result<(), String> {
        let handles: Vec<Name> = self.ledger.sessions.keys().cloned().collect();
        for handle in handles {
            let contents = self.contents(&handle).await?;
            let known = self
                .ledger
                .sessions
                .get_mut(&handle)
                .expect("it was just listed");
            match (contents, there.get(&handle)) {
                (Some(contents), Some(record)) => {
                    known
                        .compare(&contents)
                        .map_err(|e| format!("session {handle}: {e}"))?;
                    let principal = record.header.principal.as_ref().map(Principal::as_str);
                    if known.is_sure() && principal != known.principal.as_deref() {
                        return Err(format!(
                            "session {handle} belongs to {principal:?}, not to {:?}",
                            known.principal
                        ));
                    }
                }
                _ if known.may_be_gone() => {}
                _ => return Err(format!("session {handle} is gone, and nobody ended it")),
            }
            if known.is_sure()
                && !self
                    .opens(&self.ledger.sessions[&handle].card.token, Some(&handle))
                    .await?
            {
                return Err(format!("the token of session {handle} opens nothing"));
            }
        }
        Ok(())
    }

    async fn void_tokens_open_nothing(&self) -> Result<(), String> {
        for token in &self.ledger.void {
            if self.opens(token, None).await? {
                return Err(
                    "a token opens a session that ended, or that was given another token"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// So that the next writer finds only sessions that it can use.
    async fn end_what_nobody_can_use(
        &mut self,
        there: &HashMap<Name, Record>,
    ) -> Result<(), String> {
        let usable = |handle: &Name| self.ledger.sessions.get(handle).is_some_and(Known::is_sure);
        let unusable: BTreeSet<Name> = there
            .keys()
            .chain(self.ledger.sessions.keys())
            .filter(|handle| !usable(handle))
            .cloned()
            .collect();
        for handle in unusable {
            self.sessions
                .end(handle.handle())
                .await
                .map_err(|e| e.to_string())?;
            self.ledger.gone(&handle);
        }
        Ok(())
    }

    /// A count and the lists of principals say what a scan says. A server may still do what a killed client asked for,
    /// so they are given the time for that.
    async fn lists_agree(&self) -> Result<(), String> {
        let mut agree = self.compare_lists().await;
        for _ in 0..20 {
            if agree.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            agree = self.compare_lists().await;
        }
        agree
    }

    async fn compare_lists(&self) -> Result<(), String> {
        let there = self.scan(now()).await?;
        if self.store.capabilities().count {
            let count = self.store.count(now()).await.map_err(sentence)?;
            if count != there.len() as u64 {
                return Err(format!(
                    "{count} sessions were counted, {} are there",
                    there.len()
                ));
            }
        }
        if self.store.capabilities().sessions_of {
            self.compare_principals(&there).await?;
        }
        Ok(())
    }

    async fn compare_principals(&self, there: &HashMap<Name, Record>) -> Result<(), String> {
        let mut by_principal: BTreeMap<Principal, BTreeSet<&Name>> = BTreeMap::new();
        for (handle, record) in there {
            if let Some(principal) = &record.header.principal {
                by_principal
                    .entry(principal.clone())
                    .or_default()
                    .insert(handle);
            }
        }
        for (principal, expected) in by_principal {
            let listed = self
                .store
                .sessions_of(&principal, now())
                .await
                .map_err(sentence)?;
            let names: Vec<Name> = listed
                .into_iter()
                .map(|(handle, _)| Name::of(handle))
                .collect();
            if names.len() != expected.len() || names.iter().collect::<BTreeSet<_>>() != expected {
                return Err(format!(
                    "{principal} has {expected:?}, and {names:?} are listed"
                ));
            }
        }
        Ok(())
    }

    /// The brief ones, when the store is told that their time is over.
    async fn expired_ones_are_absent(&self) -> Result<(), String> {
        for handle in self.brief_ones() {
            let late = self.store.load(handle.handle(), later()).await;
            if late.map_err(sentence)?.is_some() {
                return Err(format!("session {handle} has expired, and is there"));
            }
        }
        Ok(())
    }

    async fn end_brief_ones(&mut self) -> Result<(), String> {
        for handle in self.brief_ones() {
            let ended = self.sessions.end(handle.handle()).await;
            ended.map_err(|e| e.to_string())?;
            self.ledger.gone(&handle);
        }
        Ok(())
    }

    /// Of the brief ones, when told that their time is over; and none of the others.
    async fn expired_ones_are_purged(&mut self) -> Result<(), String> {
        let (later, brief) = (later(), self.brief_ones());
        let left = (self.ledger.sessions.len() - brief.len()) as u64;
        self.are_counted(left, later).await?;
        let mut purged = 0;
        loop {
            let batch = self.store.purge(PAGE, later).await.map_err(sentence)?;
            purged += batch;
            if batch < PAGE as u64 {
                break;
            }
        }
        let possible = brief.len() as u64..=(brief.len() + self.ledger.strays.len()) as u64;
        if !possible.contains(&purged) {
            return Err(format!(
                "{purged} sessions were purged, and {possible:?} have expired"
            ));
        }
        for handle in &brief {
            self.ledger.gone(handle);
        }
        self.are_counted(left, now()).await
    }

    fn brief_ones(&self) -> Vec<Name> {
        let sessions = self.ledger.sessions.values();
        let brief = sessions.filter(|known| known.card.brief);
        brief.map(|known| known.card.handle.clone()).collect()
    }

    async fn are_counted(&self, expected: u64, at: Timestamp) -> Result<(), String> {
        let count = self.store.count(at).await.map_err(sentence)?;
        let most = expected + self.ledger.strays.len() as u64;
        if (expected..=most).contains(&count) {
            return Ok(());
        }
        Err(format!(
            "{count} sessions were counted, and there are {expected} to {most}"
        ))
    }

    /// What is there; of a store that can't be scanned, of those sessions that were ever known.
    async fn scan(&self, now: Timestamp) -> Result<HashMap<Name, Record>, String> {
        let mut there = HashMap::new();
        if !self.store.capabilities().scan {
            for handle in self.ledger.sessions.keys().chain(&self.ledger.ended) {
                let record = self.store.load(handle.handle(), now).await;
                there.extend(
                    record
                        .map_err(sentence)?
                        .map(|record| (handle.clone(), record)),
                );
            }
            return Ok(there);
        }
        let mut next = None;
        loop {
            let page = self
                .store
                .scan(next.as_ref(), PAGE, now)
                .await
                .map_err(sentence)?;
            there.extend(
                page.sessions
                    .into_iter()
                    .map(|(handle, record)| (Name::of(handle), record)),
            );
            next = page.next;
            if next.is_none() {
                return Ok(there);
            }
        }
    }

    /// The values of a session, if there is one.
    async fn contents(&self, handle: &Name) -> Result<Option<Contents>, String> {
        let torn = |e| format!("session {handle} is torn: {e}");
        let Some(snapshot) = self
            .sessions
            .read(handle.handle())
            .await
            .map_err(|e| e.to_string())?
        else {
            return Ok(None);
        };
        let entries = snapshot.values.entries().map_err(|e| torn(e.to_string()))?;
        contents(entries).map(Some).map_err(torn)
    }

    /// Whether `token` opens a session, `expected` if that is told.
    async fn opens(&self, token: &str, expected: Option<&Name>) -> Result<bool, String> {
        let exchange = self.sessions.begin(presenting(token), None);
        let session = exchange.session().await.map_err(|e| e.to_string())?;
        let handle = session.handle().map(Name::of);
        Ok(!session.is_new() && expected.is_none_or(|expected| handle.as_ref() == Some(expected)))
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// When the brief ones have expired.
fn later() -> Timestamp {
    now().after(BRIEF + Duration::from_secs(1))
}

#[expect(clippy::needless_pass_by_value, reason = "it is mapped over")]
fn sentence(error: StoreError) -> String {
    error.to_string()
}
