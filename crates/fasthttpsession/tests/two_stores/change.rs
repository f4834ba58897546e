//! A service of two processes goes from a file to a server, one process after the other, under load: no request fails,
//! nobody is signed out, nothing is lost, and nobody who signs out is signed in again.

use std::array;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fasthttpsession::{
    AnyStore, Clock as _, HeaderEdit, Session, Sessions, Store, SystemClock, TwoStores,
};
use fasthttpsession_test_stores::each;
use tokio::sync::{Notify, RwLock};
use tokio::time::timeout;

const CLIENTS: usize = 6;
/// How many whole visits each step sees on every client.
const VISITS: usize = 4;
/// How many of them a session lasts.
const LASTS: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);

/// Two processes. A restart waits for the requests that are under way, as a load balancer does.
struct Service {
    processes: [RwLock<Sessions>; 2],
    visits: [AtomicUsize; CLIENTS],
    visited: Notify,
    ended: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_changes_under_load_and_nobody_notices() {
    let (old, new) = (each::sqlite().await, each::redis().await);
    let (old, new) = (old.store(), new.store());
    let first = Sessions::new(old.clone());
    let service = Arc::new(Service {
        processes: [RwLock::new(first.clone()), RwLock::new(first)],
        visits: Default::default(),
        visited: Notify::new(),
        ended: AtomicBool::new(false),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(visit(Arc::clone(&service), number)))
        .collect();
    service.sees_visits().await;
    service
        .turns_to(&TwoStores::new(old.clone(), new.clone()))
        .await;
    assert_eq!(live(&new).await, 0);
    service
        .turns_to(&TwoStores::new(new.clone(), old.clone()))
        .await;
    assert_eq!(live(&old).await, 0);
    service.turns_to(&new).await;

    service.ended.store(true, Ordering::SeqCst);
    for client in clients {
        timeout(PATIENCE, client).await.unwrap().unwrap();
    }
    assert_eq!((live(&old).await, live(&new).await), (0, CLIENTS));
}

async fn live(store: &AnyStore) -> usize {
    let (mut count, mut after) = (0, None);
    loop {
        let page = store
            .scan(after.as_ref(), 100, SystemClock.now())
            .await
            .unwrap();
        count += page.sessions.len();
        after = page.next;
        if after.is_none() {
            return count;
        }
    }
}

impl Service {
    /// One process after the other, with visits between.
    async fn turns_to(&self, store: &(impl Store + Clone)) {
        for process in &self.processes {
            *process.write().await = Sessions::new(store.clone());
            self.sees_visits().await;
        }
    }

    async fn sees_visits(&self) {
        let goals: [usize; CLIENTS] =
            array::from_fn(|n| self.visits[n].load(Ordering::SeqCst) + VISITS);
        let all = async {
            loop {
                let visited = self.visited.notified();
                let mut visits = self.visits.iter().zip(goals);
                if visits.all(|(n, goal)| n.load(Ordering::SeqCst) >= goal) {
                    return;
                }
                visited.await;
            }
        };
        timeout(PATIENCE, all).await.expect("a client has stopped");
    }
}

/// Signs in, and then counts: two requests at once on both processes, then one that rotates. Now and then it signs out while
/// a slow request is under way, and in again. Whatever fails panics.
async fn visit(service: Arc<Service>, number: usize) {
    let principal = format!("user {number}");
    let sign_in = |session: &Session| session.login(&principal).unwrap();
    let increment = |session: &Session| session.update("n", |n: &mut usize| *n += 1).unwrap();
    let [one, other] = &service.processes;
    let (mut cookie, ()) = request(one, "", sign_in).await;
    let (mut count, mut visits) = (0_usize, 0_usize);
    while !service.ended.load(Ordering::SeqCst) {
        tokio::join!(
            request(one, &cookie, increment),
            request(other, &cookie, increment)
        );
        count += 2;
        visits += 1;
        let process = &service.processes[(visits + number) % 2];
        (cookie, ()) = request(process, &cookie, |session| {
            assert_eq!(session.principal().unwrap().as_str(), principal);
            assert_eq!(session.get::<usize>("n").unwrap(), Some(count));
            session.rotate().unwrap();
        })
        .await;
        if visits % LASTS == 0 {
            let slow = one.read().await.begin([("cookie", &cookie)], None);
            increment(&slow.session().await.unwrap());
            request(other, &cookie, |session| session.logout().unwrap()).await;
            slow.finish().await.unwrap();
            for process in &service.processes {
                request(process, &cookie, |session| assert!(session.is_new())).await;
            }
            (cookie, ()) = request(process, "", sign_in).await;
            count = 0;
        }
        service.visits[number].fetch_add(1, Ordering::SeqCst);
        service.visited.notify_waiters();
    }
}

/// A whole request; answers the cookie that the browser has afterwards.
async fn request<R>(
    process: &RwLock<Sessions>,
    cookie: &str,
    act: impl FnOnce(&Session) -> R,
) -> (String, R) {
    let sessions = process.read().await;
    let exchange = sessions.begin([("cookie", cookie)], None);
    let session = exchange.session().await.unwrap();
    let result = act(&session);
    let edits = exchange.finish().await.unwrap();
    let set = edits.iter().find_map(|edit| match edit {
        HeaderEdit::SetCookie { value, .. } => value.split(';').next(),
        _ => None,
    });
    (set.unwrap_or(cookie).to_owned(), result)
}
