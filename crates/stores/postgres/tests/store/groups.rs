//! Calls that queued up are one statement, and each gets the answer that is its own.

use fasthttpsession_core::{
    Created, Deleted, Replaced, Store, StoreError, StoreErrorKind, Touched,
};
use fasthttpsession_postgres::PostgresStore;

use crate::support::{
    HOUR, NOW, Place, create, handle, literal, load, record, replace, start, successor,
};

/// How many transactions wrote these sessions last.
async fn transactions(place: &Place, numbers: &[u8]) -> i64 {
    let handles: Vec<_> = numbers.iter().map(|number| literal(*number)).collect();
    let sql = format!(
        "SELECT count(DISTINCT xmin::text) FROM fasthttpsession WHERE handle IN ({})",
        handles.join(", ")
    );
    place.number(&sql).await
}

#[tokio::test]
async fn replacements_that_queued_up_are_one_commit_and_answered_each() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, [0, 1, 2, 3, 5]).await;
    let ahead = successor(&record());
    let replaced = store.replace(handle(3), 1, &ahead, NOW).await;
    assert_eq!(replaced.expect("an answer"), Replaced::Replaced);
    let mut expired = record();
    expired.header.idle_deadline = NOW.after(HOUR / 2);
    let created = store.create(handle(4), &expired, NOW).await;
    assert_eq!(created.expect("an answer"), Created::Created);

    let gate = place.gate().await;
    let first = start(replace(&store, 0));
    let one = start(replace(&store, 1));
    let two = start(replace(&store, 2));
    let conflict = start(replace(&store, 3));
    let next = successor(&record());
    let expired = start(store.replace(handle(4), 1, &next, NOW.after(HOUR / 2)));
    let missing = start(replace(&store, 99));
    let five = start(replace(&store, 5));
    gate.open().await;
    for replaced in [first, one, two, five] {
        assert_eq!(replaced.await.expect("an answer"), Replaced::Replaced);
    }
    assert_eq!(
        conflict.await.expect("an answer"),
        Replaced::Conflict(ahead)
    );
    assert_eq!(expired.await.expect("an answer"), Replaced::Gone);
    assert_eq!(missing.await.expect("an answer"), Replaced::Gone);
    assert_eq!(transactions(&place, &[1, 2, 5]).await, 1);
    assert_eq!(transactions(&place, &[0, 1]).await, 2);
    for number in [0, 1, 2, 3, 5] {
        assert_eq!(load(&store, number).await, Some(successor(&record())));
    }
    assert_eq!(load(&store, 99).await, None);
}

#[tokio::test]
async fn creations_that_queued_up_are_one_commit_in_the_order_of_their_handles() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, [4]).await;
    let wanted = record();
    let gate = place.gate().await;
    let first = start(store.create(handle(0), &wanted, NOW));
    let [five, three, four, one] =
        [5, 3, 4, 1].map(|number| start(store.create(handle(number), &wanted, NOW)));
    gate.open().await;
    for created in [first, five, three, one] {
        assert_eq!(created.await.expect("an answer"), Created::Created);
    }
    assert_eq!(four.await.expect("an answer"), Created::Exists);
    assert_eq!(transactions(&place, &[1, 3, 5]).await, 1);
    let out_of_order = "SELECT count(*) FROM fasthttpsession one JOIN fasthttpsession other
        ON one.handle < other.handle AND one.ctid > other.ctid
        WHERE least(one.xmin::text::bigint, other.xmin::text::bigint) >
            (SELECT min(xmin::text::bigint) FROM fasthttpsession)";
    assert_eq!(place.number(out_of_order).await, 0);
}

#[tokio::test]
async fn deletions_and_touches_that_queued_up_are_answered_each() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, 0..6).await;
    let later = NOW.after(2 * HOUR);
    let gate = place.gate().await;
    let first = start(store.delete(handle(0), NOW));
    let deleted = start(store.delete(handle(1), NOW));
    let missing = start(store.delete(handle(99), NOW));
    let first_touch = start(store.touch(handle(2), 1, later, NOW));
    let moved = start(store.touch(handle(3), 1, later, NOW));
    let of_an_older_version = start(store.touch(handle(4), 0, later, NOW));
    let backwards = start(store.touch(handle(5), 1, NOW.after(HOUR / 2), NOW));
    let untouchable = start(store.touch(handle(99), 1, later, NOW));
    gate.open().await;
    assert_eq!(first.await.expect("an answer"), Deleted::Deleted);
    assert_eq!(deleted.await.expect("an answer"), Deleted::Deleted);
    assert_eq!(missing.await.expect("an answer"), Deleted::Gone);
    for touched in [first_touch, moved, of_an_older_version, backwards] {
        assert_eq!(touched.await.expect("an answer"), Touched::Touched);
    }
    assert_eq!(untouchable.await.expect("an answer"), Touched::Gone);
    for (number, deadline) in [(3, later), (4, NOW.after(HOUR)), (5, NOW.after(HOUR))] {
        let held = load(&store, number).await.expect("it lives");
        assert_eq!(held.header.idle_deadline, deadline, "of session {number}");
    }
    assert_eq!(load(&store, 1).await, None);
}

#[tokio::test]
async fn two_replacements_of_one_session_are_two_commits_and_one_loses() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, 0..3).await;
    let mut other = successor(&record());
    other.body = "another body 2".into();
    let gate = place.gate().await;
    let first = start(replace(&store, 0));
    let winner = start(replace(&store, 1));
    let loser = start(store.replace(handle(1), 1, &other, NOW));
    let neighbour = start(replace(&store, 2));
    gate.open().await;
    for replaced in [first, winner, neighbour] {
        assert_eq!(replaced.await.expect("an answer"), Replaced::Replaced);
    }
    let current = Replaced::Conflict(successor(&record()));
    assert_eq!(loser.await.expect("an answer"), current);
    assert_eq!(transactions(&place, &[1, 2]).await, 1);
}

#[tokio::test]
async fn a_call_that_the_server_refuses_does_not_spoil_its_group() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    place
        .run(&format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'not this one' USING ERRCODE = 'program_limit_exceeded'; END $$;
             CREATE TRIGGER refuse BEFORE INSERT ON fasthttpsession
             FOR EACH ROW WHEN (NEW.handle = {}) EXECUTE FUNCTION refuse()",
            literal(2)
        ))
        .await;
    let wanted = record();
    let gate = place.gate().await;
    let [first, one, two, three] =
        [0, 1, 2, 3].map(|number| start(store.create(handle(number), &wanted, NOW)));
    gate.open().await;
    for created in [first, one, three] {
        assert_eq!(created.await.expect("an answer"), Created::Created);
    }
    let refusal = two.await.expect_err("the server refuses it");
    assert_eq!(refusal.kind(), StoreErrorKind::TooLarge, "{refusal}");
    assert!(!refusal.may_have_applied());
    assert_eq!(load(&store, 2).await, None);
}

/// A narrow store whose role may write, but not read records: so each question how a row is now is refused.
async fn store_that_may_not_load(place: &Place) -> PostgresStore {
    let role = place.database.name();
    place
        .run(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'writes';
             GRANT SELECT, INSERT, UPDATE, DELETE ON fasthttpsession TO {role}"
        ))
        .await;
    let config = place.config().migrate(false).max_connections(2);
    let config = config.user(role).password("writes");
    let store = config.open().await.expect("the store opens");
    place
        .run(&format!(
            "REVOKE SELECT ON fasthttpsession FROM {role};
             GRANT SELECT (handle, version, idle_deadline, expires_at, purge_at) ON fasthttpsession TO {role}"
        ))
        .await;
    store
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let refusal = answer.expect_err("the role may not read it");
    assert_eq!(refusal.kind(), StoreErrorKind::Misconfigured, "{refusal}");
    assert!(!refusal.may_have_applied());
}

#[tokio::test]
async fn a_replacement_that_was_made_is_answered_so_whatever_its_group_learns_of_others() {
    let place = Place::new().await;
    let owner = place.store().await;
    create(&owner, 0..4).await;
    let store = store_that_may_not_load(&place).await;
    let next = successor(&record());
    let gate = place.gate().await;
    let first = start(replace(&store, 0));
    let one = start(replace(&store, 1));
    let stale = start(store.replace(handle(2), 7, &next, NOW));
    let three = start(replace(&store, 3));
    gate.open().await;
    for replaced in [first, one, three] {
        assert_eq!(replaced.await.expect("an answer"), Replaced::Replaced);
    }
    is_refused(stale.await);
    assert_eq!(transactions(&place, &[1, 3]).await, 1);
    assert_eq!(load(&owner, 2).await, Some(record()));
}

#[tokio::test]
async fn a_touch_that_was_made_is_answered_so_whatever_its_group_learns_of_others() {
    let place = Place::new().await;
    let owner = place.store().await;
    create(&owner, 0..4).await;
    let store = store_that_may_not_load(&place).await;
    let later = NOW.after(2 * HOUR);
    let touch = |number, version| store.touch(handle(number), version, later, NOW);
    let gate = place.gate().await;
    let first = start(touch(0, 1));
    let one = start(touch(1, 1));
    let stale = start(touch(2, 7));
    let three = start(touch(3, 1));
    gate.open().await;
    for touched in [first, one, three] {
        assert_eq!(touched.await.expect("an answer"), Touched::Touched);
    }
    is_refused(stale.await);
    assert_eq!(transactions(&place, &[1, 3]).await, 1);
}

#[tokio::test]
async fn a_deletion_that_was_made_is_answered_so_whatever_its_group_learns_of_others() {
    let place = Place::new().await;
    let owner = place.store().await;
    create(&owner, [0, 1, 3]).await;
    let store = store_that_may_not_load(&place).await;
    let gate = place.gate().await;
    let [first, one, missing, three] =
        [0, 1, 2, 3].map(|number| start(store.delete(handle(number), NOW)));
    gate.open().await;
    for deleted in [first, one, three] {
        assert_eq!(deleted.await.expect("an answer"), Deleted::Deleted);
    }
    is_refused(missing.await);
    assert_eq!(owner.count(NOW).await.expect("an answer"), 0);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_is_not_made() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, 0..3).await;
    let gate = place.gate().await;
    let first = start(replace(&store, 0));
    let dropped = start(replace(&store, 1));
    let waiting = start(replace(&store, 2));
    drop(dropped);
    gate.open().await;
    for replaced in [first, waiting] {
        assert_eq!(replaced.await.expect("an answer"), Replaced::Replaced);
    }
    assert_eq!(load(&store, 1).await, Some(record()));
}

#[tokio::test]
async fn many_loads_of_one_session_at_once_are_all_answered() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, [1]).await;
    let exclusive = place.outside().await;
    let lock = "BEGIN; LOCK TABLE fasthttpsession IN ACCESS EXCLUSIVE MODE";
    exclusive.batch_execute(lock).await.expect(lock);
    let loads = [1, 1, 1, 1, 1, 1, 1, 1, 2].map(|number| start(store.load(handle(number), NOW)));
    exclusive.batch_execute("COMMIT").await.expect("it ends");
    let mut loaded = Vec::new();
    for load in loads {
        loaded.push(load.await.expect("an answer"));
    }
    assert_eq!(loaded.pop(), Some(None));
    assert_eq!(loaded, vec![Some(record()); 8]);
}
