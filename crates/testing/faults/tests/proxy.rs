//! Each fault does what it says, in front of a server that sends everything back.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fasthttpsession_faults::{Fault, Odds, Proxy, Seen};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const LIMIT: Duration = Duration::from_secs(20);

/// Long enough for what must not happen to happen, most times.
const A_WHILE: Duration = Duration::from_millis(50);

/// A server that sends everything back.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = client.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn proxy() -> Proxy {
    Proxy::start(echo().await)
}

async fn client(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).await;
    stream.expect("the proxy accepts")
}

/// A client whose connection is known to work.
async fn connected(proxy: &Proxy) -> TcpStream {
    let mut client = client(proxy).await;
    answers(&mut client, b"hello").await;
    client
}

async fn answers(client: &mut TcpStream, what: &[u8]) {
    client.write_all(what).await.expect("it is sent");
    comes(client, what).await;
}

async fn comes(client: &mut TcpStream, what: &[u8]) {
    let mut got = vec![0; what.len()];
    let read = timeout(LIMIT, client.read_exact(&mut got)).await;
    read.expect("an answer in time").expect("an answer");
    assert!(got == what, "another answer came");
}

async fn nothing_comes(client: &mut TcpStream) {
    let read = timeout(A_WHILE, client.read_u8()).await;
    read.expect_err("nothing was to come");
}

/// What comes until the connection ends, and how it ends.
async fn rest(client: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut rest = Vec::new();
    let end = timeout(LIMIT, client.read_to_end(&mut rest)).await;
    let end = end.expect("the connection ends in time");
    (rest, end.err().map(|error| error.kind()))
}

fn many(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..))
        .take(bytes)
        .collect()
}

/// Sends and receives at once, for more than the buffers on the way hold.
async fn there_and_back(client: &mut TcpStream, what: &[u8]) {
    let (mut from, mut to) = client.split();
    let mut got = vec![0; what.len()];
    let both = async { tokio::try_join!(to.write_all(what), from.read_exact(&mut got)) };
    let both = timeout(LIMIT, both).await.expect("in time");
    both.expect("all is passed on");
    assert!(got == what, "something else came back");
}

#[tokio::test]
async fn without_a_fault_bytes_pass_as_they_are() {
    let proxy = proxy().await;
    let mut client = client(&proxy).await;
    there_and_back(&mut client, &many(3_000_000)).await;
    let all = |seen: &Seen| (seen.requests.bytes, seen.answers.bytes) == (3_000_000, 3_000_000);
    let seen = proxy.until(all).await;
    assert_eq!((seen.connections, seen.open), (1, 1));
}

#[tokio::test]
async fn the_end_of_one_side_is_the_end_of_the_other() {
    let proxy = proxy().await;
    drop(connected(&proxy).await);
    proxy.until(|seen| seen.open == 0).await;
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nowhere = Proxy::start(gone.local_addr().expect("it is bound"));
    drop(gone);
    let end = match TcpStream::connect(nowhere.address()).await {
        Ok(mut client) => rest(&mut client).await.1,
        Err(error) => Some(error.kind()),
    };
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    let mut client = connected(&proxy).await;
    drop(proxy);
    rest(&mut client).await;
}

#[tokio::test]
async fn what_is_delayed_comes_later() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    for way in [Proxy::requests, Proxy::answers] {
        way(&proxy, Fault::Delay(Duration::from_millis(30)));
        let begun = Instant::now();
        answers(&mut client, b"patience").await;
        assert!(begun.elapsed() >= Duration::from_millis(30));
        proxy.heal();
    }
}

#[tokio::test]
async fn a_long_delay_ends_with_the_fault() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    proxy.answers(Fault::Delay(2 * LIMIT));
    client.write_all(b"later").await.expect("it is sent");
    proxy.until(|seen| seen.requests.bytes == 10).await;
    proxy.heal();
    comes(&mut client, b"later").await;
}

#[tokio::test]
async fn what_is_split_comes_whole_in_small_pieces() {
    for most in [1, 7] {
        let proxy = proxy().await;
        proxy.requests(Fault::Split(most));
        proxy.answers(Fault::Split(most));
        let mut client = client(&proxy).await;
        there_and_back(&mut client, &many(5_000)).await;
        let all = |seen: &Seen| (seen.requests.bytes, seen.answers.bytes) == (5_000, 5_000);
        let seen = proxy.until(all).await;
        for way in [seen.requests, seen.answers] {
            assert!(way.pieces >= 5_000 / most as u64, "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_swallowed_answer_never_comes_though_the_request_arrived() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    proxy.answers(Fault::Swallow);
    client.write_all(b"anyone?").await.expect("it is sent");
    proxy.until(|seen| seen.answers.swallowed == 7).await;
    proxy.until(|seen| seen.requests.bytes == 12).await;
    proxy.heal();
    // Anything that came now would come in place of what was swallowed.
    client.write_all(b"hello?").await.expect("it is sent");
    proxy.until(|seen| seen.answers.swallowed == 13).await;
    nothing_comes(&mut client).await;
    connected(&proxy).await;
}

#[tokio::test]
async fn a_swallowed_request_never_arrives() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    proxy.requests(Fault::Swallow);
    client.write_all(b"anyone?").await.expect("it is sent");
    let seen = proxy.until(|seen| seen.requests.swallowed == 7).await;
    assert_eq!(seen.requests.bytes, 5);
    nothing_comes(&mut client).await;
}

#[tokio::test]
async fn what_hangs_goes_on_when_the_fault_ends() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    for way in [Proxy::requests, Proxy::answers] {
        way(&proxy, Fault::Hang);
        client.write_all(b"still there?").await.expect("it is sent");
        nothing_comes(&mut client).await;
        proxy.heal();
        comes(&mut client, b"still there?").await;
    }
}

#[tokio::test]
async fn while_it_hangs_connections_are_accepted_and_hear_nothing() {
    let proxy = proxy().await;
    proxy.requests(Fault::Hang);
    let mut client = client(&proxy).await;
    client.write_all(b"anyone?").await.expect("it is sent");
    nothing_comes(&mut client).await;
    assert_eq!(proxy.seen().requests.bytes, 0);
    proxy.heal();
    comes(&mut client, b"anyone?").await;
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    proxy.answers(Fault::Cut(40_000));
    let all = many(40_000);
    there_and_back(&mut client, &all).await;
    assert_eq!(rest(&mut client).await, (Vec::new(), None));

    proxy.heal();
    let mut second = connected(&proxy).await;
    proxy.answers(Fault::Cut(3));
    second.write_all(b"hello").await.expect("it is sent");
    assert_eq!(rest(&mut second).await, (b"hel".to_vec(), None));
    let seen = proxy.until(|seen| seen.open == 0).await;
    assert_eq!((seen.cut, seen.reset), (2, 0));
}

#[tokio::test]
async fn a_request_is_cut_in_the_middle() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    proxy.requests(Fault::Cut(3));
    client.write_all(b"hello").await.expect("it is sent");
    rest(&mut client).await;
    proxy.until(|seen| seen.requests.bytes == 8).await;
}

#[tokio::test]
async fn all_connections_are_cut_at_once() {
    let proxy = proxy().await;
    let mut clients = [connected(&proxy).await, connected(&proxy).await];
    proxy.answers(Fault::Cut(0));
    for client in &mut clients {
        assert_eq!(rest(client).await, (Vec::new(), None));
    }
    assert_eq!(proxy.until(|seen| seen.open == 0).await.cut, 2);
}

#[tokio::test]
async fn those_that_are_open_are_closed_and_new_ones_are_not() {
    let proxy = proxy().await;
    let mut clients = [connected(&proxy).await, connected(&proxy).await];
    proxy.close();
    for client in &mut clients {
        assert_eq!(rest(client).await, (Vec::new(), None));
    }
    assert_eq!(proxy.until(|seen| seen.open == 0).await.cut, 0);
    connected(&proxy).await;
}

#[tokio::test]
async fn a_connection_is_reset() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    proxy.answers(Fault::Reset(0));
    let (_, end) = rest(&mut client).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    proxy.heal();
    let mut client = connected(&proxy).await;
    proxy.requests(Fault::Reset(2));
    client.write_all(b"hello").await.expect("it is sent");
    let (_, end) = rest(&mut client).await;
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    let seen = proxy.until(|seen| seen.open == 0).await;
    assert_eq!((seen.cut, seen.reset, seen.requests.bytes), (0, 2, 12));
}

#[tokio::test]
async fn new_connections_are_refused_and_others_stay() {
    let proxy = proxy().await;
    let mut before = connected(&proxy).await;
    for _ in 0..3 {
        proxy.refuse();
        let refused = TcpStream::connect(proxy.address()).await;
        let refused = refused.expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        answers(&mut before, b"as before").await;
        proxy.heal();
        connected(&proxy).await;
    }
}

#[tokio::test]
async fn what_is_drawn_at_random_is_drawn_again_from_the_same_seed() {
    let odds = Odds {
        delay: 100,
        split: 200,
        swallow: 20,
        cut: 20,
        reset: 20,
    };
    let upstream = echo().await;
    let mut endings = Vec::new();
    for seed in [1, 1, 2] {
        let proxy = Proxy::seeded(upstream, seed);
        proxy.answers(Fault::AtRandom(odds));
        endings.push(questions_until_something_is_lost(&proxy).await);
    }
    assert_eq!(endings[0], endings[1]);
    assert_ne!(endings[0], endings[2]);
}

/// How many questions each of some connections answers, one after the other.
async fn questions_until_something_is_lost(proxy: &Proxy) -> Vec<usize> {
    let mut counts = Vec::new();
    for _ in 0..10 {
        let mut client = client(proxy).await;
        let mut count = 0;
        let swallowed = proxy.seen().answers.swallowed;
        loop {
            if client.write_all(b"how are you?").await.is_err() {
                break;
            }
            let mut answer = [0; 12];
            tokio::select! {
                read = client.read_exact(&mut answer) => if read.is_err() { break },
                _ = proxy.until(|seen| seen.answers.swallowed > swallowed) => break,
            }
            assert_eq!(&answer, b"how are you?");
            count += 1;
        }
        counts.push(count);
    }
    counts
}

#[tokio::test]
#[should_panic(expected = "did only")]
async fn waiting_for_what_does_not_happen_ends() {
    let proxy = proxy().await;
    tokio::time::pause();
    proxy.until(|seen| seen.cut > 0).await;
}

#[tokio::test]
async fn a_url_names_the_proxy_in_place_of_the_server() {
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], 6379)));
    let port = proxy.address().port();
    assert_eq!(
        proxy.url("redis://user:p%40ss@127.0.0.1:6379/3?a=b"),
        format!("redis://user:p%40ss@127.0.0.1:{port}/3?a=b")
    );
}

#[tokio::test]
async fn the_end_of_a_silent_connection_is_passed_on_when_all_is_well_again() {
    let proxy = proxy().await;
    let mut client = connected(&proxy).await;
    proxy.requests(Fault::Swallow);
    client.write_all(b"anyone?").await.expect("it is sent");
    proxy.until(|seen| seen.requests.swallowed == 7).await;
    drop(client);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(proxy.seen().open, 1);
    proxy.heal();
    proxy.until(|seen| seen.open == 0).await;
}
