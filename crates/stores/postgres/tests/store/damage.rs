//! Rows that are no record, because somebody took the checks off the table.

use fasthttpsession_core::{Deleted, Store, StoreErrorKind};

use crate::support::{HOUR, NOW, Place, create, handle};

#[tokio::test]
async fn what_is_no_record_can_be_deleted_and_once_it_has_expired_is_gone() {
    let place = Place::new().await;
    let store = place.store().await;
    create(&store, 1..3).await;
    place
        .run(
            "ALTER TABLE fasthttpsession DROP CONSTRAINT fasthttpsession_label_check;
             UPDATE fasthttpsession SET label = E'\\x07'",
        )
        .await;
    let error = store.load(handle(1), NOW).await.expect_err("no record");
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let expired = store.delete(handle(1), NOW.after(HOUR)).await;
    assert_eq!(expired.expect("an answer"), Deleted::Gone);
    let deleted = store.delete(handle(2), NOW).await;
    assert_eq!(deleted.expect("an answer"), Deleted::Deleted);
    assert_eq!(
        place.number("SELECT count(*) FROM fasthttpsession").await,
        1
    );
}
