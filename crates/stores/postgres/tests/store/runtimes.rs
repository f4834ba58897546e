//! Programs with several runtimes, such as servers that have one for each worker.

use fasthttpsession_conformance::store::runtimes::used_in_several_runtimes;

use crate::support::{NOW, Place, within};

#[tokio::test]
async fn all_runtimes_together_make_no_more_connections_than_are_set() {
    let place = Place::new().await;
    let config = place.config().max_connections(3);
    let config = config.application_name("of several runtimes");
    let store = config.open().await.expect("the store opens");
    let counted =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'of several runtimes'";
    // One that was just closed may be listed for a moment.
    let used = used_in_several_runtimes(&store, 6, NOW, async || place.until(counted, 3).await);
    within(used).await.expect("answers");
}
