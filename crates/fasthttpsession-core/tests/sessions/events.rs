//! What happens to sessions is told to whoever listens, in order, without a secret, and harms nobody.

use fasthttpsession_core::{Event, EventKind, Events, Handle, Session, StoreErrorKind};

use crate::faulty::{Fault, Op};
use crate::support::{Client, HOUR, MINUTE, World};

/// What was told so far; nobody waits for more.
fn told(events: &mut Events) -> Vec<(EventKind, Handle)> {
    let mut all = Vec::new();
    while let Some(Some(Event { kind, handle, .. })) =
        futures_util::FutureExt::now_or_never(events.next())
    {
        all.push((kind, handle));
    }
    all
}

#[tokio::test]
async fn the_life_of_a_session_is_told_in_order() {
    use EventKind::{Created, Destroyed, Missing, Rotated};
    let world = World::new();
    let sessions = world.sessions();
    let mut events = sessions.events(100);
    let mut client = Client::with(&sessions, "n", 1).await;
    let handle = client.handle();
    let stale = client.clone();
    client.get(&sessions, "n").await;
    client.visit(&sessions, |s| s.set("n", &2)).await;
    client.visit(&sessions, |s| s.login("ada")).await;
    client.visit(&sessions, Session::rotate).await;
    client.visit(&sessions, Session::logout).await;
    assert!(!stale.is_known(&sessions).await);
    let kinds = [Created, Rotated, Rotated, Destroyed, Missing];
    assert_eq!(told(&mut events), kinds.map(|kind| (kind, handle)));
    assert_eq!(events.missed(), 0);
}

#[tokio::test]
async fn what_ends_a_session_from_outside_is_told() {
    let world = World::new();
    let sessions = world.sessions();
    let (first, second) = (
        Client::signed_in(&sessions, "ada").await,
        Client::signed_in(&sessions, "ada").await,
    );
    let mut events = sessions.events(100);
    sessions.end(first.handle()).await.unwrap();
    sessions.end(first.handle()).await.unwrap();
    sessions.users().unwrap().end_all("ada").await.unwrap();
    let ended = [first.handle(), second.handle()].map(|handle| (EventKind::Destroyed, handle));
    assert_eq!(told(&mut events), ended);
}

/// OWASP ASVS 5.0, 16.3.
#[tokio::test]
async fn a_known_handle_with_a_wrong_secret_is_told() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let stolen = client.clone();
    client.visit(&sessions, Session::rotate).await;
    let mut events = sessions.events(100);
    assert!(!stolen.is_known(&sessions).await);
    assert!(client.is_known(&sessions).await);
    assert_eq!(
        told(&mut events),
        [(EventKind::WrongSecret, client.handle())]
    );
}

#[tokio::test]
async fn a_record_that_can_not_be_read_is_told() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let handle = client.handle();
    let mut events = sessions.events(100);
    world
        .store
        .overwrite(handle, b"?".to_vec(), world.now())
        .await;
    client.begin(&sessions).session().await.unwrap_err();
    assert_eq!(told(&mut events), [(EventKind::Unreadable, handle)]);
}

#[tokio::test]
async fn an_expired_session_is_told_when_its_client_comes_back() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let mut events = sessions.events(100);
    world.clock.advance(HOUR + MINUTE);
    assert!(!client.is_known(&sessions).await);
    assert_eq!(told(&mut events), [(EventKind::Missing, client.handle())]);
}

/// A failing hook or listener doesn't keep a session alive (CVE-2021-34428): it is gone before anybody hears of it.
#[tokio::test]
async fn who_hears_of_an_end_finds_it_ended() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::signed_in(&sessions, "ada").await;
    let handle = client.handle();
    let mut events = sessions.events(100);
    let store = world.store.clone();
    let now = world.now();
    let listener = tokio::spawn(async move {
        let event = events.next().await.unwrap();
        assert_eq!(event.kind, EventKind::Destroyed);
        store.record(handle, now).await
    });
    client.visit(&sessions, Session::logout).await;
    assert_eq!(listener.await.unwrap(), None);
}

#[tokio::test]
async fn an_end_that_failed_is_not_told() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::signed_in(&sessions, "ada").await;
    let mut events = sessions.events(100);
    let refusal = Fault::Refuse(StoreErrorKind::Unavailable);
    world.store.first(Op::Delete, [refusal]);
    sessions.end(client.handle()).await.unwrap_err();
    assert_eq!(told(&mut events), []);
}

#[tokio::test]
async fn a_listener_that_hangs_or_is_gone_harms_nobody() {
    let world = World::new();
    let sessions = world.sessions();
    let (mut hangs, gone, mut listens) = (
        sessions.events(10),
        sessions.events(10),
        sessions.events(1000),
    );
    drop(gone);
    for n in 0..100 {
        Client::with(&sessions, "n", n).await;
    }
    assert_eq!(told(&mut listens).len(), 100);
    let waited = told(&mut hangs).len();
    assert!((10..20).contains(&waited), "{waited}");
    assert_eq!(hangs.missed(), 100 - waited as u64);
}

#[tokio::test]
async fn listening_ends_with_the_manager() {
    let world = World::new();
    let sessions = world.sessions();
    let mut events = sessions.events(10);
    let client = Client::with(&sessions, "n", 1).await;
    drop(sessions);
    assert_eq!(events.next().await.unwrap().handle, client.handle());
    assert_eq!(events.next().await, None);
}

/// Everything that a request can come to, for what is written down about it.
#[cfg(any(feature = "tracing", feature = "metrics"))]
async fn much_happens(world: &World) -> Vec<String> {
    let sessions = world.sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let stale = client.clone();
    let mut tokens = vec![client.token().unwrap()];
    client.visit(&sessions, |s| s.login("ada")).await;
    tokens.push(client.token().unwrap());
    stale.is_known(&sessions).await;
    // One conflict, one answer that is lost, one request that finds the session signed in to, and one that finds it gone.
    world.store.first(Op::Replace, [Fault::Outrun(1)]);
    client.visit(&sessions, |s| s.set("n", &2)).await;
    let lost = Fault::LoseAnswer(StoreErrorKind::Timeout);
    world.store.first(Op::Replace, [lost]);
    client.visit(&sessions, |s| s.set("n", &3)).await;
    world.store.heal();
    let late = client.request(&sessions).await;
    client.visit(&sessions, |s| s.login("ada")).await;
    tokens.push(client.token().unwrap());
    late.set("n", &4).unwrap();
    assert_eq!(
        late.save().await.unwrap(),
        fasthttpsession_core::Outcome::Superseded
    );
    let later = client.request(&sessions).await;
    client.visit(&sessions, Session::logout).await;
    later.set("n", &5).unwrap();
    assert_eq!(
        later.save().await.unwrap(),
        fasthttpsession_core::Outcome::Gone
    );
    let refusal = Fault::Refuse(StoreErrorKind::Unavailable);
    world.store.first(Op::Load, [refusal]);
    stale.begin(&sessions).session().await.unwrap_err();
    tokens
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn traces_show_handles_and_never_a_secret() {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);
    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let paper = Paper::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer({
            let paper = paper.clone();
            move || paper.clone()
        })
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let world = World::new();
    let tokens = much_happens(&world).await;
    drop(guard);
    let written = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    for token in tokens {
        let (handle, secret) = token.split_once('.').unwrap();
        assert!(written.contains(handle), "{written}");
        assert!(!written.contains(secret), "{written}");
    }
    for said in [
        "operation=\"load\"",
        "store=\"faulty\"",
        "event=\"created\"",
        "event=\"wrong_secret\"",
        "outcome=\"conflict\"",
        "outcome=\"resent\"",
        "the session store failed",
    ] {
        assert!(written.contains(said), "{said}: {written}");
    }
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn everything_that_happens_is_counted() {
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let guard = metrics::set_default_local_recorder(&recorder);
    let world = World::new();
    let tokens = much_happens(&world).await;
    drop(guard);
    let mut counted = std::collections::BTreeMap::new();
    let mut timed = Vec::new();
    for (key, _, _, value) in snapshots.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(metrics::Label::value).collect();
        let name = format!("{} {}", key.key().name(), labels.join(" "));
        assert!(labels.contains(&"faulty"), "{name}");
        for token in &tokens {
            assert!(!name.contains(token.split_once('.').unwrap().0), "{name}");
        }
        match value {
            DebugValue::Counter(count) => drop(counted.insert(name, count)),
            DebugValue::Histogram(seconds) => timed.push((name, seconds.len())),
            DebugValue::Gauge(_) => panic!("{name}"),
        }
    }
    let expected = [
        ("fasthttpsession_commits_total committed faulty", 4),
        ("fasthttpsession_commits_total conflict faulty", 2),
        ("fasthttpsession_commits_total gone faulty", 1),
        ("fasthttpsession_commits_total resent faulty", 1),
        ("fasthttpsession_commits_total superseded faulty", 1),
        ("fasthttpsession_events_total created faulty", 1),
        ("fasthttpsession_events_total destroyed faulty", 1),
        ("fasthttpsession_events_total rotated faulty", 2),
        ("fasthttpsession_events_total wrong_secret faulty", 1),
        (
            "fasthttpsession_store_errors_total load faulty unavailable",
            1,
        ),
        (
            "fasthttpsession_store_errors_total replace faulty timeout",
            1,
        ),
    ];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counted, expected.into());
    timed.sort();
    let operations = ["create", "delete", "load", "replace"];
    assert_eq!(timed.len(), operations.len(), "{timed:?}");
    for ((name, count), operation) in timed.iter().zip(operations) {
        assert_eq!(
            *name,
            format!("fasthttpsession_store_seconds {operation} faulty")
        );
        assert!(*count > 0);
    }
}

#[cfg(feature = "metrics")]
#[tokio::test]
async fn an_operation_is_counted_once_although_its_store_wraps_another() {
    use fasthttpsession_core::{AnyStore, Sessions};
    use metrics_util::debugging::{DebugValue, DebuggingRecorder};

    let recorder = DebuggingRecorder::new();
    let snapshots = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let inside = AnyStore::new(World::new().store);
    let sessions = Sessions::new(std::sync::Arc::new(inside));
    Client::with(&sessions, "n", 1)
        .await
        .is_known(&sessions)
        .await;
    let timed = snapshots.snapshot().into_vec().into_iter();
    let timed = timed.filter_map(|(key, _, _, value)| match value {
        DebugValue::Histogram(seconds) => Some((key.key().clone(), seconds.len())),
        _ => None,
    });
    let timed: Vec<_> = timed.collect();
    assert_eq!(timed.len(), 2, "a creation and a load: {timed:?}");
    assert!(timed.iter().all(|(_, count)| *count == 1), "{timed:?}");
}

#[tokio::test]
async fn as_many_may_wait_as_memory_holds() {
    let world = World::new();
    let sessions = world.sessions();
    let mut events = sessions.events(usize::MAX);
    let client = Client::with(&sessions, "n", 1).await;
    assert_eq!(told(&mut events), [(EventKind::Created, client.handle())]);
}
