//! G8, an error is never an empty session; and hostile bytes, in requests and in stores, cost little and never panic.

use fasthttpsession_core::{Error, Sessions, StoreErrorKind, Unreadable};

use crate::faulty::{Fault, Op};
use crate::support::{Client, Response, World, mutate};

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_and_stays_as_it_is() {
    let bodies: [&[u8]; 5] = [
        b"",
        b"\x02",
        b"\x01",
        b"\x01\x07",
        b"garbage that is long enough to be a record",
    ];
    for body in bodies {
        let world = World::new();
        let sessions = world.sessions();
        let client = Client::with(&sessions, "n", 1).await;
        let open = client.request(&sessions).await;
        world
            .store
            .overwrite(client.handle(), body.to_vec(), world.now())
            .await;
        let record = world.record(&client).await;
        world.store.heal();

        let exchange = client.begin(&sessions);
        let error = exchange.session().await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
        assert_eq!(error.status(), 500);
        assert_eq!(Response(exchange.finish().await.unwrap()).cookie(), None);
        let error = sessions.read(client.handle()).await.unwrap_err();
        assert!(matches!(error, Error::Unreadable { .. }));
        // Also when it is met at a commit.
        open.set("n", &2).unwrap();
        let error = open.finish().await.err().unwrap();
        assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
        assert_eq!(world.record(&client).await, record);
        assert_eq!(world.store.count(Op::Create), 0);
    }
}

#[tokio::test]
async fn a_later_envelope_version_is_said_to_be_one() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let mut body = world.record(&client).await.unwrap().body.to_vec();
    body[0] = 9;
    world
        .store
        .overwrite(client.handle(), body, world.now())
        .await;
    let error = client.begin(&sessions).session().await.unwrap_err();
    let Error::Unreadable { reason, handle } = error else {
        panic!("{error:?}")
    };
    assert_eq!(handle, client.handle());
    assert!(matches!(reason, Unreadable::Version { found: 9 }));
}

#[tokio::test]
async fn a_store_that_is_down_is_an_error_and_a_retry_finds_the_session() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    world
        .store
        .first(Op::Load, [Fault::Refuse(StoreErrorKind::Unavailable)]);
    let exchange = client.begin(&sessions);
    let error = exchange.session().await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(error.status(), 503);
    assert!(exchange.request_session().loaded().is_none());
    assert!(!exchange.session().await.unwrap().is_new());
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_and_stays_as_it_is() {
    let world = World::new();
    let sessions = world.sessions();
    let client = Client::with(&sessions, "n", 1).await;
    let record = world.record(&client).await;
    let request = client.request(&sessions).await;
    let error = request.get::<String>("n").unwrap_err();
    assert!(matches!(&error, Error::Decode { key, .. } if &**key == "n"));
    let update = request.update("n", |text: &mut String| text.push('x'));
    assert!(matches!(update, Err(Error::Decode { .. })));
    assert!(matches!(
        request.entries::<String>(),
        Err(Error::Decode { .. })
    ));
    let taken = request.transact(|values| values.take::<String>("n")).await;
    taken.unwrap_err();
    request.respond().await;
    assert_eq!(world.record(&client).await, record);
}

/// Whatever the browser sends is a visitor's or the session it is; never a panic, and at most four reads.
#[tokio::test]
async fn hostile_cookies_cost_little_and_never_panic() {
    let world = World::new();
    let sessions = world.sessions();
    let token = Client::with(&sessions, "n", 1).await.token().unwrap();
    let valid = format!("a=b; __Host-id={token}; c=d").into_bytes();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..100_000 {
        let cookie = mutate(&valid, &mut random);
        world.store.heal();
        let exchange = sessions.begin([("Cookie", &cookie)], None);
        let session = exchange.session().await.unwrap();
        assert!(world.store.operations() <= 4);
        let opened = session.handle().is_some();
        let sent = cookie
            .windows(token.len())
            .any(|window| window == token.as_bytes());
        assert!(sent || !opened, "{cookie:?}");
    }
}

/// Whatever is in the store is a session or a typed error; never a panic, which to make room for a length would be: some of
/// them are as large as a length can be.
#[tokio::test]
async fn hostile_records_cost_little_and_never_panic() {
    let world = World::new();
    let sessions = world
        .builder()
        .renew_every(crate::support::MINUTE)
        .build()
        .unwrap();
    let mut client = Client::with(&sessions, "n", 1).await;
    client
        .visit(&sessions, |s| {
            s.set("text", "some text that is longer")?;
            s.set_lifetimes(fasthttpsession_core::Lifetimes::aal3())
        })
        .await;
    world.clock.advance(2 * crate::support::MINUTE);
    client.visit(&sessions, |_| Ok(())).await;
    client.visit(&sessions, |s| s.set("m", &2)).await;
    let valid = world.record(&client).await.unwrap().body.to_vec();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut opened = 0;
    for round in 0..100_000 {
        let body = mutate(&valid, &mut random);
        world
            .store
            .overwrite(client.handle(), body, world.now())
            .await;
        opened += usize::from(probe(&sessions, &client, round % 16 == 0).await);
    }
    assert!(opened > 0, "some mutations leave a record that opens");
}

/// Uses the session in every way, if it opens.
async fn probe(sessions: &Sessions, client: &Client, write: bool) -> bool {
    let exchange = client.begin(sessions);
    let session = match exchange.session().await {
        Ok(session) => session,
        Err(Error::Unreadable { .. }) => return false,
        Err(error) => panic!("{error:?}"),
    };
    for key in session.keys() {
        let _ = session.get::<serde_json::Value>(&key);
    }
    let _ = session.entries::<u64>();
    if write && !session.is_new() {
        session.set("n", &2).unwrap();
        session.clear().unwrap();
        session.rotate().unwrap();
        let _ = session.save().await;
    }
    !session.is_new()
}
