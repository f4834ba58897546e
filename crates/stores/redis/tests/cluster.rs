//! A cluster: everything that holds on one server, and what happens while slots and primaries change.

mod support;

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use fasthttpsession_core::{Store as _, StoreErrorKind};
use fasthttpsession_redis::{RedisConfig, RedisStore};
use fasthttpsession_servers::{RedisCluster, RedisServer};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use support::fake::{Fake, all_slots};
use support::load::{Load, Report};
use support::sample::{handle, now, principal, record, record_of};
use support::{open_with, within};
use tokio::runtime::{Builder, Runtime};

/// One cluster for all checks that leave it as it was, because it takes seconds to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_suite_holds_on_a_cluster() {
    let cluster = RedisCluster::start(6);
    let nodes = cluster.nodes.iter().map(|node| {
        let url = node.url();
        let (server, _) = url.rsplit_once('/').expect("it ends with a database");
        server.to_owned()
    });
    let client = ClusterClient::new(nodes).expect("the URLs are some");
    let raw = client.get_async_connection().await;
    let raw = raw.expect("the cluster answers");
    support::run_suite(&cluster.url(), raw.clone()).await;
    an_entry_in_another_slot_is_removed_once_no_record_can_follow_it(&cluster, raw).await;
    a_node_that_is_cut_off_from_the_cluster_is_left(&cluster).await;
}

async fn an_entry_in_another_slot_is_removed_once_no_record_can_follow_it(
    cluster: &RedisCluster,
    mut raw: ClusterConnection,
) {
    let prefix = support::prefix();
    let store = open(cluster, &prefix).await;
    let (principal, lives) = (principal(), handle());
    let created = store.create(lives, &record_of(&principal), now()).await;
    created.expect("the cluster answers");
    let index = format!("{prefix}@{principal}");
    let minute = Duration::from_secs(60);
    for age in [Duration::ZERO, 9 * minute, 11 * minute, 60 * minute] {
        let mut entry = handle().as_bytes().to_vec();
        let made = SystemTime::now() - age;
        let made = made.duration_since(SystemTime::UNIX_EPOCH);
        let made = made.expect("it is later than 1970").as_micros();
        entry.extend(
            u64::try_from(made)
                .expect("it is no far future")
                .to_be_bytes(),
        );
        let mut add = redis::cmd("ZADD");
        add.arg(&index).arg(u64::MAX >> 11).arg(entry);
        let added = add.exec_async(&mut raw).await;
        added.expect("the cluster answers");
    }
    let theirs = store.sessions_of(&principal, now()).await;
    let theirs = theirs.expect("the cluster answers");
    assert_eq!(theirs.len(), 1);
    assert_eq!(theirs[0].0, lives);
    let mut count = redis::cmd("ZCARD");
    let left: u64 = within(count.arg(&index).query_async(&mut raw))
        .await
        .expect("the cluster answers");
    assert_eq!(left, 3, "the session's, and those that are young");
}

/// It says that everything is its own, and does nothing.
async fn a_node_that_is_cut_off_from_the_cluster_is_left(cluster: &RedisCluster) {
    let fake = Fake::start(|port, name| match name {
        "PING" => "+PONG\r\n".to_owned(),
        "CLUSTER SLOTS" => all_slots(port),
        "EVALSHA" | "GET" => "-CLUSTERDOWN The cluster is down\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    let node = &cluster.nodes[0];
    let place = format!("127.0.0.1:{},{}", fake.port, node.address());
    let url = cluster.url();
    let (login, _) = url.rsplit_once('@').expect("it has a password");
    let config = RedisConfig::from_url(&format!("{login}@{place}"));
    // Nobody but the fake one can be asked at first.
    node.pause();
    let store = config.expect("it is a URL").open().await;
    node.resume();
    let store = store.expect("the fake one answers");
    let (handle, record) = (handle(), record());
    let created = within(store.create(handle, &record, now())).await;
    created.expect("the cluster has a place for it");
    let found = store.load(handle, now()).await;
    assert_eq!(found.expect("the cluster answers"), Some(record));
    assert_eq!(fake.count("EVALSHA"), 1);
}

/// Who looks waits for an answer, and none comes on the connections of a runtime that does not run.
#[test]
fn a_runtime_that_does_not_run_holds_nobody_up_who_looks_at_the_cluster() {
    let [serving, first, second] = [runtime(1), runtime(0), runtime(0)];
    let new = serving.block_on(Fake::start(|_, name| match name {
        "GET" => "$-1\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    }));
    let (looks, new_port) = (Arc::new(AtomicUsize::new(0)), new.port);
    let counting = Arc::clone(&looks);
    let old = serving.block_on(Fake::start(move |port, name| match name {
        "GET" => "-CLUSTERDOWN The cluster is down\r\n".to_owned(),
        "CLUSTER SLOTS" => match counting.fetch_add(1, Ordering::SeqCst) {
            0 => all_slots(port),
            1 => String::new(),
            _ => all_slots(new_port),
        },
        _ => "+OK\r\n".to_owned(),
    }));
    let config = RedisConfig::from_url(&format!("redis+cluster://127.0.0.1:{}", old.port));
    let patience = Duration::from_secs(600);
    let config = config.expect("it is a URL").connect_timeout(patience);
    let store = first.block_on(within(config.response_timeout(patience).open()));
    let store = store.expect("the old one answers");
    let mut looking = pin!(store.load(handle(), now()));
    first.block_on(within(async {
        while looks.load(Ordering::SeqCst) < 2 {
            let moment = tokio::time::timeout(Duration::from_millis(5), &mut looking);
            moment.await.expect_err("nobody has told where it is");
        }
    }));
    let found = second.block_on(within(store.load(handle(), now())));
    assert_eq!(found.expect("the new one answers"), None);
}

/// It is stopped, and its kernel goes on taking connections, on which a client without a password has nothing to ask.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_is_left_by_a_client_without_a_password() {
    let hangs = Arc::new(AtomicBool::new(false));
    let hanging = Arc::clone(&hangs);
    let old = Fake::start(move |port, name| match name {
        _ if hanging.load(Ordering::SeqCst) => String::new(),
        "CLUSTER SLOTS" => all_slots(port),
        "GET" => "$-1\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    let (hanging, old_port) = (Arc::clone(&hangs), old.port);
    let new = Fake::start(move |port, name| match name {
        "CLUSTER SLOTS" if hanging.load(Ordering::SeqCst) => all_slots(port),
        "CLUSTER SLOTS" => all_slots(old_port),
        "GET" => "$-1\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    let nodes = format!("127.0.0.1:{old_port},127.0.0.1:{}", new.port);
    let config = RedisConfig::from_url(&format!("redis+cluster://{nodes}"));
    let short = Duration::from_secs(2);
    let config = config.expect("it is a URL").connect_timeout(short);
    let store = config.response_timeout(short).open().await;
    let store = store.expect("the old one answers");
    let found = store.load(handle(), now()).await;
    assert_eq!(found.expect("the old one answers"), None);
    hangs.store(true, Ordering::SeqCst);
    within(async { while store.load(handle(), now()).await.is_err() {} }).await;
}

/// Whose it is decides where the index is, so under another handle it would fail there just the same.
#[tokio::test]
async fn only_a_node_that_can_not_take_the_record_is_tried_to_be_avoided() {
    for (enters_first, is_of_one_server) in [(false, true), (true, false)] {
        let scripts = AtomicUsize::new(0);
        let scripts = Arc::new(scripts);
        let fake = Fake::start(move |port, name| match name {
            "CLUSTER SLOTS" => all_slots(port),
            "EVALSHA" if enters_first && scripts.fetch_add(1, Ordering::SeqCst) == 0 => {
                "*1\r\n$11\r\nenter first\r\n".to_owned()
            }
            "EVALSHA" => "-OOM command not allowed when used memory > 'maxmemory'.\r\n".to_owned(),
            _ => "+OK\r\n".to_owned(),
        });
        let fake = fake.await;
        let config = RedisConfig::from_url(&format!("redis+cluster://127.0.0.1:{}", fake.port));
        let store = config.expect("it is a URL").open().await;
        let store = store.expect("it answers");
        let created = store
            .create(handle(), &record_of(&principal()), now())
            .await;
        let error = created.expect_err("it is full");
        assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
        assert!(!error.may_have_applied());
        assert_eq!(error.is_of_one_server(), is_of_one_server);
    }
}

/// As it does once it has been reset, or was made to forget the others.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_knows_of_no_slots_is_not_believed() {
    let member = Fake::start(|port, name| match name {
        "CLUSTER SLOTS" => all_slots(port),
        "GET" => "$-1\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    let reset = Fake::start(|_, name| match name {
        "CLUSTER SLOTS" => "*0\r\n".to_owned(),
        "GET" => "-CLUSTERDOWN Hash slot not served\r\n".to_owned(),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    let open = async |nodes: &str| {
        let config = RedisConfig::from_url(&format!("redis+cluster://{nodes}"));
        config.expect("it is a URL").open().await
    };
    let [reset, member] = [reset.port, member.port].map(|port| format!("127.0.0.1:{port}"));
    let error = open(&reset).await.expect_err("it has no slots");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains(&reset), "{error}");
    assert!(error.to_string().contains("no slot"), "{error}");
    // Whoever is first asked, or first to answer.
    for _ in 0..20 {
        let store = open(&format!("{reset},{member}")).await;
        let store = store.expect("one of them is in a cluster");
        let found = store.load(handle(), now()).await;
        assert_eq!(found.expect("it has all slots"), None);
        store.check().await.expect("it answers");
    }
}

/// It goes on telling of the keys that it has, though others may be made elsewhere by now.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_cut_off_from_the_cluster_is_not_scanned() {
    let start = |state: &'static str| {
        Fake::start(move |port, name| match name {
            "CLUSTER SLOTS" => all_slots(port),
            "CLUSTER INFO" => bulk(&format!("cluster_state:{state}\r\n")),
            "CLUSTER NODES" => bulk("aa 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-16383\n"),
            "INFO" => bulk("run_id:1\r\n"),
            "SCAN" => "*2\r\n$1\r\n0\r\n*0\r\n".to_owned(),
            _ => "+OK\r\n".to_owned(),
        })
    };
    let (cut_off, whole) = (start("fail").await, start("ok").await);
    let open = async |nodes: &str| {
        let config = RedisConfig::from_url(&format!("redis+cluster://{nodes}"));
        config.expect("it is a URL").open().await
    };
    let nodes = [cut_off.port, whole.port].map(|port| format!("127.0.0.1:{port}"));
    let store = open(&nodes[0]).await.expect("it answers");
    let error = store.scan(None, 10, now()).await.expect_err("it is alone");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    // Whoever is first asked, or first to answer.
    for _ in 0..20 {
        let store = open(&nodes.join(",")).await.expect("they answer");
        store.scan(None, 10, now()).await.expect("one is not alone");
    }
    assert_eq!((cut_off.count("SCAN"), whole.count("SCAN")), (0, 20));
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// One that runs as long as somebody waits in it, unless it has threads of its own.
fn runtime(threads: usize) -> Runtime {
    let mut builder = match threads {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads.max(1)).enable_all().build();
    runtime.expect("a runtime starts")
}

/// One cluster for all that happens to it, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_that_changes_is_followed_under_load() {
    let cluster = RedisCluster::start(6);
    a_slot_that_is_half_moved_is_scanned_whole(&cluster).await;
    a_slot_that_moves_loses_nothing(&cluster).await;
    a_killed_primary_is_followed_and_no_commit_counts_twice(&cluster).await;
    what_no_replica_had_got_is_lost_with_its_primary(&cluster).await;
    what_replicas_have_confirmed_is_not_lost_with_their_primary(&cluster).await;
}

async fn a_slot_that_is_half_moved_is_scanned_whole(cluster: &RedisCluster) {
    let store = open(cluster, "{half}:").await;
    for _ in 0..40 {
        let created = store.create(handle(), &record(), now()).await;
        created.expect("the cluster answers");
    }
    let slot = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", "{half}:"]);
    let from = holder(cluster, slot.trim());
    let mut others = cluster.primaries(0).into_iter();
    let to = others.find(|node| node.port() != from.port());
    let moving = Moving::start(slot.trim(), from, to.expect("there are three"));
    for moved in 0..40 {
        if moved % 20 == 0 {
            assert_eq!(scanned(&store).await, 40, "{moved} have moved");
        }
        assert!(moving.one_key(), "there are 40");
    }
    assert_eq!(scanned(&store).await, 40, "all have moved");
    moving.end();
    assert_eq!(scanned(&store).await, 40, "the slot has moved");
}

/// How many sessions a scan finds.
async fn scanned(store: &RedisStore) -> usize {
    let (mut found, mut after) = (HashSet::new(), None);
    loop {
        let page = store.scan(after.as_ref(), 10, now()).await;
        let page = page.expect("the cluster answers");
        found.extend(page.sessions.into_iter().map(|(handle, _)| handle));
        after = page.next;
        if after.is_none() {
            return found.len();
        }
    }
}

async fn a_slot_that_moves_loses_nothing(cluster: &RedisCluster) {
    // All sessions in one slot, so that there are always some that have moved and some that have not.
    let load = Load::start(&open(cluster, "{moving}:").await, 16);
    load.goes_on(1000).await;
    let slot = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", "{moving}:"]);
    for to in [0, 1, 2, 0] {
        move_slot(cluster, slot.trim(), to, &load).await;
        load.goes_on(200).await;
    }
    let report = load.end().await;
    report.print("a slot that moves");
    assert_eq!(report.lost_commits, 0);
    assert_eq!(report.undone_logouts, 0);
    assert_eq!(report.odd_commits, 0);
    assert!(report.logouts > 0 && report.errors.is_empty());
}

async fn a_killed_primary_is_followed_and_no_commit_counts_twice(cluster: &RedisCluster) {
    let load = Load::start(&open(cluster, "session:").await, 16);
    load.goes_on(1000).await;
    // One without a session when it is killed would hold up nobody: new sessions go elsewhere.
    let primaries = cluster.primaries(0).into_iter();
    let killed = primaries.max_by_key(|node| node.cli(&["KEYS", "session:*"]).lines().count());
    let killed = killed.expect("there are three");
    killed.kill();
    follow(cluster, &load, killed).await;
    let report = load.end().await;
    report.print("a primary killed");
    assert_eq!(report.odd_commits, 0);
    assert!(
        report.longest_gap > Duration::from_secs(1),
        "nothing was held up"
    );
}

/// That is how Redis is, and what the page warns of.
async fn what_no_replica_had_got_is_lost_with_its_primary(cluster: &RedisCluster) {
    let report = cut_and_killed(cluster, 0).await;
    report.print("cut off from its replica, then killed");
    assert_eq!(report.odd_commits, 0);
    assert!(report.lost_commits > 0, "nothing was lost");
    assert!(report.undone_logouts > 0, "no logout was undone");
}

async fn what_replicas_have_confirmed_is_not_lost_with_their_primary(cluster: &RedisCluster) {
    let report = cut_and_killed(cluster, 1).await;
    report.print("the same, with `wait_replicas` 1");
    assert_eq!(report.odd_commits, 0);
    assert_eq!(report.lost_commits, 0);
    assert_eq!(report.undone_logouts, 0);
    assert!(report.logouts > 0);
}

/// Sessions of one primary, which is cut off from its replica under load, and killed some time later.
async fn cut_and_killed(cluster: &RedisCluster, wait_replicas: u32) -> Report {
    let config = config(cluster, "{cut}:").wait_replicas(wait_replicas);
    let store = open_with(&config.wait_timeout(Duration::from_millis(200))).await;
    let load = Load::start(&store, 16);
    load.goes_on(1000).await;
    let slot = cluster.nodes[0].cli(&["CLUSTER", "KEYSLOT", "{cut}:"]);
    let primary = holder(cluster, slot.trim());
    for node in &cluster.nodes {
        if node.port() != primary.port() {
            node.cli(&["CONFIG", "SET", "masterauth", "wrong"]);
        }
    }
    primary.cli(&["CLIENT", "KILL", "TYPE", "replica"]);
    if wait_replicas > 0 {
        load.fails(50).await;
    } else {
        load.goes_on(1000).await;
    }
    primary.kill();
    follow(cluster, &load, primary).await;
    load.end().await
}

/// Waits until somebody has taken over from `killed`, starts that again as a replica, and lets the load go on.
async fn follow(cluster: &RedisCluster, load: &Load, killed: &RedisServer) {
    let asked = cluster.nodes.iter();
    let mut asked = asked
        .enumerate()
        .filter(|(_, node)| node.port() != killed.port());
    let (asked, _) = asked.next().expect("there are six");
    within(async {
        loop {
            let primaries = cluster.primaries(asked);
            let is_back = primaries.iter().any(|node| node.port() == killed.port());
            if primaries.len() == 3 && !is_back {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for node in cluster
        .nodes
        .iter()
        .filter(|node| node.port() != killed.port())
    {
        node.cli(&["CONFIG", "SET", "masterauth", "p@ss:word/1"]);
    }
    killed.restart();
    within(async {
        while !killed.cli(&["ROLE"]).contains("connected") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    load.goes_on(2000).await;
}

fn config(cluster: &RedisCluster, prefix: &str) -> RedisConfig {
    let config = RedisConfig::from_url(&cluster.url()).expect("the URL is one");
    config
        .prefix(prefix)
        .connect_timeout(Duration::from_millis(500))
        .response_timeout(Duration::from_millis(500))
}

async fn open(cluster: &RedisCluster, prefix: &str) -> RedisStore {
    open_with(&config(cluster, prefix)).await
}

/// The primary that has the keys of `slot`.
fn holder<'a>(cluster: &'a RedisCluster, slot: &str) -> &'a RedisServer {
    let has = |node: &&RedisServer| {
        let keys = node.cli(&["CLUSTER", "COUNTKEYSINSLOT", slot]);
        keys.trim() != "0"
    };
    let mut primaries = cluster.primaries(0).into_iter();
    primaries.find(has).expect("somebody has the slot")
}

/// Moves `slot` to the primary of the number `to`, key by key.
async fn move_slot(cluster: &RedisCluster, slot: &str, to: usize, load: &Load) {
    let (from, to) = (holder(cluster, slot), cluster.primaries(0)[to]);
    if from.port() == to.port() {
        return;
    }
    let moving = Moving::start(slot, from, to);
    while moving.one_key() {
        load.goes_on(50).await;
    }
    moving.end();
}

/// A slot that is being moved.
struct Moving<'a> {
    slot: &'a str,
    from: &'a RedisServer,
    to: &'a RedisServer,
}

impl<'a> Moving<'a> {
    fn start(slot: &'a str, from: &'a RedisServer, to: &'a RedisServer) -> Self {
        to.cli(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &id(from)]);
        from.cli(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &id(to)]);
        Self { slot, from, to }
    }

    /// Whether there was one.
    fn one_key(&self) -> bool {
        let Some(key) = first_key(self.from, self.slot) else {
            return false;
        };
        let port = self.to.port().to_string();
        let auth = ["AUTH2", "tester", "p@ss:word/1", "KEYS", &key];
        let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000"];
        self.from.cli(&[&migrate[..], &auth].concat());
        true
    }

    fn end(self) {
        for node in [self.to, self.from] {
            node.cli(&["CLUSTER", "SETSLOT", self.slot, "NODE", &id(self.to)]);
        }
    }
}

fn id(node: &RedisServer) -> String {
    node.cli(&["CLUSTER", "MYID"]).trim().to_owned()
}

fn first_key(node: &RedisServer, slot: &str) -> Option<String> {
    let keys = node.cli(&["CLUSTER", "GETKEYSINSLOT", slot, "1"]);
    let key = keys.trim();
    (!key.is_empty()).then(|| key.to_owned())
}
