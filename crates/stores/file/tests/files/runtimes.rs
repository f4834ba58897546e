//! A runtime that stops amid calls: what they wait for, others get.

use std::fs::File;

use fasthttpsession_conformance::store::runtimes::elsewhere;
use fasthttpsession_core::{Replaced, Store};
use rustix::fs::{FlockOperation, flock};
use tokio::task::yield_now;

use crate::sample::{
    HOUR, NOW, config, folder, handle_in, next, open, principal, record, shard_of,
};

#[tokio::test]
async fn who_waits_for_another_process_in_a_runtime_that_rests_keeps_no_shard_from_others() {
    let folder = folder();
    let store = open(folder.path()).await;
    let (ours, theirs) = (handle_in(7, 0), handle_in(7, 1));
    for handle in [ours, theirs] {
        store.create(handle, &record(HOUR), NOW).await.unwrap();
    }
    for turns in 0..20 {
        let lock = File::open(shard_of(folder.path(), ours).join("lock")).unwrap();
        flock(&lock, FlockOperation::LockExclusive).unwrap();
        let waiting = store.clone();
        let rested = elsewhere(async move || {
            for _ in 0..3 {
                let store = waiting.clone();
                tokio::spawn(async move { store.delete(theirs, NOW).await });
            }
            // Each time it stops elsewhere.
            for _ in 0..20 * turns {
                yield_now().await;
            }
        });
        let ((), _resting) = rested.await.expect("it does not panic");
        flock(&lock, FlockOperation::Unlock).unwrap();

        let current = store.load(ours, NOW).await.unwrap().unwrap();
        let (expected, next) = (current.header.version, next(&current, "new"));
        let answer = store.replace(ours, expected, &next, NOW).await;
        assert_eq!(answer.unwrap(), Replaced::Replaced);
    }
}

#[tokio::test]
async fn who_waits_for_a_thread_in_a_runtime_that_rests_keeps_none_from_others() {
    let folder = folder();
    let store = config(folder.path()).threads(1).open().await.unwrap();
    let waiting = store.clone();
    let rested = elsewhere(async move || {
        for _ in 0..8 {
            let store = waiting.clone();
            tokio::spawn(async move { store.sessions_of(&principal("ann"), NOW).await });
        }
        yield_now().await;
    });
    let ((), _resting) = rested.await.expect("it does not panic");
    let listed = store.sessions_of(&principal("ann"), NOW).await;
    assert_eq!(listed.unwrap(), []);
}
