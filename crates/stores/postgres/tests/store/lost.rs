//! Commits whose answer gets lost, and of which something else is said in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fasthttpsession_core::{Replaced, StoreError, StoreErrorKind};
use fasthttpsession_postgres::SslMode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Place, create, load, record, replace, start, successor, within};

/// What a message of the server begins with: its kind, and its length but for the kind.
const HEAD: usize = 5;

/// The port of what is between a test and its database: the first time that two rows were updated, it says `refusal` in
/// place of the answer, and nothing more on that connection.
async fn loser(place: &Place, refusal: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    let server = place.database.server().port();
    let (refusal, lost) = (Arc::new(refusal), Arc::new(AtomicBool::new(false)));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", server)).await;
            let (from_server, mut to_server) = server.expect("it runs").into_split();
            let (mut from_client, to_client) = client.into_split();
            tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
            let (refusal, lost) = (Arc::clone(&refusal), Arc::clone(&lost));
            tokio::spawn(answers(from_server, to_client, refusal, lost));
        }
    });
    port
}

/// Passes on what the server says, one answer at a time, until one gets lost or either side ends.
async fn answers(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    refusal: Arc<Vec<u8>>,
    lost: Arc<AtomicBool>,
) -> std::io::Result<()> {
    loop {
        let answer = answer(&mut server).await?;
        let two_were_updated = answer.windows(9).any(|text| text == b"UPDATE 2\0");
        if two_were_updated && !lost.swap(true, Ordering::SeqCst) {
            client.write_all(&refusal).await?;
            std::future::pending::<()>().await;
        }
        client.write_all(&answer).await?;
    }
}

/// All messages until the server waits for the client.
async fn answer(server: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let (mut answer, mut last) = (Vec::new(), 0);
    // Authentication, or ready for a query.
    while !matches!(last, b'R' | b'Z') {
        let mut head = [0; HEAD];
        server.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        answer.extend_from_slice(&head);
        let start = answer.len();
        answer.resize(start + length as usize - (HEAD - 1), 0);
        server.read_exact(&mut answer[start..]).await?;
        last = head[0];
    }
    Ok(answer)
}

/// An error as the protocol has it.
fn refusal(fields: &[&str]) -> Vec<u8> {
    let fields = fields.join("\0") + "\0\0";
    let length = u32::try_from(fields.len() + HEAD - 1).expect("it is short");
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}

/// Two replacements that were made together, of whose answer this is said.
async fn replaced_together(fields: &[&str]) -> [Result<Replaced, StoreError>; 2] {
    let place = Place::new().await;
    let loser = loser(&place, refusal(fields)).await;
    let config = place.config_through(loser).max_connections(2);
    let config = config.sslmode(SslMode::Disable);
    let store = config.open().await.expect("the store opens");
    create(&store, 0..3).await;
    let gate = place.gate().await;
    let first = start(replace(&store, 0));
    let [one, two] = [1, 2].map(|number| start(replace(&store, number)));
    gate.open().await;
    assert_eq!(first.await.expect("an answer"), Replaced::Replaced);
    let answers = [within(one).await, within(two).await];
    // Not on the connection on which nothing comes any more.
    let made = within(load(&store, 1)).await;
    assert_eq!(made, Some(successor(&record())));
    answers
}

fn are_unsure(answers: [Result<Replaced, StoreError>; 2]) {
    for answer in answers {
        let error = answer.expect_err("its answer was lost");
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        assert!(error.may_have_applied(), "{error}");
    }
}

#[tokio::test]
async fn who_is_told_by_a_pooler_that_its_server_died_may_have_committed() {
    let fields = ["SFATAL", "CXX000", "Mthe server closed the connection"];
    are_unsure(replaced_together(&fields).await);
}

#[tokio::test]
async fn who_is_told_by_a_server_that_its_log_failed_may_have_committed() {
    let fields = ["SPANIK", "VPANIC", "C53100", "Mcould not write to its log"];
    are_unsure(replaced_together(&fields).await);
}
