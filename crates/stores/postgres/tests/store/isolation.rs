//! Databases whose transactions are isolated by default in another way than that of most.

use fasthttpsession_core::{Replaced, Store};

use crate::support::{HOUR, NOW, Place, create, literal, load, record, replace, successor};

/// A database in which `level` is the default.
async fn place_at(level: &str) -> Place {
    let place = Place::new().await;
    let name = place.database.name();
    let setting = format!("ALTER DATABASE {name} SET default_transaction_isolation = '{level}'");
    place.run(&setting).await;
    place
}

/// Where a transaction sees the table as it was when it began, the server refuses what waited for a row that changed.
#[tokio::test]
async fn a_swap_that_waited_for_a_row_which_then_changed_is_a_conflict_at_every_level() {
    for level in ["read committed", "repeatable read", "serializable"] {
        let place = place_at(level).await;
        // Without settings of its own on connections.
        let config = place.config().prepared(false);
        let store = config.open().await.expect(level);
        create(&store, [0]).await;
        let holder = place.holder(&[0]).await;
        let waiting = tokio::spawn({
            let store = store.clone();
            async move { replace(&store, 0).await }
        });
        place.until_waiting(1).await;
        let change = format!(
            "UPDATE fasthttpsession SET version = 2, body = 'body 2' WHERE handle = {}",
            literal(0)
        );
        holder.0.batch_execute(&change).await.expect(&change);
        holder.commit().await;
        let replaced = waiting.await.expect("no panic").expect(level);
        assert_eq!(
            replaced,
            Replaced::Conflict(successor(&record())),
            "{level}"
        );
        assert_eq!(load(&store, 0).await, Some(successor(&record())), "{level}");
    }
}

#[tokio::test]
async fn connections_of_the_stores_own_have_the_level_that_refuses_least() {
    let place = place_at("serializable").await;
    let store = place.store().await;
    create(&store, [1]).await;
    place
        .run(
            "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF current_setting('transaction_isolation') <> 'read committed'
                THEN RAISE EXCEPTION 'isolated'; END IF; RETURN NEW; END $$;
             CREATE TRIGGER look BEFORE UPDATE ON fasthttpsession FOR EACH ROW EXECUTE FUNCTION look()",
        )
        .await;
    let replaced = replace(&store, 1).await.expect("it is not isolated");
    assert_eq!(replaced, Replaced::Replaced);
}

#[tokio::test]
async fn a_purge_that_others_were_in_the_way_of_is_made_again() {
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, [1]).await;
    // No rollback takes a number back.
    place
        .run(
            "CREATE SEQUENCE tries;
             CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF nextval('tries') < 3 THEN RAISE EXCEPTION 'refused' USING ERRCODE = '40001'; END IF;
                RETURN OLD; END $$;
             CREATE TRIGGER refuse BEFORE DELETE ON fasthttpsession FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
    let purged = store.purge(10, NOW.after(HOUR)).await;
    assert_eq!(purged.expect("the third time it works"), 1);
}
