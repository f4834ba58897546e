//! Programs with several runtimes, such as servers that have one for each worker.

use fasthttpsession_conformance::store::runtimes::in_several_runtimes;

use crate::support::{Place, create, replace, within};

#[tokio::test]
async fn all_runtimes_together_make_no_more_connections_than_are_set() {
    let place = Place::new().await;
    let config = place.config().max_connections(3);
    let config = config.application_name("of several runtimes");
    let store = config.open().await.expect("the store opens");
    create(&store, 0..48).await;
    let replace_some = move |runtime| {
        let store = store.clone();
        async move {
            let first = 8 * u8::try_from(runtime).expect("they are few");
            for number in first..first + 8 {
                replace(&store, number).await?;
            }
            Ok(())
        }
    };
    let counted =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'of several runtimes'";
    let connections = in_several_runtimes(6, replace_some, async || place.number(counted).await);
    assert_eq!(within(connections).await.expect("answers"), 3);
}
