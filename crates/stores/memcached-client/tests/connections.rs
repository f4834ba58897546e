//! Connections: pipelining, callers that give up, servers that are dead, hung, back, or not what they say.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use fasthttpsession_memcached_client::{Client, Error, ErrorKind, Expiry, Item};
use fasthttpsession_servers::{Memcached, MemcachedServer, keepalives};
use support::{Fake, LONG, add, client, config, until_it_answers, value};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_one_connection_and_each_gets_its_own_reply() {
    let server = Memcached::start();
    let client = client(&server);
    let mut tasks = JoinSet::new();
    for number in 0..3_000 {
        let client = client.clone();
        tasks.spawn(async move {
            let key = number.to_string();
            add(&client, &key, &key).await;
            assert_eq!(value(&client, &key).await, Some(Bytes::from(key)));
        });
    }
    tasks.join_all().await;
    // One is the question's own, and some the server keeps for itself.
    let connections =
        server.stat("total_connections") - Memcached::start().stat("total_connections");
    assert!(connections <= 10, "{connections} connections were made");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_give_up_leave_their_replies_to_nobody() {
    let server = Memcached::start();
    let client = client(&server);
    for number in 0..50 {
        let key = number.to_string();
        add(&client, &key, &key).await;
    }
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let client = client.clone();
        tasks.spawn(async move {
            let mut random = fastrand::Rng::with_seed(task);
            for _ in 0..500 {
                let key = random.usize(..50).to_string();
                let asked = value(&client, &key);
                let patience = random.usize(..6);
                tokio::select! {
                    biased;
                    found = asked => assert_eq!(found, Some(Bytes::from(key))),
                    () = yields(patience) => {}
                }
            }
        });
    }
    tasks.join_all().await;
}

async fn yields(times: usize) {
    for _ in 0..times {
        yield_now().await;
    }
}

#[tokio::test]
async fn the_reply_to_a_caller_that_gave_up_is_thrown_away() {
    let fake = Fake::new().await;
    let client = fake.client();
    let first = tokio::spawn({
        let client = client.clone();
        async move { client.get("first").await }
    });
    let mut wire = fake.accept().await;
    assert_eq!(wire.line().await, "mg first v c O1");
    first.abort();
    first.await.expect_err("it was aborted");
    let second = tokio::spawn(async move { client.get("second").await });
    assert_eq!(wire.line().await, "mg second v c O2");
    wire.say("VA 5 c1 O1\r\nfirst\r\nVA 6 c2 O2\r\nsecond\r\n")
        .await;
    let second = second
        .await
        .expect("it does not panic")
        .expect("it is answered");
    assert_eq!(second.expect("it is there").value, "second");
}

#[tokio::test]
async fn a_reply_to_another_request_is_given_to_nobody() {
    let fake = Fake::new().await;
    let client = fake.client();
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.get("mine").await }
    });
    let mut wire = fake.accept().await;
    wire.line().await;
    wire.say("VA 6 c1 O7\r\nothers\r\n").await;
    let error = asked
        .await
        .expect("it does not panic")
        .expect_err("not mine");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    wire.closed().await;
    let again = tokio::spawn(async move { client.get("mine").await });
    let mut wire = fake.accept().await;
    wire.line().await;
    wire.say("EN O1\r\n").await;
    assert_eq!(
        again.await.expect("it does not panic").expect("answered"),
        None
    );
}

#[tokio::test]
async fn a_cut_connection_says_that_the_request_may_have_been_carried_out() {
    let fake = Fake::new().await;
    let client = fake.client();
    let asked = tokio::spawn(async move {
        let value = Bytes::from("value");
        client.add("key", value, Expiry::NEVER).await
    });
    let mut wire = fake.accept().await;
    wire.line().await;
    drop(wire);
    let error = asked
        .await
        .expect("it does not panic")
        .expect_err("it was cut");
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.may_have_applied());
    assert!(error.to_string().contains(&fake.address()), "{error}");
}

/// What stands between may say so of a request that it has passed on.
#[tokio::test]
async fn a_refusal_that_memcached_does_not_know_leaves_open_whether_the_request_was_carried_out() {
    let fake = Fake::new().await;
    let client = fake.client();
    let refusals = [
        ("SERVER_ERROR backend failure", true),
        ("SERVER_ERROR out of memory storing object", false),
        ("SERVER_ERROR object too large for cache", false),
    ];
    let asked = tokio::spawn(async move {
        for (refusal, may_have_applied) in refusals {
            let added = client.add("key", Bytes::new(), Expiry::NEVER).await;
            let error = added.expect_err(refusal);
            assert_eq!(error.may_have_applied(), may_have_applied, "{refusal}");
        }
    });
    let mut wire = fake.accept().await;
    for (refusal, _) in refusals {
        // The command, and its value.
        wire.line().await;
        wire.line().await;
        wire.say(&format!("{refusal}\r\n")).await;
    }
    asked.await.expect("it does not panic");
}

#[test]
fn a_client_outlives_the_runtime_that_it_was_first_used_in() {
    let server = Memcached::start();
    let client = client(&server);
    for _ in 0..3 {
        let got = runtime().block_on(async { timeout(LONG, client.get("key")).await });
        let got = got.expect("there is always an answer");
        assert_eq!(got.expect("the server is there"), None);
    }
}

#[test]
fn whoever_waits_for_a_runtime_that_ends_is_told() {
    let first = runtime();
    let fake = first.block_on(Fake::new());
    let client = fake.client();
    // The first one connects, and nobody answers its greeting.
    first.block_on(async {
        let asked = timeout(Duration::from_millis(1), client.get("key")).await;
        asked.expect_err("nobody answers");
    });
    runtime().block_on(async {
        let mut asked = std::pin::pin!(client.get("key"));
        tokio::select! {
            biased;
            _ = &mut asked => panic!("nobody answers"),
            () = yield_now() => {}
        }
        first.shutdown_background();
        let answer = timeout(LONG, asked).await;
        let error = answer.expect("there is always an answer");
        let error = error.expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        assert!(!error.may_have_applied());
    });
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("there is room for one")
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused() {
    let fake = Fake::new().await;
    let client = fake.client();
    let mut tasks = JoinSet::new();
    let ask = |tasks: &mut JoinSet<_>| {
        let client = client.clone();
        tasks.spawn(async move { client.get("key").await })
    };
    for _ in 0..4_096 {
        ask(&mut tasks);
    }
    let mut wire = fake.accept().await;
    for _ in 0..4_096 {
        wire.line().await;
    }
    let error = client.get("key").await.expect_err("enough wait");
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(!error.may_have_applied());
    for number in 1..=4_096 {
        wire.say(&format!("EN O{number}\r\n")).await;
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(None))));
}

#[tokio::test]
async fn a_time_without_end_is_one_too() {
    let server = Memcached::start();
    let client = config(&[server.address()])
        .connect_timeout(Duration::MAX)
        .timeout(Duration::MAX)
        .open()
        .expect("nothing is wrong with it");
    add(&client, "key", "value").await;
    assert_eq!(value(&client, "key").await, Some(Bytes::from("value")));
}

/// A server that always sends something, and never a whole reply.
#[tokio::test(flavor = "multi_thread")]
async fn requests_whose_time_is_over_count_until_a_connection_that_makes_no_progress_is_closed() {
    let fake = Fake::new().await;
    let client = config(&[fake.address()])
        .timeout(Duration::from_millis(500))
        .open()
        .expect("nothing is wrong with it");
    let asking = tokio::spawn(async move {
        for _ in 0..3 {
            let mut tasks = JoinSet::new();
            for _ in 0..4_096 {
                let client = client.clone();
                tasks.spawn(async move { client.get("key").await });
            }
            let answers = tasks.join_all().await;
            assert!(answers.iter().all(Result::is_err));
        }
        client
    });
    let mut wire = fake.accept().await;
    assert_eq!(wire.line().await, "mg key v c O1");
    wire.say("VA 1000000 c1 O1\r\n").await;
    let dribbling = wire.dribble(Duration::from_millis(100));
    let dribbled = tokio::time::timeout(LONG, dribbling).await;
    let lines = dribbled.expect("the client gives the connection up");
    assert!(lines < 4_096, "{} requests had no answer", lines + 1);
    asking.await.expect("each of them fails");
}

#[tokio::test]
async fn more_bytes_than_may_wait_are_refused() {
    let fake = Fake::new().await;
    let client = fake.client();
    let value = Bytes::from(vec![0; 1_000_000]);
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let (client, value) = (client.clone(), value.clone());
        tasks.spawn(async move { client.add("key", value, Expiry::NEVER).await });
    }
    let _wire = fake.accept().await;
    let refused = tasks
        .join_next()
        .await
        .expect("100 were begun")
        .expect("no panic");
    let error = refused.expect_err("32 MiB are less");
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(!error.may_have_applied());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_costs_few_requests_their_time_and_the_others_none() {
    let server = Memcached::start();
    let config = config(&[server.address()]);
    let client = config.timeout(Duration::from_millis(300)).open();
    let client = client.expect("nothing is wrong with it");
    until_it_answers(&client).await;
    server.pause();
    for _ in 0..4 {
        let start = Instant::now();
        let error = client.get("key").await.expect_err("it hangs");
        let fitting = [
            ErrorKind::Timeout,
            ErrorKind::Disconnected,
            ErrorKind::Unreachable,
        ];
        assert!(fitting.contains(&error.kind()), "{error}");
        assert!(start.elapsed() < LONG, "{:?}", start.elapsed());
    }
    until(&client, |answer| {
        is_unreachable(answer.as_ref().expect_err("it hangs"))
    })
    .await;
    // Whoever waited for a connection each time would wait for ten minutes.
    let start = Instant::now();
    for _ in 0..2_000 {
        let error = client.get("key").await.expect_err("it hangs");
        assert!(is_unreachable(&error), "{error}");
    }
    assert!(start.elapsed() < 2 * LONG, "{:?}", start.elapsed());
    server.resume();
    until_it_answers(&client).await;
}

/// Asks for a key until the answer is as `wanted`.
async fn until(client: &Client, wanted: impl Fn(&Result<Option<Item>, Error>) -> bool) {
    let asking = async {
        while !wanted(&client.get("key").await) {
            // So that the time can run out, however fast the answers come.
            yield_now().await;
        }
    };
    let asked = timeout(2 * LONG, asking).await;
    asked.expect("the client notices");
}

fn is_unreachable(error: &Error) -> bool {
    error.kind() == ErrorKind::Unreachable && !error.may_have_applied()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_unreachable_and_found_again() {
    let server = Memcached::start();
    let client = client(&server);
    add(&client, "key", "value").await;
    server.kill();
    until(&client, Result::is_err).await;
    let error = client.get("key").await.expect_err("it is dead");
    assert!(is_unreachable(&error), "{error}");
    server.restart();
    until_it_answers(&client).await;
    assert_eq!(value(&client, "key").await, None, "it forgot everything");
}

/// As memcached does with `idle_timeout`, and what translates addresses.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_closed_while_nobody_asks_is_no_failure() {
    let fake = Fake::new().await;
    let client = fake.client();
    let (refused, ()) = tokio::join!(client.get("key"), fake.refuse());
    let error = refused.expect_err("it was refused");
    assert!(is_unreachable(&error), "{error}");
    // It comes again by itself.
    fake.accept().await.end().await;
    let answering = tokio::spawn(async move {
        let mut wire = fake.accept().await;
        assert_eq!(wire.line().await, "mg key v c O1");
        wire.say("EN O1\r\n").await;
        wire.closed().await;
    });
    let answer = client.get("key").await;
    assert_eq!(answer.expect("it is answered"), None);
    drop(client);
    answering.await.expect("it does not panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_greets_and_answers_nothing_is_left_alone_for_longer_and_longer() {
    let fake = Fake::new().await;
    let client = fake.client();
    let asking = tokio::spawn(async move {
        loop {
            client.get("key").await.expect_err("nothing is answered");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let start = Instant::now();
    for _ in 0..6 {
        fake.accept().await.line().await;
    }
    // At least half of 50, 100, 200, 400 and 800 ms.
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(775), "{elapsed:?}");
    asking.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_while_nobody_asks_is_not_noticed() {
    let server = Memcached::start();
    let client = client(&server);
    add(&client, "key", "value").await;
    server.restart();
    // The end of the old connection may come after the question.
    let first = client.get("key").await;
    if let Err(error) = first {
        assert_eq!(error.kind(), ErrorKind::Disconnected);
        until_it_answers(&client).await;
    }
    assert_eq!(value(&client, "key").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_server_leaves_the_others_their_keys() {
    let servers = [Memcached::start(), Memcached::start(), Memcached::start()];
    let addresses = servers.each_ref().map(MemcachedServer::address);
    let client = config(&addresses).open().expect("nothing is wrong with it");
    for number in 0..60 {
        add(&client, &number.to_string(), "value").await;
    }
    servers[1].kill();
    let mut lost = 0;
    for number in 0..60 {
        let key = number.to_string();
        let is_dead = client.server_of(&key).to_string() == addresses[1];
        assert_eq!(client.get(&key).await.is_err(), is_dead, "{key}");
        lost += usize::from(is_dead);
    }
    assert!((1..60).contains(&lost), "{lost} of 60 keys were there");
    let items = |server: usize| servers[server].stat("curr_items");
    assert_eq!(
        usize::try_from(items(0) + items(2)).expect("few"),
        60 - lost
    );
}

/// Noise, and real replies that were spoilt: always an answer, never a panic, never more than was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_server_says_is_answered() {
    let fake = Fake::new().await;
    for seed in 0..300 {
        // A new one each time, for a client stays away from such a server for a while.
        let client = fake.client();
        let asked = tokio::spawn(async move { client.get("key").await });
        let mut wire = fake.accept().await;
        wire.line().await;
        wire.say(&hostile(seed)).await;
        drop(wire);
        let answer = tokio::time::timeout(LONG, asked).await;
        let answer = answer.expect("there is always an answer");
        if let Ok(Some(item)) = answer.expect("it does not panic") {
            assert!(item.value.len() <= "value".len() * 2, "seed {seed}");
        }
    }
}

fn hostile(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut words = vec![
        "VA",
        "HD",
        "EN",
        "O1",
        "c5",
        "\r\n",
        "5",
        "value",
        " ",
        "4294967295",
        "ERROR",
        "O2",
    ];
    if random.bool() {
        let mut reply = "VA 5 c1 O1\r\nvalue\r\n".to_owned();
        let at = random.usize(..reply.len());
        reply.insert_str(at, random.choice(&words).expect("there are some"));
        return reply;
    }
    random.shuffle(&mut words);
    words.concat()
}

/// One that a firewall has forgotten, or whose server has lost its power, would be taken for good until somebody waits on it.
#[tokio::test]
async fn a_silent_connection_is_soon_asked_whether_the_server_is_there() {
    let server = Memcached::start();
    let client = client(&server);
    add(&client, "key", "value").await;
    let soon = Duration::from_secs(30);
    let asked = timeout(2 * LONG, async {
        // A moment after the last answer, for until then there is data under way.
        while !keepalives().iter().any(|left| *left <= soon) {
            yield_now().await;
        }
    });
    asked.await.expect("it is asked");
}
