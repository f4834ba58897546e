//! The nodes that the URL of a cluster names, once others are known.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fasthttpsession_core::Store as _;
use fasthttpsession_redis::{RedisConfig, RedisStore};
use support::fake::{Fake, all_slots};
use support::within;

/// A store that is patient, and knows `seed` under a name that the cluster does not use.
async fn open(seed: &Fake) -> RedisStore {
    let url = format!("redis+cluster://:secret@localhost:{}", seed.port);
    let patience = Duration::from_secs(600);
    let config = RedisConfig::from_url(&url).expect("it is a URL");
    let config = config.connect_timeout(patience).response_timeout(patience);
    within(config.open()).await.expect("it answers")
}

#[tokio::test]
async fn a_node_under_another_name_is_not_connected_to_at_each_look() {
    let node = Fake::start(|port, name| match name {
        "CLUSTER SLOTS" => all_slots(port),
        _ => "+OK\r\n".to_owned(),
    })
    .await;
    let store = open(&node).await;
    let (greetings, looks) = (node.count("AUTH"), node.count("CLUSTER SLOTS"));
    for _ in 0..10 {
        within(store.check()).await.expect("it answers");
    }
    assert_eq!(node.count("CLUSTER SLOTS"), looks + 10);
    assert_eq!(node.count("AUTH"), greetings);
}

/// All that are known hang, or were reset; the name leads to where the cluster is by now.
#[tokio::test]
async fn a_cluster_that_has_moved_is_found_by_the_names_of_its_url() {
    for left in ["", "*0\r\n"] {
        let has_moved = Arc::new(AtomicBool::new(false));
        let moved = Arc::clone(&has_moved);
        let old = Fake::start(move |port, name| match name {
            _ if moved.load(Ordering::SeqCst) => left.to_owned(),
            "CLUSTER SLOTS" => all_slots(port),
            _ => "+OK\r\n".to_owned(),
        })
        .await;
        let new = Fake::start(|_, _| "+OK\r\n".to_owned()).await;
        let (moved, old_port, new_port) = (Arc::clone(&has_moved), old.port, new.port);
        let seed = Fake::start(move |_, name| match name {
            "CLUSTER SLOTS" if moved.load(Ordering::SeqCst) => all_slots(new_port),
            "CLUSTER SLOTS" => all_slots(old_port),
            _ => "+OK\r\n".to_owned(),
        })
        .await;
        let store = open(&seed).await;
        has_moved.store(true, Ordering::SeqCst);
        within(store.check()).await.expect("the new one answers");
        assert_eq!(new.count("PING"), 1);
    }
}
