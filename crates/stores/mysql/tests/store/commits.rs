//! A COMMIT that the server refuses: nobody is told that what was before it lasts. By a lock that MySQL has not. And one
//! to which the server adds something, unless it is told not to.

use fasthttpsession_core::{Replaced, Store, StoreError, StoreErrorKind};
use fasthttpsession_mysql::mysql_async::Conn;
use fasthttpsession_mysql::mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use crate::support::{
    HOUR, NOW, Place, create, handle, literal, load, record, replace, replacing, successor, within,
};

const SESSIONS: u8 = 64;

/// Another program, which lets nobody commit.
struct Blocker(Conn);

impl Blocker {
    /// None on a server that can't be blocked so.
    async fn new(place: &Place) -> Option<Self> {
        if place.number("SELECT VERSION() LIKE '%MariaDB%'") == 0 {
            eprintln!("Not tried: this server has no lock that holds up a COMMIT.");
            return None;
        }
        let mut blocker = Self(place.outside().await);
        blocker.run("BACKUP STAGE START").await;
        blocker.run("BACKUP STAGE BLOCK_COMMIT").await;
        Some(blocker)
    }

    async fn run(&mut self, sql: &str) {
        self.0.query_drop(sql).await.expect(sql);
    }

    /// Interrupts whatever waits for it, from when a COMMIT of its own does, until `work` has ended.
    async fn interrupt<T>(&mut self, place: &Place, work: &[JoinHandle<T>]) {
        let waiting = "FROM information_schema.processlist WHERE state = 'Waiting for backup lock'";
        let committing = format!("SELECT COUNT(*) > 0 {waiting} AND TRIM(info) LIKE 'COMMIT%'");
        place.until(&committing, 1).await;
        within(async {
            while !work.iter().all(JoinHandle::is_finished) {
                let ids: Vec<u64> = self
                    .0
                    .query(format!("SELECT id {waiting}"))
                    .await
                    .expect("a list");
                for id in ids {
                    // It may have ended meanwhile.
                    let _ = self.0.query_drop(format!("KILL QUERY {id}")).await;
                }
            }
        })
        .await;
    }

    async fn end(mut self) {
        self.run("BACKUP STAGE END").await;
    }
}

async fn errors(swaps: Vec<JoinHandle<Result<Replaced, StoreError>>>) -> Vec<StoreError> {
    let mut errors = Vec::new();
    for swap in swaps {
        let answer = within(swap).await.expect("no panic");
        errors.push(answer.expect_err("it was not committed"));
    }
    errors
}

#[tokio::test]
async fn swaps_whose_commit_is_refused_are_not_replaced() {
    let place = Place::private();
    let store = place.store().await;
    create(&store, 0..SESSIONS).await;
    let Some(mut blocker) = Blocker::new(&place).await else {
        return;
    };
    let swaps: Vec<_> = (0..SESSIONS)
        .map(|number| replacing(&store, number))
        .collect();
    blocker.interrupt(&place, &swaps).await;
    let errors = errors(swaps).await;
    let unsure = errors.iter().filter(|error| error.may_have_applied());
    assert!(unsure.count() >= 4, "a group does not know: {errors:?}");
    assert!(errors.iter().all(StoreError::is_retryable), "{errors:?}");
    blocker.end().await;
    for number in 0..SESSIONS {
        assert_eq!(load(&store, number).await, Some(record()));
    }
    // Nor is anything left over on the connections.
    let again: Vec<_> = (0..SESSIONS)
        .map(|number| replacing(&store, number))
        .collect();
    for swap in again {
        let replaced = within(swap).await.expect("no panic");
        assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    }
    assert_eq!(load(&store, 0).await, Some(successor(&record())));
}

#[tokio::test]
async fn swaps_that_waited_too_long_to_commit_were_not_made() {
    let place = Place::private();
    create(&place.store().await, 0..SESSIONS).await;
    let Some(blocker) = Blocker::new(&place).await else {
        return;
    };
    place.run("SET GLOBAL lock_wait_timeout = 0");
    let store = place.config().migrate(false).open().await;
    let store = store.expect("the store opens");
    let swaps: Vec<_> = (0..SESSIONS)
        .map(|number| replacing(&store, number))
        .collect();
    for error in errors(swaps).await {
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        assert!(!error.may_have_applied(), "{error}");
    }
    blocker.end().await;
    for number in 0..SESSIONS {
        assert_eq!(load(&store, number).await, Some(record()));
    }
}

#[tokio::test]
async fn a_purge_whose_commit_is_refused_has_removed_nothing() {
    let place = Place::private();
    let store = place.store().await;
    create(&store, 0..SESSIONS).await;
    let Some(mut blocker) = Blocker::new(&place).await else {
        return;
    };
    let later = NOW.after(HOUR);
    let purge = {
        let store = store.clone();
        [tokio::spawn(async move { store.purge(100, later).await })]
    };
    blocker.interrupt(&place, &purge).await;
    let [purge] = purge;
    let purged = purge.await.expect("no panic");
    purged.expect_err("it was not committed");
    blocker.end().await;
    let purged = store.purge(100, later).await;
    assert_eq!(purged.expect("an answer"), u64::from(SESSIONS));
}

/// After a COMMIT or ROLLBACK by which such a server begins another transaction, or hangs up.
#[tokio::test]
async fn a_write_after_a_transaction_lasts_whatever_the_server_adds_to_the_end_of_one() {
    for addition in ["CHAIN", "RELEASE"] {
        let place = Place::private();
        place.run(&format!("SET GLOBAL completion_type = '{addition}'"));
        let store = place.store().await;
        create(&store, 0..2).await;
        let mut expired = record();
        expired.header.idle_deadline = NOW;
        let created = store.create(handle(2), &expired, NOW).await;
        created.expect(addition);
        for (number, purged) in [(0, 1), (1, 0)] {
            assert_eq!(store.purge(10, NOW).await.expect(addition), purged);
            let replaced = replace(&store, number).await.expect(addition);
            assert_eq!(replaced, Replaced::Replaced);
            let version = format!(
                "SELECT version FROM fasthttpsession WHERE handle = {}",
                literal(number)
            );
            assert_eq!(place.number(&version), 2, "{addition}");
        }
    }
}
