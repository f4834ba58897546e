//! Swaps of many sessions at once.

use std::time::{Duration, Instant};

use fasthttpsession_core::{
    Handle, Principal, Record, Replaced, Store as _, StoreError, StoreErrorKind,
};
use fasthttpsession_redis::RedisStore;
use fasthttpsession_servers::{Redis, RedisServer};

use crate::counter::calls;
use crate::servers::open_impatient;
use crate::support::sample::{HOUR, handle, next, now, principal, record, record_of};
use crate::support::{config, open, prefix, until_it_answers, within};

/// A swap, and what is there beforehand.
struct Case {
    handle: Handle,
    kind: usize,
    first: Record,
    second: Record,
}

const KINDS: usize = 10;

impl Case {
    fn new(kind: usize) -> Self {
        let first = match kind {
            5 | 6 | 9 => record_of(&principal()),
            _ => record(),
        };
        let mut second = next(&first);
        if kind == 4 || kind == 6 {
            second.header.principal = Some(principal());
        }
        if let (9, Some(longer)) = (kind, &first.header.principal) {
            let (begins_alike, _) = longer.as_str().split_at(longer.as_str().len() - 1);
            second.header.principal = Principal::new(begins_alike).ok();
        }
        Self {
            handle: handle(),
            kind,
            first,
            second,
        }
    }

    async fn prepare(&self, server: &RedisServer, prefix: &str, store: &RedisStore) {
        let key = format!("{prefix}{}", self.handle);
        if self.kind != 2 {
            let created = store.create(self.handle, &self.first, now()).await;
            created.expect("it answers");
        }
        if self.kind == 3 {
            server.cli(&["SET", &key, "nonsense"]);
        }
        if self.kind == 8 {
            server.cli(&["APPEND", &key, "!"]);
        }
        if self.kind == 7 {
            server.cli(&["DEL", &key]);
            server.cli(&["LPUSH", &key, "nonsense"]);
        }
    }

    fn expected(&self) -> u64 {
        if self.kind == 1 { 9 } else { 1 }
    }

    fn check(&self, answer: Result<Replaced, StoreError>) {
        match self.kind {
            1 => assert_eq!(
                answer.expect("it answers"),
                Replaced::Conflict(self.first.clone())
            ),
            2 => assert_eq!(answer.expect("it answers"), Replaced::Gone),
            3 | 7 | 8 => assert_eq!(
                answer.expect_err("it is no record").kind(),
                StoreErrorKind::Corrupt
            ),
            _ => assert_eq!(answer.expect("it answers"), Replaced::Replaced),
        }
    }

    async fn check_stored(&self, store: &RedisStore) {
        let found = store.load(self.handle, now()).await;
        match self.kind {
            1 => assert_eq!(found.expect("it answers"), Some(self.first.clone())),
            2 => assert_eq!(found.expect("it answers"), None),
            3 | 7 | 8 => assert_eq!(
                found.expect_err("it is no record").kind(),
                StoreErrorKind::Corrupt
            ),
            _ => assert_eq!(found.expect("it answers"), Some(self.second.clone())),
        }
        if let (4..=6 | 9, Some(principal)) = (self.kind, &self.second.header.principal) {
            let sessions = store.sessions_of(principal, now()).await;
            let expected = vec![(self.handle, self.second.clone())];
            assert_eq!(sessions.expect("it answers"), expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_gets_its_own_answer() {
    let (server, prefix) = (Redis::start(), prefix());
    let store = config(&server).prefix(&prefix).open().await;
    let store = store.expect("the server answers");
    let mut swaps = Vec::new();
    for at in 0..128 {
        let case = Case::new(at % KINDS);
        case.prepare(&server, &prefix, &store).await;
        swaps.push(case);
    }
    let swaps = swaps.into_iter().map(|case| {
        let store = store.clone();
        tokio::spawn(async move {
            let expected = case.expected();
            let answer = store.replace(case.handle, expected, &case.second, now());
            let answer = answer.await;
            (case, answer)
        })
    });
    let swaps: Vec<_> = swaps.collect();
    for swap in swaps {
        let (case, answer) = within(swap).await.expect("it does not panic");
        case.check(answer);
        case.check_stored(&store).await;
    }
}

#[tokio::test]
async fn swaps_of_many_tasks_go_together() {
    let server = Redis::start();
    let store = config(&server).open().await.expect("the server answers");
    let evaluations = || {
        let all = calls(&server).into_iter();
        let evaluations = all.filter(|(name, _)| name.starts_with("eval"));
        evaluations.map(|(_, calls)| calls).sum::<u64>()
    };
    let sessions = sessions(&store).await;
    let before = evaluations();
    let tasks = sessions.into_iter().map(|(handle, mut record)| {
        let store = store.clone();
        tokio::spawn(async move {
            for version in 1..=10 {
                record = next(&record);
                let replaced = store.replace(handle, version, &record, now()).await;
                assert_eq!(replaced.expect("it answers"), Replaced::Replaced);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        within(task).await.expect("it does not panic");
    }
    let calls = evaluations() - before;
    assert!(calls < 200, "{calls} calls for 640 swaps");
}

/// As many sessions as make a group, of version 1.
async fn sessions(store: &RedisStore) -> Vec<(Handle, Record)> {
    let sessions: Vec<_> = (0..64).map(|_| (handle(), record())).collect();
    for (handle, record) in &sessions {
        let created = store.create(*handle, record, now()).await;
        created.expect("it answers");
    }
    sessions
}

/// Swaps all of them at once, each by a task of its own.
async fn swap(
    store: &RedisStore,
    sessions: &[(Handle, Record)],
) -> Vec<Result<Replaced, StoreError>> {
    let tasks = sessions.iter().map(|(handle, record)| {
        let (store, handle, next) = (store.clone(), *handle, next(record));
        tokio::spawn(async move { store.replace(handle, 1, &next, now()).await })
    });
    let mut answers = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        answers.push(within(task).await.expect("it does not panic"));
    }
    answers
}

#[tokio::test]
async fn a_full_server_refuses_each_of_many_and_leaves_them_as_they_were() {
    let server = Redis::start();
    let store = config(&server).open().await.expect("the server answers");
    let sessions = sessions(&store).await;
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    for answer in swap(&store, &sessions).await {
        let error = answer.expect_err("there is no room");
        assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
        assert!(!error.may_have_applied());
    }
    for (handle, record) in &sessions {
        let found = store.load(*handle, now()).await.expect("it answers");
        assert_eq!(found.as_ref(), Some(record));
    }
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    for answer in swap(&store, &sessions).await {
        assert_eq!(answer.expect("there is room again"), Replaced::Replaced);
    }
}

#[tokio::test]
async fn each_of_many_lives_as_long_as_its_deadlines_say() {
    let server = Redis::start();
    let store = config(&server).open().await.expect("the server answers");
    let hour = 3_600_000;
    let mut all = sessions(&store).await;
    for (_, record) in all.iter_mut().step_by(2) {
        record.header.idle_deadline = now().after(2 * HOUR);
    }
    for answer in swap(&store, &all).await {
        assert_eq!(answer.expect("it answers"), Replaced::Replaced);
    }
    for (at, (handle, _)) in all.iter().enumerate() {
        let left = server.cli(&["PTTL", &format!("session:{handle}")]);
        let left: i64 = left.trim().parse().expect("it has an end");
        let whole = if at % 2 == 0 { 2 * hour } else { hour };
        assert!((whole - 60_000..=whole).contains(&left), "{at}: {left}");
    }
}

/// What a group was asked to do, a hung server may do later. Who was told that it was not even asked relies on that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_many_is_told_whether_a_hung_server_may_have_swapped_it() {
    let server = Redis::start();
    let (store, patient) = (open_impatient(&server).await, open(&server).await);
    let sessions = sessions(&patient).await;
    server.pause();
    let start = Instant::now();
    let mut may_be_swapped = Vec::new();
    for answer in swap(&store, &sessions).await {
        let error = answer.expect_err("the server hangs");
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
        may_be_swapped.push(error.may_have_applied());
    }
    assert!(may_be_swapped.contains(&true));
    // Twice two seconds at most, on a machine that may be busy.
    assert!(start.elapsed() < Duration::from_secs(20));
    server.resume();
    until_it_answers(&store).await;
    for (answer, may) in swap(&patient, &sessions)
        .await
        .into_iter()
        .zip(may_be_swapped)
    {
        match answer.expect("it goes on") {
            Replaced::Replaced => {}
            Replaced::Conflict(current) => assert!(may && current.header.version == 2),
            Replaced::Gone => panic!("nobody ended it"),
        }
    }
}
