//! Transactions of others that want the same rows in another order.

use fasthttpsession_core::{Created, Replaced, Store};

use crate::support::{NOW, Place, create, handle, literal, load, record, replace, start, within};

#[tokio::test]
async fn a_group_and_a_transaction_that_goes_the_other_way_do_not_wait_for_each_other() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    create(&store, 0..4).await;
    let holder = place.holder(&[3]).await;
    let gate = place.gate().await;
    let first = start(replace(&store, 0));
    let [one, two, three] = [1, 2, 3].map(|number| start(replace(&store, number)));
    gate.open().await;
    for replaced in [first, one, two] {
        assert_eq!(replaced.await.expect("an answer"), Replaced::Replaced);
    }
    within(holder.hold(2)).await;
    within(holder.hold(1)).await;
    holder.commit().await;
    assert_eq!(three.await.expect("an answer"), Replaced::Replaced);
}

/// Only creations wait for others in a group, and only for somebody who makes the same handle.
#[tokio::test]
async fn the_victims_of_a_deadlock_try_again() {
    let place = Place::new().await;
    let store = place.narrow_store().await;
    place
        .run(&format!(
            "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN
               PERFORM pg_advisory_lock_shared(TG_ARGV[0]::int); PERFORM pg_advisory_unlock_shared(TG_ARGV[0]::int);
               RETURN NEW;
             END $$;
             CREATE TRIGGER wait_0 BEFORE INSERT ON fasthttpsession
             FOR EACH ROW WHEN (NEW.handle = {}) EXECUTE FUNCTION wait(0);
             CREATE TRIGGER wait_2 BEFORE INSERT ON fasthttpsession
             FOR EACH ROW WHEN (NEW.handle = {}) EXECUTE FUNCTION wait(2)",
            literal(0),
            literal(2)
        ))
        .await;
    let foreign = place.holder(&[]).await;
    let patient = "SET LOCAL deadlock_timeout = '10min'";
    foreign.0.batch_execute(patient).await.expect(patient);
    let insert = |number| {
        format!(
            "INSERT INTO fasthttpsession (handle, version, created_at, idle_deadline, absolute_deadline, purge_at, body)
             VALUES ({}, 1, 0, 0, 0, 0, '')",
            literal(number)
        )
    };
    foreign.0.batch_execute(&insert(2)).await.expect("inserted");

    let wanted = record();
    let gate = place.outside().await;
    let lock = "SELECT pg_advisory_lock(0), pg_advisory_lock(2)";
    gate.batch_execute(lock).await.expect(lock);
    let [first, one, two] =
        [0, 1, 2].map(|number| start(store.create(handle(number), &wanted, NOW)));
    let open = async |number: u8| {
        let unlock = format!("SELECT pg_advisory_unlock({number})");
        gate.batch_execute(&unlock).await.expect(&unlock);
    };
    open(0).await;
    assert_eq!(first.await.expect("an answer"), Created::Created);
    place.until_waiting(1).await;
    // Who waits looks for a deadlock once, so the group is to wait for the other one last.
    let (insert_one, group_goes_on) = (insert(1), async {
        place.until_waiting(2).await;
        open(2).await;
    });
    let inserting = within(foreign.0.batch_execute(&insert_one));
    let (inserted, ()) = tokio::join!(inserting, group_goes_on);
    inserted.expect("the other one is the victim");
    foreign.0.batch_execute("ROLLBACK").await.expect("it ends");
    for victim in [one, two] {
        assert_eq!(victim.await.expect("an answer"), Created::Created);
    }
    assert_eq!(load(&store, 2).await, Some(record()));
}
