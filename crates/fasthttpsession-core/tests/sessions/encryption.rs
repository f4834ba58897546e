//! Records at rest: what is encrypted tells nothing, can't be changed or swapped, and comes and goes under live traffic.

use fasthttpsession_core::{
    BuildError, Error, Handle, Keys, Label, Lifetimes, Principal, Record, Sessions, StoreErrorKind,
    Timestamp, Unreadable,
};

use crate::faulty::{Fault, Op};
use crate::support::{Client, HOUR, MINUTE, Response, World, mutate};
use crate::wrapping::{entry, ring};

fn encrypting(world: &World, keys: &Keys) -> Sessions {
    world.builder().encrypt_records(keys).build().unwrap()
}

/// Why the session of `client` can't be read. The record must stay as it is.
async fn reason(world: &World, sessions: &Sessions, client: &Client) -> Unreadable {
    let before = world.record(client).await;
    let exchange = client.begin(sessions);
    let error = exchange.session().await.unwrap_err();
    assert_eq!(error.status(), 500);
    assert!(!error.is_retryable());
    assert_eq!(Response(exchange.finish().await.unwrap()).cookie(), None);
    assert_eq!(world.record(client).await, before);
    let Error::Unreadable { handle, reason } = error else {
        panic!("{error:?}")
    };
    assert_eq!(handle, client.handle());
    reason
}

#[tokio::test]
async fn an_encrypted_session_works_as_any_other() {
    let world = World::new();
    let builder = world.builder().encrypt_records(&ring(&["k"]));
    let sessions = builder.renew_every(MINUTE).build().unwrap();
    let mut client = Client::with(&sessions, "n", 1).await;
    client.visit(&sessions, |s| s.login("ada")).await;
    client.visit(&sessions, |s| s.set_label("a phone")).await;
    client
        .visit(&sessions, |s| s.set_lifetimes(Lifetimes::aal3()))
        .await;
    for round in 2..20 {
        world.clock.advance(MINUTE);
        client
            .visit(&sessions, |s| s.update("n", |n: &mut u64| *n += 1))
            .await;
        assert_eq!(client.get(&sessions, "n").await, Some(round));
    }
    let request = client.request(&sessions).await;
    let taken = request.transact(|values| values.take::<u64>("n")).await;
    assert_eq!(taken.unwrap(), Some(19));
    request.respond().await;
    let handle = client.handle();
    let changed = sessions.modify(handle, |values| values.set("n", &7)).await;
    assert_eq!(changed.unwrap(), Some(()));
    let snapshot = sessions.read(handle).await.unwrap().unwrap();
    assert_eq!(snapshot.values.get("n").unwrap(), Some(7));
    client
        .visit(&sessions, fasthttpsession_core::Session::logout)
        .await;
    assert_eq!(world.records().await, 0);
}

#[tokio::test]
async fn an_encrypted_body_tells_nothing_and_is_never_the_same() {
    let world = World::new();
    let sessions = encrypting(&world, &ring(&["k"]));
    let plain = world.sessions();
    let mut bodies = Vec::new();
    for (sessions, open) in [(&plain, true), (&sessions, false)] {
        let mut client = Client::new();
        client
            .visit(sessions, |s| s.set("the-key", "the value"))
            .await;
        for _ in 0..3 {
            client
                .visit(sessions, |s| s.set("the-key", "the value"))
                .await;
            let body = world.record(&client).await.unwrap().body;
            for part in ["the-key", "the value"] {
                let shows = body
                    .windows(part.len())
                    .any(|window| window == part.as_bytes());
                assert_eq!(shows, open);
            }
            bodies.push(body);
        }
    }
    // Head, key id, nonce, and from there on nothing in common.
    let same = |one: &[u8], other: &[u8]| one.iter().zip(other).filter(|(a, b)| a == b).count();
    assert!(same(&bodies[3][4..], &bodies[4][4..]) < 16);
    assert_eq!(bodies[3].len(), bodies[0].len() + 41 + "k".len());
}

/// Who can write to the database can't make a session somebody else's, older, longer, or another one.
#[tokio::test]
async fn what_vouches_for_the_body_vouches_for_handle_and_header() {
    let world = World::new();
    let sessions = encrypting(&world, &ring(&["k"]));
    let ada = Client::signed_in(&sessions, "ada").await;
    let bob = Client::signed_in(&sessions, "bob").await;
    let record = world.record(&ada).await.unwrap();
    let of_bob = world.record(&bob).await.unwrap();
    let later = Timestamp::from_millis(record.header.absolute_deadline.as_millis() + 1);
    let attempts: [&dyn Fn(&mut Record); 8] = [
        &|record| record.header.principal = Principal::new("bob").ok(),
        &|record| record.header.principal = None,
        &|record| record.header.label = Label::new("a phone").ok(),
        // The same bytes, moved from one field to the other.
        &|record| {
            record.header.label = Label::new("ada").ok();
            record.header.principal = None;
        },
        &|record| record.header.version += 1,
        &|record| record.header.created_at = world.now().after(MINUTE),
        &|record| record.header.absolute_deadline = later,
        &|record| record.body = of_bob.body.clone(),
    ];
    for (number, change) in attempts.iter().enumerate() {
        let mut changed = record.clone();
        change(&mut changed);
        world.store.place(ada.handle(), &changed, world.now()).await;
        let reason = reason(&world, &sessions, &ada).await;
        assert!(matches!(reason, Unreadable::Changed), "{number} {reason:?}");
    }
    // All of bob's record under the handle of ada, whose secret it would have to know.
    world.store.place(ada.handle(), &of_bob, world.now()).await;
    assert!(matches!(
        reason(&world, &sessions, &ada).await,
        Unreadable::Changed
    ));
    // A touch moves the idle deadline without the body, so nothing vouches for it: up to the absolute one.
    let mut touched = record.clone();
    touched.header.idle_deadline = later;
    world.store.place(ada.handle(), &touched, world.now()).await;
    assert!(ada.is_known(&sessions).await);
    world.clock.advance(24 * HOUR);
    assert!(!ada.is_known(&sessions).await);
}

/// "A wrong key or changed ciphertext is not a session and not a crash" (CVE-2026-39324): G8 for stored records.
#[tokio::test]
async fn a_wrong_key_or_changed_bytes_are_an_error_that_says_which_and_the_record_stays() {
    let world = World::new();
    let sessions = encrypting(&world, &ring(&["new", "old"]));
    let client = Client::with(&sessions, "n", 1).await;
    let liar = Keys::parse(&entry("other").replace("other:", "new:")).unwrap();
    let wrong = reason(&world, &encrypting(&world, &liar), &client).await;
    assert!(matches!(wrong, Unreadable::Changed));
    for lacking in [encrypting(&world, &ring(&["old"])), world.sessions()] {
        let lacks = reason(&world, &lacking, &client).await;
        assert!(matches!(lacks, Unreadable::UnknownKey { id } if &*id == "new"));
    }
    // Also when it is met at a commit: another process took the record, and this one has the wrong key.
    let open = client.request(&sessions).await;
    open.set("n", &2).unwrap();
    let body = world.record(&client).await.unwrap().body;
    world
        .store
        .overwrite(client.handle(), body, world.now())
        .await;
    let before = world.record(&client).await;
    let error = open.finish().await.err().unwrap();
    let is_changed = matches!(
        &error,
        Error::Unreadable {
            reason: Unreadable::Changed,
            ..
        }
    );
    assert!(is_changed, "{error:?}");
    assert_eq!(world.record(&client).await, before);
    assert_eq!(world.store.count(Op::Create), 1);
    let outside = sessions.read(client.handle()).await.unwrap_err();
    assert!(matches!(outside, Error::Unreadable { .. }));
    assert!(!format!("{error} {error:?}").contains("body"));
}

#[tokio::test]
async fn hostile_encrypted_records_never_open_and_never_panic() {
    let world = World::new();
    let sessions = encrypting(&world, &ring(&["key", "old"]));
    let client = Client::signed_in(&sessions, "ada").await;
    let record = world.record(&client).await.unwrap();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bodies: Vec<_> = (0..record.body.len())
        .flat_map(|at| {
            let (mut flipped, cut) = (record.body.to_vec(), record.body[..at].to_vec());
            flipped[at] ^= 1 << (at % 8);
            [flipped, cut]
        })
        .collect();
    bodies.extend((0..30_000).map(|_| mutate(&record.body, &mut random)));
    for body in bodies {
        let unchanged = body == record.body;
        let changed = Record {
            body: body.into(),
            ..record.clone()
        };
        world
            .store
            .place(client.handle(), &changed, world.now())
            .await;
        match client.begin(&sessions).session().await {
            Ok(session) => assert!(unchanged && !session.is_new()),
            Err(Error::Unreadable { .. }) => assert!(!unchanged),
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// From no encryption to encryption alone in three steps on two processes, one after the other; then back.
#[tokio::test]
async fn encryption_comes_and_goes_under_live_traffic_and_nothing_is_lost() {
    let world = World::new();
    let keys = ring(&["k"]);
    let build = |step| {
        let builder = world.builder();
        let builder = match step {
            0 => builder,
            1 => builder.also_read_encrypted(&keys),
            2 => builder.encrypt_records(&keys).also_read_unencrypted(),
            _ => builder.encrypt_records(&keys),
        };
        builder.build().unwrap()
    };
    let mut clients = Vec::new();
    let mut count = 0;
    for (from, to) in [(0, 1), (1, 2), (2, 3), (3, 2), (2, 1), (1, 0)] {
        let pair = [build(from), build(to)];
        for sessions in &pair {
            clients.push(Client::with(sessions, "n", count).await);
        }
        count += 2;
        for client in &mut clients {
            for sessions in &pair {
                assert!(client.is_known(sessions).await);
                client
                    .visit(sessions, |s| s.update("n", |n: &mut u64| *n += 1))
                    .await;
            }
        }
        for client in &clients {
            assert_eq!(client.get(&pair[0], "n").await, Some(count));
        }
    }
}

/// A record in the clear beside encrypted ones is one that anybody with the database could have written.
#[tokio::test]
async fn unencrypted_records_are_read_beside_encrypted_ones_only_if_asked_for() {
    let world = World::new();
    let keys = ring(&["k"]);
    let client = Client::with(&world.sessions(), "n", 1).await;
    let found = reason(&world, &encrypting(&world, &keys), &client).await;
    assert!(matches!(found, Unreadable::Unencrypted));
    let asked = world
        .builder()
        .encrypt_records(&keys)
        .also_read_unencrypted();
    assert!(client.is_known(&asked.build().unwrap()).await);
}

#[tokio::test]
async fn keys_of_records_rotate_and_nothing_is_lost() {
    let world = World::new();
    let steps = [&["a"][..], &["a", "b"], &["b", "a"]].map(|ids| encrypting(&world, &ring(ids)));
    let mut client = Client::with(&steps[0], "n", 0).await;
    let mut count = 0;
    for pair in steps.windows(2) {
        for sessions in pair {
            client
                .visit(sessions, |s| s.update("n", |n: &mut u64| *n += 1))
                .await;
            count += 1;
            for other in pair {
                assert_eq!(client.get(other, "n").await, Some(count));
            }
        }
    }
    assert_eq!(
        client.get(&encrypting(&world, &ring(&["b"])), "n").await,
        Some(count)
    );
}

/// The answer to a commit is lost: the identical swap goes again, nonce and all, and counts once.
#[tokio::test]
async fn an_encrypted_commit_without_answer_counts_once() {
    let world = World::new();
    let sessions = encrypting(&world, &ring(&["k"]));
    let mut client = Client::with(&sessions, "n", 1).await;
    let lost = || Fault::LoseAnswer(StoreErrorKind::Timeout);
    world.store.first(
        Op::Replace,
        [lost(), Fault::LoseCall(StoreErrorKind::Timeout)],
    );
    client
        .visit(&sessions, |s| s.update("n", |n: &mut u64| *n += 1))
        .await;
    assert_eq!(client.get(&sessions, "n").await, Some(2));
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn a_generator_that_fails_writes_nothing() {
    let world = World::new();
    let sessions = encrypting(&world, &ring(&["k"]));
    let client = Client::with(&sessions, "n", 1).await;
    let before = world.record(&client).await;
    let broken = world
        .builder()
        .encrypt_records(&ring(&["k"]))
        .system_generator_for_tests(|_| Err("out of entropy".into()))
        .build()
        .unwrap();
    let request = client.request(&broken).await;
    request.set("n", &2).unwrap();
    let error = request.finish().await.err().unwrap();
    assert!(matches!(error, Error::Random { .. }), "{error:?}");
    assert_eq!(world.record(&client).await, before);
}

#[test]
fn settings_of_encryption_that_contradict_each_other_are_refused_when_building() {
    let keys = ring(&["k"]);
    let builder = || World::new().builder();
    for refused in [
        builder().also_read_unencrypted(),
        builder().also_read_encrypted(&keys).also_read_unencrypted(),
        builder().also_read_encrypted(&keys).encrypt_records(&keys),
    ] {
        let built = refused.build();
        assert!(matches!(built, Err(BuildError::Protection { .. })));
    }
}

/// What stores list stays readable by stores, and says what the record says.
#[tokio::test]
async fn stores_still_see_the_header() {
    let world = World::new();
    let sessions = encrypting(&world, &ring(&["k"]));
    let client = Client::signed_in(&sessions, "ada").await;
    let handle: Handle = client.handle();
    let header = world.record(&client).await.unwrap().header;
    assert_eq!(header.principal, Principal::new("ada").ok());
    assert_eq!(sessions.read(handle).await.unwrap().unwrap().header, header);
}
