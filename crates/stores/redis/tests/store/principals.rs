//! The index of a principal: what is left over in it, and for how long; and that all of it is read.

use std::time::Duration;

use fasthttpsession_core::{Handle, Principal, Record, Replaced, Store as _, StoreError};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use fasthttpsession_servers::{Redis, RedisServer};
use futures_util::future::try_join_all;

use crate::restarting::Restarting;
use crate::support::fake::Fake;
use crate::support::sample::{HOUR, handle, next, now, principal, record, record_of};
use crate::support::{config, prefix, within};

async fn place() -> (RedisServer, RedisStore, String) {
    let (server, prefix) = (Redis::shared(), prefix());
    let store = config(&server).prefix(&prefix).open().await;
    (server, store.expect("it answers"), prefix)
}

fn entries(server: &RedisServer, index: &str) -> u64 {
    let entries = server.cli(&["ZCARD", index]);
    entries.trim().parse().expect("it is a number")
}

#[tokio::test]
async fn an_entry_that_is_left_over_is_removed_when_it_is_seen() {
    let (server, store, prefix) = place().await;
    let principal = principal();
    let (lives, ended, moved) = (handle(), handle(), handle());
    for handle in [lives, ended, moved] {
        let created = store.create(handle, &record_of(&principal), now()).await;
        created.expect("it answers");
    }
    store.delete(ended, now()).await.expect("it answers");
    let somebody_elses = next(&record());
    let replaced = store.replace(moved, 1, &somebody_elses, now()).await;
    replaced.expect("it answers");
    let index = format!("{prefix}@{principal}");
    assert_eq!(entries(&server, &index), 3, "logouts leave it alone");
    let theirs = store.sessions_of(&principal, now()).await;
    let theirs = theirs.expect("it answers");
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].0, lives);
    assert_eq!(entries(&server, &index), 1);
}

#[tokio::test]
async fn who_signs_in_and_out_for_ever_leaves_a_small_index() -> Result<(), StoreError> {
    let (server, store, prefix) = place().await;
    let principal = principal();
    for _ in 0..500 {
        let handle = handle();
        store.create(handle, &record_of(&principal), now()).await?;
        store.delete(handle, now()).await?;
    }
    let left = entries(&server, &format!("{prefix}@{principal}"));
    assert!(left < 50, "{left}");
    Ok(())
}

#[tokio::test]
async fn an_index_ends_some_time_after_its_last_session() -> Result<(), StoreError> {
    let (server, store, prefix) = place().await;
    let principal = principal();
    store
        .create(handle(), &record_of(&principal), now())
        .await?;
    let mut shorter = record_of(&principal);
    shorter.header.absolute_deadline = now().after(2 * HOUR);
    store.create(handle(), &shorter, now()).await?;
    let left = server.cli(&["PTTL", &format!("{prefix}@{principal}")]);
    let left: u64 = left.trim().parse().expect("it has an end");
    let hour = 3_600_000;
    assert!((25 * hour - 60_000..=25 * hour).contains(&left), "{left}");
    Ok(())
}

#[tokio::test]
async fn an_index_lasts_as_long_as_a_session_that_is_to_live_longer() -> Result<(), StoreError> {
    let (server, store, prefix) = place().await;
    let (handle, record) = (handle(), record_of(&principal()));
    store.create(handle, &record, now()).await?;
    let mut longer = next(&record);
    longer.header.absolute_deadline = now().after(48 * HOUR);
    store.replace(handle, 1, &longer, now()).await?;
    let principal = record.header.principal.as_ref().expect("it has one");
    let left = server.cli(&["PTTL", &format!("{prefix}@{principal}")]);
    let left: u64 = left.trim().parse().expect("it has an end");
    let hour = 3_600_000;
    assert!((49 * hour - 60_000..=49 * hour).contains(&left), "{left}");
    Ok(())
}

#[tokio::test]
async fn a_session_that_lives_longer_and_longer_leaves_a_small_index() -> Result<(), StoreError> {
    let (server, store, prefix) = place().await;
    let principal = principal();
    let (handle, mut record) = (handle(), record_of(&principal));
    store.create(handle, &record, now()).await?;
    live_longer(&store, handle, &mut record, 500).await?;
    let index = format!("{prefix}@{principal}");
    let left = entries(&server, &index);
    assert!(left < 50, "{left}");
    let theirs = store.sessions_of(&principal, now()).await?;
    assert_eq!(theirs, [(handle, record)]);
    assert_eq!(entries(&server, &index), 1);
    Ok(())
}

/// The index has to be true while it is tidied, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_live_longer_and_longer_are_always_listed() -> Result<(), StoreError> {
    let (_server, store, _) = place().await;
    let principal = principal();
    let sessions = sign_in(&store, &principal, 150).await?;
    let longer = sessions.into_iter().map(|(handle, mut record)| {
        let store = store.clone();
        tokio::spawn(async move { live_longer(&store, handle, &mut record, 30).await })
    });
    let mut longer = tokio::spawn(try_join_all(longer.collect::<Vec<_>>()));
    loop {
        assert_eq!(store.sessions_of(&principal, now()).await?.len(), 150);
        if let Ok(outcomes) = tokio::time::timeout(Duration::ZERO, &mut longer).await {
            let outcomes = outcomes.expect("nobody panics").expect("nobody panics");
            return outcomes.into_iter().collect();
        }
    }
}

/// Replaces the record so many times, each time with one that may live a millisecond longer.
async fn live_longer(
    store: &RedisStore,
    handle: Handle,
    record: &mut Record,
    times: usize,
) -> Result<(), StoreError> {
    for _ in 0..times {
        let mut longer = next(record);
        let deadline = &mut longer.header.absolute_deadline;
        *deadline = deadline.after(Duration::from_millis(1));
        let replaced = store.replace(handle, record.header.version, &longer, now());
        assert_eq!(replaced.await?, Replaced::Replaced);
        *record = longer;
    }
    Ok(())
}

#[tokio::test]
async fn a_principal_with_thousands_of_sessions_is_listed_them_all() -> Result<(), StoreError> {
    let (_server, store, _) = place().await;
    let principal = principal();
    let record = record_of(&principal);
    for _ in 0..2000 {
        store.create(handle(), &record, now()).await?;
    }
    assert_eq!(store.sessions_of(&principal, now()).await?.len(), 2000);
    Ok(())
}

/// The records that its other entries lead to may lie on one that hangs.
#[tokio::test]
async fn a_sign_in_does_not_wait_for_what_others_left_in_the_index() {
    let entry = "a handle and its moment.";
    let created = format!("*3\r\n$7\r\ncreated\r\n$24\r\n{entry}\r\n$1\r\n1\r\n");
    let fake = Fake::start(move |_, name| match name {
        "EVALSHA" => created.clone(),
        "GET" => String::new(),
        _ => "+PONG\r\n".to_owned(),
    })
    .await;
    let config = RedisConfig::from_url(&format!("redis://127.0.0.1:{}", fake.port));
    let patient = config
        .expect("it is a URL")
        .response_timeout(Duration::from_secs(600));
    let store = patient.open().await.expect("it answers");
    let record = record_of(&principal());
    let created = within(store.create(handle(), &record, now())).await;
    created.expect("it was created at once");
    assert_eq!(fake.count("GET"), 1);
}

/// Whatever says how far an index was read, another start of the server, or another server, has to understand.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_restarted_while_sessions_are_listed_hides_none() -> Result<(), StoreError>
{
    let server = Redis::start();
    let own = Restarting::connect(&server).await;
    let store = config(&server).open_on(own.clone()).await?;
    let principal = principal();
    sign_in(&store, &principal, 2000).await?;
    own.restart_after_next();
    let theirs = store.sessions_of(&principal, now()).await?;
    assert!(own.has_restarted());
    assert_eq!(theirs.len(), 2000);
    Ok(())
}

/// So many sessions, each for some milliseconds longer than another. Several share each of them.
async fn sign_in(
    store: &RedisStore,
    principal: &Principal,
    count: u64,
) -> Result<Vec<(Handle, Record)>, StoreError> {
    let start = now();
    let signing_in = (0..count).map(|number| async move {
        let (handle, mut record) = (handle(), record_of(principal));
        let later = Duration::from_millis(number / 10 * 10);
        record.header.absolute_deadline = start.after(24 * HOUR + later);
        store.create(handle, &record, now()).await?;
        Ok((handle, record))
    });
    try_join_all(signing_in).await
}
