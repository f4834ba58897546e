//! Purging: what was used lives, what has expired goes, whoever else is at it, as long as the store is there.

use std::process::Stdio;
use std::time::Duration;

use fasthttpsession_core::{Clock, Record, Replaced, Store, SystemClock, Timestamp, Touched};
use fasthttpsession_mysql::{MysqlConfig, MysqlStore};

use crate::support::{
    HOUR, NOW, PROCESSES, Place, create, handle, load, record, replace, successor, within,
};

const ALL: &str = "SELECT COUNT(*) FROM fasthttpsession";
/// Tells another process what to purge.
const URL: &str = "URL_TO_PURGE";

fn until_deadline(idle_deadline: Timestamp, mut record: Record) -> Record {
    record.header.idle_deadline = idle_deadline;
    record
}

/// So many sessions that have expired after an hour, made by SQL.
fn expiring(place: &Place, sessions: u32) {
    let (idle, absolute) = (
        NOW.after(HOUR).as_millis(),
        NOW.after(24 * HOUR).as_millis(),
    );
    place.run(&format!(
        "SET SESSION /*M! max_recursive_iterations */ /*!80000 cte_max_recursion_depth */ = {sessions};
         INSERT INTO fasthttpsession
           (handle, version, created_at, idle_deadline, absolute_deadline, expires_at, body)
         WITH RECURSIVE numbers AS (SELECT 1 AS number UNION ALL SELECT number + 1 FROM numbers WHERE number < {sessions})
         SELECT UNHEX(LEFT(SHA2(number, 256), 32)), 1, 0, {idle}, {absolute}, {idle}, '' FROM numbers"
    ));
}

async fn purge_all(store: &MysqlStore, batch: usize) -> u64 {
    let mut purged = 0;
    loop {
        let now = NOW.after(HOUR);
        match store.purge(batch, now).await.expect("an answer") {
            0 => return purged,
            some => purged += some,
        }
    }
}

#[tokio::test]
async fn a_session_that_was_used_is_purged_at_its_new_deadline() {
    let place = Place::new();
    let store = place.store().await;
    let (one, other) = (NOW.after(2 * HOUR), NOW.after(3 * HOUR));
    create(&store, [1, 2]).await;
    let touched = store.touch(handle(1), 1, one, NOW).await;
    touched.expect("an answer");
    let next = until_deadline(other, successor(&record()));
    let replaced = store.replace(handle(2), 1, &next, NOW).await;
    replaced.expect("an answer");
    for (now, removed) in [(NOW.after(HOUR), 0), (one, 1), (other, 1)] {
        let purged = store.purge(10, now).await.expect("an answer");
        assert_eq!(purged, removed, "at {now:?}");
    }
    assert_eq!(place.number(ALL), 0);
}

/// The table is named with its database then, in every statement.
#[tokio::test]
async fn a_purge_needs_no_default_database() {
    let place = Place::new();
    let table = format!("{}.fasthttpsession", place.database.name());
    let config = place.config().database("").table(&table);
    let config = config.expect("it is a name");
    let store = config.open().await.expect("the store opens");
    create(&store, [1, 2]).await;
    let purged = store.purge(10, NOW.after(HOUR)).await;
    assert_eq!(purged.expect("an answer"), 2);
    assert_eq!(place.number(ALL), 0);
}

#[tokio::test]
async fn a_purge_removes_at_most_its_limit_and_nothing_that_lives() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, 0..5).await;
    expiring(&place, 25);
    let later = NOW.after(2 * HOUR);
    for number in 0..5 {
        let touched = store.touch(handle(number), 1, later, NOW).await;
        touched.expect("an answer");
    }
    let now = NOW.after(HOUR);
    for (limit, removed) in [(0, 0), (20, 20), (20, 5), (20, 0)] {
        assert_eq!(store.purge(limit, now).await.expect("an answer"), removed);
    }
    assert_eq!(place.number(ALL), 5);
}

#[tokio::test]
async fn a_purge_passes_over_rows_that_are_held() {
    let place = Place::new();
    let store = place.store().await;
    // So many that a server may go through the whole table for them.
    create(&store, 0..20).await;
    let holder = place.holder(&[2]).await;
    let now = NOW.after(HOUR);
    let purged = within(store.purge(20, now)).await;
    assert_eq!(purged.expect("an answer"), 19);
    holder.commit().await;
    assert_eq!(store.purge(20, now).await.expect("an answer"), 1);
}

#[tokio::test]
async fn a_session_is_used_while_a_purge_is_under_way() {
    let place = Place::new();
    let store = place.store().await;
    create(&store, [1, 2]).await;
    expiring(&place, 10);
    let later = NOW.after(2 * HOUR);
    for number in [1, 2] {
        let touched = store.touch(handle(number), 1, later, NOW).await;
        touched.expect("an answer");
    }
    // Amid its first deletion, the purge waits for a lock that this test has.
    let lock = format!("'purge {}'", place.database.name());
    let trigger = format!("BEFORE DELETE ON fasthttpsession FOR EACH ROW DO GET_LOCK({lock}, 60)");
    place.run(&format!("CREATE TRIGGER hold {trigger}"));
    let mut holder = place.holder(&[]).await;
    holder.run(&format!("DO GET_LOCK({lock}, 60)")).await;
    let other = store.clone();
    let purge = tokio::spawn(async move { other.purge(10, NOW.after(HOUR)).await });
    let waiting =
        format!("SELECT COUNT(*) FROM {PROCESSES} WHERE db = DATABASE() AND state = 'User lock'");
    place.until(&waiting, 1).await;
    let replaced = within(replace(&store, 1)).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    assert_eq!(load(&store, 1).await, Some(successor(&record())));
    let touched = within(store.touch(handle(2), 1, NOW.after(3 * HOUR), NOW)).await;
    assert_eq!(touched.expect("an answer"), Touched::Touched);
    within(create(&store, [3])).await;
    assert!(!purge.is_finished(), "the lock held nothing up");
    holder.run(&format!("DO RELEASE_LOCK({lock})")).await;
    let purged = within(purge).await.expect("no panic");
    assert_eq!(purged.expect("an answer"), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_a_purge() {
    let place = Place::new();
    let store = place.store().await;
    expiring(&place, 4000);
    let mut other = tokio::process::Command::new(std::env::current_exe().expect("this program"));
    let name = "purging::purges_until_nothing_is_due";
    other
        .args(["--exact", name, "--ignored", "--nocapture"])
        .env(URL, place.database.url())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let other = other.spawn().expect("it runs");
    // It has begun, and there is more than it removes at once.
    place
        .until("SELECT COUNT(*) < 4000 FROM fasthttpsession", 1)
        .await;
    let ours = purge_all(&store, 10).await;
    let output = within(other.wait_with_output()).await.expect("it ended");
    let printed = String::from_utf8_lossy(&output.stdout);
    let theirs = printed
        .lines()
        .find_map(|line| line.strip_prefix("purged=")?.parse::<u64>().ok());
    let theirs = theirs.unwrap_or_else(|| panic!("it did not say what it purged: {printed}"));
    assert_eq!(ours + theirs, 4000, "each session is purged once");
    assert!(ours > 0 && theirs > 0, "{ours} by us, {theirs} by them");
    assert_eq!(place.number(ALL), 0);
}

/// Not a test: what another process runs.
#[tokio::test]
#[ignore = "a process of another test"]
async fn purges_until_nothing_is_due() {
    let Ok(url) = std::env::var(URL) else {
        return;
    };
    let config = MysqlConfig::from_url(&url).expect("it is a URL");
    let config = config.purge_every(Duration::ZERO);
    let store = config.open().await.expect("the table is there");
    println!("\npurged={}", purge_all(&store, 10).await);
}

#[tokio::test]
async fn what_has_expired_goes_in_the_background() {
    let place = Place::new();
    let config = place.config().purge_every(Duration::from_millis(1));
    let store = config.open().await.expect("the store opens");
    let now = SystemClock.now();
    let expiring = until_deadline(now.after(Duration::from_millis(5)), record());
    let created = store.create(handle(1), &expiring, now).await;
    created.expect("an answer");
    place.until(ALL, 0).await;
}

#[tokio::test]
async fn purging_can_be_turned_off() {
    let place = Place::new();
    let off = place.config().purge_every(Duration::ZERO);
    let off = off.open().await.expect("the store opens");
    assert!(format!("{off:?}").contains("purging: false"), "{off:?}");
    let on = place.config().purge_every(HOUR).open().await;
    let on = on.expect("the store opens");
    assert!(format!("{on:?}").contains("purging: true"), "{on:?}");
}

#[tokio::test]
async fn purging_and_connections_end_with_the_last_clone() {
    let place = Place::new();
    let config = place.config().purge_every(Duration::from_millis(1));
    let store = config.open().await.expect("the store opens");
    let clone = store.clone();
    create(&store, [1]).await;
    drop(store);
    create(&clone, [2]).await;
    drop(clone);
    // The one that asks is left.
    place
        .until(
            &format!("SELECT COUNT(*) FROM {PROCESSES} WHERE db = DATABASE()"),
            1,
        )
        .await;
}
