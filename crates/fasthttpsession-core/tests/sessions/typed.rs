//! One value as a type of the application: changed by closures, and read as what it is today whatever was stored.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fasthttpsession_core::{Error, Key, OldValue, Session, SessionValue, TransactError};
use serde::{Deserialize, Deserializer, Serialize};

use crate::support::{Client, World};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Settings {
    theme: String,
    language: String,
}

/// As it is by default: what does not fit is an error.
impl SessionValue for Settings {
    const KEY: Key<Self> = Key::new("settings");
}

/// What can be made again begins anew.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Filter {
    words: Vec<String>,
}

impl SessionValue for Filter {
    const KEY: Key<Self> = Key::new("filter");

    fn migrate(_: &OldValue<'_>) -> Option<Self> {
        Some(Self::default())
    }
}

/// Items got their count in version 2, and more than nine of one are not sold.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedBasket")]
struct Basket {
    items: Vec<(u32, u32)>,
}

#[derive(Deserialize)]
struct UncheckedBasket {
    items: Vec<(u32, u32)>,
}

#[derive(Serialize, Deserialize)]
struct OldBasket {
    items: Vec<u32>,
}

impl SessionValue for Basket {
    const KEY: Key<Self> = Key::new("basket");

    fn migrate(old: &OldValue<'_>) -> Option<Self> {
        let OldBasket { items } = old.read_as()?;
        Some(Self {
            items: items.into_iter().map(|number| (number, 1)).collect(),
        })
    }
}

impl TryFrom<UncheckedBasket> for Basket {
    type Error = &'static str;

    fn try_from(UncheckedBasket { items }: UncheckedBasket) -> Result<Self, &'static str> {
        if items.iter().any(|(_, count)| *count > 9) {
            return Err("nine of one are enough");
        }
        Ok(Self { items })
    }
}

fn basket(items: &[(u32, u32)]) -> Basket {
    Basket {
        items: items.to_vec(),
    }
}

fn old_basket(items: &[u32]) -> OldBasket {
    OldBasket {
        items: items.to_vec(),
    }
}

#[tokio::test]
async fn requests_that_change_different_fields_at_once_both_count() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let (one, other) = (
        client.request(&sessions).await,
        client.request(&sessions).await,
    );
    let mut settings = one.typed::<Settings>().unwrap();
    settings.update(|s| s.theme = "dark".into()).unwrap();
    let mut settings = other.typed::<Settings>().unwrap();
    settings.update(|s| s.language = "en".into()).unwrap();
    one.finish().await.unwrap();
    other.finish().await.unwrap();
    let both = Settings {
        theme: "dark".into(),
        language: "en".into(),
    };
    let after = client.request(&sessions).await;
    assert_eq!(*after.typed::<Settings>().unwrap(), both);
}

#[tokio::test]
async fn an_update_is_seen_at_once() {
    let sessions = World::new().sessions();
    let request = Client::new().request(&sessions).await;
    let mut settings = request.typed::<Settings>().unwrap();
    assert_eq!(settings.theme, "");
    settings.update(|s| s.theme = "dark".into()).unwrap();
    assert_eq!(settings.theme, "dark");
    assert_eq!(request.typed::<Settings>().unwrap().theme, "dark");
}

#[tokio::test]
async fn an_update_that_refuses_changes_nothing() {
    let sessions = World::new().sessions();
    let request = Client::new().request(&sessions).await;
    let mut settings = request.typed::<Settings>().unwrap();
    let refused = settings.update(|s| {
        s.theme = "dark".into();
        Err("not today")
    });
    assert!(matches!(refused, Err(Error::Refused { .. })));
    assert_eq!(settings.theme, "");
    assert!(!request.contains("settings"));
}

#[tokio::test]
async fn reading_writes_nothing_not_even_what_was_migrated() {
    let world = World::new();
    let sessions = world.sessions();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| s.set("basket", &old_basket(&[7])))
        .await;
    let writes = world.store.writes();
    let read = client
        .visit(&sessions, |s| Ok(s.typed::<Basket>()?.items.clone()))
        .await;
    Client::new()
        .visit(&sessions, |s| s.typed::<Basket>().map(drop))
        .await;
    assert_eq!(read, [(7, 1)]);
    assert_eq!(world.store.writes(), writes);
}

#[tokio::test]
async fn by_default_what_no_longer_fits_is_an_error_and_stays() {
    let sessions = World::new().sessions();
    let mut client = Client::new();
    client.visit(&sessions, |s| s.set("settings", "dark")).await;
    let request = client.request(&sessions).await;
    let refused = request.typed::<Settings>();
    assert!(matches!(refused, Err(Error::Decode { key, .. }) if &*key == "settings"));
    request.finish().await.unwrap();
    let stays = client
        .visit(&sessions, |s| s.get::<String>("settings"))
        .await;
    assert_eq!(stays.unwrap(), "dark");
}

#[tokio::test]
async fn a_type_may_begin_anew() {
    let sessions = World::new().sessions();
    let mut client = Client::new();
    client.visit(&sessions, |s| s.set("filter", &5)).await;
    let read = client
        .visit(&sessions, |s| {
            let mut filter = s.typed::<Filter>()?;
            filter.update(|filter| filter.words.push("tea".into()))?;
            Ok(filter.words.clone())
        })
        .await;
    assert_eq!(read, ["tea"]);
    let stored = client.visit(&sessions, |s| s.get(Filter::KEY)).await;
    assert_eq!(stored.unwrap().words, ["tea"]);
}

#[tokio::test]
async fn what_the_old_program_writes_meanwhile_is_migrated_too() {
    let sessions = World::new().sessions();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| s.set("basket", &basket(&[(1, 2)])))
        .await;
    let request = client.request(&sessions).await;
    let mut new = request.typed::<Basket>().unwrap();
    new.update(|basket| basket.items.push((2, 1))).unwrap();
    client
        .visit(&sessions, |s| s.set("basket", &old_basket(&[7, 8])))
        .await;
    request.finish().await.unwrap();
    let stored = client.visit(&sessions, |s| s.get(Basket::KEY)).await;
    assert_eq!(stored.unwrap(), basket(&[(7, 1), (8, 1), (2, 1)]));
}

#[tokio::test]
async fn what_does_not_fit_at_the_commit_aborts_it() {
    let sessions = World::new().sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    let mut settings = request.typed::<Settings>().unwrap();
    settings.update(|s| s.theme = "dark".into()).unwrap();
    request.set("n", &2).unwrap();
    client.visit(&sessions, |s| s.set("settings", &5)).await;
    assert!(matches!(
        request.finish().await.err(),
        Some(Error::Decode { .. })
    ));
    let stored = client.visit(&sessions, |s| s.get::<u64>("settings")).await;
    assert_eq!(stored, Some(5));
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn what_its_type_refuses_does_not_fit() {
    let sessions = World::new().sessions();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| s.set("basket", &basket(&[(1, 10)])))
        .await;
    let refused = client.request(&sessions).await.typed::<Basket>().map(drop);
    assert!(matches!(refused, Err(Error::Decode { .. })));
}

#[tokio::test]
async fn of_requests_that_transact_an_item_out_one_gets_it() {
    async fn take(session: &Session) -> Option<(u32, u32)> {
        let mut basket = session.typed::<Basket>().unwrap();
        let taken = basket.transact(|basket| Ok::<_, Error>(basket.items.pop()));
        let taken = taken.await.unwrap();
        assert_eq!(basket.items, []);
        taken
    }
    let sessions = World::new().sessions();
    let mut client = Client::new();
    client
        .visit(&sessions, |s| s.set("basket", &basket(&[(1, 1)])))
        .await;
    let (one, other) = (
        client.request(&sessions).await,
        client.request(&sessions).await,
    );
    let taken = tokio::join!(take(&one), take(&other));
    assert!(matches!(taken, (Some((1, 1)), None) | (None, Some((1, 1)))));
}

#[tokio::test]
async fn a_transact_that_changes_nothing_writes_nothing() {
    let world = World::new();
    let sessions = world.sessions();
    let request = Client::new().request(&sessions).await;
    let mut basket = request.typed::<Basket>().unwrap();
    let count = basket.transact(|basket| Ok::<_, Error>(basket.items.len()));
    assert_eq!(count.await.unwrap(), 0);
    request.finish().await.unwrap();
    assert_eq!(world.store.writes(), 0);
}

#[tokio::test]
async fn a_transact_may_abort_and_says_when_the_value_does_not_fit() {
    let sessions = World::new().sessions();
    let mut client = Client::with(&sessions, "n", 1).await;
    let request = client.request(&sessions).await;
    let mut settings = request.typed::<Settings>().unwrap();
    let aborted = settings
        .transact(|s| {
            s.theme = "dark".into();
            Err::<(), _>("not today")
        })
        .await;
    assert!(matches!(aborted, Err(TransactError::Aborted("not today"))));
    assert_eq!(settings.theme, "");
    client.visit(&sessions, |s| s.set("settings", &5)).await;
    let changed = settings.transact(|s| {
        s.theme = "dark".into();
        Ok::<_, Error>(())
    });
    assert!(matches!(
        changed.await,
        Err(TransactError::Session(Error::Decode { .. }))
    ));
    assert_eq!(client.get(&sessions, "n").await, Some(1));
}

#[tokio::test]
async fn a_value_is_migrated_as_often_as_it_is_read() {
    static MIGRATED: AtomicUsize = AtomicUsize::new(0);
    #[derive(Default, Serialize, Deserialize)]
    struct Counted {
        n: u64,
    }
    impl SessionValue for Counted {
        const KEY: Key<Self> = Key::new("n");

        fn migrate(old: &OldValue<'_>) -> Option<Self> {
            MIGRATED.fetch_add(1, Ordering::Relaxed);
            old.read_as().map(|n| Self { n })
        }
    }
    let sessions = World::new().sessions();
    let client = Client::with(&sessions, "n", 5).await;
    for reads in 1..3 {
        let request = client.request(&sessions).await;
        assert_eq!(request.typed::<Counted>().unwrap().n, 5);
        assert_eq!(MIGRATED.load(Ordering::Relaxed), reads);
    }
}

#[tokio::test]
async fn an_old_value_is_not_printed() {
    #[derive(Debug, Default, Serialize, Deserialize)]
    struct Shown {
        n: u64,
    }
    impl SessionValue for Shown {
        const KEY: Key<Self> = Key::new("n");

        fn migrate(old: &OldValue<'_>) -> Option<Self> {
            assert!(!format!("{old:?}").contains("31337"));
            Some(Self { n: 0 })
        }
    }
    let sessions = World::new().sessions();
    let client = Client::with(&sessions, "n", 31337).await;
    assert_eq!(
        client.request(&sessions).await.typed::<Shown>().unwrap().n,
        0
    );
}

thread_local! {
    static SESSION: RefCell<Option<Session>> = const { RefCell::new(None) };
}

/// Its own value, and how many there were when it was read.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Curious(u64, usize);

impl<'de> Deserialize<'de> for Curious {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (value, _) = <(u64, usize)>::deserialize(from)?;
        let session = SESSION.with_borrow(Clone::clone).unwrap();
        session.set("seen", &Self(value, 0)).unwrap();
        Ok(Self(value, session.len()))
    }
}

impl SessionValue for Curious {
    const KEY: Key<Self> = Key::new("curious");
}

#[tokio::test]
async fn a_type_may_use_the_session_that_it_is_read_from() {
    let world = World::new();
    let request = Client::new().request(&world.sessions()).await;
    request.set(Curious::KEY, &Curious(1, 0)).unwrap();
    let (done, ended) = mpsc::channel();
    // It would hang in the lock of its own thread.
    thread::spawn(move || {
        SESSION.set(Some(request.session.clone()));
        let read = request.get(Curious::KEY).unwrap();
        assert_eq!(read, Some(Curious(1, 2)));
        assert_eq!(*request.typed::<Curious>().unwrap(), Curious(1, 2));
        let entries = request.entries::<Curious>().unwrap();
        assert_eq!(entries[0], ("curious".to_owned(), Curious(1, 2)));
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(10)).unwrap();
}
