//! A service of two processes changes its keys, its codecs and its encryption, one process after the other, under
//! load: no request fails, nobody is signed out, nothing is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fasthttpsession_core::{Codec, Keys, Sessions, SessionsBuilder, TokenCodec};
use tokio::sync::{Notify, RwLock};
use tokio::time::timeout;

use crate::codecs::reversed;
use crate::support::{Client, World, join};
use crate::wrapping::ring;

const CLIENTS: usize = 6;
/// How many whole visits each step sees on every client.
const VISITS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// The steps in their order, each of which may run beside the one before it.
fn steps() -> Vec<fn(SessionsBuilder) -> SessionsBuilder> {
    fn old() -> Keys {
        ring(&["old"])
    }
    fn added() -> Keys {
        ring(&["old", "new"])
    }
    fn promoted() -> Keys {
        ring(&["new", "old"])
    }
    fn new() -> Keys {
        ring(&["new"])
    }
    fn alone(b: SessionsBuilder) -> SessionsBuilder {
        b.token_codec(TokenCodec::encrypted(&new()))
            .encrypt_records(&new())
    }
    vec![
        |b| b,
        // Signed tokens and encrypted records come in.
        |b| {
            b.also_accept(TokenCodec::signed(&old()))
                .also_read_encrypted(&old())
        },
        |b| {
            b.token_codec(TokenCodec::signed(&old()))
                .also_accept(TokenCodec::plain())
                .encrypt_records(&old())
                .also_read_unencrypted()
        },
        |b| {
            b.token_codec(TokenCodec::signed(&old()))
                .encrypt_records(&old())
        },
        // A new key is added, promoted, and alone.
        |b| {
            b.token_codec(TokenCodec::signed(&added()))
                .encrypt_records(&added())
        },
        |b| {
            b.token_codec(TokenCodec::signed(&promoted()))
                .encrypt_records(&promoted())
        },
        |b| {
            b.token_codec(TokenCodec::signed(&new()))
                .encrypt_records(&new())
        },
        // From signed to encrypted.
        |b| {
            b.token_codec(TokenCodec::signed(&new()))
                .also_accept(TokenCodec::encrypted(&new()))
                .encrypt_records(&new())
        },
        |b| {
            b.token_codec(TokenCodec::encrypted(&new()))
                .also_accept(TokenCodec::signed(&new()))
                .encrypt_records(&new())
        },
        |b| alone(b),
        // Values go from JSON to MessagePack, which every process reads, and on to a codec of their own.
        |b| alone(b).codec(Codec::message_pack()),
        |b| {
            alone(b)
                .codec(Codec::message_pack())
                .also_read(reversed("upside-down"))
        },
        |b| alone(b).codec(reversed("upside-down")),
    ]
}

/// Two processes. A restart waits for the requests that are under way, as a load balancer does.
struct Service {
    processes: [RwLock<Sessions>; 2],
    visits: [AtomicUsize; CLIENTS],
    visited: Notify,
    ended: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_codecs_and_encryption_change_under_load_and_nobody_notices() {
    let world = World::new();
    let first = world.sessions();
    let service = Arc::new(Service {
        processes: [RwLock::new(first.clone()), RwLock::new(first)],
        visits: Default::default(),
        visited: Notify::new(),
        ended: AtomicBool::new(false),
    });
    let clients = (0..CLIENTS).map(|number| tokio::spawn(visit(Arc::clone(&service), number)));
    let clients: Vec<_> = clients.collect();
    for step in steps() {
        for process in &service.processes {
            *process.write().await = step(world.builder()).build().unwrap();
            let goals = service
                .visits
                .each_ref()
                .map(|n| n.load(Ordering::SeqCst) + VISITS);
            timeout(PATIENCE, service.reaches(&goals))
                .await
                .expect("a client has stopped");
        }
    }
    service.ended.store(true, Ordering::SeqCst);
    timeout(PATIENCE, join(clients)).await.unwrap();
    assert_eq!(world.records().await, CLIENTS as u64);
}

impl Service {
    async fn reaches(&self, goals: &[usize; CLIENTS]) {
        loop {
            let visited = self.visited.notified();
            let visits = self.visits.iter().zip(goals);
            if visits
                .into_iter()
                .all(|(n, goal)| n.load(Ordering::SeqCst) >= *goal)
            {
                return;
            }
            visited.await;
        }
    }
}

/// Signs in once, and then counts: two requests at once on both processes, then one that rotates. Whatever fails panics.
async fn visit(service: Arc<Service>, number: usize) {
    let principal = format!("user {number}");
    let mut client = Client::signed_in(&*service.processes[0].read().await, &principal).await;
    let mut count = 0;
    while !service.ended.load(Ordering::SeqCst) {
        tokio::join!(
            increment(&service.processes[0], &client),
            increment(&service.processes[1], &client),
        );
        count += 2;
        let sessions = service.processes[(count / 2) % 2].read().await;
        let request = client.request(&sessions).await;
        assert_eq!(request.principal().unwrap().as_str(), principal);
        assert_eq!(request.get::<usize>("n").unwrap(), Some(count));
        request.rotate().unwrap();
        client.receive(&request.respond().await);
        drop(sessions);
        service.visits[number].fetch_add(1, Ordering::SeqCst);
        service.visited.notify_waiters();
    }
}

async fn increment(process: &RwLock<Sessions>, client: &Client) {
    let sessions = process.read().await;
    let request = client.request(&sessions).await;
    request.update("n", |n: &mut usize| *n += 1).unwrap();
    request.respond().await;
}
