//! Trials of stores that are broken on purpose, each in another way: the trial has to notice.

use std::collections::HashMap;
use std::io::BufRead;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fasthttpsession::{
    AnyStore, Capabilities, Created, Cursor, Deleted, Handle, Page, Principal, Record, Replaced,
    Store, StoreError, Timestamp, Touched, connect,
};
use fasthttpsession_crash::{Order, Trial, write};
use tokio::sync::{Mutex, mpsc};

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// One commit in 500 is acknowledged and not made.
    LosesCommits,
    /// Commits and deletions are acknowledged 20 ms before they are made.
    AnswersEarly,
    /// One deletion in ten is undone after 20 ms.
    Revives,
    /// One commit in 100 leaves the end of the former record's body.
    Tears,
    /// Counts one session too many.
    Miscounts,
    /// Lists one session of a principal too few.
    ListsTooFew,
    /// Purges sessions that have two hours left.
    PurgesTooMuch,
}

const ALL: [Fault; 7] = [
    Fault::LosesCommits,
    Fault::AnswersEarly,
    Fault::Revives,
    Fault::Tears,
    Fault::Miscounts,
    Fault::ListsTooFew,
    Fault::PurgesTooMuch,
];

/// What is said of an acknowledged commit that is not there.
const LOST: [&str; 7] = [
    "before an acknowledged addition",
    "was lost",
    "made twice",
    // A sign-in or sign-out.
    "belongs to",
    // A token that was given out by it.
    "opens nothing",
    "opened nothing",
    "given another token",
];

#[test]
fn a_lost_commit_is_noticed() {
    is_noticed(Fault::LosesCommits, &LOST);
}

#[test]
fn commits_that_are_acknowledged_too_early_are_noticed() {
    // What the check itself has ended is there for a while, too.
    let how = [&LOST[..], &["is back", "counted", "purged"]].concat();
    is_noticed(Fault::AnswersEarly, &how);
}

#[test]
fn a_session_that_comes_back_is_noticed() {
    // What comes back between two looks of one check is one too many in the second, and lacks what was added while it ended.
    let how = [&LOST[..], &["is back", "counted", "purged"]].concat();
    is_noticed(Fault::Revives, &how);
}

#[test]
fn a_torn_record_is_noticed() {
    // One of the former length may be mended by who did not read it, without what was added.
    let how = [&LOST[..], &["can't be read", "torn"]].concat();
    is_noticed(Fault::Tears, &how);
}

#[test]
fn a_wrong_count_is_noticed() {
    is_noticed(Fault::Miscounts, &["counted"]);
}

#[test]
fn an_incomplete_list_is_noticed() {
    is_noticed(Fault::ListsTooFew, &["listed"]);
}

#[test]
fn a_purge_of_live_sessions_is_noticed() {
    // Among few sessions its victims may pass for some that were never acknowledged; then they are missing in the count.
    is_noticed(Fault::PurgesTooMuch, &["purged", "counted"]);
}

/// Not a test: the writer of the other tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "a process of other tests"]
async fn writes_to_a_faulty_store() {
    let (Ok(url), Ok(fault)) = (std::env::var("FAULTY_URL"), std::env::var("FAULTY_HOW")) else {
        return;
    };
    let fault = ALL
        .into_iter()
        .find(|known| format!("{known:?}") == fault)
        .expect("a fault");
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .expect("an order");
    let order: Order = serde_json::from_str(&line).expect("an order");
    // The name of the test stands on this line.
    println!();
    write(
        AnyStore::new(Faulty::new(fault, connect(&url).await.expect("a store"))),
        order,
    )
    .await;
}

fn is_noticed(fault: Fault, how: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!(
        "file:{}?migrate=true",
        folder.path().join("sessions").display()
    );
    let mut trial = Trial::new("faulty", url, move |url| {
        let mut this = Command::new(std::env::current_exe().expect("this program"));
        this.args([
            "--exact",
            "faulty::writes_to_a_faulty_store",
            "--ignored",
            "--nocapture",
        ]);
        this.env("FAULTY_URL", url)
            .env("FAULTY_HOW", format!("{fault:?}"));
        this
    })
    .checked_through(move |store| AnyStore::new(Faulty::new(fault, store)));
    // It ends when it notices something.
    let noticed = trial.kill_the_writer(100);
    let noticed = noticed.expect_err("nothing was noticed");
    println!("{noticed}");
    assert!(
        how.iter().any(|how| noticed.contains(how)),
        "noticed as something else: {noticed}"
    );
}

/// A store with a fault.
struct Faulty {
    fault: Fault,
    store: Arc<AnyStore>,
    calls: AtomicU64,
    behind: Mutex<Behind>,
}

/// What is to be made: a record in place of that of a version, or a deletion.
type Write = (Handle, Option<(u64, Record)>, Timestamp);

/// What was acknowledged and is not yet made.
struct Behind {
    records: HashMap<Handle, Option<Record>>,
    writes: mpsc::UnboundedSender<Write>,
}

impl Faulty {
    fn new(fault: Fault, store: AnyStore) -> Self {
        let store = Arc::new(store);
        let (writes, late) = mpsc::unbounded_channel();
        tokio::spawn(write_late(Arc::clone(&store), late));
        Self {
            fault,
            store,
            // Each process begins elsewhere, for none lives long.
            calls: AtomicU64::new(fastrand::u64(..500)),
            behind: Mutex::new(Behind {
                records: HashMap::new(),
                writes,
            }),
        }
    }

    /// Whether it is `fault`'s turn, one call of `one_in`.
    fn turn(&self, fault: Fault, one_in: u64) -> bool {
        self.fault == fault && self.calls.fetch_add(1, Ordering::Relaxed) % one_in == one_in - 1
    }

    async fn torn(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Record, StoreError> {
        let former = self.store.load(handle, now).await?;
        let former = former.map(|former| former.body).unwrap_or_default();
        let half = record.body.len() / 2;
        let body = [&record.body[..half], former.get(half..).unwrap_or_default()].concat();
        Ok(Record {
            body: body.into(),
            ..record.clone()
        })
    }
}

impl Store for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    async fn load(&self, handle: Handle, now: Timestamp) -> Result<Option<Record>, StoreError> {
        if self.fault == Fault::AnswersEarly
            && let Some(record) = self.behind.lock().await.records.get(&handle)
        {
            return Ok(record.clone());
        }
        self.store.load(handle, now).await
    }

    async fn create(
        &self,
        handle: Handle,
        record: &Record,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        self.store.create(handle, record, now).await
    }

    async fn replace(
        &self,
        handle: Handle,
        expected: u64,
        record: &Record,
        now: Timestamp,
    ) -> Result<Replaced, StoreError> {
        if self.turn(Fault::LosesCommits, 500) {
            return Ok(Replaced::Replaced);
        }
        if self.turn(Fault::Tears, 100) {
            let torn = self.torn(handle, record, now).await?;
            return self.store.replace(handle, expected, &torn, now).await;
        }
        if self.fault != Fault::AnswersEarly {
            return self.store.replace(handle, expected, record, now).await;
        }
        let mut behind = self.behind.lock().await;
        let current = match behind.records.get(&handle) {
            Some(record) => record.clone(),
            None => self.store.load(handle, now).await?,
        };
        Ok(match current {
            None => Replaced::Gone,
            Some(current) if current.header.version != expected => Replaced::Conflict(current),
            Some(_) => {
                behind.records.insert(handle, Some(record.clone()));
                let _ = behind
                    .writes
                    .send((handle, Some((expected, record.clone())), now));
                Replaced::Replaced
            }
        })
    }

    async fn touch(
        &self,
        handle: Handle,
        version: u64,
        idle_deadline: Timestamp,
        now: Timestamp,
    ) -> Result<Touched, StoreError> {
        self.store.touch(handle, version, idle_deadline, now).await
    }

    async fn delete(&self, handle: Handle, now: Timestamp) -> Result<Deleted, StoreError> {
        if self.fault == Fault::AnswersEarly {
            let mut behind = self.behind.lock().await;
            behind.records.insert(handle, None);
            let _ = behind.writes.send((handle, None, now));
            return Ok(Deleted::Deleted);
        }
        let former = self.store.load(handle, now).await?;
        let deleted = self.store.delete(handle, now).await?;
        if let Some(former) = former
            && self.turn(Fault::Revives, 10)
        {
            let store = Arc::clone(&self.store);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                store.create(handle, &former, now).await
            });
        }
        Ok(deleted)
    }

    async fn sessions_of(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Vec<(Handle, Record)>, StoreError> {
        let mut sessions = self.store.sessions_of(principal, now).await?;
        if self.fault == Fault::ListsTooFew {
            sessions.pop();
        }
        Ok(sessions)
    }

    async fn scan(
        &self,
        after: Option<&Cursor>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page, StoreError> {
        self.store.scan(after, limit, now).await
    }

    async fn count(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.store.count(now).await? + u64::from(self.fault == Fault::Miscounts))
    }

    async fn purge(&self, limit: usize, now: Timestamp) -> Result<u64, StoreError> {
        let hours = if self.fault == Fault::PurgesTooMuch {
            2
        } else {
            0
        };
        self.store
            .purge(limit, now.after(Duration::from_secs(hours * 3600)))
            .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.store.check().await
    }
}

async fn write_late(store: Arc<AnyStore>, mut late: mpsc::UnboundedReceiver<Write>) {
    while let Some((handle, change, now)) = late.recv().await {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = match change {
            Some((expected, record)) => store
                .replace(handle, expected, &record, now)
                .await
                .map(drop),
            None => store.delete(handle, now).await.map(drop),
        };
    }
}
